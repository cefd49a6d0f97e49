"""`portcall verify-aws` without a cloud: planning, reporting, masking and refusals."""

import io
import re
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from click.testing import CliRunner
from moto import mock_aws

from portcall.cli.verify_aws import verify_aws
from portcall.cli.verify_display import Display
from portcall.core.terminal import Terminal
from portcall.verify import cost, images, install, leftovers, preflight, queues, report, runner
from portcall.verify.check import Check
from portcall.verify.checks import CHECKS, pushes
from portcall.verify.checks import stable_url as stable_urls
from portcall.verify.errors import CheckFailedError, DifferentError, NotRunError
from portcall.verify.run import Run
from portcall.verify.state import DIFFERENT, FAILED, NOT_RUN, SAME, Result, State

ROOT = Path(__file__).parents[2]
ACCOUNT = "210987654321"


@pytest.fixture
def state(tmp_path: Path) -> State:
    return State("portcall-verify-1", ACCOUNT, "eu-west-1", "", tmp_path / "verify-aws-portcall-verify-1.json")


def settled(install: int = 1, verdict: str = SAME) -> Result:
    return Result(verdict, "seen", install=install, settled=True)


def names(planned: list[Check]) -> list[str]:
    return [each.name for each in planned]


# What is documented


def table(document: str, heading: str) -> dict[str, str]:
    text = (ROOT / "docs" / document).read_text().partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| `([a-z0-9-]+)` \| (.*) \|$", text, re.MULTILINE)
    return dict(rows)


def test_the_documentation_lists_each_check_with_what_is_expected():
    assert table("verify-aws.md", "The checks") == {name: each.expected for name, each in CHECKS.items()}


def test_each_thing_that_is_unverified_names_the_checks_that_show_it():
    text = (ROOT / "docs/operations.md").read_text().partition("\n## Unverified\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (.+) \| (.+) \|$", text, re.MULTILINE)[1:]
    assert len(rows) >= 10
    for what, named in rows:
        if named.startswith("none: "):
            continue
        found = re.findall(r"`([a-z0-9-]+)`", named)
        assert found, what
        assert set(found) <= set(CHECKS), what
    assert "\n- " not in text, "a row of the table, with its check"


def test_the_checks_not_run_against_the_embedded_cloud_are_documented():
    from tests.e2e.test_verify_aws import NOT_RUN_HERE

    text = (ROOT / "docs/verify-aws.md").read_text().partition("\n## Against the embedded cloud\n")[2]
    assert set(re.findall(r"`([a-z0-9-]+)`\s\(", text)) == NOT_RUN_HERE


def test_the_checks_that_a_check_needs_come_before_it():
    seen: set[str] = set()
    for each in CHECKS.values():
        assert set(each.needs) <= seen, each.name
        seen.add(each.name)


# What is planned


def test_a_check_brings_along_what_it_needs(state: State):
    assert names(runner.plan(state, {"stable-url-path"}, installed=False)) == [
        "install",
        "stable-url",
        "stable-url-path",
    ]


def test_a_check_with_a_result_is_not_repeated_unless_it_failed(state: State):
    state.install = 1
    state.results = {"install": settled(), "first-push": settled(verdict=DIFFERENT), "scan": Result(FAILED, "")}
    wanted = {"install", "first-push", "scan", "crash"}
    assert names(runner.plan(state, wanted, installed=True)) == ["scan", "crash"]


def test_without_the_install_the_checks_that_a_check_needs_are_repeated(state: State):
    state.install = 1
    state.results = {"install": settled(), "first-push": settled(), "scan": Result(FAILED, "")}
    wanted = {"install", "first-push", "scan"}
    assert names(runner.plan(state, wanted, installed=False)) == ["install", "first-push", "scan"]


# The result of a check


class NoDisplay:
    def begin(self, check: Check) -> None: ...

    def end(self, check: Check, result: Result) -> None: ...


class FakeRun:
    def __init__(self, state: State) -> None:
        self.state = state


def carried_out(state: State, *outcomes: BaseException | str) -> list[Result]:
    def probe_of(outcome: BaseException | str) -> Any:
        def probe(run: Any) -> str:
            if isinstance(outcome, BaseException):
                raise outcome
            return outcome

        return probe

    made = [Check(f"check-{n}", "", (), probe_of(each)) for n, each in enumerate(outcomes)]
    runner.carry_out(FakeRun(state), made, NoDisplay())  # type: ignore[arg-type]
    return [state.results[each.name] for each in made]


