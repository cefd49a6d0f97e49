"""`portcall doctor`: each check judges facts, and says "not known" if it could not read them."""

import base64
import importlib
import json
from types import SimpleNamespace

import pytest
from botocore.exceptions import ClientError
from click.testing import CliRunner

from portcall.cli import main
from portcall.core.doctor import account, app, checkup, facts, install, machine
from portcall.core.doctor.install import Subscription
from portcall.core.doctor.judgement import Check, Result, ok, warning
from portcall.core.doctor.machine import Login
from portcall.core.states import AppStatus
from portcall.core.trouble import Exit, Trouble
from tests.unit.test_terminal import HOSTILE, OBEYED

# The function of that name hides the module.
command = importlib.import_module("portcall.cli.doctor")
NOW = 1_795_000_000.0
REGISTRY = "111122223333.dkr.ecr.eu-west-1.amazonaws.com"
MAIL = Subscription("email", "you@example.com", True)
OK, WARNING, FAILED, UNKNOWN = Result.OK, Result.WARNING, Result.FAILED, Result.UNKNOWN


def status(state, note=""):
    return AppStatus("flask-app", state, None, None, 0, note)


JUDGED = [
    # This machine
    (machine.docker("29.1.0", ""), OK, "29.1.0"),
    (machine.docker("", "there is no docker command."), WARNING, "no docker command"),
    (machine.login(Login(True, "ecr-login"), REGISTRY, NOW), OK, "automatically"),
    (machine.login(Login(False), REGISTRY, NOW), WARNING, "portcall login"),
    (machine.login(Login(True, "desktop"), REGISTRY, NOW), UNKNOWN, "kept by desktop"),
    (machine.login(Login(True, "", int(NOW) - 1), REGISTRY, NOW), WARNING, "has expired"),
    (machine.login(Login(True, "", int(NOW)), REGISTRY, NOW), WARNING, "has expired"),
    (machine.login(Login(True, "", int(NOW) + 60), REGISTRY, NOW), WARNING, "expires in 1 min"),
    (machine.login(Login(True, "", int(NOW) + 900), REGISTRY, NOW), OK, "for 0 h"),
    (machine.login(Login(True, "", int(NOW) + 36_000), REGISTRY, NOW), OK, "for 10 h"),
    (machine.clock(0.4), OK, "right"),
    (machine.clock(-59.9), OK, "right"),
    (machine.clock(60), WARNING, "60 s ahead of"),
    (machine.clock(-299), WARNING, "299 s behind"),
    (machine.clock(300), FAILED, "300 s ahead of"),
    (machine.clock(-4000), FAILED, "4000 s behind"),
    # Your account
    (account.credentials("arn:x", 0, NOW), OK, "arn:x"),
    (account.credentials("arn:x", NOW + 60, NOW), WARNING, "for 1 min"),
    (account.credentials("arn:x", NOW + 7200, NOW), OK, "2.0 h"),
    (account.region("eu-west-1", {"eu-west-1"}, {"eu-west-1"}), OK, "eu-west-1"),
    (account.region("xx-west-1", {"eu-west-1"}, {"xx-west-1"}), WARNING, "does not know ECS in"),
    (account.ecs_role(True), OK, "is there"),
    (account.ecs_role(False), FAILED, "create-service-linked-role"),
    (account.quota(6, 1, 0.25, whole_account=True), OK, "6 vCPU"),
    (account.quota(6, 5.5, 0.25, whole_account=True), OK, "5.5 run"),
    (account.quota(6, 5.75, 0.25, whole_account=True), WARNING, "one push at a time"),
    (account.quota(6, 6, 0.25, whole_account=True), FAILED, "--desired-value 12"),
    (account.quota(6, 1, 0.25, whole_account=False), OK, "what else runs is not known"),
    # The install
    (install.stack("portcall", "CREATE_COMPLETE"), OK, "there"),
    (install.stack("portcall", "UPDATE_COMPLETE"), OK, "there"),
    (install.stack("portcall", "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"), WARNING, "being changed"),
    (install.stack("portcall", "UPDATE_ROLLBACK_COMPLETE"), WARNING, "rolled back"),
    (install.stack("portcall", "ROLLBACK_COMPLETE"), FAILED, "sam delete"),
    (install.stack("portcall", "UPDATE_ROLLBACK_FAILED"), FAILED, "events"),
    (install.version("0.1.0", "0.1.0"), OK, "0.1.0"),
    (install.version("0.9.0", "0.10.0"), WARNING, "Upgrade the stack"),
    (install.version("0.10.0", "0.9.0"), WARNING, "Upgrade the command line"),
    (install.version("", "0.9.0"), WARNING, "an old one"),
    (install.mails([MAIL]), OK, "you@example.com (email)"),
    (install.mails([MAIL, Subscription("email", "ann@example.com", False)]), FAILED, "ann@example.com has not"),
    (install.mails([]), WARNING, "Nobody"),
    (install.dead_letters({"A": 0, "B": 0}), OK, "2 dead-letter queues"),
    (install.dead_letters({"A": 0, "B": 3}), FAILED, "3 in B"),
    (install.sweep(int(NOW) - 599, NOW, NOW), OK, "599 s ago"),
    (install.sweep(int(NOW) - 601, NOW - 9999, NOW), FAILED, "10 min ago"),
    (install.sweep(0, NOW - 599, NOW), OK, "starts within"),
    (install.sweep(0, NOW - 600, NOW), FAILED, "no sweep"),
    (install.dashboard("https://console.example.com/"), OK, "https://console.example.com/"),
    (install.dashboard(""), OK, "Dashboard is off"),
    (install.events({"Pushes": True, "Ends": False}, ["Ends"], "ACTIVE"), OK, "active"),
    (install.events({"Pushes": True, "Ends": False}, [], "ACTIVE"), FAILED, "Ends"),
    (install.events({"Pushes": True}, [], "DELETING"), FAILED, "DELETING"),
    (install.repositories(["flask-app", "x"], ["flask-app", ""]), OK, "in flask-app."),
    (install.repositories(["team/a"], ["flask-app", "team/*"]), OK, "team/a"),
    (install.repositories(["other"], ["flask-app", "team/*"]), FAILED, "flask-app, team/*"),
    # An app
    (app.state(status("live")), OK, "is live"),
    (app.state(status("failed", "exit code 1.")), FAILED, "exit code 1"),
    (app.state(status("down")), FAILED, "portcall show flask-app"),
    (app.state(status("deploying")), WARNING, "deploying"),
    (app.state(status("stopped")), WARNING, "stopped"),
    (app.image(True, "sha256:1"), OK, "sha256:1"),
    (app.image(False, "sha256:1"), FAILED, "gone from ECR"),
    (app.secrets([], {}), OK, "no secrets"),
    (app.secrets(["A"], {"A": "alias/aws/ssm", "B": ""}), OK, "are there: A."),
    (app.secrets(["A", "B"], {"A": ""}), FAILED, "with B, which is gone"),
    (app.secrets(["A"], {"A": "alias/mine"}), WARNING, "Under a key of your own: A"),
    (app.reachable(True, "h:80", "0.0.0.0/0"), OK, "everyone"),
    (app.reachable(True, "h:80", "10.0.0.0/8"), OK, "10.0.0.0/8 only"),
    (app.reachable(False, "h:80", "10.0.0.0/8"), WARNING, "in that range"),
    (app.reachable(False, "h:80", "0.0.0.0/0"), FAILED, "cannot be reached"),
]  # fmt: skip


