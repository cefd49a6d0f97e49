"""The embedded cloud, whose functions load faster: `python -m tests.forked_functions localcloud.server --port ...`.

Most of what a function does while it loads is the same in all of them: Python starts and imports boto3. Here one process
does that, and forks for each function. Not for what measures cold starts, nor for tests of how a function is started.
"""

import contextlib
import ctypes
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

from localcloud import server
from localcloud.options import Settings

PARENT = Path(__file__).with_name("function_parent.py")
# See prctl(2): a process whose parent ends becomes a child of this one.
PR_SET_CHILD_SUBREAPER = 36


class Parent:
    """Starts the functions, as `subprocess.Popen` does elsewhere."""

    def __init__(self, python: Path) -> None:
        self._python, self._lock = python, threading.Lock()
        self._socket: socket.socket | None = None
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)

    def __call__(self, command: list[str], *, cwd: Path, env: dict[str, str], **_pipes: Any) -> "Function":
        _python, _p, bootstrap, *folders = command
        request = {"arguments": [bootstrap, *folders], "folder": str(cwd), "environment": env}
        (reads, stdin), (stdout, writes), (stderr, logs) = (os.pipe() for _ in range(3))
        with self._lock:
            self._socket = self._socket or self._start(bootstrap)
            socket.send_fds(self._socket, [json.dumps(request).encode()], [reads, writes, logs])
            pid = int(self._socket.recv(32))
        for end in (reads, writes, logs):
            os.close(end)
        return Function(command, pid, stdin, stdout, stderr)

    def _start(self, bootstrap: str) -> socket.socket:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            subprocess.Popen(
                [str(self._python), "-P", str(PARENT), bootstrap, str(theirs.fileno())],
                env={"PATH": os.environ["PATH"], "LANG": "en_US.UTF-8"},
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
            )
        return ours


class Function:
    """A function's process: what the cloud and MiniStack use of `subprocess.Popen`."""

    def __init__(self, command: list[str], pid: int, stdin: int, stdout: int, stderr: int) -> None:
        self.args, self.pid, self._lock = command, pid, threading.Lock()
        self.returncode: int | None = None
        self.stdin = os.fdopen(stdin, "w", encoding="utf-8")
        self.stdout, self.stderr = (
            os.fdopen(each, encoding="utf-8", errors="replace") for each in (stdout, stderr)
        )

    def poll(self) -> int | None:
        with self._lock:
            if self.returncode is None:
                pid, status = os.waitpid(self.pid, os.WNOHANG)
                self.returncode = os.waitstatus_to_exitcode(status) if pid else None
            return self.returncode

    def wait(self, timeout: float = float("inf")) -> int:
        deadline = time.monotonic() + timeout
        while (code := self.poll()) is None:
            if time.monotonic() > deadline:
                raise subprocess.TimeoutExpired(self.args, timeout)
            time.sleep(0.01)
        return code

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


def main() -> None:
    serve = server.serve

    async def forking(listener: socket.socket, settings: Settings) -> None:
        # Not before: MiniStack, which this imports, reads the environment that `server.main` makes.
        from localcloud.patches.aws_lambda import function_process

        function_process.Popen = Parent(settings.lambda_python)  # type: ignore[attr-defined, assignment]
        await serve(listener, settings)

    server.serve = forking
    server.main(sys.argv[2:])


if __name__ == "__main__":
    main()
