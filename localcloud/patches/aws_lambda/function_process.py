"""The process in which a Lambda function of Python runs: its start, calls, time-outs and output."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import logging
import os
import queue
import re
import tempfile
import threading
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from subprocess import PIPE, Popen
from typing import IO, Any

from ministack.core import lambda_runtime as runtime
from ministack.core.responses import new_uuid
from ministack.services import lambda_svc

from localcloud.options import Settings
from localcloud.patches.aws_lambda import lambda_bootstrap

log = logging.getLogger("portcall.lambda_runtime")

# AWS gives a function this long to load. If that is too short, it loads again within the function's time-out.
# https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html#runtimes-lifecycle-ib
INIT_SECONDS = 10.0
LOG_SECONDS = 1.0
# On AWS, a function does not take the processor from the services that it calls. In a burst, a hundred of them
# would take it from the registry: pushes would wait, and go live one by one instead of superseding each other.
LOWER_PRIORITY = 5

# There is no console here: such a link would lead to another account, or to nothing.
_CONSOLE_LINK = re.compile(
    r"https://([a-z0-9-]+\.)?console\.(aws\.amazon\.com|amazonaws\.cn|amazonaws-us-gov\.com)/"
)

_unpack_lock = threading.Lock()
_SIGNALS = {9: "killed", 11: "segmentation fault", 15: "terminated", 6: "aborted"}


class Failed(Exception):
    """An invocation that ended with an error; ``body`` is AWS's response."""

    def __init__(self, body: dict[str, Any]) -> None:
        super().__init__(body.get("errorMessage", ""))
        self.body = body


class FunctionProcess(runtime.Worker):  # type: ignore[misc]
    """One execution environment: a process that loads the function once and serves one invocation at a time."""

    def __init__(self, name: str, config: dict[str, Any], code: bytes, settings: Settings) -> None:
        super().__init__(name, config, code)
        self._proc: Any = None
        self._settings = settings
        self._outcomes: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
        self._lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()

    @property
    def is_loaded(self) -> bool:
        return self._proc is not None and self._proc.poll() is None

    def invoke(
        self,
        event: Any,
        request_id: str,
        *,
        loaded: Callable[[], None] | None = None,
        trace_id: str | None = None,
        **context: Any,
    ) -> dict[str, Any]:
        """Return ``result`` or ``error`` (AWS's response), and ``log``; call `loaded` after the loading."""
        with self._lock:
            printed: list[str] = []
            timeout = float(self.config.get("Timeout", 3))
            try:
                try:
                    if not self.is_loaded:
                        self._spawn(printed, request_id)
                finally:
                    if loaded:
                        loaded()
                request = {
                    "event": event,
                    "request_id": request_id,
                    "function_arn": context.get("invoked_function_arn") or self.config.get("FunctionArn", ""),
                    "timeout": timeout,
                    "trace_id": trace_id,
                }
                try:
                    self._proc.stdin.write(json.dumps(request) + "\n")
                    self._proc.stdin.flush()
                except OSError:
                    pass  # It ended between two invocations; the next lines handle this.
                outcome = self._outcome(timeout, request_id, printed)
            except Failed as failed:
                return {"status": "error", "error": failed.body, "log": "\n".join(printed)}
            answer = {"status": "error" if "error" in outcome else "ok", **outcome}
            return {**answer, "log": "\n".join(printed)}

    def _spawn(self, printed: list[str] | None = None, request_id: str = "") -> None:
        """Start the process and wait until the function is loaded. Raises Failed."""
        code = unpacked(self.code_zip, self._settings.state_dir / "lambda")
        layers = [unpacked(layer, self._settings.state_dir / "lambda") / "python" for layer in self._layers()]
        self._outcomes, self._lines = queue.SimpleQueue(), queue.SimpleQueue()
        self._proc = Popen(
            # -P keeps the bootstrap's own directory off the function's path.
            [str(self._settings.lambda_python), "-P", lambda_bootstrap.__file__, str(code), *map(str, layers)],
            cwd=code,
            env=environment(self.config, code, self._settings),
            stdin=PIPE,
            stdout=PIPE,
            stderr=PIPE,
            text=True,
            encoding="utf-8",
            errors="replace",
        )
        with contextlib.suppress(ProcessLookupError):
            os.setpriority(os.PRIO_PROCESS, self._proc.pid, os.nice(0) + LOWER_PRIORITY)
        for stream, target in ((self._proc.stdout, self._take_outcomes), (self._proc.stderr, self._take_lines)):
            threading.Thread(
                target=target, args=(stream,), daemon=True, name=f"lambda-{self.func_name}"
            ).start()
        started = time.monotonic()
        seconds = INIT_SECONDS + float(self.config.get("Timeout", 3))
        outcome = self._outcome(seconds, request_id, printed if printed is not None else [])
        if "error" in outcome:
            raise Failed(outcome["error"])
        log.info("%s loaded in %.0f ms", self.func_name, (time.monotonic() - started) * 1000)

    def _layers(self) -> list[bytes]:
        found = [lambda_svc._resolve_layer_zip(layer) for layer in self.config.get("Layers") or []]
        return [layer for layer in found if layer]

    def _outcome(self, seconds: float, request_id: str, printed: list[str]) -> dict[str, Any]:
        process = self._proc
        try:
            outcome = self._outcomes.get(timeout=seconds)
        except queue.Empty:
            process.kill()
            process.wait()
            self._collect_lines(printed)
            self._proc = None
            message = f"RequestId: {request_id} Error: Task timed out after {seconds:.2f} seconds"
            raise Failed({"errorType": "Sandbox.Timedout", "errorMessage": message}) from None
        self._collect_lines(printed)
        if outcome is None:
            code = process.wait()
            self._proc = None
            how = f"signal: {_SIGNALS.get(-code, -code)}" if code < 0 else f"exit status {code}"
            said = f"Runtime exited with error: {how}" if code else "Runtime exited without providing a reason"
            message = f"RequestId: {request_id} Error: {said}"
            raise Failed({"errorType": "Runtime.ExitError", "errorMessage": message})
        return outcome

    def _collect_lines(self, printed: list[str]) -> None:
        deadline = time.monotonic() + LOG_SECONDS
        while True:
            try:
                line = self._lines.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                return
            if line is None or line == lambda_bootstrap.END_OF_LOG:
                return
            printed.append(line)

    def _take_outcomes(self, stream: IO[str]) -> None:
        outcomes = self._outcomes
        for line in stream:
            outcomes.put(json.loads(line))
        outcomes.put(None)

    def _take_lines(self, stream: IO[str]) -> None:
        lines = self._lines
        for line in stream:
            lines.put(line.rstrip("\n"))
        lines.put(None)


