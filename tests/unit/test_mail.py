"""The mails: the result first, within SNS's limits, and nothing that could mislead a reader."""

import dataclasses

from deployer.domain import mail
from deployer.domain.failure import Failure
from deployer.domain.push import Push
from hypothesis import given
from hypothesis import strategies as st

PUSH = Push("deployment-1", "2026-11-20T09:15:30Z", "flask-app", "latest", "sha256:" + "a" * 64)
CONTEXT = mail.Context(
    revision="arn:aws:ecs:eu-west-1:111122223333:task-definition/portcall-flask-app:7",
    task="arn:aws:ecs:eu-west-1:111122223333:task/portcall/0f1e",
    log_group="apps",
    log_stream="flask-app/app/0f1e",
    region="eu-west-1",
    phases=[("register", 0.5), ("start", 20.0)],
)
NOTHING = mail.Standing("")
STAYS = "https://a1b2c3d4e5.execute-api.eu-west-1.amazonaws.com/"
FAILURE = Failure("TaskStoppedError", "failed to start: exit code 1", "exit code 1", "Read its last words.")


def test_the_first_line_of_a_live_mail_is_the_bare_url():
    news = mail.live(PUSH, "http://203.0.113.7:3000/", "", [], CONTEXT)
    assert news.text.splitlines()[0] == "http://203.0.113.7:3000/"
    assert news.subject == "flask-app is live: http://203.0.113.7:3000/"
    assert news.attributes == {"app": "flask-app", "outcome": "deployed"}
    assert news.document["url"] == "http://203.0.113.7:3000/"


def test_names_image_digest_revision_and_times():
    text = mail.live(PUSH, "http://203.0.113.7:3000/", "", [], CONTEXT).text
    assert "flask-app:latest" in text
    assert PUSH.digest in text
    assert "portcall-flask-app:7" in text
    assert "20.5 s (register 0.5 s, start 20.0 s)" in text
    assert "aws logs tail apps" in text


def test_the_stable_url_comes_first_and_the_tasks_own_is_a_fact():
    where = dataclasses.replace(CONTEXT, direct_url="http://203.0.113.7:3000/")
    news = mail.live(PUSH, STAYS, "", [], where)
    assert news.text.splitlines()[0] == STAYS
    assert news.subject == f"flask-app is live: {STAYS}"
    assert "Task URL:   http://203.0.113.7:3000/\n" in news.text
    assert (news.document["url"], news.document["direct_url"]) == (STAYS, "http://203.0.113.7:3000/")


def test_there_is_one_url_where_no_address_stays():
    where = dataclasses.replace(CONTEXT, direct_url="http://203.0.113.7:3000/")
    news = mail.live(PUSH, "http://203.0.113.7:3000/", "", [], where)
    assert "Task URL:" not in news.text
    assert news.document["direct_url"] == news.document["url"]


def test_a_restart_says_whether_the_address_has_changed():
    new = dataclasses.replace(CONTEXT, direct_url="http://203.0.113.8:3000/")
    assert "at the same address" in mail.live_again(PUSH, STAYS, "exit code 1", [], new).text
    assert "at this address" in mail.live_again(PUSH, new.direct_url, "exit code 1", [], new).text


def test_a_failure_starts_with_the_verdict_and_the_reason_and_ends_with_the_log():
    news = mail.failed(PUSH, FAILURE, NOTHING, [], ["one", "two"], CONTEXT)
    assert news.text.splitlines()[:2] == ["flask-app failed to start: exit code 1.", "Reason: exit code 1"]
    assert news.text.endswith("    one\n    two\n")
    assert news.subject == "flask-app failed to start: exit code 1"
    assert news.attributes["outcome"] == "failed"


def test_reports_to_people_and_programs_how_the_task_stopped():
    where = dataclasses.replace(CONTEXT, stop_code="EssentialContainerExited", exit_code=1)
    news = mail.failed(PUSH, FAILURE, NOTHING, [], [], where)
    assert "Stop code:  EssentialContainerExited" in news.text
    assert (news.document["stop_code"], news.document["exit_code"]) == ("EssentialContainerExited", 1)


def test_a_long_name_leaves_room_for_the_verdict():
    push = dataclasses.replace(PUSH, app="team/" + "long-" * 40 + "app")
    subject = mail.failed(push, FAILURE, NOTHING, [], [], CONTEXT).subject
    assert subject.index("failed to start") < 60
    assert subject.startswith("...")
    assert len(subject) < 100