@pytest.mark.parametrize(("judged", "result", "words"), JUDGED, ids=[each[0].said[:60] for each in JUDGED])
def test_a_check_judges_what_was_found(judged, result, words):
    assert judged.result == result
    assert words in f"{judged.said} {judged.do}"
    # Each problem comes with what to do.
    assert judged.do or result in (OK, UNKNOWN)


# ── What is asked


def token(document):
    password = base64.b64encode(json.dumps(document).encode()).decode()
    return base64.b64encode(f"AWS:{password}".encode()).decode()


@pytest.mark.parametrize(
    ("config", "found"),
    [
        ({"auths": {REGISTRY: {"auth": token({"expiration": 1795})}}}, Login(True, "", 1795)),
        ({"auths": {REGISTRY: {"auth": base64.b64encode(b"AWS:password").decode()}}}, Login(True, "", 0)),
        ({"auths": {REGISTRY: {"auth": token([1])}}}, Login(True, "", 0)),
        ({"auths": {REGISTRY: {}}, "credsStore": "desktop"}, Login(True, "desktop", 0)),
        ({"credHelpers": {REGISTRY: "ecr-login"}}, Login(True, "ecr-login", 0)),
        ({"auths": {"other": {}}}, Login(False)),
        ({}, Login(False)),
        ([], Login(False)),
        ({"auths": 3}, Login(False)),
    ],
    ids=str,
)
def test_docker_s_own_file_says_whether_it_is_logged_in(tmp_path, monkeypatch, config, found):
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    (tmp_path / "config.json").write_text(json.dumps(config))
    assert facts.Facts.login(REGISTRY) == found