def unpacked(archive: bytes, folder: Path) -> Path:
    """The folder with a zip's content, unpacked once and shared by all functions with the same code.

    MiniStack unpacks it for each process, so each would compile every module again.
    """
    target = folder / hashlib.sha256(archive).hexdigest()
    with _unpack_lock:
        if not target.exists():
            staging = Path(tempfile.mkdtemp(dir=folder))
            with zipfile.ZipFile(io.BytesIO(archive)) as content:
                content.extractall(staging)
            staging.rename(target)
    return target


def environment(config: dict[str, Any], code: Path, settings: Settings) -> dict[str, str]:
    """A function's environment variables: Lambda's and its own, but none of this machine's."""
    _account, region = runtime._account_region_from_function_config(config)
    logging_config = config.get("LoggingConfig") or {}
    own = {
        name: "" if _CONSOLE_LINK.match(value) else value
        for name, value in ((config.get("Environment") or {}).get("Variables") or {}).items()
        if name not in runtime._RESERVED_RUNTIME_ENV_VARS
    }
    variables = {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "LANG": "en_US.UTF-8",
        "TZ": ":UTC",
        # The user's files, such as ~/.aws/config, must not be found.
        "HOME": "/home/sbx_user1051",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_ENDPOINT_URL": settings.endpoint,
        **own,
        "AWS_REGION": region,
        "AWS_DEFAULT_REGION": region,
        "AWS_EXECUTION_ENV": f"AWS_Lambda_{config.get('Runtime', 'python')}",
        "AWS_LAMBDA_FUNCTION_NAME": config.get("FunctionName", ""),
        "AWS_LAMBDA_FUNCTION_VERSION": config.get("Version", "$LATEST"),
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(config.get("MemorySize", 128)),
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_LOG_GROUP_NAME": logging_config.get("LogGroup")
        or f"/aws/lambda/{config.get('FunctionName', '')}",
        "AWS_LAMBDA_LOG_STREAM_NAME": f"{time.strftime('%Y/%m/%d')}/[$LATEST]{new_uuid().replace('-', '')}",
        "AWS_LAMBDA_LOG_FORMAT": logging_config.get("LogFormat") or "Text",
        "LAMBDA_TASK_ROOT": str(code),
        "_HANDLER": config.get("Handler", ""),
        **runtime.execution_credentials(config),
    }
    if logging_config.get("ApplicationLogLevel"):
        variables["AWS_LAMBDA_LOG_LEVEL"] = logging_config["ApplicationLogLevel"]
    if "TMPDIR" in os.environ:
        variables.setdefault("TMPDIR", os.environ["TMPDIR"])
    return variables
