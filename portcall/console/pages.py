"""The data of each page, from the ledger and the workflow. Equal data give the same HTML."""

import time
from collections import Counter
from dataclasses import dataclass, field
from functools import cached_property

from deployer.aws.ledger import AppRecords, app_listing
from deployer.domain import timing
from deployer.domain.app_status import TROUBLE_FIRST
from deployer.domain.deployment import Current, Deployment

from portcall.console import acting
from portcall.console.acting import Button, Operator
from portcall.console.live import QUIET_EVERY
from portcall.console.source import Source
from portcall.core import execution, reading, states
from portcall.core.execution import Step
from portcall.core.price import AS_OF, REGION, of_current
from portcall.core.states import AppStatus
from portcall.core.target import Target

# For how many deployments in progress the current step is read: each costs a call a second.
STEPS_OF = 10
HISTORY = 30


@dataclass(frozen=True)
class UnderWay:
    """A deployment in progress, and its current step, None if unknown."""

    app: str
    deployment: Deployment
    step: Step | None


@dataclass(frozen=True)
class AppsPage:
    """All apps; those that need attention come first."""

    apps: list[AppStatus]
    under_way: list[UnderWay]

    @property
    def busy(self) -> bool:
        """Whether a deployment is in progress."""
        return bool(self.under_way) or any(each.state == states.DEPLOYING for each in self.apps)

    @property
    def counts(self) -> list[tuple[str, int]]:
        """(state, number of apps), problems first."""
        found = Counter(each.state for each in self.apps)
        return sorted(found.items(), key=lambda pair: TROUBLE_FIRST.index(pair[0]))

    @property
    def usd_a_month(self) -> float:
        """The price per month of all running apps whose size is known."""
        return sum(price.total for each in self.apps if (price := of_current(each.serving)))

    @property
    def price_list(self) -> str:
        """The source of these prices."""
        return f"Fargate and public IPv4 addresses, list prices of {REGION}, {AS_OF}"

    @property
    def needing_attention(self) -> list[AppStatus]:
        """The apps that need attention."""
        return [each for each in self.apps if each.needs_a_look]


@dataclass(frozen=True)
class AppPage:
    """One app: its state, the progress of its last push, and its deployments, newest first."""

    status: AppStatus
    current: Current | None
    deployments: list[Deployment]
    steps: list[Step]
    more: bool = False
    buttons: list[Button] = field(default_factory=list)

    @property
    def busy(self) -> bool:
        """Whether a deployment is in progress."""
        if any(each.why_not == acting.ASKING for each in self.buttons):
            return True
        return self.status.state == states.DEPLOYING or any(each.to_come for each in self.deployments)

    @cached_property
    def may_go_back_to(self) -> set[str]:
        """The digests that were live, except for the current one."""
        return acting.go_back_to(self.current, self.deployments)

    @property
    def why_no_action(self) -> str:
        """The reason why no action is possible, '' if one is, or if each has a different reason."""
        reasons = {each.why_not for each in self.buttons}
        return reasons.pop() if len(reasons) == 1 else ""

    def why_not_back_to(self, deployment: Deployment) -> str:
        """Why a rollback to a deployment is not possible, '' if it is."""
        if self.current and deployment.digest == self.current.digest:
            return "Serves now"
        if deployment.digest not in self.may_go_back_to:
            return "Was never live"
        return next((each.why_not for each in self.buttons if each.action == acting.ROLLBACK), "")

    @property
    def serving_phases(self) -> list[tuple[str, float]]:
        """The seconds of each phase of the current deployment, as far as known."""
        serving = self.status.serving
        return next(
            (phases(each) for each in self.deployments if serving and each.deployment == serving.deployment), []
        )

    @property
    def longest(self) -> int:
        """The seconds of the longest deployment, at least 1."""
        return max([1, *map(took, self.deployments)])

    @property
    def price(self) -> str:
        """The app's price per month while it runs, '' if unknown."""
        price = of_current(self.status.serving)
        return price.said if price else ""

    @property
    def latest(self) -> Deployment | None:
        """The last push, if it is not what serves."""
        latest, serving = self.status.latest, self.status.serving
        return None if latest and serving and serving.runs(latest.deployment) else latest


