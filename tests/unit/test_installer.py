"""`install`, `upgrade` and `uninstall` in a simulated account: refusals and messages."""

import importlib
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from botocore.exceptions import ClientError, NoCredentialsError, NoRegionError
from click.testing import CliRunner

from portcall.cli import main
from portcall.cli.upgrade import order
from portcall.core.trouble import Trouble, trouble_of
from portcall.installer import changes
from portcall.installer.bucket import Bucket
from portcall.installer.packaged import BUCKET, DEFINITION_KEY, FUNCTIONS_KEY, Packaged
from tests.unit.test_terminal import HOSTILE, OBEYED

PACKAGED = Packaged(
    "0.2.0", ["Email", "RepositoryName"], f"{BUCKET} {FUNCTIONS_KEY} {DEFINITION_KEY}", b"f", b"d"
)


def refused(code, message="", *, operation="Operation", status=400, region=""):
    headers = {"x-amz-bucket-region": region} if region else {}
    answer = {
        "Error": {"Code": code, "Message": message},
        "ResponseMetadata": {"HTTPStatusCode": status, "HTTPHeaders": headers},
    }
    return ClientError(answer, operation)


class Account:
    """Services whose operations are functions; what nobody gave is an error."""

    stack, region, profile, endpoint, embedded = "portcall", "eu-west-1", "", "http://127.0.0.1:1", False

    def __init__(self):
        self.asked = []
        self.operations = {
            "get_caller_identity": lambda **_: {"Account": "111122223333"},
            "describe_stacks": lambda **_: self.describe(),
            "head_bucket": lambda **_: {"BucketRegion": "eu-west-1"},
        }
        self.status, self.outputs, self.parameters = "", {}, {}
        self.meta = SimpleNamespace(endpoint_url="https://s3.eu-west-1.amazonaws.com")

    def client(self, _service, _config=None):
        return self

    def __getattr__(self, operation):
        def call(**given):
            self.asked.append((operation, given))
            return self.operations[operation](**given)

        return call

    def describe(self):
        if not self.status:
            raise refused("ValidationError", "Stack with id portcall does not exist")
        outputs = [{"OutputKey": name, "OutputValue": value} for name, value in self.outputs.items()]
        parameters = [
            {"ParameterKey": name, "ParameterValue": value} for name, value in self.parameters.items()
        ]
        return {
            "Stacks": [
                {"StackStatus": self.status, "StackId": "id", "Outputs": outputs, "Parameters": parameters}
            ]
        }

    def installed(self, version="0.1.0", status="CREATE_COMPLETE"):
        self.status, self.outputs = status, {"LedgerTableName": "ledger", "Version": version}
        self.parameters = {"Email": "you@example.com", "RepositoryName": "flask-app", "GoneSince": "x"}


@pytest.fixture
def account(monkeypatch):
    made = Account()
    for name in ("install", "upgrade", "uninstall"):
        module = importlib.import_module(f"portcall.cli.{name}")
        monkeypatch.setattr(module, "choose", lambda **_: made)
    monkeypatch.setattr(Packaged, "load", classmethod(lambda cls: PACKAGED))
    return made


def portcall(*words):
    result = CliRunner(mix_stderr=False).invoke(main.cli, list(words))
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, " ".join(result.stderr.split())


# ── install


STATES = {
    "CREATE_COMPLETE": "exists and is not an install of Portcall. Choose another name",
    "ROLLBACK_COMPLETE": "it can only be deleted. Delete it: portcall uninstall --stack portcall.",
    "ROLLBACK_FAILED": "it can only be deleted",
    "DELETE_FAILED": "it can only be deleted",
    "CREATE_IN_PROGRESS": "is CREATE_IN_PROGRESS. Wait until that has ended.",
    "DELETE_IN_PROGRESS": "Wait until that has ended.",
}


@pytest.mark.parametrize(("status", "sentence"), STATES.items())
def test_a_stack_that_is_in_the_way_is_reported_with_what_to_do(account, status, sentence):
    account.status = status
    code, said = portcall("install", "--yes")
    assert code == 1
    assert sentence in said


def test_install_refuses_an_existing_stack_and_points_to_upgrade(account):
    account.installed()
    code, said = portcall("install", "--yes")
    assert code == 1
    assert "is Portcall 0.1.0 already" in said
    assert "portcall upgrade" in said


def test_a_stack_of_which_no_change_set_was_ever_executed_is_not_in_the_way(account):
    account.status = "REVIEW_IN_PROGRESS"
    account.operations["head_bucket"] = lambda **_: throw(refused("403", status=403))
    code, said = portcall("install", "--yes")
    assert code == 6
    assert "is not this account's, or you have no permission to use it" in said


def throw(error):
    raise error


