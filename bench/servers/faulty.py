"""The embedded cloud's server for bench.faults and bench.outages.

`python -m bench.servers.faulty localcloud.server --port ...`, as `start_cloud(through=...)` starts it.
Functions call it through a proxy: their calls are signed for the proxy's host, PROXY_HOST, and the proxy puts
the cloud's in its place. `PUT /_faults/<share>` sets the share of faults inside the cloud: events are lost, and
executions are aborted and processes of functions killed in the middle of a state. `GET /_faults/` lists them.
"""

import contextvars
import json
import os
import random
import signal
import sys
import threading
from collections import Counter
from collections.abc import Callable
from typing import Any

import psutil

from localcloud import server
from tests.local.faulty import answer

HOST = os.environ.get("PROXY_HOST", "").encode()
SEED = os.environ.get("FAULTS_SEED", "1")
# Parts of the share. Of ten calls of functions one deployment is made, and each makes seven calls of AWS.
LOST, ABORTED, KILLED = 1 / 4, 1 / 20, 1 / 10
# The chance that an execution is aborted in a state in which none was so far.
FIRST = 0.2
WITHIN_SECONDS = 0.3
# The ends of a function that may have done a part of its work, by Lambda's error.
ENDS = {"Sandbox.Timedout": "timed out", "Runtime.ExitError": "killed"}


class Faults:
    """The faults inside the cloud."""

    def __init__(self) -> None:
        self.share = 0.0
        self.lost: list[dict[str, Any]] = []
        # [execution, state]
        self.aborted: list[list[str]] = []
        self.killed: Counter[str] = Counter()
        # [function, deployment, "killed" or "timed out"]
        self.died: list[list[str]] = []
        self._dice = random.Random(SEED)  # noqa: S311 - a campaign is played again by its seed
        self._lock = threading.Lock()

    def install(self) -> None:
        """Replace functions of MiniStack; it must be loaded."""
        from ministack.services import stepfunctions as sfn

        from localcloud.patches.aws_lambda.function_process import FunctionProcess
        from localcloud.patches.eventbridge import events

        publish, execute, invoke = events.publish, sfn._execute_task, FunctionProcess.invoke

        def lose(*, source: str, detail_type: str, detail: dict[str, Any], resources: list[str]) -> None:
            if self._happens(LOST):
                about = detail_type, detail.get("image-digest", ""), detail.get("lastStatus", "")
                self.lost.append(dict(zip(("event", "digest", "status"), about, strict=True)))
                return
            publish(source=source, detail_type=detail_type, detail=detail, resources=resources)

        def abort(state: Any, data: Any, execution: Any, context: Any) -> Any:
            known = {name for _, name in self.aborted}
            is_first = self.share > 0 and context["State"]["Name"] not in known and self._chance(FIRST)
            if is_first or self._happens(ABORTED):
                self._soon(self._abort, execution)
            return execute(state, data, execution, context)

        def kill(process: Any, event: Any, request_id: str, **more: Any) -> Any:
            if self._happens(KILLED):
                self._soon(self._kill, process)
            answer = invoke(process, event, request_id, **more)
            if how := ENDS.get(answer.get("error", {}).get("errorType")):
                document = event.get("deployment", event) if isinstance(event, dict) else {}
                self.died.append([process.func_name, document.get("id", ""), how])
            return answer

        events.publish = lose
        sfn._execute_task = abort
        setattr(FunctionProcess, "invoke", kill)  # noqa: B010 - mypy

    def _happens(self, part: float) -> bool:
        return self._chance(self.share * part)

    def _chance(self, share: float) -> bool:
        with self._lock:
            return self._dice.random() < share

    def _soon(self, act: Callable[[Any], None], what: Any) -> None:
        with self._lock:
            seconds = self._dice.uniform(0, WITHIN_SECONDS)
        timer = threading.Timer(seconds, contextvars.copy_context().run, (act, what))
        timer.daemon = True
        timer.start()

    def _abort(self, execution: dict[str, Any]) -> None:
        from ministack.services import stepfunctions as sfn

        states = [each.get("stateEnteredEventDetails") for each in execution["events"]]
        entered = [each["name"] for each in states if each]
        status, _, _ = sfn._stop_execution({"executionArn": execution["executionArn"], "cause": "chaos"})
        if status == 200:
            self.aborted.append([execution["executionArn"], entered[-1]])

    def _kill(self, process: Any) -> None:
        # It serves one invocation at a time; one that has loaded may be through, and is killed while it idles.
        if process.is_loaded:
            process._proc.kill()
            self.killed[process.func_name] += 1


class Controlled:
    """An ASGI application around another one: faults, and the host that a call was signed for."""

    def __init__(self, app: Any, faults: Faults) -> None:
        self.app, self.faults = app, faults

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope.get("path", "").startswith("/_faults/"):
            what = scope["path"].rpartition("/")[2]
            if what == "kill":
                kill_all()
            elif what:
                self.faults.share = float(what)
            said: dict[str, Any] = {
                "lost": self.faults.lost,
                "aborted": self.faults.aborted,
                "killed": self.faults.killed,
            }
            said["died"] = self.faults.died
            await answer(send, 200, json.dumps(said).encode())
            return
        # Only the functions have keys of roles.
        if HOST and b"Credential=ASIA" in dict(scope.get("headers", ())).get(b"authorization", b""):
            headers = [(name, HOST if name == b"host" else value) for name, value in scope["headers"]]
            scope = {**scope, "headers": headers}
        await self.app(scope, receive, send)


def kill_all() -> None:
    """Save what AWS would keep to the disk, then kill the cloud and its functions with SIGKILL."""
    from ministack.app import _build_persistence_save_dict
    from ministack.core.persistence import save_all

    save_all(_build_persistence_save_dict())
    for each in psutil.Process().children(recursive=True):
        each.kill()
    os.kill(os.getpid(), signal.SIGKILL)


def stop_restored_tasks() -> None:
    """Mark restored tasks as stopped: their containers ended with the cloud, which MiniStack does not see."""
    from ministack.services import ecs

    load = ecs.load_persisted_state

    def load_stopped(data: Any) -> None:
        load(data)
        for task in ecs._tasks.all_values():
            if task["desiredStatus"] != "STOPPED":
                task.update(desiredStatus="STOPPED", stoppedAt=ecs._iso(), stopCode="EssentialContainerExited")
                task["stoppedReason"] = "Essential container in task exited"

    ecs.load_persisted_state = load_stopped


def main() -> None:
    outermost = server.NoWebPages  # type: ignore[attr-defined]

    def controlled(app: Any) -> Any:
        faults = Faults()
        faults.install()
        stop_restored_tasks()
        return Controlled(outermost(app), faults)

    if os.environ.get("PERSISTENT"):
        prepare = server.prepare_environment

        def prepare_to_persist(settings: Any) -> None:
            prepare(settings)
            os.environ["PERSIST_STATE"] = "1"

        server.prepare_environment = prepare_to_persist
    server.NoWebPages = controlled  # type: ignore[assignment, attr-defined]
    server.main(sys.argv[2:])


if __name__ == "__main__":
    main()