@dataclass(frozen=True)
class DeploymentPage:
    """One deployment: its outcome, and its steps, None if their history is gone or not allowed."""

    app: str
    deployment: Deployment
    current: Current | None
    status: AppStatus | None
    steps: list[Step] | None
    console_link: str = ""

    @property
    def busy(self) -> bool:
        """Whether it is in progress."""
        return self.deployment.to_come

    @property
    def serves(self) -> str:
        """The deployment that serves instead."""
        serving = self.status.serving if self.status else None
        if serving is None:
            return "No version is running."
        if serving.runs(self.deployment.deployment):
            return ""
        return f"{states.version(serving.tag, serving.digest)} serves."

    @property
    def to_come(self) -> list[Step]:
        """The remaining steps."""
        return execution.to_come(self.steps) if self.busy and self.steps is not None else []


def phases(deployment: Deployment) -> list[tuple[str, float]]:
    """(name, seconds) in the order of the workflow."""
    known = deployment.phases
    return [(name, float(known[name])) for name in timing.NAMES if name in known]


def took(deployment: Deployment) -> int:
    """The seconds that a deployment took, 0 if unknown."""
    known = deployment.began_at and deployment.ended_at
    return max(0, deployment.ended_at - deployment.began_at) if known else 0


def pulse(source: Source) -> object:
    """A value that changes with every push, and with most outcomes."""
    return source.ask(lambda target: target.ask(lambda _: app_listing.listed()))


class AppsReader:
    """Reads the page of all apps."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._records: list[AppRecords] = []
        self._whole_at = 0.0

    def whole(self) -> AppsPage:
        """Read everything. Raises Trouble."""
        began = time.monotonic()
        page = self._read([])
        self._whole_at = began
        return page

    def changed(self) -> AppsPage:
        """Read apps with a new push or a deployment in progress; the others only as often as quiet pages."""
        if time.monotonic() - self._whole_at >= QUIET_EVERY:
            return self.whole()
        return self._read(self._records)

    def _read(self, before: list[AppRecords]) -> AppsPage:
        def ask(target: Target) -> AppsPage:
            # After an error it may be another install.
            self._records = []
            self._records = reading.records(target, before)
            return _apps(target, self._records)

        return self._source.ask(ask)


def _apps(target: Target, records: list[AppRecords]) -> AppsPage:
    found = reading.statuses(records)
    apps = sorted((status for status, _ in found), key=lambda each: TROUBLE_FIRST.index(each.state))
    going = [(status.app, one) for status, known in found for one in known if one.to_come]
    going.sort(key=lambda pair: pair[1].order, reverse=True)
    at = [_step_of(target, one) if number < STEPS_OF else None for number, (_, one) in enumerate(going)]
    return AppsPage(apps, [UnderWay(app, one, step) for (app, one), step in zip(going, at, strict=True)])


def _step_of(target: Target, deployment: Deployment) -> Step | None:
    known = execution.steps(target, deployment.execution) if deployment.execution else None
    return known[-1] if known else None


def app_page(source: Source, operator: Operator, app: str) -> AppPage:
    """Raises Trouble if there is no such app."""

    def ask(target: Target) -> AppPage:
        found = reading.history(target, app, HISTORY + 1)
        status = states.status_of(app, found.current, found.deployments)
        if status is None:
            # It is not an app, but its pushes are shown.
            status = AppStatus(app, "ended", None, None, 0, "None of its pushes was an app.")
        going = next((each for each in found.deployments if each.to_come and each.execution), None)
        steps = execution.steps(target, going.execution) if going else None
        more = len(found.deployments) > HISTORY
        buttons = (
            []
            if operator.read_only
            else acting.buttons(operator.offer(), status, found.current, found.deployments)
        )
        return AppPage(status, found.current, found.deployments[:HISTORY], steps or [], more, buttons)

    return source.ask(ask)


def console_link(region: str, execution: str) -> str:
    """The URL of the execution in the AWS console, '' if there is none, or in the embedded cloud."""
    if not execution.startswith("arn:aws:"):
        return ""
    where = f"https://{region}.console.aws.amazon.com/states/home?region={region}"
    return f"{where}#/v2/executions/details/{execution}"


def deployment_page(source: Source, app: str, name: str) -> DeploymentPage:
    """Raises Trouble if there is no such deployment."""

    def ask(target: Target) -> DeploymentPage:
        found, one = reading.deployment_of(target, app, name)
        status = states.status_of(app, found.current, found.deployments)
        steps = execution.steps(target, one.execution) if one.execution else None
        link = "" if target.embedded else console_link(target.region, one.execution)
        return DeploymentPage(app, one, found.current, status, steps, link)

    return source.ask(ask)
