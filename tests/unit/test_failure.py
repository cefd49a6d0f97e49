"""Each way to fail has its own words and its own hint."""

import json
import re

import pytest
from deployer.domain.errors import PermanentError, TransientError
from deployer.domain.failure import OTHERS, explain, read_error
from deployer.domain.stops import SIGNS
from deployer.domain.task import Task


def why(error, message="", *, log=(), **task):
    stopped = Task("arn", "STOPPED", "STOPPED", 5, **task) if task else None
    return explain(
        error=error,
        message=message,
        task=stopped,
        log=list(log),
        port=3000,
        memory="512",
        architecture="X86_64",
    )


RUNC = "CannotStartContainerError: Error response from daemon: failed to create task for container: failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: "
PULL = "CannotPullContainerError: pull image manifest has been retried 1 time(s): "
ASM = "ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: unable to retrieve secret from asm: service call has been retried 1 time(s): failed to fetch secret arn:aws:secretsmanager:eu-west-1:111122223333:secret:db-Ab12Cd from secrets manager: "
SSM = "ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: unable to retrieve secrets from ssm: service call has been retried 1 time(s): "
AUTH = "ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: unable to retrieve ecr registry auth: service call has been retried 3 time(s): "
STOPPED = [
    # AWS's reason, the log, the exit code; what the verdict and the hint say
    ("", ["exec /app: exec format error"], 255, "wrong CPU architecture", "--platform linux/amd64"),
    ("", ["standard_init_linux.go:228: exec user process caused: exec format error"], 1, "wrong CPU architecture", "--platform"),
    ("", ["/start.sh: line 3: ./app: cannot execute binary file: Exec format error"], 126, "wrong CPU architecture", "--platform"),
    (PULL + "image Manifest does not contain descriptor matching platform 'linux/amd64'", [], None, "wrong CPU architecture", "--platform"),
    ("", ["exec /start.sh: exec format error"], 1, "/start.sh cannot be run", "#!/bin/sh"),
    ("", ["exec /start.sh: no such file or directory"], 1, "the shell that /start.sh names is not there", "CRLF"),
    ("", ["exec /usr/local/bin/server: no such file or directory"], 1, "/usr/local/bin/server was built for another Linux", "Alpine"),
    ("", ["python: error while loading shared libraries: libssl.so.3: cannot open shared object file: No such file or directory"], 127, "a shared library is missing", "lacks libssl.so.3."),
    ("", ["Error loading shared library libstdc++.so.6: No such file or directory (needed by /app)"], 127, "a shared library is missing", "libstdc++.so.6"),
    ("", ["ImportError: libGL.so.1: cannot open shared object file: No such file or directory"], 1, "a shared library is missing", "libGL.so.1"),
    (RUNC + 'exec: "/start.sh": permission denied: unknown', [], None, "/start.sh may not be executed", "chmod +x /start.sh"),
    ("", ["/bin/sh: 1: ./run: Permission denied"], 126, "./run may not be executed", "chmod +x ./run"),
    (RUNC + 'exec: "gunicorn": executable file not found in $PATH: unknown', [], None, "gunicorn is not in the image", "PATH"),
    (RUNC + 'exec: "/app/nope": stat /app/nope: no such file or directory: unknown', [], None, "/app/nope is not in the image", "COPY"),
    ("", ["sh: 1: nope: not found"], 127, "nope is not in the image", "CMD"),
    ("", ["/start.sh: line 2: nope: command not found"], 127, "nope is not in the image", "CMD"),
    ("", [], 127, "command cannot be run", "CMD"),
    ("CannotCreateContainerError: unable to find user app: no matching entries in passwd file", [], None, "command cannot be run", "USER"),
    ("OutOfMemoryError: Container killed due to memory usage", [], 137, "out of memory", "512 MiB"),
    ("", ["java.lang.OutOfMemoryError: Java heap space"], 3, "exit code 3", "log"),
    (ASM + "ResourceNotFoundException: Secrets Manager can't find the specified secret.", [], None, "a secret is missing", "Create it"),
    (ASM + "AccessDeniedException: User: arn:aws:sts::1:assumed-role/x is not authorized to perform: secretsmanager:GetSecretValue", [], None, "a secret may not be read", "ExecutionRole"),
    (SSM + "invalid ssm parameters: /flask-app/key", [], None, "a secret is missing", "Create it"),
    (SSM + "AccessDeniedException: not authorized to perform: ssm:GetParameters", [], None, "a secret may not be read", "ExecutionRole"),
    (AUTH + "RequestError: send request failed caused by: Post https://api.ecr: dial tcp: i/o timeout", [], None, "could not be pulled", "drift"),
    (PULL + "failed to resolve ref registry/app@sha256:ab: registry/app@sha256:ab: not found", [], None, "the image is gone", "Push it again"),
    (PULL + "httpReadSeeker: failed open: unexpected status code https://x: 404 Not Found", [], None, "the image is gone", "Push it again"),
    (PULL + "manifest unknown", [], None, "the image is gone", "Push it again"),
    (PULL + "httpReadSeeker: failed open: unexpected status code https://x: 403 Forbidden", [], None, "may not be pulled", "drift"),
    (PULL + "failed to copy: write /var/lib/containerd/x: no space left on device", [], None, "the image is too large", "20 GiB"),
    (PULL + "dial tcp 10.0.0.1:443: i/o timeout", [], None, "could not be pulled", "drift"),
    ("Capacity is unavailable at this time. Please try again later or in a different availability zone", [], None, "AWS has no capacity", "Service Quotas"),
    ("ResourceInitializationError: failed to validate logger args: create stream has been retried 1 times: The specified log group does not exist", [], None, "AWS could not set it up", "log group"),
    ("Timeout waiting for network interface provisioning to complete", [], None, "AWS could not set it up", "Nothing is wrong"),
    ("Your Spot Task was interrupted.", [], None, "AWS took its machine away", "Nothing is wrong"),
    ("", ["OSError: [Errno 98] Address already in use"], 1, "its port is in use", "one of them"),
    ("", ["Error: listen EADDRINUSE: address already in use :::3000"], 1, "its port is in use", "one of them"),
    ("", ["bye"], 0, "ended by itself", "foreground"),
    ("", ["Traceback"], 3, "exit code 3", "may say why"),
    ("", [], 3, "exit code 3", "docker run"),
    ("", [], 137, "was killed", "more than 512 MiB"),
    ("", [], 139, "segmentation fault", "linux/amd64"),
    ("", [], 132, "illegal instruction", "-march"),
    ("", [], 143, "was told to stop", "exec"),
    ("", [], None, "failed to start", "AWS's error message"),
]  # fmt: skip