def test_each_end_of_a_check_has_its_verdict(state: State):
    same, different, not_run, unforeseen = carried_out(
        state, "as ever", DifferentError("odd"), NotRunError("no room"), KeyError("image")
    )
    assert (same.verdict, same.observed, same.settled) == (SAME, "as ever", True)
    assert (different.verdict, different.observed, different.settled) == (DIFFERENT, "odd", True)
    assert (not_run.verdict, not_run.observed) == (NOT_RUN, "no room")
    assert (unforeseen.verdict, unforeseen.settled) == (FAILED, False)
    assert unforeseen.observed == "KeyError: 'image' (unexpected)"


def test_a_check_that_needs_a_failed_one_is_not_run(state: State):
    def fails(run: Any) -> str:
        raise OSError("no route")

    first = Check("first", "", (), fails)
    second = Check("second", "", ("first",), lambda run: "never")
    runner.carry_out(FakeRun(state), [first, second], NoDisplay())  # type: ignore[arg-type]
    assert state.results["second"].verdict == NOT_RUN
    assert state.results["second"].observed == "it needs first, which has no result"


def test_an_interrupted_check_is_noted_and_done_again(state: State):
    with pytest.raises(KeyboardInterrupt):
        carried_out(state, KeyboardInterrupt())
    assert state.results["check-0"].observed == runner.INTERRUPTED
    assert not State.load(state.path).results["check-0"].settled


@pytest.mark.parametrize("verdict", [DIFFERENT, FAILED])
def test_the_run_is_as_expected_unless_a_check_differs_or_failed(state: State, verdict: str):
    state.results = {"install": settled(), "other-cpu": settled(verdict=NOT_RUN)}
    assert runner.is_as_expected(state, {"install", "other-cpu"})
    state.results["install"].verdict = verdict
    assert not runner.is_as_expected(state, {"install", "other-cpu"})


def test_a_run_in_which_a_check_was_never_reached_is_not_as_expected(state: State):
    state.results = {"install": settled()}
    assert not runner.is_as_expected(state, {"install", "crash"})


# What events are taken for


class WithEvents:
    """What the checks of events see of a run."""

    def __init__(self, state: State, *details: dict[str, Any]) -> None:
        self.state = state
        state.facts["first-push"] = {"digest": "sha256:" + "a" * 64}
        self.sent = [
            {
                "sent": 1_800_000_005_000,
                "event": {"source": "aws.ecr", "time": "2027-01-15T08:00:00Z", "detail": each},
            }
            for each in details
        ]
        self.pace = type("Pace", (), {"event": 0.0})

    def events(self, _source: str) -> list[dict[str, Any]]:
        return self.sent

    def eventually(self, look: Any, _within: float) -> Any:
        return look()


def push_of(letter: str = "a", **more: str) -> dict[str, Any]:
    return {"action-type": "PUSH", "image-digest": f"sha256:{letter * 64}", "image-tag": "latest"} | more


def test_an_index_with_untagged_children_is_as_expected(state: State):
    child = push_of("b", **{"image-tag": ""})
    seen = pushes.push_events(WithEvents(state, child, push_of()))  # type: ignore[arg-type]
    assert "image-tag ``" in seen
    assert "5 s late" in seen


@pytest.mark.parametrize(
    "details",
    [
        [],
        [push_of(), push_of()],
        [push_of(**{"artifact-media-type": "application/vnd.oci.image.manifest.v1+json"})],
        [push_of(), push_of("b", **{"image-tag": "sha256-b"})],
    ],
    ids=["no event", "two events", "another type", "a tagged child"],
)
def test_other_events_of_a_push_differ(state: State, details: list[dict[str, Any]]):
    with pytest.raises(DifferentError):
        pushes.push_events(WithEvents(state, *details))  # type: ignore[arg-type]


# Where the stable URL points

TASKS, NOWHERE = "http://203.0.113.7:3000/", "http://stopped.example.com/"


