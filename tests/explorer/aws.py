"""The APIs of AWS that the handlers call, with AWS's delays."""

import base64
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from ipaddress import ip_network
from types import SimpleNamespace
from typing import Any

from botocore.exceptions import ClientError
from deployer.actions import probe
from deployer.aws.client import errors_as_ours
from deployer.aws.ledger.current_deployment import current_of
from deployer.domain.deployment import Current
from deployer.domain.errors import DeployError, NoAnswerError
from deployer.events import end_preview, reconcile, record_task_state, restart_app

from tests.conftest import LambdaContext
from tests.explorer.clock import A_CALL, Clock, Died, Process
from tests.explorer.dynamodb import Table

Answer = dict[str, Any]

ACCOUNT = "111122223333"
# Seconds: from RunTask to RUNNING, from a stop to STOPPED, until an event arrives, and until API Gateway has
# applied a change of the target.
STARTS, STOPS, EVENTS, DEPLOYS = 2.0, 1.0, 0.3, 4.0
# Of the seconds until RUNNING, those before and those after the pull; a large image takes so many more to pull.
BEFORE_PULL, AFTER_PULL, LARGE_PULLS = 0.5, 0.3, 30.0
# Seconds by which ECS's responses lag behind its events, and after which it forgets a stopped task.
ECS_LAGS, ECS_FORGETS = 1.0, 3600.0
# When Lambda repeats an asynchronous call that failed.
RETRIES = (60.0, 120.0)
FUNCTIONS: dict[str, Callable[[Any, Any], object]] = {
    "RecordTaskState": record_task_state.handler,
    "RestartApp": restart_app.handler,
    "EndPreview": end_preview.handler,
    "Reconcile": reconcile.handler,
}
# A task gets the first free one.
IPS, MORE_IPS = ip_network("203.0.113.0/24"), ip_network("198.18.0.0/15")
# The behaviours of images.
GOOD, LARGE, SILENT, CRASHES, NO_APP = "good", "large", "silent", "crashes", "no app"
# Its task has a security group to itself.
TWO_PORTS = "two ports"
ANSWERING = (GOOD, LARGE, TWO_PORTS)
# By the digest of an image's configuration, the ports that it exposes.
ONE_PORT_CONFIG, TWO_PORTS_CONFIG = f"sha256:{'c' * 64}", f"sha256:{'e' * 64}"
EXPOSED = {ONE_PORT_CONFIG: [], TWO_PORTS_CONFIG: [3000, 8080]}
LARGE_BYTES = 412_000_000


@dataclass(eq=False)
class Task:
    """A Fargate task; times are in UNIX seconds. `answered` says that it answered a request."""

    arn: str
    number: int
    started_by: str
    revision: str
    digest: str
    tags: dict[str, str]
    began: float
    group: str
    status: str = "PROVISIONING"
    desired: str = "RUNNING"
    version: int = 1
    runs_since: float = 0.0
    ended: float = 0.0
    stop_code: str = ""
    reason: str = ""
    exit_code: int | None = None
    answered: bool = False
    # The last part of its IP, which another task gets later.
    address: int = 0
    # (since when in UNIX seconds, the description from then on)
    history: list[tuple[float, Answer]] = field(default_factory=list)

    @property
    def app(self) -> str:
        return self.tags["portcall:app"]

    @property
    def alive(self) -> bool:
        return self.desired == "RUNNING"

    @property
    def ip(self) -> str:
        return str((IPS if self.address < IPS.num_addresses - 1 else MORE_IPS)[self.address])

    def described(self) -> Answer:
        details = [{"name": "networkInterfaceId", "value": f"eni-{self.number}"}]
        return {
            "taskArn": self.arn,
            "taskDefinitionArn": self.revision,
            "startedBy": self.started_by,
            "lastStatus": self.status,
            "desiredStatus": self.desired,
            "version": self.version,
            "stopCode": self.stop_code,
            "stoppedReason": self.reason,
            **(self._times() if self.runs_since else {}),
            "attachments": [{"type": "eni", "details": details}] if self.runs_since else [],
            "containers": [
                {"name": "app", "imageDigest": self.digest if self.runs_since else ""}
                | ({} if self.exit_code is None else {"exitCode": self.exit_code})
            ],
            "tags": [{"key": key, "value": value} for key, value in self.tags.items()],
        }

    def _times(self) -> Answer:
        times = {
            "createdAt": self.began,
            "pullStartedAt": self.began + BEFORE_PULL,
            "pullStoppedAt": self.runs_since - AFTER_PULL,
            "startedAt": self.runs_since,
        }
        return {name: datetime.fromtimestamp(at, UTC).isoformat() for name, at in times.items()}