def test_no_hint_has_the_same_image_pushed_again_or_trusts_a_deployment_of_the_stack_to_undo_changes():
    """Of a push that changes nothing AWS tells nobody; and CloudFormation does not look at what has drifted."""
    # Its tag is gone with it, so a push of the same image is one.
    hints = [sign.hint for sign in SIGNS if "image is gone" not in sign.verdict]
    for hint in [*hints, *(words.hint for words in OTHERS.values())]:
        assert not re.search(r"push (?:it |that |the image )?again|restores", hint, re.IGNORECASE), hint


@pytest.mark.parametrize(
    "error",
    [
        "NoCapacityError",
        "ThrottledError",
        "AwsUnavailableError",
        "States.Timeout",
        "AddressNotReadyError",
        "ContendedError",
        "MailLimitError",
        "ScanPendingError",
        "AbortedError",
        "Lambda.Unknown",
        "Sandbox.Timedout",
    ],
)
def test_what_failed_on_the_side_of_aws_may_pass(error):
    assert why(error, "said").passing


@pytest.mark.parametrize("error", ["NoAnswerError", "BadLabelError", "UnsupportedImageError", "FindingsError"])
def test_what_the_image_itself_does_wrong_does_not_pass(error):
    assert not why(error, "said").passing


@pytest.mark.parametrize(("reason", "log", "code", "verdict", "hint"), STOPPED)
def test_a_stopped_task_is_explained(reason, log, code, verdict, hint):
    stopped = Task("arn", "STOPPED", "STOPPED", 5, exit_code=code, stopped_reason=reason)
    failure = why("TaskStoppedError", stopped.why_stopped(), log=log, exit_code=code, stop_code="any")
    assert verdict in failure.verdict
    assert hint in failure.hint


def test_a_task_that_somebody_stopped_is_told_as_that():
    failure = why("TaskStoppedError", "exit code 137", exit_code=137, stop_code="UserInitiated")
    assert failure.verdict == "failed: somebody stopped its task"


def test_what_an_app_wrote_is_no_template():
    log = ["sh: 1: {memory}{0}{nope}: not found", "{}", "exec {platform}: exec format error"]
    assert "wrong CPU" in why("TaskStoppedError", "{}", log=log, exit_code=1, stop_code="any").verdict


def test_a_time_out_of_a_task_that_stopped_is_told_as_the_stop():
    failure = why("States.Timeout", "", exit_code=1, stopped_reason="Essential container in task exited")
    assert failure.error == "TaskStoppedError"
    assert "exit code 1" in failure.verdict


def test_an_app_that_never_answered_is_told_which_port_was_asked():
    assert "port 3000" in why("NoAnswerError").hint
    assert why("NoAnswerYetError", "It did not.") == why("NoAnswerError", "It did not.")


def test_an_error_that_nobody_foresaw_is_told_as_it_is():
    failure = why("KeyError", "'boom'")
    assert failure.reason == "'boom'"
    assert "report" in failure.hint


