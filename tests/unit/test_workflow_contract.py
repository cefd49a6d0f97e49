"""The state machine, the template and the code agree; the definition is walked as AWS would."""

import copy
import inspect
import re
from pathlib import Path
from typing import Any

import botocore.session
import pytest
import yaml
from deployer.aws.client import CONFIG
from deployer.domain import errors
from deployer.steps import check_findings, check_health

from localcloud.state_language import problems
from tests.broken_workflows import CHANGES, broken, deployed
from tests.templates import definition, template

ROOT = Path(__file__).parents[2]
DEFINITION = definition()
TEMPLATE: dict[str, Any] = template()
STATES: dict[str, dict[str, Any]] = DEFINITION["States"]
TASKS = {name: state for name, state in STATES.items() if state["Type"] == "Task"}
FUNCTIONS = {
    name: resource for name, resource in TEMPLATE["Resources"].items() if resource["Type"] == "AWS::Serverless::Function"
}  # fmt: skip
INVOKE = botocore.session.get_session().get_service_model("lambda").operation_model("Invoke")
OF_AWS = {
    # https://docs.aws.amazon.com/step-functions/latest/dg/bp-lambda-serviceexception.html
    "Lambda.AWSLambdaException",
    "Lambda.SdkClientException",
    "Lambda.ClientExecutionTimeoutException",
    "Lambda.Unknown",
    "Sandbox.Timedout",
    "Runtime.ExitError",
    "States.Timeout",
    "States.ALL",
} | {f"Lambda.{shape.name}" for shape in INVOKE.error_shapes}


# The other state that each BranchError leads to. None of them hides a failure: in each, the step has done its work.
BRANCHES = {
    "DuplicateError": "Duplicate",
    "SupersededError": "Superseded",
    "SameImageError": "SameImage",
    "HeldError": "RecordPush",
    "NotAnAppError": "IgnorePush",
    "FindingsNotCheckedError": "CheckFindings",
    "NotNewestError": "RegisterTaskDefinition",
    "NoAnswerYetError": "ReadLog",
    "StableUrlNotCheckedError": "CheckStableUrl",
}
# What the document has when an execution starts: an event of EventBridge.
EVENT = {"version", "id", "source", "account", "time", "region", "resources", "detail", "detail-type"}


def transitions(state: dict[str, Any]) -> list[str]:
    caught = [each["Next"] for each in state.get("Catch", [])]
    return [*([state["Next"]] if "Next" in state else []), *caught]


def reachable(start: str) -> set[str]:
    seen: set[str] = set()
    ahead = [start]
    while ahead:
        name = ahead.pop()
        if name not in seen:
            seen.add(name)
            ahead += transitions(STATES[name])
    return seen