class Gateway:
    """API Gateway with an API of ours and others; `described` and `integrated` are where ours points, look by look."""

    def __init__(self, described: list[str], integrated: list[list[str]]) -> None:
        self.described, self.integrated = described, integrated

    def get_paginator(self, _operation: str) -> "Gateway":
        return self

    def paginate(self, **_given: Any) -> list[dict[str, Any]]:
        said = self.described.pop(0) if len(self.described) > 1 else self.described[0]
        ours = {"ApiId": "ours", "Name": "portcall-verify-1 app", "Description": f"app at {said}"}
        # Anyone who may give tags can make any API look like ours.
        tagged = {"ApiId": "tagged", "Name": "theirs", "Tags": {"portcall:stack": "portcall-verify-1"}}
        longer = {"ApiId": "longer", "Name": "portcall-verify-10 app", "Description": "app at elsewhere"}
        return [{"Items": [tagged, longer, ours]}]

    def get_integrations(self, ApiId: str) -> dict[str, Any]:
        assert ApiId == "ours"
        uris = self.integrated.pop(0) if len(self.integrated) > 1 else self.integrated[0]
        return {"Items": [{"IntegrationUri": each} for each in uris]}

    def stop_task(self, **_given: Any) -> None: ...


class Stopped:
    """What the check of a stopped app sees of a run; it does not sweep."""

    def __init__(self, state: State, gateway: Gateway) -> None:
        self.state = state
        state.facts["stable-url"] = {"url": "https://a1b2.example/", "task": "arn:task"}
        state.outputs["ClusterArn"] = "arn:cluster"
        self.account = type("Account", (), {"client": lambda _self, _service: gateway})()
        self.pace = type("Pace", (), {"mail": 3, "event": 1})

    def say(self, _what: str) -> None: ...

    def get(self, _url: str) -> tuple[int, str, dict[str, str]]:
        return 503, "", {}

    def eventually(self, look: Any, within: float) -> Any:
        return next(filter(None, (look() for _ in range(int(within)))), None)


def test_an_api_is_the_installs_by_its_name_alone(state: State):
    run = Stopped(state, Gateway([TASKS], [[TASKS]]))
    assert [each["ApiId"] for each in leftovers.apis_of(run.account, state.name)] == ["ours"]


def test_a_url_points_nowhere_once_the_api_and_its_integration_say_so(state: State):
    gateway = Gateway([TASKS, TASKS, NOWHERE], [[TASKS], [NOWHERE], [NOWHERE]])
    seen = stable_urls.stable_url_of_a_stopped_app(Stopped(state, gateway))  # type: ignore[arg-type]
    assert seen == f"the API points to {NOWHERE}, the URL answers 503"


@pytest.mark.parametrize(
    ("described", "integrated"),
    [
        ([TASKS], [[TASKS]]),
        ([TASKS, NOWHERE], [[TASKS], [TASKS]]),
        ([TASKS, NOWHERE], [[TASKS], [TASKS, NOWHERE]]),
    ],
    ids=["nothing moved", "the description alone", "a second integration"],
)
def test_a_url_that_still_points_to_the_stopped_task_differs(
    state: State, described: list[str], integrated: list[list[str]]
):
    with pytest.raises(DifferentError, match=r"203\.0\.113\.7"):
        stable_urls.stable_url_of_a_stopped_app(Stopped(state, Gateway(described, integrated)))  # type: ignore[arg-type]


# The report


def test_the_report_names_neither_the_account_nor_anybody(state: State, tmp_path: Path):
    state.results["install"] = Result(
        FAILED, f"arn:aws:iam::{ACCOUNT}:user/jo cannot\nmail jo@example.org, nor 999999999999", install=1
    )
    state.events = [
        {
            "sent": 1_800_000_000_000,
            "event": {
                "source": "aws.ecr",
                "detail-type": "ECR Image Action",
                "account": ACCOUNT,
                "time": "2027-01-15T08:00:00Z",
                "detail": push_of("1"),
            },
        }
    ]
    evidence = report.write(state, tmp_path / "verify-aws.md", "AWS", ["queue x: AccessDenied"])
    for path in (tmp_path / "verify-aws.md", evidence):
        text = path.read_text()
        assert ACCOUNT not in text
        assert "999999999999" not in text
        assert "jo@example.org" not in text
    assert "sha256:" + "1" * 64 in evidence.read_text()