@pytest.mark.parametrize(
    ("error", "code", "sentence"),
    [
        (NoCredentialsError(), 6, "There are no AWS credentials"),
        (refused("ExpiredToken"), 6, "have expired. Log in again"),
        (refused("UnrecognizedClientException"), 6, "does not accept the credentials"),
        (refused("AccessDenied", "User: me is not authorized to perform: sts:X"), 6, "AdministratorAccess"),
        (refused("Throttling"), 4, "AWS is too busy"),
    ],
)
@pytest.mark.parametrize("command", ["install", "upgrade", "uninstall"])
def test_a_missing_permission_is_reported_in_a_sentence(account, command, error, code, sentence):
    account.operations["get_caller_identity"] = lambda **_: throw(error)
    found, said = portcall(command)
    assert found == code
    assert sentence in said


def test_no_region_is_reported():
    trouble = trouble_of(NoRegionError(), stack="portcall", region="", profile="")
    assert "No region is chosen" in trouble.message


def test_a_bucket_in_another_region_is_refused_by_name(account):
    for answer in (
        lambda **_: {"BucketRegion": "us-east-1"},
        lambda **_: throw(refused("301", status=301, region="us-east-1")),
    ):
        account.operations["head_bucket"] = answer
        with pytest.raises(Trouble, match=r"The bucket mine is in us-east-1, .* Choose one in eu-west-1"):
            Bucket.of(account, "111122223333", "mine").prepare()


def test_no_bucket_of_somebody_else_is_written_to_or_read_from(account):
    account.operations |= {
        "head_object": lambda **_: throw(refused("404", status=404)),
        "put_object": lambda **_: {},
        "delete_object": lambda **_: {},
        "list_objects_v2": lambda **_: {"KeyCount": 1},
        "get_paginator": lambda **_: None,
    }
    bucket = Bucket.of(account, "111122223333")
    bucket.prepare()
    bucket.upload("portcall/x", b"x")
    assert not bucket.remove_if_empty()
    assert {given["ExpectedBucketOwner"] for _, given in account.asked} == {"111122223333"}
    assert bucket.name == "portcall-111122223333-eu-west-1"


def test_a_bucket_that_was_chosen_is_never_deleted(account):
    assert not Bucket.of(account, "111122223333", "mine").remove_if_empty()
    assert account.asked == []


# ── upgrade


def test_a_downgrade_is_refused_unless_it_is_meant(account):
    account.installed("0.10.0")
    code, said = portcall("upgrade", "--yes")
    assert code == 1
    assert "Portcall 0.10.0 is installed, and this command is 0.2.0." in said
    assert "--allow-downgrade" in said
    account.operations["head_bucket"] = lambda **_: throw(refused("403", status=403))
    assert portcall("upgrade", "--yes", "--allow-downgrade")[0] == 6


def test_versions_are_numbers_and_not_text():
    assert order("0.10.0") > order("0.9.1")
    assert order("") < order("0.1.0")


@pytest.mark.parametrize("status", ["UPDATE_IN_PROGRESS", "UPDATE_ROLLBACK_FAILED", "DELETE_FAILED"])
def test_a_stack_that_cannot_be_upgraded_now_is_reported(account, status):
    account.installed(status=status)
    code, said = portcall("upgrade", "--yes")
    assert code == 1
    assert status in said


def test_parameters_keep_their_values_and_those_that_are_gone_are_not_named():
    kept = changes.given({"Email": "new"}, ["Email", "RepositoryName"])
    assert kept == [
        {"ParameterKey": "Email", "ParameterValue": "new"},
        {"ParameterKey": "RepositoryName", "UsePreviousValue": True},
    ]


# ── uninstall


def test_nothing_is_removed_without_its_name(account):
    account.installed()
    for words, code in (([], 2), (["--confirm", "other"], 2)):
        assert portcall("uninstall", *words)[0] == code
    assert "delete_stack" not in [operation for operation, _ in account.asked]


def test_a_stack_of_something_else_is_not_removed(account):
    account.status = "CREATE_COMPLETE"
    code, said = portcall("uninstall", "--confirm", "portcall")
    assert code == 1
    assert "is not an install of Portcall" in said


# ── What CloudFormation says


def event(number, status, name="Ledger", kind="AWS::DynamoDB::Table", reason=""):
    at = datetime.fromtimestamp(1_795_000_000 + number, UTC)
    return {
        "EventId": str(number),
        "LogicalResourceId": name,
        "ResourceType": kind,
        "ResourceStatus": status,
        "ResourceStatusReason": reason,
        "Timestamp": at,
    }