def snake(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


def source_of(name: str) -> str:
    """A step's own source, with that of the actions that it calls."""
    source = (ROOT / f"functions/deployer/steps/{snake(name)}.py").read_text()
    beside = re.findall(r"^from deployer.actions import (.+)$", source, re.MULTILINE)
    modules = [module for names in beside for module in names.split(", ")]
    return "\n".join(
        [source, *((ROOT / f"functions/deployer/actions/{each}.py").read_text() for each in modules)]
    )


@pytest.fixture
def definition():
    return DEFINITION


def test_step_functions_would_take_the_definition():
    assert problems(deployed()) == []


@pytest.mark.parametrize("name", CHANGES)
def test_a_broken_definition_is_noticed(name):
    assert problems(broken(name))


@pytest.mark.parametrize("nonsense", [None, [], "x", {"States": 3}, {"StartAt": 1, "States": {"A": 3, "B": {"Type": 7}}}])  # fmt: skip
def test_a_document_that_is_not_a_workflow_definition_is_reported(nonsense):
    assert problems(nonsense)


def test_every_transition_lands_and_every_state_is_reachable():
    assert DEFINITION["StartAt"] in STATES
    for name, state in STATES.items():
        assert set(transitions(state)) <= set(STATES), name
    assert reachable(DEFINITION["StartAt"]) == set(STATES)


def test_every_state_ends_or_continues():
    for name, state in STATES.items():
        assert state["Type"] in ("Succeed", "Fail") or "Next" in state or state["End"] is True, name


def test_no_state_only_decides(definition):
    """Each would cost a transition of each deployment, and the time of one: steps raise a BranchError instead."""
    assert {state["Type"] for state in definition["States"].values()} == {"Task", "Succeed", "Fail"}


@pytest.mark.parametrize("name", TASKS)
def test_every_task_times_out_retries_and_is_caught(name):
    state = TASKS[name]
    assert state["TimeoutSeconds"] <= 900
    assert state["Comment"]
    assert state["Retry"]
    assert state["Catch"][-1]["ErrorEquals"] == ["States.ALL"]
    assert state["ResultPath"].startswith("$.")


def test_results_do_not_overwrite_each_other():
    paths = [state["ResultPath"] for state in TASKS.values()]
    assert len(paths) == len(set(paths))


def test_no_caught_failure_leads_to_success():
    for name, state in TASKS.items():
        for catcher in state["Catch"]:
            if not set(catcher["ErrorEquals"]) & set(BRANCHES):
                ahead = reachable(catcher["Next"])
                ends = {end for end in ahead if STATES[end]["Type"] == "Succeed" or "End" in STATES[end]}
                assert not ends, f"{name} catches into {ends}"


def test_each_branch_leads_to_its_state_and_is_not_retried():
    assert {each.__name__ for each in errors.BranchError.__subclasses__()} == set(BRANCHES)
    caught = []
    for name, state in TASKS.items():
        retried = {error for rule in state["Retry"] for error in rule["ErrorEquals"]}
        assert not retried & set(BRANCHES), name
        for catcher in state["Catch"][:-1]:
            (error,) = catcher["ErrorEquals"]
            assert (catcher["Next"], catcher["ResultPath"]) == (BRANCHES[error], "$.branch"), name
            caught.append(error)
    assert set(caught) == set(BRANCHES)


@pytest.mark.parametrize("name", TASKS)
def test_a_branch_is_caught_where_it_is_raised_and_nowhere_else(name):
    source = (ROOT / f"functions/deployer/steps/{snake(name)}.py").read_text()
    raised = {error for error in BRANCHES if f"raise {error}(" in source}
    assert raised == {error for catcher in TASKS[name]["Catch"][:-1] for error in catcher["ErrorEquals"]}


def test_an_update_changes_roll_back_before_the_steps_whose_branches_it_may_get():
    """An execution from before an update catches a branch that is new to it like a failure."""
    first = {name.removesuffix("Function") for name, each in FUNCTIONS.items() if each.get("DependsOn") == "RollBackFunction"}  # fmt: skip
    assert first == {name for name, state in TASKS.items() if len(state["Catch"]) > 1}


def test_no_branch_is_raised_below_the_steps():
    for path in (ROOT / "functions/deployer").rglob("*.py"):
        if path.parent.name != "steps":
            assert not any(f"raise {error}(" in path.read_text() for error in BRANCHES), path


def test_no_error_is_named_twice_where_the_first_rule_wins(definition):
    for name, state in definition["States"].items():
        for rules in (state.get("Retry", []), state.get("Catch", [])):
            errors = [error for rule in rules for error in rule["ErrorEquals"]]
            assert len(errors) == len(set(errors)), name


def test_no_path_is_passed_as_text(definition):
    for name, state in definition["States"].items():
        assert not re.search(r"'[^'$]+': '(\$[.$]|States\.)", str(state.get("Parameters", {}))), name


def test_a_state_reads_only_keys_that_are_in_the_document_by_then(definition):
    """By the first key of each path: a state adds that of its ResultPath, and a catch its own."""

    def keys(value: Any) -> set[str]:
        return set(re.findall(r"(?<!\$)\$\.([\w-]+)", str(value)))

    there: dict[str, set[str]] = {definition["StartAt"]: set(EVENT)}
    ahead = [definition["StartAt"]]
    while ahead:
        name = ahead.pop()
        state = definition["States"][name]
        read = keys([state.get(each) for each in ("Parameters", "InputPath", "OutputPath", "ErrorPath", "CausePath")])  # fmt: skip
        assert read <= there[name], (name, read - there[name])
        edges = [(state.get("Next"), keys(state.get("ResultPath")))]
        edges += [(catch["Next"], keys(catch["ResultPath"])) for catch in state.get("Catch", [])]
        for target, added in edges:
            arriving = there[name] | added
            if target and target not in there:
                there[target] = arriving
                ahead.append(target)
            elif target and not there[target] <= arriving:
                there[target] &= arriving
                ahead.append(target)


# Step Functions takes these.
MISTAKES = {
    "a choice on the way": (
        test_no_state_only_decides,
        lambda states: states.update(IsCurrent={"Type": "Choice", "Choices": [], "Default": "PublishUrl"}),
    ),
    "an error in two rules": (
        test_no_error_is_named_twice_where_the_first_rule_wins,
        lambda states: states["RunTask"]["Retry"][1]["ErrorEquals"].append("ThrottledError"),
    ),
    "a path as text": (
        test_no_path_is_passed_as_text,
        lambda states: states["WaitForRunning"]["Parameters"]["Payload"].update(deployment="$.detail"),
    ),
    "a path of the context as text": (
        test_no_path_is_passed_as_text,
        lambda states: states["AdmitPush"]["Parameters"].update(execution="$$.Execution.Id"),
    ),
    "a path that no state has written": (
        test_a_state_reads_only_keys_that_are_in_the_document_by_then,
        lambda states: states["PublishUrl"]["Parameters"].update({"url.$": "$.swtich.url"}),
    ),
    "a path that only some roads have written": (
        test_a_state_reads_only_keys_that_are_in_the_document_by_then,
        lambda states: states["DeploymentFailed"].update(ErrorPath="$.task.error"),
    ),
    "a result that goes elsewhere": (
        test_a_state_reads_only_keys_that_are_in_the_document_by_then,
        lambda states: states["RollBack"].update(ResultPath="$.outcomes"),
    ),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_that_step_functions_takes_is_noticed(name):
    test, change = MISTAKES[name]
    mistaken = copy.deepcopy(DEFINITION)
    change(mistaken["States"])
    with pytest.raises(AssertionError):
        test(mistaken)


def test_no_key_is_given_twice():
    """YAML parsers use the last one without an error."""

    def keys(node: yaml.Node) -> None:
        if isinstance(node, yaml.MappingNode):
            names = [key.value for key, _ in node.value]
            assert len(names) == len(set(names)), node.start_mark
        for each in node.value if isinstance(node, yaml.MappingNode | yaml.SequenceNode) else []:
            for child in each if isinstance(each, tuple) else [each]:
                keys(child)

    for path in ("statemachine/deploy.asl.yaml", "template.yaml"):
        keys(yaml.compose((ROOT / path).read_text()))


def test_names_in_retry_and_catch_are_real():
    ours = {name for name, value in inspect.getmembers(errors, inspect.isclass)}
    for state in TASKS.values():
        for rule in [*state["Retry"], *state["Catch"]]:
            assert set(rule["ErrorEquals"]) <= ours | OF_AWS


def test_every_transient_error_is_retried_where_it_is_raised():
    always = {"ThrottledError", "AwsUnavailableError"}
    for name, state in TASKS.items():
        retried = {error for rule in state["Retry"] for error in rule["ErrorEquals"]}
        source = source_of(name)
        assert ("ContendedError" in source) == ("ContendedError" in retried), name
        mailed = any(f"outcomes.{outcome}" in source for outcome in ("DEPLOYED", "FAILED", "RECORDED"))
        assert mailed == ("MailLimitError" in retried), name
        assert always <= retried, name
        assert ("ecs.run_task" in source) == ("NoCapacityError" in retried), name
        assert ("ec2.addresses" in source) == ("AddressNotReadyError" in retried), name
        assert ("ScanPendingError" in source) == ("ScanPendingError" in retried), name


def test_no_permanent_error_is_retried():
    permanent = {each.__name__ for each in errors.PermanentError.__subclasses__()}
    for state in TASKS.values():
        assert not permanent & {error for rule in state["Retry"] for error in rule["ErrorEquals"]}


@pytest.mark.parametrize("name", TASKS)
def test_a_state_has_one_name_in_four_spellings(name):
    state = TASKS[name]
    function = state.get("Parameters", {}).get("FunctionName") or state["Resource"]
    assert function == f"${{{name}FunctionArn}}"
    assert FUNCTIONS[f"{name}Function"]["Properties"]["Handler"] == f"deployer.steps.{snake(name)}.handler"
    substitutions = TEMPLATE["Resources"]["DeployStateMachine"]["Properties"]["DefinitionSubstitutions"]
    assert substitutions[f"{name}FunctionArn"] == {"Fn::GetAtt": [f"{name}Function", "Arn"]}


def test_every_step_has_a_function_and_every_function_a_step():
    handlers = {
        f"deployer.{room}.{path.stem}.handler"
        for room in ("steps", "events")
        for path in (ROOT / "functions/deployer" / room).glob("*.py")
        if path.stem != "__init__"
    }
    assert {each["Properties"]["Handler"] for each in FUNCTIONS.values()} == handlers


def test_the_workflow_may_invoke_its_steps_and_nothing_else():
    (policy,) = TEMPLATE["Resources"]["DeployStateMachine"]["Properties"]["Policies"]
    statement, traces = policy["Statement"]
    condition, written, _ = traces["Fn::If"]
    assert (condition, {each.partition(":")[0] for each in written["Action"]}) == ("HasTracing", {"xray"})
    assert statement["Action"] == "lambda:InvokeFunction"
    assert sorted(str(each) for each in statement["Resource"]) == sorted(
        str({"Fn::GetAtt": [f"{name}Function", "Arn"]}) for name in TASKS
    )


def test_a_step_is_a_state_and_an_event_handler_is_none():
    steps = {path.stem for path in (ROOT / "functions/deployer/steps").glob("[a-z]*.py")}
    assert steps == {snake(name) for name in TASKS}


def test_a_module_says_first_which_state_it_is():
    for name in TASKS:
        source = (ROOT / f"functions/deployer/steps/{snake(name)}.py").read_text()
        assert source.startswith(f'"""{name}: '), name


def test_the_definition_has_no_yaml_that_only_some_parsers_know():
    # Step Functions refuses aliases: https://github.com/aws-cloudformation/cfn-language-discussion/issues/49
    text = (ROOT / "statemachine/deploy.asl.yaml").read_text()
    assert not re.search(r"(?:: |- )[&*]\w", text)


def test_a_function_outlives_neither_its_state_nor_its_caller():
    default = TEMPLATE["Globals"]["Function"]["Timeout"]
    for name, state in TASKS.items():
        timeout = FUNCTIONS[f"{name}Function"]["Properties"].get("Timeout", default)
        assert timeout < state["TimeoutSeconds"], name


def test_the_wait_for_a_scan_is_over_before_its_retries_are():
    (retry,) = (
        each for each in STATES["CheckFindings"]["Retry"] if each["ErrorEquals"] == ["ScanPendingError"]
    )
    # With full jitter a delay is anything from nothing to its maximum: half of that, on average.
    growing = (retry["IntervalSeconds"] * retry["BackoffRate"] ** n for n in range(retry["MaxAttempts"]))
    average = sum(min(delay, retry["MaxDelaySeconds"]) for delay in growing) / 2
    assert average > 2 * check_findings.SCAN_TIMEOUT_SECONDS


def test_the_health_check_has_time_for_the_longest_health_time_out():
    longest = TEMPLATE["Parameters"]["HealthTimeout"]["MaxValue"]
    asking = {"CheckHealth", "ReadLog"}
    assert asking <= reachable("ReadLog"), "it is asked again"
    # Each call adds some ten events to the history, which has room for 25,000.
    assert longest / check_health.MAX_CALL_SECONDS * 10 < 25_000


def test_a_call_of_the_health_check_ends_before_its_function_does():
    # Each round of asking may be followed by a look at the ledger, and so may the last.
    slowest = 3 * (CONFIG.connect_timeout + CONFIG.read_timeout) + 3
    asking = max(check_health.MAX_CALL_SECONDS, check_health.MIN_CALL_SECONDS)
    assert asking + 2 * slowest < FUNCTIONS["CheckHealthFunction"]["Properties"]["Timeout"]


def retrier(state: str, error: str) -> dict[str, Any]:
    """The one that AWS takes for an error: the first that names it."""
    return next(each for each in TASKS[state]["Retry"] if error in each["ErrorEquals"])


def waits(retry: dict[str, Any]) -> float:
    """How many seconds a retrier waits in sum; with full jitter a delay is half of its maximum, on average."""
    growing = (retry["IntervalSeconds"] * retry["BackoffRate"] ** n for n in range(retry["MaxAttempts"]))
    whole = sum(min(delay, retry.get("MaxDelaySeconds", delay)) for delay in growing)
    return whole / 2 if retry.get("JitterStrategy") == "FULL" else whole


# Invoke's errors that a later call may not get: the account's concurrency is used up; and those that are documented
# with "try again later", for functions in a VPC and for new functions.
CANNOT_RUN_NOW = [
    f"Lambda.{error}"
    for error in (
        "TooManyRequestsException",
        "ResourceNotReadyException",
        "ResourceConflictException",
        "ENINotReadyException",
        "ENILimitReachedException",
        "SubnetIPAddressLimitReachedException",
        "EC2ThrottledException",
        "EC2UnexpectedException",
        "CodeArtifactUserPendingException",
        "CodeArtifactUserDeletedException",
    )
]


@pytest.mark.parametrize("name", TASKS)
def test_every_task_waits_for_minutes_until_lambda_can_run_it(name):
    retry = retrier(name, "Lambda.TooManyRequestsException")
    assert retry["ErrorEquals"] == CANNOT_RUN_NOW, "it shares its attempts with no error that is not Lambda's"
    # A function is often ready within seconds, and many executions wait for the same concurrency: short waits
    # at first, and never two executions in step.
    assert (retry["IntervalSeconds"], retry["BackoffRate"], retry["JitterStrategy"]) == (1, 1.5, "FULL")
    assert waits(retry) > 12 * 60
    assert (
        name == "RollBack" or waits(retry) <= waits(retrier("RollBack", "Lambda.TooManyRequestsException")) / 2
    )


# What the comments say, in their own words, of the error whose waits are meant.
SAID = [
    (DEFINITION, "AdmitPush", "Lambda.TooManyRequestsException", "13 minutes on average", 60),
    (DEFINITION, "PublishUrl", "Lambda.TooManyRequestsException", "28 in PublishUrl and RecordPush", 60),
    (DEFINITION, "RecordPush", "Lambda.TooManyRequestsException", "28 in PublishUrl and RecordPush", 60),
    (DEFINITION, "RollBack", "Lambda.TooManyRequestsException", "58 in RollBack", 60),
    (TASKS["CheckFindings"], "CheckFindings", "ScanPendingError", "12 minutes on average", 60),
    (TASKS["RegisterTaskDefinition"], "RegisterTaskDefinition", "ThrottledError", "22 minutes on average", 60),
    (TASKS["RunTask"], "RunTask", "NoCapacityError", "2 minutes on average", 60),
    (TASKS["ResolvePublicIp"], "ResolvePublicIp", "AddressNotReadyError", "wait 81 seconds", 1),
    (TASKS["PublishUrl"], "PublishUrl", "NewerPushError", "up to 1 minute", 60),
]


@pytest.mark.parametrize(("commented", "name", "error", "words", "unit"), SAID)
def test_a_comment_gives_the_sum_of_the_waits(commented, name, error, words, unit):
    assert words in commented["Comment"]
    (number,) = re.findall(r"\d+", words)
    assert round(waits(retrier(name, error)) / unit) == int(number)


def test_the_other_states_wait_as_long_for_lambda_as_the_comment_says():
    longer = {"PublishUrl", "RecordPush", "RollBack"}
    rules = [retrier(name, "Lambda.TooManyRequestsException") for name in TASKS.keys() - longer]
    assert all(rule == retrier("AdmitPush", "Lambda.TooManyRequestsException") for rule in rules)


def test_a_call_that_lambda_lost_is_retried_for_less_than_half_a_minute():
    for name in TASKS:
        assert 20 < waits(retrier(name, "Lambda.ServiceException")) < 30, name


def test_no_line_of_the_definition_is_longer_than_120_characters():
    for line in (ROOT / "statemachine/deploy.asl.yaml").read_text().splitlines():
        assert len(line) <= 120, line


@pytest.mark.parametrize("name", TASKS)
def test_only_what_talks_to_other_peoples_servers_is_not_asked_again_when_it_hangs(name):
    probes = name in ("CheckHealth", "CheckStableUrl")
    retried = {error for rule in TASKS[name]["Retry"] for error in rule["ErrorEquals"]}
    assert ("from deployer.actions import probe" in source_of(name)) == probes
    assert bool(retried & {"Sandbox.Timedout", "Lambda.Unknown"}) != probes
