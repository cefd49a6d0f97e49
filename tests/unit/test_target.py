"""Which install a command is about, and the message if it cannot be reached."""

import json
import os
import stat

import botocore.session
import pytest
from botocore.exceptions import (
    ClientError,
    CredentialRetrievalError,
    EndpointConnectionError,
    NoCredentialsError,
    ProfileNotFound,
    SSOTokenLoadError,
    UnauthorizedSSOTokenError,
)
from deployer.aws import client as aws

from localcloud import root_key
from localcloud.settings import CloudSettings
from localcloud.stack import client as local_client
from portcall.core import target
from portcall.core.trouble import Exit, Trouble, trouble_of

OUTPUTS = {
    "LedgerTableName": "ledger",
    "StateMachineArn": "arn:aws:states:eu-west-1:111122223333:stateMachine:deploy",
}


@pytest.fixture(autouse=True)
def shell(tmp_path, monkeypatch):
    """A shell with credentials and a cache of its own, where no embedded cloud runs."""
    for name in [name for name in os.environ if name.startswith(("AWS_", "PORTCALL_"))]:
        monkeypatch.delenv(name)
    config = tmp_path / "config"
    config.write_text("[default]\nregion = eu-west-1\n[profile work]\nregion = eu-west-3\n")
    keys = tmp_path / "credentials"
    keys.write_text("[default]\naws_access_key_id = a\naws_secret_access_key = s\n[work]\naws_access_key_id = w\naws_secret_access_key = s\n")  # fmt: skip
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(keys))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(CloudSettings, "load", lambda: CloudSettings(port=1, state_dir=tmp_path / "state"))
    monkeypatch.setattr(aws, "_given", None)
    yield monkeypatch
    aws._client.cache_clear()


@pytest.fixture
def stack(monkeypatch):
    """What CloudFormation answers, and how often it was asked."""
    asked = []

    class CloudFormation:
        def __init__(self):
            self.asked, self.outputs, self.status = asked, dict(OUTPUTS), "CREATE_COMPLETE"

        def describe_stacks(self, StackName):
            asked.append(StackName)
            if isinstance(self.outputs, Exception):
                raise self.outputs
            found = [{"OutputKey": name, "OutputValue": value} for name, value in self.outputs.items()]
            return {"Stacks": [{"Outputs": found, "StackStatus": self.status}]}

    made = CloudFormation()
    monkeypatch.setattr(target.Target, "client", lambda self, _: made)
    return made


@pytest.fixture
def embedded(tmp_path, monkeypatch):
    """An embedded cloud runs."""
    root_key.make(tmp_path / "state")
    monkeypatch.setattr(target, "_listens", lambda _: True)


def refused(code, message="", status=400):
    answer = {
        "Error": {"Code": code, "Message": message or code},
        "ResponseMetadata": {"HTTPStatusCode": status},
    }
    return ClientError(answer, "DescribeStacks")


# ── Which


def test_the_default_profile_where_no_embedded_cloud_runs(stack):
    assert target.choose().name == "portcall in eu-west-1, account 111122223333"


def test_the_embedded_cloud_where_one_runs(embedded):
    chosen = target.choose()
    assert (chosen.embedded, chosen.name) == (True, "the embedded cloud at 127.0.0.1:1")
    assert chosen._session.get_credentials().access_key == "123456789012"


@pytest.mark.parametrize(
    ("options", "variables", "name"),
    [
        ({"profile": "work"}, {}, "portcall in eu-west-3, account 111122223333 (profile work)"),
        ({}, {"AWS_PROFILE": "work"}, "portcall in eu-west-3, account 111122223333 (profile work)"),
        ({"stack": "staging"}, {}, "staging in eu-west-1, account 111122223333"),
        ({}, {"PORTCALL_STACK": "staging"}, "staging in eu-west-1, account 111122223333"),
        ({"region": "us-east-2"}, {}, "portcall in us-east-2, account 111122223333"),
        ({"profile": "work"}, {"AWS_REGION": "us-east-2"}, "portcall in us-east-2, account 111122223333 (profile work)"),
        ({"region": "ap-south-1", "profile": "work"}, {"AWS_REGION": "us-east-2", "AWS_PROFILE": "default"}, "portcall in ap-south-1, account 111122223333 (profile work)"),
        ({"stack": "b"}, {"PORTCALL_STACK": "a"}, "b in eu-west-1, account 111122223333"),
    ],
)  # fmt: skip
def test_an_account_that_is_named_wins_over_the_embedded_cloud(
    embedded, stack, monkeypatch, options, variables, name
):
    for variable, value in variables.items():
        monkeypatch.setenv(variable, value)
    assert target.choose(**options).name == name