def test_the_report_says_what_differs_what_was_not_run_and_what_is_left(state: State, tmp_path: Path):
    state.results = {"install": settled(), "crash": Result(DIFFERENT, "a|b\nand more", 3.4, 1, True)}
    report.write(state, tmp_path / "verify-aws.md", "AWS", ["queue x: AccessDenied"])
    text = (tmp_path / "verify-aws.md").read_text()
    assert f"1 same, 1 different, 0 failed, {len(CHECKS) - 2} not run." in text
    assert "| a\\|b ... (below) | 3 | different |" in text
    assert "### crash\n\n```\na|b\nand more\n```" in text
    assert "- queue x: AccessDenied" in text
    assert "portcall verify-aws --clean portcall-verify-1" in text


def test_a_run_against_the_embedded_cloud_claims_nothing_about_aws(state: State, tmp_path: Path):
    report.write(state, tmp_path / "verify-aws.md", "the embedded cloud at http://127.0.0.1:4566", [])
    assert "proves nothing about AWS" in (tmp_path / "verify-aws.md").read_text()


# Before anything is created


def test_the_bill_is_the_sum_of_its_lines_and_some_cents():
    assert cost.cents() == pytest.approx(100 * sum(item.dollars for item in cost.items()))
    assert 1 < cost.cents() < 10


def test_a_quota_that_is_used_up_is_too_small_and_an_unknown_one_is_not():
    assert preflight.Quota("VPCs", 5, 5, 1).too_small
    assert not preflight.Quota("VPCs", 5, 4, 1).too_small
    assert not preflight.Quota("VPCs", None, 5, 1).too_small


def invoked(*arguments: str, **environment: str | None) -> tuple[int, str]:
    nowhere = {
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_SHARED_CREDENTIALS_FILE": "/nowhere",
        "AWS_CONFIG_FILE": "/nowhere",
    }
    ended = CliRunner().invoke(verify_aws, arguments, env=nowhere | environment)
    assert ended.exception is None or isinstance(ended.exception, SystemExit), ended.exception
    return ended.exit_code, ended.output


def test_without_credentials_it_says_how_to_log_in():
    code, said = invoked("--yes", AWS_ACCESS_KEY_ID=None, AWS_SECRET_ACCESS_KEY=None, AWS_SESSION_TOKEN=None)
    assert code == 2
    assert said.startswith("portcall: AWS does not know who you are: Unable to locate credentials")
    assert "aws sso login" in said


def test_a_profile_that_is_none_is_reported_like_missing_credentials():
    code, said = invoked("--yes", AWS_PROFILE="nobody")
    assert code == 2
    assert "(nobody) could not be found" in said
    assert "AWS_PROFILE" in said