def test_a_newer_version_that_serves_is_not_called_the_one_before():
    text = mail.failed(PUSH, FAILURE, mail.Standing("http://198.51.100.2/", True), [], [], CONTEXT).text
    assert "A newer version is running at http://198.51.100.2/" in text


def test_only_the_last_thirty_lines_are_reported():
    news = mail.failed(PUSH, FAILURE, NOTHING, [], [f"line {number}" for number in range(100)], CONTEXT)
    assert news.document["log"] == [f"line {number}" for number in range(70, 100)]


def test_of_many_details_the_mail_has_the_first_and_the_last_and_the_document_all():
    details = (*(f"HIGH CVE-{number}" for number in range(100)), "Read all 100 with: aws")
    news = mail.failed(PUSH, dataclasses.replace(FAILURE, details=details), mail.Standing(""), [], [], CONTEXT)
    listed = [line.strip() for line in news.text.splitlines() if line.startswith("    ")]
    assert listed == [*details[:20], "...", details[-1]]
    assert news.text.splitlines()[1] == f"Reason: {FAILURE.reason}"
    assert news.document["details"] == list(details)


def test_few_details_are_reported_in_full():
    details = (*(f"HIGH CVE-{number}" for number in range(20)), "Read all 20 with: aws")
    news = mail.failed(PUSH, dataclasses.replace(FAILURE, details=details), mail.Standing(""), [], [], CONTEXT)
    assert [line.strip() for line in news.text.splitlines() if line.startswith("    ")] == list(details)


def test_a_failure_before_there_was_a_task_says_so():
    early = mail.Context(revision="", task="", log_group="apps", log_stream="", region="eu-west-1", phases=[])
    text = mail.failed(PUSH, FAILURE, NOTHING, ["A note."], [], early).text
    assert "No task was started, so there is no log." in text
    assert "A note." in text
    assert "Task:" not in text
    assert "Took:" not in text


@given(st.text(max_size=300))
def test_a_subject_is_what_sns_takes(text):
    subject = mail.live(
        Push("id", "", "app" + text, "latest", ""), "http://203.0.113.7/", "", [], CONTEXT
    ).subject
    assert len(subject) < 100
    assert subject.isascii()
    assert subject.isprintable()


@given(st.text(max_size=2000))
def test_a_log_line_cannot_break_out_of_its_line(text):
    news = mail.failed(PUSH, FAILURE, NOTHING, [], [text], CONTEXT)
    assert news.text.splitlines()[-1].startswith("    ") or news.text.endswith("\n    \n")
    assert len(news.text.splitlines()[-1]) <= mail.LOG_LINE_LIMIT + 4


def test_says_what_was_replaced_and_how_to_go_back():
    text = mail.live(PUSH, "http://203.0.113.7/", "sha256:before", ["A note."], CONTEXT).text
    assert "replaced sha256:before. To go back: portcall rollback" in text
    assert "A note." in text


def test_a_failure_says_what_still_serves():
    text = mail.failed(PUSH, FAILURE, mail.Standing("http://198.51.100.2:3000/"), [], [], CONTEXT).text
    assert "still running at http://198.51.100.2:3000/" in text


DASHBOARD = (
    "https://eu-west-1.console.aws.amazon.com/cloudwatch/home?region=eu-west-1#dashboards/dashboard/portcall"
)


def test_a_mail_ends_with_the_link_to_the_dashboard():
    news = mail.live(PUSH, "http://203.0.113.7:3000/", "", [], CONTEXT)
    linked = mail.with_dashboard(mail.with_notes(news, ["It is pinned."]), DASHBOARD)
    assert linked.text.endswith(f"\n\nIt is pinned.\n\nAll apps: {DASHBOARD}\n")
    assert linked.text.startswith(news.text.rstrip("\n"))
    assert (linked.subject, linked.attributes) == (news.subject, news.attributes)
    assert linked.document["dashboard"] == DASHBOARD


def test_without_a_dashboard_a_mail_is_as_it_was():
    news = mail.live(PUSH, "http://203.0.113.7:3000/", "", [], CONTEXT)
    assert mail.with_dashboard(news, "") == news
