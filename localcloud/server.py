"""Serves MiniStack, with our patches, on loopback: ``python -m localcloud.server --port 4566 ...``."""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
import errno
import gc
import logging
import os
import re
import resource
import signal
import socket
import sys
import threading
from pathlib import Path
from typing import Any

from localcloud import refusals, root_key, switches
from localcloud.guard import NoWebPages
from localcloud.options import Settings

SHUTDOWN_SECONDS = 30.0
# New objects, until Python looks for garbage among them. Its default is 700, for much smaller programs.
GARBAGE_AFTER = 50_000

# The only environment variables of the user that the cloud keeps; functions get none of them.
_KEPT = ("PATH", "HOME", "USER", "LANG", "LC_ALL", "TZ", "TMPDIR", "LOG_LEVEL", "SMTP_HOST")
_KEPT_OF_DOCKER = ("DOCKER_HOST", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH", "DOCKER_CONFIG")


def main(arguments: list[str] | None = None) -> None:
    given = parse(arguments)
    try:
        listener = listen(given.port)
    except OSError as error:
        taken = error.errno == errno.EADDRINUSE
        reason = "is in use by another program" if taken else f"cannot be used: {error.strerror}"
        sys.exit(f"portcall: port {given.port} of 127.0.0.1 {reason}.")
    # Only now: the key in the folder may belong to a cloud that has the port.
    settings = dataclasses.replace(given, root_secret=root_key.make(given.state_dir))
    prepare_environment(settings)
    gc.disable()
    # Only now: MiniStack reads its environment when it is imported.
    from localcloud.patches.install import WrongVersion, check_version, install

    try:
        check_version()
    except WrongVersion as error:
        sys.exit(f"portcall: {error}")
    install(settings)
    # What is loaded stays loaded, so it is never looked through for garbage: a tenth of the start.
    gc.freeze()
    gc.enable()
    gc.set_threshold(GARBAGE_AFTER, 20, 20)
    refusals.keep_in(settings.state_dir)
    raise_file_limit()
    asyncio.run(serve(listener, settings))
    # Python would look once more as it ends.
    gc.freeze()


def parse(arguments: list[str] | None) -> Settings:
    parser = argparse.ArgumentParser(prog="python -m localcloud.server", description=__doc__)
    parser.add_argument("--port", type=int, default=4566)
    parser.add_argument("--account", type=_account, default="123456789012", help="12 digits")
    parser.add_argument("--region", default="us-east-1")
    parser.add_argument(
        "--state-dir", type=Path, default=Path(".portcall"), help="inbox and unpacked functions"
    )
    parser.add_argument(
        "--lambda-python",
        type=Path,
        default=Path(sys.executable),
        help="a Python with boto3 and nothing else, for the functions",
    )
    given = parser.parse_args(arguments)
    decisions = os.environ.get("PORTCALL_IAM_DECISIONS")
    state_dir = given.state_dir.resolve()
    root_key.make_private(state_dir)
    return Settings(
        port=given.port,
        account=given.account,
        region=given.region,
        state_dir=state_dir,
        # Not resolved: the symbolic link makes it the Python of its virtual environment.
        lambda_python=given.lambda_python.absolute(),
        root_secret="",
        smtp_host=os.environ.get("SMTP_HOST", ""),
        switches=_switches(parser),
        decisions=Path(decisions).resolve() if decisions else None,
    )


def _switches(parser: argparse.ArgumentParser) -> switches.Switches:
    try:
        return switches.parse(os.environ.get(switches.VARIABLE, ""))
    except switches.UnknownSwitch as error:
        parser.error(f"{switches.VARIABLE}: {error}")


def _account(text: str) -> str:
    if not re.fullmatch(r"[0-9]{12}", text):
        raise argparse.ArgumentTypeError("an AWS account id has 12 digits")
    return text


def listen(port: int) -> socket.socket:
    """Bind the port first: the process that has it owns the containers labelled with it."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    listener.bind(("127.0.0.1", port))
    listener.listen(128)
    return listener


def prepare_environment(settings: Settings) -> None:
    """Remove all environment variables that the cloud does not need."""
    kept = {name: os.environ[name] for name in (*_KEPT, *_KEPT_OF_DOCKER) if name in os.environ}
    os.environ.clear()
    os.environ.update(kept)
    os.environ.update(
        AUTH="true",
        BIND_HOST="127.0.0.1",
        GATEWAY_PORT=str(settings.port),
        MINISTACK_HOST="localhost",
        MINISTACK_ACCOUNT_ID=settings.account,
        MINISTACK_REGION=settings.region,
        # MiniStack reads it here, e.g. to check the presigned URLs of S3.
        AWS_SECRET_ACCESS_KEY=settings.root_secret,
        **(
            {"LAMBDA_ACCOUNT_CONCURRENCY": str(limit)}
            if (limit := settings.switches.lambda_concurrency)
            else {}
        ),
        # A pull or a slow stop may keep the daemon busy for longer than MiniStack's 10 s.
        MINISTACK_DOCKER_TIMEOUT="60",
        IOT_MTLS_ENABLED="0",
        SFTP_ENABLED="0",
        PERSIST_STATE="0",
        S3_PERSIST="0",
        STATE_DIR=str(settings.state_dir / "ministack"),
        S3_DATA_DIR=str(settings.state_dir / "s3"),
    )


def raise_file_limit() -> None:
    """Raise the limit of open files: each Lambda process needs three and each request one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < hard:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        except (ValueError, OSError) as error:
            logging.getLogger("portcall.server").warning("file limit stays at %d: %s", soft, error)


async def serve(listener: socket.socket, settings: Settings) -> None:
    from hypercorn.asyncio import serve as hypercorn_serve
    from hypercorn.config import Config
    from ministack.app import app
    from ministack.core import container_reaper, lambda_runtime

    from localcloud.patches.eventbridge import events
    from localcloud.request_guard import NothingThatAwsRefuses
    from localcloud.signatures import SignedOnly

    _keep_unlabelled_containers(container_reaper)
    asked = asyncio.Event()
    loop = asyncio.get_running_loop()

    def stop() -> None:
        if not asked.is_set():
            asked.set()
            # Even if something hangs, the port and the process are gone after this.
            watchdog = threading.Timer(SHUTDOWN_SECONDS, os._exit, (1,))
            watchdog.daemon = True
            watchdog.start()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)

    config = Config()
    config.bind = [f"fd://{listener.detach()}"]
    config.keep_alive_timeout = 75
    config.graceful_timeout = 1
    config.loglevel = os.environ.get("LOG_LEVEL", "INFO").upper()

    async def until_asked() -> None:
        await asked.wait()
        events.stop()
        # First, so that no request waits for a function.
        await asyncio.to_thread(lambda_runtime.reset)

    guarded = NoWebPages(
        SignedOnly(NothingThatAwsRefuses(app), account=settings.account, root_secret=settings.root_secret),
    )
    # Shutting down, MiniStack removes its containers.
    await hypercorn_serve(guarded, config, shutdown_trigger=until_asked)
    lambda_runtime.reset()
    logging.shutdown()
    # Threads of executions that wait for a token would keep the process alive.
    os._exit(0)


def _keep_unlabelled_containers(container_reaper: Any) -> None:
    """Keep containers without an instance's label; MiniStack removes them, but they may be another cloud's."""
    reap_all = container_reaper.reap_all

    def reap_own(client: Any, stop_timeout: int = 2, include_unlabelled: bool = False) -> Any:
        return reap_all(client, stop_timeout=stop_timeout, include_unlabelled=False)

    container_reaper.reap_all = reap_own


if __name__ == "__main__":
    main()