@dataclass
class Mail:
    """A sent mail: when the call began (UNIX seconds), and what was current and which tags existed then.

    The tags include deleted ones whose deletion the ledger did not know yet. The sender cannot know about
    changes during the call.
    """

    at: float
    subject: str
    text: str
    document: dict[str, Any]
    serving: Current | None
    tags: set[tuple[str, str]]


@dataclass
class Api:
    """An HTTP API; `targets` has its targets, each with when it applies and when it was set (UNIX seconds)."""

    id: str
    name: str
    description: str
    made_at: float
    targets: list[tuple[float, str, float]] = field(default_factory=list)
    deleted: bool = False

    @property
    def app(self) -> str:
        return self.description.partition(" at ")[0]

    def target(self, now: float) -> str:
        return self._applied(now)[1]

    def was_set_after(self, began: float, now: float) -> bool:
        """Whether the present target was set after a task began. An older one may be an IP that it got by chance."""
        return self._applied(now)[2] >= began

    def _applied(self, now: float) -> tuple[float, str, float]:
        return [each for each in self.targets if each[0] <= now][-1]


def refuse(operation: str, code: str, message: str = "", status: int = 400) -> ClientError:
    answer: Any = {
        "Error": {"Code": code, "Message": message or code},
        "ResponseMetadata": {"HTTPStatusCode": status},
    }
    return ClientError(answer, operation)


class Call(str):
    """The name of a call, and the number of the process that made it."""

    by: int


