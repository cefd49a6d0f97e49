"""Follows the deployments in progress and reports changes."""

from dataclasses import dataclass

from deployer.domain.deployment import Deployment

from portcall.core import execution, reading, states
from portcall.core.target import Target
from portcall.core.trouble import Exit, Trouble

# For how many at once the step is read: Step Functions allows some twenty such calls a second.
STEPS_AT_ONCE = 10


@dataclass(frozen=True)
class Sight:
    """A deployment at one moment; `step` is the workflow's state, '' if unknown or ended."""

    app: str
    deployment: Deployment
    step: str = ""
    serves: str = ""

    @property
    def state(self) -> str:
        """`deploying`, or the outcome."""
        return states.DEPLOYING if self.deployment.to_come else self.deployment.outcome

    def document(self, now: float) -> dict[str, object]:
        """A line of `portcall watch --json`."""
        known = self.deployment
        until = known.ended_at or now
        return {
            "time": int(now),
            "app": self.app,
            "deployment": known.deployment,
            "tag": known.tag,
            "digest": known.digest,
            "state": self.state,
            "step": self.step,
            "seconds": max(0, int(until - known.began_at)) if known.began_at else 0,
            "url": known.url,
            "reason": known.reason,
        }


class Follower:
    """Reads repeatedly; each read returns the deployments in progress and the changes."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._seen: dict[str, Sight] = {}

    def look(self) -> tuple[list[Sight], list[Sight]]:
        """The deployments in progress, and those that began, are at another step, or have ended."""
        everything = reading.everything(self._target)
        records = {one.deployment: one for _, deployments in everything for one in deployments}
        now: dict[str, Sight] = {}
        for status, deployments in everything:
            for one in deployments:
                if one.to_come:
                    step = self._step(one) if len(now) < STEPS_AT_ONCE else ""
                    now[one.deployment] = Sight(status.app, one, step, status.url)
        changed = [each for name, each in now.items() if _differs(self._seen.get(name), each)]
        for name, before in self._seen.items():
            if name not in now and (ended := records.get(name) or self._ended(before)):
                changed.append(Sight(before.app, ended))
        self._seen = now
        return list(now.values()), changed

    def _step(self, deployment: Deployment) -> str:
        steps = execution.steps(self._target, deployment.execution) if deployment.execution else None
        return next((each.name for each in steps or () if each.running), "")

    def _ended(self, before: Sight) -> Deployment | None:
        """The record of a deployment that is no longer among the app's last ones."""
        try:
            found = reading.history(self._target, before.app).deployments
        except Trouble as trouble:
            if trouble.exit_code == Exit.NO_SUCH_THING:
                return None
            raise
        return next((one for one in found if one.deployment == before.deployment.deployment), None)


def _differs(before: Sight | None, now: Sight) -> bool:
    return before is None or before.step != now.step