def test_before_it_begins_it_says_what_it_makes_and_what_that_costs_and_asks(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    monkeypatch.setattr(preflight, "require_docker", lambda: "29.1.0")
    monkeypatch.setattr(preflight, "quotas", lambda account: [preflight.Quota("VPCs", 5, 1, 1)])
    with mock_aws():
        code, said = invoked(PORTCALL_STATE_DIR=str(tmp_path))
    assert code == 2
    assert re.search(
        r"^portcall-verify-[0-9a-f]{6}: account 123456789012, region eu-west-1, in AWS$", said, re.M
    )
    assert "VPCs: 5, 1 in use; the run needs 1" in said
    assert f"{cost.cents():.1f} ¢  in all" in said
    assert "two SQS queues and two EventBridge rules" in said
    assert said.endswith("To skip the question: --yes\n")
    assert list(tmp_path.iterdir()) == []


def test_a_quota_that_is_used_up_keeps_it_from_beginning(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setattr(preflight, "require_docker", lambda: "29.1.0")
    monkeypatch.setattr(preflight, "quotas", lambda account: [preflight.Quota("VPCs", 5, 5, 1)])
    with mock_aws():
        code, said = invoked("--yes", PORTCALL_STATE_DIR=str(tmp_path))
    assert code == 2
    assert "These quotas are too small: VPCs." in said
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("arguments", [("--resume",), ("--clean", "portcall-verify-1")])
def test_a_run_of_another_account_is_neither_resumed_nor_cleaned(
    monkeypatch: pytest.MonkeyPatch, state: State, arguments: tuple[str, ...]
):
    state.save()
    with mock_aws():
        code, said = invoked("--yes", *arguments, PORTCALL_STATE_DIR=str(state.path.parent))
    assert code == 2
    assert f"portcall-verify-1 is in account {ACCOUNT}, region eu-west-1" in said


# Cleaning up


def test_a_resource_that_cannot_be_removed_is_reported_and_stops_nothing_else(
    monkeypatch: pytest.MonkeyPatch, state: State, tmp_path: Path
):
    done: list[str] = []

    def refuse(*given: object) -> None:
        raise ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "DeleteQueue")

    monkeypatch.setattr(leftovers, "_delete_stack", lambda *given: done.append("stack"))
    monkeypatch.setattr(queues, "close_queues", refuse)
    monkeypatch.setattr(leftovers, "delete_uploads", lambda *given: done.append("uploads"))
    monkeypatch.setattr(images, "forget", lambda *given: done.append("images"))
    monkeypatch.setattr(leftovers, "inventory", lambda *given: ["VPC vpc-1"])
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    left = leftovers.clean_up(None, state, None, scratch, lambda what: None)  # type: ignore[arg-type]
    assert done == ["stack", "uploads", "images"]
    assert left[0].startswith("Removing the queues and rules: An error occurred (AccessDenied)")
    assert left[1:] == ["VPC vpc-1"]
    assert not scratch.exists()


class Formation:
    """CloudFormation that fails to delete a stack as often as it is set to."""

    def __init__(self, failures: int) -> None:
        self.failures, self.deletions = failures, 0
        self.statuses = ["CREATE_IN_PROGRESS", "CREATE_COMPLETE"]

    def client(self, _service: str) -> "Formation":
        return self

    embedded = True

    def describe_stacks(self, **_given: str) -> dict[str, Any]:
        status = self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0]
        return {"Stacks": [{"StackStatus": status, "StackId": "arn:stack"}]}

    def describe_stack_events(self, **_given: str) -> dict[str, Any]:
        reason = {
            "LogicalResourceId": "Vpc",
            "ResourceStatus": "DELETE_FAILED",
            "ResourceStatusReason": "it has dependencies",
        }
        return {"StackEvents": [reason]}

    def delete_stack(self, **_given: str) -> None:
        assert self.statuses in (["CREATE_COMPLETE"], ["DELETE_FAILED"]), "something is under way"
        self.deletions += 1
        self.statuses = [
            "DELETE_IN_PROGRESS",
            "DELETE_FAILED" if self.deletions <= self.failures else "DELETE_COMPLETE",
        ]


@pytest.fixture
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(install.time, "sleep", lambda seconds: None)


def test_a_stack_that_is_being_made_is_deleted_then_and_once_more_where_that_failed(hurry: None):
    formation = Formation(failures=1)
    leftovers._delete_stack(formation, "portcall-verify-1")  # type: ignore[arg-type]
    assert (formation.deletions, formation.statuses) == (2, ["DELETE_COMPLETE"])


def test_a_stack_that_cannot_be_deleted_is_reported_with_its_reasons(hurry: None):
    with pytest.raises(CheckFailedError, match="Vpc: it has dependencies"):
        leftovers._delete_stack(Formation(failures=9), "portcall-verify-1")  # type: ignore[arg-type]


# A change of parameters


class Updated:
    """CloudFormation whose updates end with this status, and with `lost` at its default again."""

    embedded = True

    def __init__(self, ends: str = "UPDATE_COMPLETE", lost: str = "") -> None:
        self.ends, self.lost, self.status = [ends], lost, "CREATE_COMPLETE"
        self.parameters = {"HealthTimeout": "60", "StableUrl": "off", "MaxMemory": "4096"}
        self.asked: list[dict[str, Any]] = []

    def client(self, _service: str) -> "Updated":
        return self

    def update_stack(self, **given: Any) -> None:
        self.asked.append(given)
        assert {each["ParameterKey"] for each in given["Parameters"]} == set(self.parameters), "all are named"
        changes = {each["ParameterKey"]: each.get("ParameterValue") for each in given["Parameters"]}
        self.parameters |= {name: value for name, value in changes.items() if value is not None}
        self.parameters |= {self.lost: "300"} if self.lost else {}
        self.ends = ["UPDATE_IN_PROGRESS", "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", *self.ends]

    def describe_stacks(self, **_given: str) -> dict[str, Any]:
        if self.asked:
            self.status = self.ends.pop(0) if len(self.ends) > 1 else self.ends[0]
        parameters = [{"ParameterKey": key, "ParameterValue": value} for key, value in self.parameters.items()]
        return {"Stacks": [{"StackStatus": self.status, "Parameters": parameters}]}

    def describe_stack_events(self, **_given: str) -> dict[str, Any]:
        reason = {"LogicalResourceId": "Vpc", "ResourceStatus": "UPDATE_FAILED", "ResourceStatusReason": "no"}
        return {"StackEvents": [reason]}

    def get_paginator(self, _operation: str) -> "Updated":
        return self

    def paginate(self, **_given: str) -> list[dict[str, Any]]:
        return [{"StackResourceSummaries": []}]