def test_every_error_class_has_words_of_its_own():
    leaves = {each.__name__ for parent in (PermanentError, TransientError) for each in parent.__subclasses__()}
    # Their words depend on the log.
    assert leaves - {"TaskStoppedError", "NoAnswerError", "NoAnswerYetError"} <= set(OTHERS)


def test_reads_the_cause_of_a_failed_lambda():
    cause = json.dumps({"errorType": "NoAnswerError", "errorMessage": "It did not answer.", "stackTrace": []})
    assert read_error({"Error": "NoAnswerError", "Cause": cause}) == ("NoAnswerError", "It did not answer.")


@pytest.mark.parametrize("cause", ["Task timed out", "[1, 2]", '"text"', "{", "{}"])
def test_reads_any_cause(cause):
    error, message = read_error({"Error": "States.Timeout", "Cause": cause})
    assert error == "States.Timeout"
    assert message


def test_reads_a_caught_error_without_a_cause():
    assert read_error({}) == ("Unknown", "AWS gave no reason.")


@pytest.mark.parametrize(
    "line",
    [
        "[INFO] Listening at: http://0.0.0.0:8080 (1)",
        "Serving HTTP on 0.0.0.0 port 8080 (http://0.0.0.0:8080/) ...",
        "Server listening on port 8080",
        "  * Running on http://127.0.0.1:8080",
        "Started server process on [::]:8080",
    ],
)
def test_an_app_that_listens_elsewhere_is_told_where(line):
    failure = why("NoAnswerError", log=[line])
    assert failure.verdict == "never answered: it listens on port 8080, not 3000"
    assert "Its log speaks of port 8080, but 3000 was asked" in failure.hint


SEEN = [
    ("nothing accepted a connection on port 3000", [], "nothing listens on port 3000", "0.0.0.0"),
    ("connections to port 3000 timed out", [], "port 3000 timed out", "portcall.timeout"),
    ("port 3000 accepts connections but does not speak HTTP", [], "no HTTP on port 3000", "LABEL portcall.health=tcp"),
    ("it answered 503", [], "only errors (503)", "portcall.health"),
    ("nothing accepted a connection on port 3000", ["Running on http://127.0.0.1:3000"], "listens on 127.0.0.1 only", "--host"),
    ("nothing accepted a connection on port 3000", ["server started on localhost"], "listens on 127.0.0.1 only", "--host"),
    ("nothing accepted a connection on port 3000", ["Running on http://127.0.0.1:5000"], "it listens on port 5000, not 3000", "5000"),
    ("nothing accepted a connection on port 3000", ["Listening on 0.0.0.0:3000", "serving metrics on 127.0.0.1:3000"], "nothing listens", "0.0.0.0"),
    ("it answered 500", ["Listening on port 8080"], "only errors (500)", "log"),
    ("something else", [], "never answered", "0.0.0.0"),
]  # fmt: skip


@pytest.mark.parametrize(("seen", "log", "verdict", "hint"), SEEN)
def test_an_app_that_never_answered_is_told_what_was_seen(seen, log, verdict, hint):
    message = f"The app runs, but http://203.0.113.7:3000/ did not answer within 300 seconds: {seen}."
    failure = why("NoAnswerError", message, log=log)
    assert verdict in failure.verdict
    assert hint in failure.hint
    assert failure.reason == message


def test_an_app_that_speaks_of_another_port_as_well_listens_on_the_one_that_was_asked():
    log = ["Listening on port 3000", "metrics: listening on port 9090"]
    assert "9090" not in why("NoAnswerError", log=log).verdict


def test_a_size_that_fargate_does_not_sell_is_told_as_that():
    message = "RegisterTaskDefinition: No Fargate configuration exists for given values: 256 CPU, 8192 memory."
    assert why("AwsRefusedError", message).verdict == "failed: Fargate has no such size"


@pytest.mark.parametrize("error", ["Lambda.Unknown", "Sandbox.Timedout", "Runtime.ExitError"])
def test_a_function_that_does_not_end_is_no_fault_of_the_image(error):
    assert "a function of Portcall" in why(error, "RequestId: 1 Error: killed").verdict


@pytest.mark.parametrize("line", ["Listening on 0.0.0.0:3000", "GET / 200 12:34:56", "started at 09:15", ""])
def test_what_is_no_other_port_is_not_taken_for_one(line):
    assert "speaks of port" not in why("NoAnswerError", log=[line]).hint


def test_a_task_that_we_stopped_ourselves_is_no_reason():
    stopped = {
        "stop_code": "UserInitiated",
        "exit_code": 137,
        "stopped_reason": "Portcall: deployment 1 failed",
    }
    assert why("NoAnswerError", "It did not answer.", **stopped).verdict == "never answered"
