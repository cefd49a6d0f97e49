"""What a check can do: deploy, push, wait for the mail, open the URL, read what happened."""

import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from portcall.verify import install, queues
from portcall.verify.account import Account
from portcall.verify.errors import CheckFailedError, DifferentError
from portcall.verify.images import PROBE, Images
from portcall.verify.pace import Pace
from portcall.verify.state import State
from portcall.verify.tools import Tools

T = TypeVar("T")
GET_TIMEOUT = 10
# The defaults of the parameters that checks change.
DEFAULTS = {"Environments": "repository", "AllowedCidr": "0.0.0.0/0", "StableUrl": "off"}


@dataclass(frozen=True)
class Pushed:
    """A push: when `docker push` ended (UNIX seconds), and how many mails there were when it began."""

    digest: str
    at: float
    mails_before: int


@dataclass
class Run:
    """One run, or the rest of it. `say` shows the user what is being done."""

    account: Account
    state: State
    tools: Tools
    images: Images
    pace: Pace
    folder: Path
    email: str
    say: Callable[[str], None]

    # The install

    def deploy(self, **changes: str) -> None:
        """Run `sam deploy` with these parameters, unless they have these values already."""
        if self._has(changes):
            return
        if not self.state.parameters:
            changes = {
                "RepositoryName": self.state.name,
                "HealthTimeout": str(self.pace.health),
                "LogRetentionDays": "1",
                **({"Email": self.email} if self.email else {}),
                **changes,
            }
        self.say(f"sam deploy {_words(changes)}".strip())
        install.deploy(self.account, self.state, self.tools, self.folder, changes)

    def update(self, **changes: str) -> None:
        """The same without `sam deploy`, which takes longer: the template stays."""
        if not self._has(changes):
            self.say(f"updating the stack: {_words(changes)}")
            install.update(self.account, self.state, changes)

    def _has(self, parameters: dict[str, str]) -> bool:
        return bool(self.state.parameters) and (
            parameters.items() <= {**DEFAULTS, **self.state.parameters}.items()
        )

    def sweep(self) -> None:
        """Run the sweep now; if one is running, first wait for its end."""
        self.say("the sweep")
        function = self.state.resources["ReconcileFunction"]

        def swept() -> bool:
            answer = self.account.client("lambda").invoke(FunctionName=function, Payload=b"{}")
            return "skipped" not in json.loads(answer["Payload"].read())

        if not self.eventually(swept, self.pace.mail):
            raise CheckFailedError(f"{function} says for {self.pace.mail:.0f} s that another sweep is running")

    # Pushes and their outcomes

    def push(self, tag: str, **arguments: str) -> Pushed:
        """Build the probe app with these build arguments, and push it with this tag."""
        self.update(Environments="repository")
        self.say(f"docker build and push of {tag}")
        return self.push_image(self.images.build(tag, PROBE, **arguments), tag)

    def push_image(self, image: str, tag: str) -> Pushed:
        """Push an image that is built already."""
        before = len(self.mails())
        self.images.push(image)
        at = time.time()
        return Pushed(self.images.digest(tag), at, before)

    def mails(self) -> list[dict[str, Any]]:
        """All mails so far, oldest first."""
        queues.read_mails(self.account, self.state)
        return self.state.mails

    def mail(self, pushed: Pushed, outcome: str) -> dict[str, Any]:
        """The mail about a push, with `seconds`, how long it took.

        Raises DifferentError if it reports another outcome, CheckFailedError if none comes.
        """
        self.say(f"waiting for the email ({outcome})")

        def look() -> dict[str, Any] | None:
            fresh = self.mails()[pushed.mails_before :]
            return next((each for each in fresh if each["document"].get("digest") == pushed.digest), None)

        mail = self.eventually(look, self.pace.mail)
        if mail is None:
            raise CheckFailedError(
                f"No email of {pushed.digest[:19]} within {self.pace.mail:.0f} s. {self.outcome_of(pushed)}"
            )
        document = mail["document"]
        if document["outcome"] != outcome:
            why = document.get("reason") or document.get("url")
            raise DifferentError(f"The email says {document['outcome']}: {mail['subject']}. {why}")
        return {**mail, "seconds": mail["sent"] / 1000 - pushed.at}

    def live(self, pushed: Pushed) -> dict[str, Any]:
        """The document of the mail that says that a push is live; its task is then in the facts."""
        document: dict[str, Any] = self.mail(pushed, "deployed")["document"]
        self.state.facts["current"] = {"task": document["task"], "url": document["url"]}
        return document

    def executions(self) -> list[dict[str, Any]]:
        """The executions of the workflow, newest first, each with its `digest` and its `input`."""
        workflow, machine = self.account.client("stepfunctions"), self.state.outputs["StateMachineArn"]
        found = workflow.list_executions(stateMachineArn=machine, maxResults=100)["executions"]
        described = [workflow.describe_execution(executionArn=each["executionArn"]) for each in found]
        for each in described:
            each["input"] = json.loads(each["input"])
            each["digest"] = each["input"].get("detail", {}).get("image-digest", "")
        return described

    def outcome_of(self, pushed: Pushed) -> str:
        """How the workflow handled a push, in a sentence."""
        of_it = [each for each in self.executions() if each["digest"] == pushed.digest]
        if not of_it:
            return "It started no execution of the workflow."
        return " ".join(
            f"Its execution is {each['status']} {each.get('error', '')} {each.get('cause', '')}".strip()
            for each in of_it
        )

    def history(self, deployment: str) -> list[dict[str, Any]]:
        """The history of a push's execution, by the id of its event."""
        arn = next(each["executionArn"] for each in self.executions() if each["input"].get("id") == deployment)
        pages = self.account.client("stepfunctions").get_paginator("get_execution_history")
        return [event for page in pages.paginate(executionArn=arn) for event in page["events"]]

    # Events and requests

    def events(self, source: str, since: float = 0.0) -> list[dict[str, Any]]:
        """The events of `aws.ecr` or `aws.ecs` that arrived after `since` (UNIX seconds)."""
        queues.read_events(self.account, self.state)
        return [
            each
            for each in self.state.events
            if each["event"]["source"] == source and each["sent"] / 1000 >= since
        ]

    def get(self, url: str) -> tuple[int, str, dict[str, str]]:
        """The status, body and headers (by lower-case name) of a URL's response; OSError if there is none."""
        # The embedded cloud is on this machine, which a proxy cannot reach.
        proxies = [urllib.request.ProxyHandler({})] if self.account.embedded else []
        try:
            with urllib.request.build_opener(*proxies).open(url, timeout=GET_TIMEOUT) as answer:
                status, body, headers = answer.status, answer.read(), answer.headers
        except urllib.error.HTTPError as error:
            status, body, headers = error.code, error.read(), error.headers
        return status, body.decode(errors="replace"), {name.lower(): value for name, value in headers.items()}

    def eventually(self, look: Callable[[], T | None], within: float) -> T | None:
        """Call until the result is true; return it, or None if the time is up."""
        deadline = time.monotonic() + within
        while True:
            found = look()
            if found or time.monotonic() > deadline:
                return found or None
            time.sleep(self.pace.look_every)

    def wait_quietly(self) -> None:
        """Wait long enough to conclude that nothing comes."""
        self.say(f"waiting {self.pace.quiet:.0f} s for what should not come")
        time.sleep(self.pace.quiet)


def _words(parameters: dict[str, str]) -> str:
    return " ".join(f"{name}={value}" for name, value in parameters.items())