def updating(state: State, cloudformation: Updated, **changes: str) -> None:
    state.parameters = {"HealthTimeout": "60"}
    run = Run(cloudformation, state, None, None, None, None, "", lambda what: None)  # type: ignore[arg-type]
    run.update(**changes)


def test_a_parameter_is_changed_without_packing_the_stack_again_and_the_others_stay(state: State, hurry: None):
    cloudformation = Updated()
    updating(state, cloudformation, StableUrl="on")
    (asked,) = cloudformation.asked
    assert asked["UsePreviousTemplate"] is True
    assert {"ParameterKey": "MaxMemory", "UsePreviousValue": True} in asked["Parameters"]
    # SAM's transform needs it where no change set was reviewed.
    assert "CAPABILITY_AUTO_EXPAND" in asked["Capabilities"]
    assert cloudformation.status == "UPDATE_COMPLETE"
    assert state.parameters == {"HealthTimeout": "60", "StableUrl": "on"}


def test_a_parameter_that_has_the_value_already_changes_nothing(state: State):
    cloudformation = Updated()
    updating(state, cloudformation, StableUrl="off", HealthTimeout="60")
    assert cloudformation.asked == []


def test_an_update_that_was_rolled_back_is_reported_with_its_reasons(state: State, hurry: None):
    with pytest.raises(CheckFailedError, match=r"(?s)the stack is UPDATE_ROLLBACK_COMPLETE\nVpc: no"):
        updating(state, Updated(ends="UPDATE_ROLLBACK_COMPLETE"), StableUrl="on")


def test_an_update_that_changes_another_parameter_differs(state: State, hurry: None):
    with pytest.raises(DifferentError, match=r"\{'HealthTimeout': '300'\}"):
        updating(state, Updated(lost="HealthTimeout"), StableUrl="on")


def test_a_resource_that_could_not_be_checked_counts_as_left(monkeypatch: pytest.MonkeyPatch, state: State):
    def refuse(*given: object) -> Any:
        raise ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "ListRoles")

    monkeypatch.setattr(leftovers, "KINDS", {"role": refuse})
    (left,) = leftovers.inventory(None, state)  # type: ignore[arg-type]
    assert left.startswith("role: could not be checked: An error occurred (AccessDenied)")


def test_without_a_region_it_asks_for_one():
    code, said = invoked("--yes", AWS_REGION=None, AWS_DEFAULT_REGION=None)
    assert code == 2
    assert "export AWS_REGION=" in said


def test_an_endpoint_elsewhere_is_neither_aws_nor_the_embedded_cloud():
    code, said = invoked("--yes", AWS_ENDPOINT_URL="https://cloud.example.com")
    assert code == 2
    assert "neither AWS nor this machine" in said


def test_a_check_that_is_none_is_refused_by_name():
    code, said = invoked("--only", "first-push,second-push")
    assert code == 2
    assert "there is no check second-push" in said


def test_the_checks_can_be_listed_without_an_account():
    code, said = invoked("--list", AWS_ACCESS_KEY_ID=None)
    assert code == 0
    assert [line.split()[0] for line in said.splitlines()] == list(CHECKS)


# On the terminal


@pytest.mark.parametrize("terminal", [True, False])
def test_each_check_ends_in_a_line_with_its_verdict(terminal: bool):
    shown = io.StringIO()
    display = Display(Terminal(file=shown, force_terminal=terminal, width=100, color_system=None))
    display.begin(CHECKS["crash"])
    display.say("waiting for the restart's mail")
    display.end(CHECKS["crash"], Result(DIFFERENT, "no [mail]\nand more", 12.0))
    last = re.sub(r"\x1b\[[0-9?]*[A-Za-z]", "", shown.getvalue().splitlines()[-1])
    assert last.split() == ["≠", "crash", "12", "s", "different", "no", "[mail]"]
    assert ("waiting for the restart's mail" in shown.getvalue()) is terminal