class Cloud:
    """An account of AWS. `calls` are the names of all calls, in order."""

    def __init__(self, clock: Clock, *, stale: bool = False) -> None:
        self.clock = clock
        # Whether reads may return the state of a moment ago, and released IPs belong to somebody else at once.
        self.stale = stale
        self.calls: list[Call] = []
        # Called before and after each call takes effect, with its number. It may raise the call's error, or
        # return that the call is to be sent twice.
        self.before: Callable[[int, str], bool] = lambda number, name: False
        self.after: Callable[[int, str], None] = lambda number, name: None
        self.table = Table(lambda: clock.now, stale=stale)
        self.tags: dict[tuple[str, str], str] = {}
        self.pushed_at: dict[str, float] = {}
        self.images: dict[str, str] = {}
        self.tasks: dict[str, Task] = {}
        self.revisions: list[Answer] = []
        self.groups: dict[str, Answer] = {}
        self.apis: list[Api] = []
        self.mails: list[Mail] = []
        self.events: list[dict[str, Any]] = []
        self.metrics: list[str] = []
        # The parameters with which functions start now.
        self.parameters: Any = None
        # By deployment, the value of StableUrl with which each call of SwitchOver started.
        self.switched_over_with: dict[str, list[bool]] = {}
        # Which events are lost: `RecordTaskState`, `RestartApp`, `EndPreview`.
        self.lost: set[str] = set()
        # Unexpected errors of functions, and events that no function handled.
        self.bugs: list[str] = []
        self.undelivered: list[str] = []
        # Tasks that were stopped while the stable URL pointed at them.
        self.cut_off: list[str] = []
        self.start: Callable[[str, Answer], None] = lambda name, document: None
        self.describe: Callable[[str], Answer | None] = lambda arn: None
        self.answer_token: Callable[[str, Answer], bool] = lambda token, answer: False
        self._run_tokens: dict[str, str] = {}

    # Calls

    def call(self, name: str, effect: Callable[[], Any]) -> Any:
        """Make a call in the running process: it takes a moment, and may be disturbed or fail."""
        process = self.clock.at_work
        if process is None:
            return effect()
        if process.died:
            raise Died
        number = len(self.calls)
        self.calls.append(Call(name))
        self.calls[number].by = process.number
        if name == "sns.publish":
            process.looked = self.clock.now, self._current_items(), {*self.tags, *self._known_tags()}
        twice = self.before(number, name)
        if name.startswith("start "):
            process.parameters = self.parameters
        if name == "start SwitchOver":
            deployment = process.name.replace("-again", "")
            self.switched_over_with.setdefault(deployment, []).append(self.parameters["settings"].stable_url)
        self.clock.pass_time(A_CALL)
        if self.clock.now > process.until:
            process.died = True
            raise Died
        if twice:
            effect()
        answer = effect()
        self.after(number, name)
        return answer

    def invoke(self, function: str, event: Any, *, attempt: int = 0, after: float = EVENTS) -> Process:
        """Call a function with an event, like Lambda: if it fails, once more."""

        def run() -> None:
            process = self.clock.at_work
            assert process
            process.call_again = lambda: self.invoke(function, event, attempt=attempt, after=1.0)
            try:
                self.call(f"start {function}", lambda: None)
                FUNCTIONS[function](json.loads(json.dumps(event)), LambdaContext())
                return
            except Died:
                why = "it died"
            except DeployError as error:
                why = str(error)
            except Exception as error:
                self.bugs.append(f"{function}: {error!r}")
                why = repr(error)
            if attempt < len(RETRIES):
                self.invoke(function, event, attempt=attempt + 1, after=RETRIES[attempt])
            else:
                self.undelivered.append(f"{function}: {why}")

        return self.clock.spawn(function, run, after=after)

    # What happens by itself or from outside

    def push(self, repository: str, tag: str, digest: str, image: str) -> None:
        self.tags[repository, tag] = digest
        self.pushed_at[digest] = self.clock.now
        self.images[digest] = image

    def delete_tag(self, repository: str, tag: str) -> None:
        digest = self.tags.pop((repository, tag), "")
        detail = {"repository-name": repository, "image-tag": tag, "image-digest": digest}
        if "EndPreview" not in self.lost:
            self.invoke("EndPreview", {"id": "deletion", "detail": detail})

    def current(self, app: str) -> Current | None:
        item = self.table.items.get((f"app#{app}", "current"))
        if item is None:
            return None
        return current_of(item)

    def _known_tags(self) -> set[tuple[str, str]]:
        """The tags, including deleted ones whose deletion event has not arrived."""
        noted = [(pk, sk, item) for (pk, sk), item in self.table.items.items() if sk.startswith("tag#")]
        return {(pk[4:].partition(":")[0], sk[4:]) for pk, sk, item in noted if item["digest"]}

    def _current_items(self) -> dict[str, Answer]:
        return {pk.removeprefix("app#"): item for (pk, sk), item in self.table.items.items() if sk == "current"}

    def end_task(self, task: Task, code: str, reason: str, exit_code: int | None) -> None:
        """A task ends, by itself or because it is stopped."""
        if not task.alive:
            return
        task.desired, task.stop_code, task.reason, task.exit_code = "STOPPED", code, reason, exit_code
        task.ended = self.clock.now
        self._has_changed(task)

        def gone() -> None:
            task.status = "STOPPED"
            self._has_changed(task)

        self.clock.at(STOPS, gone)

    def _has_changed(self, task: Task) -> None:
        task.version += 1
        task.history.append((self.clock.now, task.described()))
        self._report(task)

    def _report(self, task: Task) -> None:
        by_us = task.stop_code == "UserInitiated" and task.reason.startswith("Portcall:")
        runs = (task.status, task.desired) == ("RUNNING", "RUNNING")
        ends = task.desired == "STOPPED" and task.stop_code != "UserInitiated"
        functions = []
        if runs or ends or task.status == "STOPPED":
            functions.append("RecordTaskState")
        if task.desired == "STOPPED" and not by_us:
            functions.append("RestartApp")
        for function in functions:
            if function not in self.lost:
                self.invoke(function, {"id": f"news-{task.number}", "detail": task.described()})

    def _starts(self, task: Task) -> None:
        if not task.alive:
            return
        task.status, task.runs_since = "RUNNING", self.clock.now
        self._has_changed(task)
        if self.images[task.digest] == CRASHES:
            self.clock.at(1.0, lambda: self.end_task(task, "EssentialContainerExited", "It exited", 1))

    def task_at(self, url: str) -> Task | None:
        """The task with the IP of a URL, or to which a stable URL points."""
        host = url.split("/")[2].partition(":")[0]
        for api in self.apis:
            if host == f"{api.id}.example" and not api.deleted:
                return self.task_at(api.target(self.clock.now))
        return next(
            (task for task in self.tasks.values() if task.ip == host and task.status != "STOPPED"), None
        )

    def answers(self, url: str) -> bool:
        task = self.task_at(url)
        if task is None:
            # Another customer's task has the IP by now.
            return self.stale and any(f"/{each.ip}:" in url for each in self.tasks.values())
        return bool(task.alive and task.runs_since and self.images[task.digest] in ANSWERING)

    def wait_until_answers(
        self, urls: list[str], *, timeout: float, raise_if_stopped: Callable[[], None], **_: Any
    ) -> probe.Answer:
        return self.call("app.ask", lambda: self._wait_until_answers(urls, timeout, raise_if_stopped))  # type: ignore[no-any-return]

    def _wait_until_answers(
        self, urls: list[str], timeout: float, raise_if_stopped: Callable[[], None]
    ) -> probe.Answer:
        asked, in_a_row = 0, 0
        deadline = self.clock.now + timeout
        while self.clock.now < deadline:
            self.clock.pass_time(0.5)
            in_a_row = in_a_row + 1 if self.answers(urls[0]) else 0
            if in_a_row == 2:
                task = self.task_at(urls[0])
                if task:
                    task.answered = True
                return probe.Answer(urls[0], 200)
            asked += 1
            if asked % 4 == 2:
                raise_if_stopped()
        raise NoAnswerError(f"The app is running, but did not answer within {timeout:.0f} seconds: refused.")

    # Amazon ECS

    def ecs_register_task_definition(self, **request: Any) -> Answer:
        self.revisions.append(request)
        number = sum(each["family"] == request["family"] for each in self.revisions)
        arn = f"arn:aws:ecs:eu-west-1:{ACCOUNT}:task-definition/{request['family']}:{number}"
        request["arn"] = arn
        return {"taskDefinition": {"taskDefinitionArn": arn}}

    def ecs_run_task(self, **request: Any) -> Answer:
        token = request["clientToken"]
        if token not in self._run_tokens:
            number = len(self.tasks) + 1
            arn = f"arn:aws:ecs:eu-west-1:{ACCOUNT}:task/portcall/{number:032x}"
            revision = next(each for each in self.revisions if each["arn"] == request["taskDefinition"])
            digest = revision["containerDefinitions"][0]["image"].partition("@")[2]
            tags = {tag["key"]: tag["value"] for tag in request["tags"]}
            (group,) = request["networkConfiguration"]["awsvpcConfiguration"]["securityGroups"]
            task = Task(arn, number, request["startedBy"], revision["arn"], digest, tags, self.clock.now, group)
            held = {each.address for each in self.tasks.values() if each.status != "STOPPED"}
            task.address = next(each for each in range(1, MORE_IPS.num_addresses) if each not in held)
            task.history.append((self.clock.now, task.described()))
            self._run_tokens[token], self.tasks[arn] = arn, task
            starts = STARTS + (LARGE_PULLS if self.images[digest] == LARGE else 0.0)
            self.clock.at(starts, lambda: self._starts(task))
        return {"tasks": [self.tasks[self._run_tokens[token]].described()]}

    def ecs_stop_task(self, *, task: str, reason: str, **_: Any) -> Answer:
        found = self.tasks[task]
        serving = self.current(found.app)
        if found.alive and serving and not serving.ended and serving.task != task:
            replaced_by = self.tasks[serving.task]
            # Another app's may still point at the IP, if the event that its task stopped is lost.
            its_own = [api for api in self.apis if api.app == found.app and not api.deleted]
            pointed = [api for api in its_own if api.was_set_after(found.began, self.clock.now)]
            led_here = [api for api in pointed if self.task_at(api.target(self.clock.now)) is found]
            if led_here and replaced_by.alive:
                self.cut_off.append(task)
        self.end_task(found, "UserInitiated", reason, 143)
        return {}

    def ecs_describe_tasks(self, *, tasks: list[str], **_: Any) -> Answer:
        return {"tasks": [found for each in tasks if (found := self._as_ecs_says(each))]}

    def ecs_list_tasks(self, *, startedBy: str = "", **_: Any) -> Answer:
        found = [said for arn in self.tasks if (said := self._as_ecs_says(arn))]
        alive = [each for each in found if each["desiredStatus"] == "RUNNING"]
        return {"taskArns": [each["taskArn"] for each in alive if startedBy in ("", each["startedBy"])]}

    def _as_ecs_says(self, arn: str) -> Answer | None:
        """The task as ECS describes it, None if ECS does not know it yet or any more."""
        task = self.tasks.get(arn)
        if task is None or (task.status == "STOPPED" and task.ended + ECS_FORGETS < self.clock.now):
            return None
        then = self.clock.now - (ECS_LAGS if self.stale else 0)
        return next((said for since, said in reversed(task.history) if since <= then), None)

    # Amazon ECR

    def ecr_describe_repositories(self, **_: Any) -> Answer:
        return {"repositories": [{"repositoryName": name} for name in sorted({name for name, _ in self.tags})]}

    def ecr_describe_images(
        self, *, repositoryName: str, imageIds: list[dict[str, str]] | None = None, **_: Any
    ) -> Answer:
        tags = {tag: digest for (name, tag), digest in self.tags.items() if name == repositoryName}
        if imageIds and "imageDigest" in imageIds[0]:
            if imageIds[0]["imageDigest"] not in self.images:
                raise refuse("DescribeImages", "ImageNotFoundException")
        elif imageIds:
            tags = {tag: digest for tag, digest in tags.items() if tag == imageIds[0]["imageTag"]}
            if not tags:
                raise refuse("DescribeImages", "ImageNotFoundException")
        return {
            "imageDetails": [
                {
                    "imageDigest": digest,
                    "imageTags": [tag for tag in tags if tags[tag] == digest],
                    "imagePushedAt": datetime.fromtimestamp(self.pushed_at[digest], UTC),
                }
                for digest in dict.fromkeys(tags.values())
            ]
        }

    def ecr_batch_get_image(self, *, imageIds: list[dict[str, str]], **_: Any) -> Answer:
        image = self.images[imageIds[0]["imageDigest"]]
        is_app = image != NO_APP
        config = {
            "mediaType": "application/vnd.docker.container.image.v1+json"
            if is_app
            else "application/vnd.dev.cosign.simplesigning.v1+json",
            "size": 1,
            "digest": TWO_PORTS_CONFIG if image == TWO_PORTS else ONE_PORT_CONFIG,
        }
        layer = {
            "mediaType": "application/vnd.docker.image.rootfs.diff.tar.gzip",
            "size": LARGE_BYTES if image == LARGE else 1,
            "digest": f"sha256:{'d' * 64}",
        }
        kind = "application/vnd.docker.distribution.manifest.v2+json"
        manifest = {"schemaVersion": 2, "mediaType": kind, "config": config, "layers": [layer]}
        return {"images": [{"imageManifest": json.dumps(manifest)}]}

    def ecr_get_download_url_for_layer(self, *, layerDigest: str, **_: Any) -> Answer:
        ports: Answer = {f"{port}/tcp": {} for port in EXPOSED[layerDigest]}
        config = {"Cmd": ["app"]} | ({"ExposedPorts": ports} if ports else {})
        blob = json.dumps({"os": "linux", "architecture": "amd64", "config": config})
        return {"downloadUrl": f"data:application/json;base64,{base64.b64encode(blob.encode()).decode()}"}

    # Amazon EC2

    def ec2_describe_network_interfaces(self, *, NetworkInterfaceIds: list[str]) -> Answer:
        number = int(NetworkInterfaceIds[0].removeprefix("eni-"))
        task = next(task for task in self.tasks.values() if task.number == number)
        if task.status == "STOPPED":
            raise refuse("DescribeNetworkInterfaces", "InvalidNetworkInterfaceID.NotFound")
        ip = task.ip
        return {"NetworkInterfaces": [{"PrivateIpAddress": ip, "Association": {"PublicIp": ip}}]}

    def ec2_create_security_group(self, *, GroupName: str, TagSpecifications: Any, **_: Any) -> Answer:
        if GroupName in self.groups:
            raise refuse("CreateSecurityGroup", "InvalidGroup.Duplicate")
        group = {
            "GroupId": f"sg-{len(self.calls)}",
            "GroupName": GroupName,
            "IpPermissions": [],
            "Tags": TagSpecifications[0]["Tags"],
        }
        self.groups[GroupName] = group
        return group

    def ec2_describe_security_groups(self, *, Filters: list[dict[str, Any]]) -> Answer:
        wanted = {each["Name"]: each["Values"][0] for each in Filters}
        found = list(self.groups.values())
        for filtered, member in (("group-name", "GroupName"), ("group-id", "GroupId")):
            found = [each for each in found if wanted.get(filtered) in (None, each[member])]
        return {"SecurityGroups": found}

    def ec2_authorize_security_group_ingress(self, *, GroupId: str, IpPermissions: Any) -> Answer:
        group = next(each for each in self.groups.values() if each["GroupId"] == GroupId)
        group["IpPermissions"] += IpPermissions
        return {}

    def ec2_revoke_security_group_ingress(self, *, GroupId: str, IpPermissions: Any) -> Answer:
        group = next(each for each in self.groups.values() if each["GroupId"] == GroupId)
        ports = {each["FromPort"] for each in IpPermissions}
        group["IpPermissions"] = [each for each in group["IpPermissions"] if each["FromPort"] not in ports]
        return {}

    def ec2_delete_security_group(self, *, GroupId: str) -> Answer:
        if any(task.group == GroupId and task.status != "STOPPED" for task in self.tasks.values()):
            raise refuse("DeleteSecurityGroup", "DependencyViolation")
        self.groups = {name: each for name, each in self.groups.items() if each["GroupId"] != GroupId}
        return {}

    # Amazon API Gateway

    def apigatewayv2_create_api(self, *, Name: str, Target: str, Description: str, **_: Any) -> Answer:
        api = Api(f"api-{len(self.apis)}", Name, Description, self.clock.now)
        api.targets.append((self.clock.now, Target, self.clock.now))
        self.apis.append(api)
        return {"ApiId": api.id, "ApiEndpoint": f"https://{api.id}.example"}

    def apigatewayv2_update_api(self, *, ApiId: str, Target: str, Description: str) -> Answer:
        api = self._api("UpdateApi", ApiId)
        api.description = Description
        api.targets.append((self.clock.now + DEPLOYS, Target, self.clock.now))
        return {}

    def apigatewayv2_delete_api(self, *, ApiId: str) -> Answer:
        self._api("DeleteApi", ApiId).deleted = True
        return {}

    def apigatewayv2_get_apis(self) -> Answer:
        return {
            "Items": [
                {
                    "ApiId": api.id,
                    "Name": api.name,
                    "Description": api.description,
                    "ApiEndpoint": f"https://{api.id}.example",
                    "CreatedDate": datetime.fromtimestamp(api.made_at, UTC),
                }
                for api in self.apis
                if not api.deleted
            ]
        }

    def _api(self, operation: str, name: str) -> Api:
        found = [api for api in self.apis if api.id == name and not api.deleted]
        if not found:
            raise refuse(operation, "NotFoundException", status=404)
        return found[0]

    # The others

    def sns_publish(self, *, Subject: str, Message: str, **_: Any) -> Answer:
        parts = json.loads(Message)
        document = json.loads(parts["default"])
        assert self.clock.at_work
        at, items, tags = self.clock.at_work.looked
        current = current_of(items[document["app"]]) if document["app"] in items else None
        mail = Mail(at, Subject, parts["email"], document, current, tags)
        self.mails.append(mail)
        return {"MessageId": "message"}

    def events_put_events(self, *, Entries: list[dict[str, Any]]) -> Answer:
        self.events += Entries
        return {"FailedEntryCount": 0}

    def logs_get_log_events(self, **_: Any) -> Answer:
        return {"events": [{"message": "the last words"}]}

    def ssm_describe_parameters(self, **_: Any) -> Answer:
        return {"Parameters": []}

    def stepfunctions_start_execution(self, *, name: str, input: str, **_: Any) -> Answer:
        self.start(name, json.loads(input))
        return {}

    def stepfunctions_describe_execution(self, *, executionArn: str) -> Answer:
        found = self.describe(executionArn)
        if found is None:
            raise refuse("DescribeExecution", "ExecutionDoesNotExist")
        return found

    def stepfunctions_send_task_success(self, *, taskToken: str, output: str) -> Answer:
        return self._token("SendTaskSuccess", taskToken, {"output": json.loads(output)})

    def stepfunctions_send_task_failure(self, *, taskToken: str, error: str, cause: str) -> Answer:
        return self._token("SendTaskFailure", taskToken, {"error": error, "cause": cause})

    def _token(self, operation: str, token: str, answer: Answer) -> Answer:
        if not self.answer_token(token, answer):
            raise refuse(operation, "TaskTimedOut")
        return {}


class Client:
    """A client of one API of a cloud, as `deployer.aws.client` makes them."""

    def __init__(self, service: str, cloud: Callable[[], Cloud]) -> None:
        self._service = service
        self._cloud = cloud

    def __getattr__(self, operation: str) -> Callable[..., Any]:
        def call(**request: Any) -> Any:
            cloud = self._cloud()
            owner: Any = cloud.table if self._service == "dynamodb" else cloud
            prefix = "" if self._service == "dynamodb" else f"{self._service}_"
            effect = getattr(owner, prefix + operation)
            where = request.get("Key", {}).get("sk", {}).get("S", "") if self._service == "dynamodb" else ""
            name = f"{self._service}.{operation}" + (f" {re.sub('#.*', '', where)}" if where else "")
            with errors_as_ours():
                return cloud.call(name, lambda: effect(**request))

        return call

    def get_paginator(self, operation: str) -> Any:
        def paginate(*, PaginationConfig: Any = None, **request: Any) -> Iterator[Any]:
            yield getattr(self, operation)(**request)

        return SimpleNamespace(paginate=paginate)