def test_a_region_in_the_shell_names_no_account(embedded, monkeypatch):
    monkeypatch.setenv("AWS_REGION", "us-east-2")
    assert target.choose().embedded


def test_local_means_local(embedded, monkeypatch):
    monkeypatch.setenv("AWS_PROFILE", "work")
    assert target.choose(local=True).embedded
    assert target.choose(local=True, stack="staging").stack == "staging"


@pytest.mark.parametrize("profile", ["nobody", "elsewhere"])
def test_the_embedded_cloud_needs_nothing_of_the_users_own_configuration(
    embedded, tmp_path, monkeypatch, profile
):
    config = tmp_path / "config"
    config.write_text("[profile elsewhere]\nregion = eu-west-3\nca_bundle = /nowhere\n")
    monkeypatch.setenv("AWS_PROFILE", profile)
    chosen = target.choose(local=True)
    for client in (chosen.client("ecs"), local_client(CloudSettings.load(), "ecs")):
        assert client.meta.region_name == CloudSettings.load().region
        assert client.meta.endpoint_url == "http://127.0.0.1:1"


@pytest.mark.parametrize("more", [{"profile": "work"}, {"region": "eu-west-1"}])
def test_local_and_an_account_exclude_each_other(more):
    with pytest.raises(Trouble) as raised:
        target.choose(local=True, **more)
    assert raised.value.exit_code == Exit.USAGE


def test_no_account_is_asked_where_the_embedded_cloud_is_meant(monkeypatch, tmp_path, stack):
    monkeypatch.setenv("PORTCALL_STATE_DIR", str(tmp_path))
    for options in ({}, {"local": True}):
        with pytest.raises(Trouble, match=r"The embedded cloud is not running. Start it: portcall up"):
            target.choose(**options)
    assert stack.asked == []


# ── What is kept


def test_the_outputs_are_asked_for_once_and_kept(stack, tmp_path):
    for _ in range(2):
        assert target.choose().ask(lambda outputs: outputs["LedgerTableName"]) == "ledger"
    assert stack.asked == ["portcall"]
    (file,) = (tmp_path / "cache/portcall").iterdir()
    assert stat.S_IMODE(file.parent.stat().st_mode) & 0o077 == 0


def test_outputs_are_cached_for_each_stack_profile_and_region(stack):
    for options in ({}, {"stack": "b"}, {"profile": "work"}, {"region": "us-east-2"}):
        target.choose(**options).ask(lambda outputs: outputs)
    assert len(stack.asked) == 4


@pytest.mark.parametrize("code", ["ResourceNotFoundException", "AccessDeniedException"])
def test_cached_outputs_are_read_again_if_aws_denies_or_misses_the_resource(stack, code):
    target.choose().ask(lambda outputs: outputs)
    stack.outputs = OUTPUTS | {"LedgerTableName": "another"}

    def read(outputs):
        if outputs["LedgerTableName"] == "ledger":
            raise refused(code)
        return outputs["LedgerTableName"]

    assert target.choose().ask(read) == "another"
    assert len(stack.asked) == 2


def test_outputs_that_were_just_read_are_not_read_again_after_a_denial(stack):
    def read(_):
        raise refused("AccessDeniedException")

    with pytest.raises(Trouble):
        target.choose().ask(read)
    assert len(stack.asked) == 1


@pytest.mark.parametrize("text", ["", "[]", "{}", "null", '{"LedgerTableName": 1}', "\0"])
def test_a_broken_file_is_not_trouble(stack, tmp_path, text):
    target.choose().ask(lambda outputs: outputs)
    (file,) = (tmp_path / "cache/portcall").iterdir()
    file.write_text(text)
    assert target.choose().ask(lambda outputs: outputs["LedgerTableName"]) == "ledger"
    assert json.loads(file.read_text()) == OUTPUTS


