"""Lambda functions in a separate Python and environment.

MiniStack: runs them on its own Python, with its own packages and environment.
AWS: runs them on a Python that has boto3, with the function's environment and its role's credentials.
    https://docs.aws.amazon.com/lambda/latest/dg/lambda-python.html
Upstream: none known, ready to send:
    docs/upstream/lambda-error-type.md
Kind: core
"""

from __future__ import annotations

import hashlib
import hmac
from typing import Any

from ministack.core import lambda_runtime as runtime
from ministack.services import cloudwatch_logs, lambda_svc, sts

from localcloud.options import Settings
from localcloud.patches.aws_lambda.async_invocations import is_asynchronous
from localcloud.patches.aws_lambda.function_process import FunctionProcess
from localcloud.patches.aws_lambda.loading import Loading
from localcloud.patches.patch import Function, patch

_loading = Loading()


def prepare(settings: Settings) -> None:
    (settings.state_dir / "lambda").mkdir(parents=True, exist_ok=True)


@patch(runtime, "_worker_class_for")
def _ours_for_python(original: Function, config: dict[str, Any], *, settings: Settings) -> Any:
    if not str(config.get("Runtime", "")).startswith("python"):
        return original(config)
    return lambda name, config, code: FunctionProcess(name, config, code, settings)


@patch(lambda_svc, "_emit_lambda_logs")
def _not_into_a_deleted_group(original: Function, function: dict[str, Any], *rest: Any, **more: Any) -> None:
    """Lambda creates a function's default log group, but not one that the configuration names."""
    config = function.get("config") or function
    own = f"/aws/lambda/{config['FunctionName']}"
    group = (config.get("LoggingConfig") or {}).get("LogGroup") or own
    if group == own or group in cloudwatch_logs._log_groups:
        original(function, *rest, **more)


@patch(runtime, "execution_credentials")
@patch(lambda_svc, "execution_credentials")
def _secret_credentials(_original: Function, config: dict[str, Any], *, settings: Settings) -> dict[str, str]:
    """Random keys for a role: MiniStack derives them from names that are in mails and logs."""
    account, _region = runtime._account_region_from_function_config(config)
    role = config.get("Role", "").rpartition("/")[2]
    name = config.get("FunctionName", "")

    def derived(kind: str) -> str:
        # All processes of a function share them: a new session would replace the earlier one.
        text = f"{kind}:{config.get('FunctionArn', '')}:{config.get('Role', '')}"
        return hmac.new(settings.root_secret.encode(), text.encode(), hashlib.sha256).hexdigest()

    key, secret, token = f"ASIA{derived('key')[:16].upper()}", derived("secret"), derived("token")
    session = {
        "Arn": f"arn:aws:sts::{account}:assumed-role/{role}/{name[:64]}",
        "UserId": f"{role}:{name[:64]}",
        "SecretAccessKey": secret,
        "SessionToken": token,
    }
    sts.register_session(key, session)
    return {"AWS_ACCESS_KEY_ID": key, "AWS_SECRET_ACCESS_KEY": secret, "AWS_SESSION_TOKEN": token}


@patch(lambda_svc, "_execute_function_warm")
def _answer_as_aws(original: Function, func: dict[str, Any], event: Any, request_id: str) -> Any:
    """AWS's response: MiniStack reports every exception as Runtime.HandlerError and ends the process."""
    config = func.get("config") or func
    code = func.get("code_zip")
    if not code or not str(config.get("Runtime", "")).startswith("python"):
        return original(func, event, request_id)
    lambda_svc._ensure_reaper_thread()
    name, version = config["FunctionName"], config.get("Version", "$LATEST")
    with _loading.lease(
        config.get("FunctionArn", name),
        lambda: runtime.acquire_worker(name, config, code, qualifier=version)[0],
        runtime.release_worker,
        asynchronous=is_asynchronous(),
    ) as (worker, loaded):
        answer = worker.invoke(
            event,
            request_id,
            loaded=loaded,
            trace_id=lambda_svc._xray_trace_id_for_invocation(config),
            invoked_function_arn=config.get("FunctionArn", ""),
        )
    if answer["status"] == "ok":
        return {"body": answer["result"], "log": answer["log"]}
    body = answer["error"]
    if body["errorType"] in ("Sandbox.Timedout", "Runtime.ExitError"):
        answer["log"] += f"\n{body['errorMessage']}"
    return {"body": body, "error": True, "function_error": "Unhandled", "log": answer["log"].strip("\n")}