def test_without_a_file_docker_is_not_logged_in(tmp_path, monkeypatch):
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    assert facts.Facts.login(REGISTRY) == Login(False)


def asked_of(**answers):
    """Facts from a client whose calls answer so."""
    made = SimpleNamespace(**{name: answer for name, answer in answers.items()})
    return facts.Facts(SimpleNamespace(client=lambda _: made, expires_at=0.0, stack="portcall"))


def refuse(code, message="no", date=""):
    def call(**_):
        headers = {"date": date} if date else {}
        raise ClientError({"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPHeaders": headers, "HTTPStatusCode": 403}}, "Call")  # fmt: skip

    return call


def test_a_clock_that_is_far_off_is_known_from_the_refusal(monkeypatch):
    monkeypatch.setattr("time.time", lambda: NOW)
    # 2026-11-18 11:06:40 UTC is NOW; AWS's clock is an hour later.
    date = "Wed, 18 Nov 2026 12:06:40 GMT"
    found = asked_of(get_caller_identity=refuse("SignatureDoesNotMatch", date=date)).caller
    assert round(found.skew) == -3600
    with pytest.raises(ClientError):
        _ = asked_of(
            get_caller_identity=refuse("InvalidClientTokenId", date="Wed, 18 Nov 2026 11:06:40 GMT")
        ).caller


def test_the_clock_is_held_against_that_of_the_answer(monkeypatch):
    monkeypatch.setattr("time.time", lambda: NOW)
    answer = {"Arn": "arn:x", "Account": "1", "ResponseMetadata": {"HTTPHeaders": {"date": "Wed, 18 Nov 2026 11:06:30 GMT"}}}  # fmt: skip
    assert round(asked_of(get_caller_identity=lambda: answer).caller.skew) == 10


def test_a_role_that_is_not_there_is_distinguished_from_one_that_may_not_be_seen():
    assert asked_of(get_role=lambda **_: {}).ecs_role()
    assert not asked_of(get_role=refuse("NoSuchEntity")).ecs_role()
    with pytest.raises(ClientError):
        asked_of(get_role=refuse("AccessDenied")).ecs_role()


def test_the_vcpus_in_use_are_cloudwatchs_latest_data_point_if_any():
    points = [{"Timestamp": 2, "Maximum": 1.5}, {"Timestamp": 1, "Maximum": 9.0}]
    assert asked_of(get_metric_statistics=lambda **_: {"Datapoints": points}).vcpus_in_use() == 1.5
    assert asked_of(get_metric_statistics=lambda **_: {"Datapoints": []}).vcpus_in_use() is None


