"""The list of checks, what each reads, and how they run in parallel."""

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version

from botocore.exceptions import BotoCoreError, ClientError
from deployer.aws import client as aws
from deployer.aws import ecr, ledger
from deployer.domain.deployment import Current
from deployer.domain.errors import DeployError

from portcall.core import reading, secrets
from portcall.core.doctor import account, app, image, install, machine
from portcall.core.doctor.facts import Facts
from portcall.core.doctor.judgement import Check, Finding, Judgement, Result, failed, ok, unknown
from portcall.core.plan import DEPLOY, Plan
from portcall.core.plan import plan as plan_of
from portcall.core.states import AppStatus
from portcall.core.target import Target
from portcall.core.trouble import Exit, Trouble, denied_action, trouble_of

MACHINE, ACCOUNT, INSTALL, APP, IMAGE = "this machine", "your account", "the install", "app", "image"
AT_ONCE = 8
# CPU units of the smallest task, used if no app runs; 1024 are a vCPU.
SMALLEST = 256


def without_target(trouble: Trouble) -> list[Finding]:
    """The checks that need no account."""
    docker = Finding(MACHINE, "Docker", machine.docker(*Facts.docker()))
    return [docker, Finding(ACCOUNT, "credentials", failed(trouble.message, "Then run portcall doctor again."))]


def examine(target: Target, name: str = "") -> list[Finding]:
    """All checks of this machine, the account, the install and, if one is named, an app or an image.

    Checks that need missing credentials or a missing stack are left out. Raises Trouble if there is no app and
    no image of that name.
    """
    checkup = _Checkup(target)
    who = checkup.run(Check(ACCOUNT, "credentials", checkup.credentials))
    if _is_bad(who):
        return _side_by_side(checkup, [*checkup.of_the_machine(known=False), who])
    stack = checkup.run(Check(INSTALL, "stack", checkup.stack, "cloudformation:DescribeStacks"))
    # The resources of a broken stack can still be checked.
    there = stack.judgement.result != Result.UNKNOWN and "TopicArn" in checkup.facts.stack.outputs
    return _side_by_side(
        checkup,
        [
            *checkup.of_the_machine(known=there),
            who,
            *checkup.of_the_account(known=there),
            stack,
            *(checkup.of_the_install() if there else []),
            *(checkup.of_what_is_named(name) if there and name else []),
        ],
    )


def _is_bad(finding: Finding) -> bool:
    return finding.judgement.result in (Result.FAILED, Result.UNKNOWN)


def _side_by_side(checkup: "_Checkup", checks: Sequence[Check | Finding]) -> list[Finding]:
    # Their session must not be shared between threads.
    for service in ("dynamodb", "ecr", "ssm"):
        aws.client(service)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(lambda each: each if isinstance(each, Finding) else checkup.run(each), checks))