def test_a_cache_that_cannot_be_written_is_not_trouble(stack, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", "/dev/null")
    assert target.choose().ask(lambda outputs: outputs["LedgerTableName"]) == "ledger"


# ── What is said

REPORTED = {
    "no credentials": (NoCredentialsError(), 6, "There are no AWS credentials (profile work). Log in"),
    "no such profile": (ProfileNotFound(profile="work"), 6, "There is no AWS profile work"),
    "a login that has expired": (UnauthorizedSSOTokenError(), 6, "aws sso login --profile work"),
    "no login": (SSOTokenLoadError(error_msg="x"), 6, "aws sso login --profile work"),
    "a helper that fails": (CredentialRetrievalError(provider="x", error_msg="y"), 6, "aws sso login --profile work"),
    "credentials that have expired": (refused("ExpiredToken"), 6, "have expired. Log in again: aws sso login --profile work"),
    "credentials of another": (refused("InvalidClientTokenId"), 6, "does not accept the credentials of profile work in eu-west-1"),
    "a region that is not enabled": (refused("UnrecognizedClientException"), 6, "is the region enabled"),
    "no stack": (refused("ValidationError", "Stack with id portcall does not exist"), 6, "There is no stack portcall in eu-west-1 (profile work). Choose another with --stack, --region or --profile"),
    "not allowed": (refused("AccessDeniedException", "User: arn:aws:iam::1:user/ann is not authorized to perform: dynamodb:Query on resource: y because"), 6, "arn:aws:iam::1:user/ann has no permission for dynamodb:Query. Ask for one of the stack's managed policies"),
    "not allowed, in other words": (refused("AccessDenied", "No"), 6, "You are not allowed to: No. Ask for one of the stack's managed policies"),
    "no way": (EndpointConnectionError(endpoint_url="https://x/"), 4, "is eu-west-1 the right region?"),
    "throttled": (refused("Throttling", "Rate exceeded"), 4, "Try again in a moment."),
    "AWS fails": (refused("InternalFailure", status=500), 4, "Try again in a moment."),
    "an older stack": (refused("ValidationException", "The table does not have the specified index: listing"), 1, "is older than this command"),
    "anything else": (refused("Strange", "it is strange"), 1, "AWS refused DescribeStacks: it is strange"),
}  # fmt: skip


@pytest.mark.parametrize(("error", "code", "words"), REPORTED.values(), ids=REPORTED)
def test_each_trouble_is_a_sentence_and_an_exit_code(error, code, words):
    trouble = trouble_of(error, stack="portcall", region="eu-west-1", profile="work")
    assert trouble.exit_code == code
    assert words in trouble.message
    assert "Traceback" not in trouble.message


@pytest.mark.parametrize(("error", "code", "words"), REPORTED.values(), ids=REPORTED)
def test_it_is_the_same_when_the_functions_modules_say_it(error, code, words):
    with pytest.raises(Exception) as raised, aws.errors_as_ours():  # noqa: PT011 - whichever it becomes
        raise error
    trouble = trouble_of(raised.value, stack="portcall", region="eu-west-1", profile="work")
    assert (trouble.exit_code, words in trouble.message) == (code, True)


def test_no_region_is_said(monkeypatch, tmp_path):
    (tmp_path / "config").write_text("")
    with pytest.raises(Trouble, match="No region is chosen") as raised:
        target.choose()
    assert raised.value.exit_code == Exit.NOT_ALLOWED


def test_no_profile_of_that_name_is_said():
    with pytest.raises(Trouble, match="There is no AWS profile nope"):
        target.choose(profile="nope").name  # noqa: B018 - asks


def test_no_credentials_are_said(monkeypatch, tmp_path):
    (tmp_path / "credentials").write_text("")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with pytest.raises(Trouble, match="There are no AWS credentials"):
        target.choose().name  # noqa: B018 - asks


def test_a_stack_of_something_else_is_said(stack):
    stack.outputs, stack.status = {"Other": "x"}, "ROLLBACK_COMPLETE"
    with pytest.raises(Trouble, match="is ROLLBACK_COMPLETE and has no output LedgerTableName"):
        target.choose().ask(lambda outputs: outputs)


def test_the_functions_modules_ask_the_target(stack, embedded):
    target.choose()
    assert aws.client("dynamodb").meta.endpoint_url == "http://127.0.0.1:1"
    session = botocore.session.Session()
    session.set_config_variable("region", "us-east-2")
    aws.use(session)
    assert aws.client("dynamodb").meta.endpoint_url == "https://dynamodb.us-east-2.amazonaws.com"


def test_the_version_that_was_kept_is_asked_for_again_once_it_is_another(stack):
    stack.outputs["Version"] = "0.1.0"
    assert target.choose().version("0.1.0") == "0.1.0"
    stack.outputs["Version"] = "0.2.0"
    asked = len(stack.asked)
    # What was kept is still right for this command line.
    assert target.choose().version("0.1.0") == "0.1.0"
    assert len(stack.asked) == asked
    assert target.choose().version("0.2.0") == "0.2.0"
    assert len(stack.asked) == asked + 1
    del stack.outputs["Version"]
    assert target.choose().version("0.3.0") == ""