# ── A checkup

TARGET = SimpleNamespace(stack="portcall", region="eu-west-1", profile="", embedded=False)
DENIED = "User: arn:aws:iam::1:user/ann is not authorized to perform: iam:GetRole on resource: x"


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (refuse("AccessDenied", DENIED), "It needs the permission iam:GetRole."),
        (refuse("AccessDeniedException", "no"), "It needs the permission sns:This."),
        (refuse("ThrottlingException", "Rate exceeded"), "too busy"),
    ],
    ids=["denied", "denied without a name", "throttled"],
)
def test_a_check_that_aws_denies_or_throttles_is_unknown_and_says_why(error, words):
    needs = "" if "GetRole" in words else "sns:This"
    found = checkup._Checkup(TARGET).run(Check("the install", "mails", error, needs))
    assert found.judgement.result == UNKNOWN
    assert words in f"{found.judgement.said} {found.judgement.do}"


def portcall(*words):
    result = CliRunner(mix_stderr=False).invoke(main.cli, ["doctor", *words])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


@pytest.fixture
def findings(monkeypatch):
    """What the checkup finds, instead of one."""
    found = []
    monkeypatch.setattr(command, "target_of", lambda *_, **__: TARGET)
    monkeypatch.setattr(checkup, "examine", lambda target, name="": [checkup.Finding(*each) for each in found])
    return found


def test_anything_wrong_is_exit_1_and_nothing_else_is(findings):
    findings.append(("this machine", "Docker", ok("Docker 29 answers.")))
    assert portcall().exit_code == 0
    findings.append(("this machine", "login", warning("Not logged in.", "Run: portcall login")))
    findings.append(
        (
            "the install",
            "mails",
            checkup.unknown("You have no permission to see that.", "It takes a permission."),
        )
    )
    assert portcall().exit_code == 0
    findings.append(("the install", "stack", checkup.failed("It is broken.", "Delete it.")))
    result = portcall()
    assert result.exit_code == 1
    assert result.stdout.splitlines() == [
        "this machine",
        "  ok Docker: Docker 29 answers.",
        "   ! login: Not logged in.",
        "     → Run: portcall login",
        "the install",
        "   ? mails: You have no permission to see that.",
        "     → It takes a permission.",
        "   ✗ stack: It is broken.",
        "     → Delete it.",
    ]
    assert result.stderr.splitlines()[-1] == "1 ok, 1 warning, 1 failed, 1 unknown."


def test_programs_get_one_document(findings):
    findings.append(("the install", "stack", checkup.failed("It is broken.", "Delete it.")))
    result = portcall("--json")
    assert (result.exit_code, result.stderr) == (1, "")
    assert json.loads(result.stdout) == {
        "schema": 1,
        "ok": False,
        "checks": [
            {
                "group": "the install",
                "check": "stack",
                "result": "failed",
                "said": "It is broken.",
                "do": "Delete it.",
            }
        ],
    }


@pytest.mark.parametrize("text", [*HOSTILE.values(), *(text for text, _ in OBEYED.values()), "x" * 10_000])
def test_foreign_text_is_text(findings, text):
    findings.append(("the install", "mails", checkup.failed(text, text)))
    said = portcall().output
    assert not set("\x1b\x9b\x08\u202e") & set(said)


def test_without_credentials_there_is_still_something_to_say(monkeypatch):
    def nobody(*_, **__):
        raise Trouble("There are no AWS credentials.", Exit.NOT_ALLOWED)

    monkeypatch.setattr(command, "target_of", nobody)
    monkeypatch.setattr(facts.Facts, "docker", staticmethod(lambda: ("29", "")))
    result = portcall()
    assert result.exit_code == 1
    assert "ok Docker" in result.stdout
    assert "✗ credentials: There are no AWS credentials." in result.stdout


def test_local_together_with_a_region_is_exit_2():
    assert portcall("--local", "--region", "eu-west-1").exit_code == 2