def test_a_change_set_that_exists_after_a_lost_answer_is_used(account):
    """botocore asks again, and the answer is that it exists."""
    account.operations |= {
        "create_change_set": lambda **_: throw(
            refused("AlreadyExistsException", "ChangeSet [x] already exists")
        ),
        "describe_change_set": lambda **given: {
            "ChangeSetId": f"id of {given['ChangeSetName']}",
            "StackId": "stack",
            "Status": "CREATE_COMPLETE",
            "Changes": [
                {"ResourceChange": {"Action": "Add", "LogicalResourceId": "Ledger", "ResourceType": "T"}}
            ],
        },
    }
    change_set = changes.ChangeSet(account, "CREATE", "https://x", [])
    assert change_set.changes() == [changes.Change("Add", "Ledger", "T", replaced=False)]
    (created,) = [given for operation, given in account.asked if operation == "create_change_set"]
    assert created["ClientToken"] == created["ChangeSetName"]


def test_a_refused_install_is_reported_and_its_stack_is_deleted(account):
    account.operations |= {
        "create_change_set": lambda **_: {},
        "describe_change_set": lambda **_: {
            "ChangeSetId": "id", "StackId": "stack", "Status": "FAILED", "StatusReason": "Email must be an address"
        },
        "delete_change_set": lambda **_: {},
        "delete_stack": lambda **_: {},
    }  # fmt: skip
    with pytest.raises(Trouble, match="CloudFormation refuses the change: Email must be an address"):
        changes.ChangeSet(account, "CREATE", "https://x", []).changes()
    assert ("delete_stack", {"StackName": "stack"}) in account.asked


def test_the_first_reason_is_the_one_that_is_reported():
    known = [
        changes.Event("1", "Ledger", "T", "CREATE_FAILED", "Resource creation cancelled", 0),
        changes.Event("2", "Repository", "R", "CREATE_FAILED", "it exists already", 0),
        changes.Event(
            "3", "portcall", changes.STACK, "ROLLBACK_IN_PROGRESS", "The following resource(s) failed", 0
        ),
    ]
    assert changes.first_reason(known) == "Repository (R): it exists already"
    assert changes.first_reason(known[:1]) == ""


def test_the_end_is_seen_once_it_has_begun_and_nothing_follows(account, monkeypatch):
    """CloudFormation begins, and removes what failed, some moments after the state before looked like an end."""
    monkeypatch.setattr("time.sleep", lambda _: None)
    old = [event(1, "CREATE_COMPLETE", "portcall", changes.STACK)]
    began = [*old, event(2, "UPDATE_IN_PROGRESS", "portcall", changes.STACK)]
    ended = [*began, event(3, "UPDATE_COMPLETE"), event(4, "UPDATE_COMPLETE", "portcall", changes.STACK)]
    looks = [
        ("CREATE_COMPLETE", old),
        ("CREATE_COMPLETE", old),
        ("UPDATE_IN_PROGRESS", began),
        ("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", began),
        ("UPDATE_COMPLETE", ended),
        ("UPDATE_COMPLETE", ended),
    ]
    now = iter(looks)
    current = {}

    def describe(**_):
        account.status, current["events"] = next(now)
        return account.describe()

    account.operations["describe_stacks"] = describe
    pages = SimpleNamespace(paginate=lambda **_: [{"StackEvents": current["events"][::-1]}])
    account.get_paginator = lambda _: pages
    events = []
    status, known = changes.follow(account, "id", {"1"}, events.append)
    assert status == "UPDATE_COMPLETE"
    assert [each.id for each in events] == [each.id for each in known] == ["2", "3", "4"]
    assert list(now) == []


@pytest.mark.parametrize("text", [*HOSTILE.values(), *(text for text, _ in OBEYED.values())])
def test_control_characters_in_messages_of_cloudformation_are_not_printed(text, capsys):
    from portcall.cli.stack_table import StackTable, show_changes

    with StackTable("Installing") as table:
        table(changes.Event("1", text, text, "CREATE_FAILED", text, 0))
        table(changes.Event("2", text, text, "CREATE_COMPLETE", text, 0))
    show_changes([changes.Change("Add", text, text, False), changes.Change("Modify", text, text, True)])
    said = capsys.readouterr()
    assert said.out == ""
    assert not set("\x1b\x9b\x08\u202e") & set(said.err)


def test_on_a_terminal_it_says_what_is_under_way_and_what_failed(monkeypatch, capsys):
    monkeypatch.setenv("FORCE_COLOR", "1")
    from portcall.cli.stack_table import StackTable

    with StackTable("Installing", 3) as table:
        table(changes.Event("1", "Ledger", "T", "CREATE_IN_PROGRESS", "", 1))
        table(changes.Event("2", "Repository", "R", "CREATE_FAILED", "it exists already", 2))
        table(changes.Event("3", "Topic", "T", "CREATE_FAILED", "Resource creation cancelled", 2))
    said = capsys.readouterr().err
    assert "Installing: 2 of 3 done" in said
    assert "Ledger" in said
    assert "Repository  R: it exists already" in said
    assert "cancelled" not in said
