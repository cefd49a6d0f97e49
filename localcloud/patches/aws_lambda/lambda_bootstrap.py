"""Runs one Lambda function as AWS's Python runtime does; function_process.py starts it in its own Python.

Reads one JSON line for each invocation and writes one for each result. The function's output is its log.
"""

from __future__ import annotations

import decimal
import importlib
import json
import logging
import os
import sys
import time
import traceback
from collections.abc import Callable
from types import TracebackType
from typing import Any

Handler = Callable[[Any, "Context"], Any]

# Marks the end of an invocation's log.
END_OF_LOG = "\x00end of log\x00"


class Context:
    """The second argument of every handler."""

    identity = None
    client_context = None

    def __init__(self, request: dict[str, Any]) -> None:
        self.aws_request_id = request["request_id"]
        self.invoked_function_arn = request["function_arn"]
        self.function_name = os.environ["AWS_LAMBDA_FUNCTION_NAME"]
        self.function_version = os.environ["AWS_LAMBDA_FUNCTION_VERSION"]
        self.memory_limit_in_mb = os.environ["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"]
        self.log_group_name = os.environ["AWS_LAMBDA_LOG_GROUP_NAME"]
        self.log_stream_name = os.environ["AWS_LAMBDA_LOG_STREAM_NAME"]
        self._deadline = time.monotonic() + request["timeout"]

    def get_remaining_time_in_millis(self) -> int:
        return max(0, int((self._deadline - time.monotonic()) * 1000))


class InitError(Exception):
    """The function could not be loaded."""

    def __init__(self, body: dict[str, Any]) -> None:
        self.body = body


class TextFormatter(logging.Formatter):
    converter = staticmethod(time.gmtime)
    request_id = ""

    def __init__(self) -> None:
        super().__init__(
            "[%(levelname)s]\t%(asctime)s.%(msecs)03dZ\t%(aws_request_id)s\t%(message)s", "%Y-%m-%dT%H:%M:%S"
        )

    def format(self, record: logging.LogRecord) -> str:
        record.aws_request_id = self.request_id
        return super().format(record)


class JsonFormatter(TextFormatter):
    def format(self, record: logging.LogRecord) -> str:
        entry = {
            "timestamp": self.formatTime(record, "%Y-%m-%dT%H:%M:%SZ"),
            "level": record.levelname,
            "message": record.getMessage(),
            "logger": record.name,
            "requestId": self.request_id,
        }
        if record.exc_info:
            entry["stackTrace"] = self.formatException(record.exc_info)
        return json.dumps(entry)


def main() -> None:
    outcomes = os.fdopen(os.dup(1), "w", encoding="utf-8")
    requests = os.fdopen(os.dup(0), encoding="utf-8")
    # All output, also of C libraries, goes to the log, and only this program reads the requests.
    os.dup2(2, 1)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    formatter = _configure_logging()
    sys.path[:0] = sys.argv[1:]

    def send(outcome: dict[str, Any]) -> None:
        sys.stdout.flush()
        print(END_OF_LOG, file=sys.stderr, flush=True)
        outcomes.write(json.dumps(outcome) + "\n")
        outcomes.flush()

    try:
        handler = load(os.environ["_HANDLER"])
    except InitError as error:
        _print_error(error.body)
        send({"error": error.body})
        sys.exit(1)
    send({"ready": True})
    for line in requests:
        request = json.loads(line)
        if request.get("trace_id"):
            os.environ["_X_AMZN_TRACE_ID"] = request["trace_id"]
        formatter.request_id = request["request_id"]
        send(invoke(handler, request))


def load(name: str) -> Handler:
    """Load the function ``package.module.function``; the errors are those of AWS's runtime."""
    module_name, _, function_name = name.replace("/", ".").rpartition(".")
    try:
        module = importlib.import_module(module_name)
    except ImportError as error:
        message = f"Unable to import module '{module_name}': {error}"
        raise InitError(_error("Runtime.ImportModuleError", message)) from error
    except SyntaxError as error:
        trace = [f'  File "{error.filename}" Line {error.lineno}\n    {error.text}']
        message = f"Syntax error in module '{module_name}': {error}"
        raise InitError(_error("Runtime.UserCodeSyntaxError", message, trace)) from error
    except Exception as error:
        raise InitError(_error(type(error).__name__, str(error), _trace(error.__traceback__))) from error
    handler: Handler | None = getattr(module, function_name, None)
    if handler is None:
        message = f"Handler '{function_name}' missing on module '{module_name}'"
        raise InitError(_error("Runtime.HandlerNotFound", message))
    return handler


def invoke(handler: Handler, request: dict[str, Any]) -> dict[str, Any]:
    try:
        result = handler(request["event"], Context(request))
    except Exception as error:
        body = _error(type(error).__name__, str(error), _trace(error.__traceback__), request["request_id"])
        _print_error(body)
        return {"error": body}
    try:
        # An extra conversion, so that a result that is not JSON is an error of the function.
        return {"result": json.loads(json.dumps(result, default=_plain))}
    except (TypeError, ValueError) as error:
        body = _error("Runtime.MarshalError", f"Unable to marshal response: {error}", [], request["request_id"])
        _print_error(body)
        return {"error": body}


def _plain(value: Any) -> float:
    if isinstance(value, decimal.Decimal):
        return float(value)
    raise TypeError(f"Object of type {type(value).__name__} is not JSON serializable")


def _error(kind: str, message: str, trace: list[str] | None = None, request_id: str = "") -> dict[str, Any]:
    return {"errorMessage": message, "errorType": kind, "requestId": request_id, "stackTrace": trace or []}


def _trace(tb: TracebackType | None) -> list[str]:
    """The stack trace, with only the function's own frames."""
    frames = [
        frame
        for frame in traceback.extract_tb(tb)
        if frame.filename != __file__ and "importlib" not in frame.filename
    ]
    return traceback.format_list(frames)


def _print_error(body: dict[str, Any]) -> None:
    print(f"[ERROR] {body['errorType']}: {body['errorMessage']}")
    if body["stackTrace"]:
        print("Traceback (most recent call last):", "".join(body["stackTrace"]), sep="\n", end="")


def _configure_logging() -> TextFormatter:
    formatter = JsonFormatter() if os.environ.get("AWS_LAMBDA_LOG_FORMAT") == "JSON" else TextFormatter()
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.addHandler(handler)
    if level := os.environ.get("AWS_LAMBDA_LOG_LEVEL"):
        root.setLevel({"TRACE": "DEBUG", "FATAL": "CRITICAL"}.get(level, level))
    return formatter


if __name__ == "__main__":
    main()