class _Checkup:
    """Passes what `facts` reads to the functions that judge it."""

    def __init__(self, target: Target) -> None:
        self.target = target
        self.facts = Facts(target)

    def run(self, check: Check) -> Finding:
        """Run a check. If the answer is denied or does not come, the result is *not known*."""
        return Finding(check.group, check.name, self._judge(check))

    def _judge(self, check: Check) -> Judgement:
        try:
            return check.look()
        except Trouble as trouble:
            return unknown(trouble.message)
        except (ClientError, BotoCoreError, DeployError) as error:
            if action := denied_action(error):
                needed = f"It needs the permission {check.needs or action}."
                return unknown("You have no permission to see that.", needed)
            return unknown(self._sentence(error))

    def _sentence(self, error: Exception) -> str:
        target = self.target
        return trouble_of(error, stack=target.stack, region=target.region, profile=target.profile).message

    # ── This machine

    def of_the_machine(self, *, known: bool) -> list[Check]:
        checks = [Check(MACHINE, "Docker", lambda: machine.docker(*self.facts.docker()))]
        if known:
            checks.append(Check(MACHINE, "login", self._login))
        return checks

    def _login(self) -> Judgement:
        if self.target.embedded:
            return ok("The embedded cloud's registry takes pushes without a login.")
        registry = self.facts.stack.outputs["RepositoryUri"].partition("/")[0]
        return machine.login(self.facts.login(registry), registry, time.time())

    # ── Your account

    def credentials(self) -> Judgement:
        try:
            who = self.facts.caller
        except (ClientError, BotoCoreError) as error:
            return failed(self._sentence(error), "Then run portcall doctor again.")
        return account.credentials(who.arn, who.expires_at, time.time())

    def of_the_account(self, *, known: bool) -> list[Check]:
        checks = [
            Check(ACCOUNT, "clock", lambda: machine.clock(self.facts.caller.skew)),
            Check(ACCOUNT, "region", self._region),
            Check(ACCOUNT, "ECS role", lambda: account.ecs_role(self.facts.ecs_role()), "iam:GetRole"),
        ]
        # The embedded cloud has none.
        if known and not self.target.endpoint:
            checks.append(Check(ACCOUNT, "Fargate quota", self._quota, "servicequotas:GetServiceQuota"))
        return checks

    def _region(self) -> Judgement:
        target = self.target
        return account.region(target.region, target.regions("ecs"), target.regions("ecr"))

    def _quota(self) -> Judgement:
        running = [each.current for each in ledger.overview() if each.current]
        sizes = [int(each.image.get("cpu", SMALLEST)) / 1024 for each in running if _is_on_demand(each)]
        allowed = self.facts.quota()
        try:
            used = self.facts.vcpus_in_use()
        except (ClientError, BotoCoreError) as error:
            if not denied_action(error):
                raise
            used = None
        largest = max(sizes, default=SMALLEST / 1024)
        own = sum(sizes)
        return account.quota(allowed, max(used or 0, own), largest, whole_account=used is not None)

    # ── The install

    def stack(self) -> Judgement:
        return install.stack(self.target.stack, self.facts.stack.status)

    def of_the_install(self) -> list[Check]:
        facts, outputs = self.facts, self.facts.stack.outputs
        return [
            Check(INSTALL, "version", lambda: install.version(outputs.get("Version", ""), version("portcall"))),
            Check(
                INSTALL, "mails", lambda: install.mails(facts.subscriptions()), "sns:ListSubscriptionsByTopic"
            ),
            Check(
                INSTALL,
                "dead-letter queues",
                lambda: install.dead_letters(facts.dead_letters()),
                "sqs:GetQueueAttributes",
            ),
            Check(INSTALL, "sweep", self._sweep),
            # The embedded cloud has no console to show it.
            *(
                []
                if self.target.embedded
                else [Check(INSTALL, "dashboard", lambda: install.dashboard(outputs.get("DashboardUrl", "")))]
            ),
            Check(INSTALL, "events", self._events, "events:DescribeRule and states:DescribeStateMachine"),
            Check(INSTALL, "repositories", self._repositories, "ecr:DescribeRepositories"),
        ]

    def _sweep(self) -> Judgement:
        made_at = self.facts.stack.made_at
        return install.sweep(ledger.last_sweep(), made_at, time.time())

    def _events(self) -> Judgement:
        # Only previews end with their tags.
        previews = self.facts.stack.parameters.get("Environments") == "tag"
        off = () if previews else ("EndPreviewFunctionTagDeleted",)
        return install.events(self.facts.rules(), off, self.facts.machine())

    def _repositories(self) -> Judgement:
        given = self.facts.stack.parameters
        watched = [given.get(name, "") for name in ("RepositoryName", "RepositoryPattern")]
        return install.repositories(ecr.repositories(), watched)

    # ── An app

    def of_what_is_named(self, name: str) -> list[Check]:
        """The checks of an app or, if there is none of that name, of an image."""
        try:
            return self._of_the_app(reading.app_status(self.target, name))
        except Trouble as trouble:
            if trouble.exit_code == Exit.NO_SUCH_THING:
                return self._of_an_image(name, trouble)
            message = trouble.message
            return [Check(APP, "state", lambda: unknown(message))]

    def _of_an_image(self, name: str, no_app: Trouble) -> list[Check]:
        try:
            made = plan_of(self.target, name)
        except Trouble as trouble:
            if trouble.exit_code in (Exit.NO_SUCH_THING, Exit.USAGE):
                raise no_app from trouble
            message = trouble.message
            return [Check(IMAGE, "push", lambda: unknown(message))]
        return self._of_the_image(made)

    @staticmethod
    def _of_the_image(made: Plan) -> list[Check]:
        checks = [Check(IMAGE, "push", lambda: image.push(made))]
        if made.spec:
            checks.append(Check(IMAGE, "port", lambda: image.port(made)))
        if made.would == DEPLOY:
            checks.append(Check(IMAGE, "slot", lambda: image.slot(made)))
        return checks

    def _of_the_app(self, status: AppStatus) -> list[Check]:
        checks = [Check(APP, "state", lambda: app.state(status))]
        if serving := status.serving:
            repository = status.app.partition(":")[0]
            needs = "ecs:DescribeTaskDefinition and ssm:DescribeParameters"
            checks += [
                Check(APP, "image", lambda: self._image(repository, serving.digest), "ecr:DescribeImages"),
                Check(APP, "secrets", lambda: self._secrets(serving.revision), needs),
            ]
            # A worker has no URL.
            if url := serving.direct_url or serving.url:
                checks.append(Check(APP, "reachable", lambda: self._reachable(url)))
        return checks

    def _image(self, repository: str, digest: str) -> Judgement:
        return app.image(reading.has_image(self.target, repository, digest), digest)

    def _secrets(self, revision: str) -> Judgement:
        asked = self.facts.secrets_of(revision)
        # An ARN ends with the parameter's name, a path.
        folders = {f"/{arn.partition(':parameter/')[2]}".rpartition("/")[0] for arn in asked.values()}
        keys = {each.name: each.key for folder in folders for each in secrets.kept(folder)}
        return app.secrets(asked, keys)

    def _reachable(self, url: str) -> Judgement:
        answered, place = self.facts.answers(url)
        return app.reachable(answered, place, self.facts.stack.parameters.get("AllowedCidr", app.EVERYONE))


def _is_on_demand(current: Current) -> bool:
    return current.image.get("capacity") != "FARGATE_SPOT" and not (current.stopped or current.ended)
