"""Definitions that Step Functions refuses, each made from ours by one change."""

from collections.abc import Callable
from typing import Any

from tests.templates import definition

Definition = dict[str, Any]
Change = Callable[[Definition], Any]


def deployed() -> Definition:
    """Our definition with ARNs for the template's substitutions, and with a choice, of which we have none."""
    made = definition(r"arn:aws:lambda:eu-west-1:111122223333:function:portcall-\1")
    rule = {"Variable": "$.image.result", "StringEquals": "app", "Next": "RegisterTaskDefinition"}
    made["States"]["ReadImage"]["Next"] = "IsAnApp"
    made["States"]["IsAnApp"] = {"Type": "Choice", "Choices": [rule], "Default": "IgnorePush"}
    return made


def _put(state: str, **fields: Any) -> Change:
    return lambda definition: definition["States"][state].update(fields)


def _drop(state: str, *fields: str) -> Change:
    return lambda definition: [definition["States"][state].pop(field) for field in fields]


def _retry(**fields: Any) -> Change:
    return lambda definition: definition["States"]["ReadImage"]["Retry"][0].update(fields)


def _catch(**fields: Any) -> Change:
    return lambda definition: definition["States"]["ReadImage"]["Catch"][0].update(fields)


def _rule(**fields: Any) -> Change:
    return lambda definition: definition["States"]["IsAnApp"]["Choices"].__setitem__(0, fields)


def _payload(**fields: Any) -> Change:
    def change(definition: Definition) -> None:
        payload = definition["States"]["WaitForRunning"]["Parameters"]["Payload"]
        payload.update({name.replace("__", ".$"): value for name, value in fields.items()})

    return change


def _parameters(**fields: Any) -> Change:
    return lambda definition: definition["States"]["WaitForRunning"]["Parameters"].update(fields)


def _rename(state: str, before: str, after: str) -> Change:
    def change(definition: Definition) -> None:
        definition["States"][state][after] = definition["States"][state].pop(before)

    return change


def _literal_token(definition: Definition) -> None:
    payload = definition["States"]["WaitForRunning"]["Parameters"]["Payload"]
    payload["token"] = payload.pop("token.$")


ALL = {"ErrorEquals": ["States.ALL"], "Next": "RollBack"}
CHANGES: dict[str, Change] = {
    # Transitions
    "StartAt is missing": lambda definition: definition.pop("StartAt"),
    "StartAt names no state": lambda definition: definition.update(StartAt="AdmitPushes"),
    "Next names no state": _put("ReadImage", Next="IsApp"),
    "a choice names no state": _rule(Variable="$.image", IsPresent=True, Next="Duplicates"),
    "Default names no state": _put("IsAnApp", Default="IgnorePushes"),
    "a catch names no state": _catch(Next="Rollback"),
    "a state that cannot be reached": lambda definition: definition["States"].update(Alone={"Type": "Succeed"}),
    "neither Next nor End": _drop("ReadImage", "Next"),
    "Next and End": _put("ReadImage", End=True),
    "End is false": lambda definition: (
        _drop("ReadImage", "Next")(definition),
        _put("ReadImage", End=False)(definition),
    ),
    "a Succeed with Next": _put("Superseded", Next="Duplicate"),
    "a Fail with Next": _put("DeploymentFailed", Next="RollBackFailed"),
    "a Choice with Next": _put("IsAnApp", Next="ReadImage"),
    "no States": lambda definition: definition.pop("States"),
    # Types and fields
    "Type is missing": _drop("ReadImage", "Type"),
    "Type is misspelt": _put("ReadImage", Type="task"),
    "a field that no state has": _put("ReadImage", Timeout=60),
    "a field misspelt": _rename("ReadImage", "ResultPath", "Resultpath"),
    "a field of another type of state": _put("ReadImage", Seconds=3),
    "a field at the top that no machine has": lambda definition: definition.update(Timeout=60),
    "Version 2.0": lambda definition: definition.update(Version="2.0"),
    "a comment that is not a string": _put("ReadImage", Comment=["one", "two"]),
    "a Task without Resource": _drop("ReadImage", "Resource"),
    "a Resource that is not an ARN": _put("ReadImage", Resource="ReadImageFunction"),
    "an integration that waits for nothing known": _put(
        "WaitForRunning", Resource="arn:aws:states:::lambda:invoke.waitForTaskTokens"
    ),
    "a state's name of 81 characters": lambda definition: definition.update(
        StartAt="A" * 81, States={"A" * 81: definition["States"].pop("AdmitPush"), **definition["States"]}
    ),
    # Choices
    "a rule without Variable": _rule(StringEquals="duplicate", Next="Duplicate"),
    "a rule without comparison": _rule(Variable="$.admission.result", Next="Duplicate"),
    "a rule without Next": _rule(Variable="$.admission.result", StringEquals="duplicate"),
    "a rule that compares twice": _rule(Variable="$.a", StringEquals="b", IsPresent=True, Next="Duplicate"),
    "a comparison that is none": _rule(Variable="$.a", StringEqual="duplicate", Next="Duplicate"),
    "a comparison with another type": _rule(Variable="$.a", BooleanEquals="true", Next="Duplicate"),
    "a Variable that is not a path": _rule(Variable="admission.result", StringEquals="b", Next="Duplicate"),
    "no Choices": _put("IsAnApp", Choices=[]),
    "a nested rule with Next": _rule(
        And=[{"Variable": "$.a", "IsPresent": True, "Next": "IgnorePush"}], Next="Duplicate"
    ),
    # Times
    "TimeoutSeconds 0": _put("ReadImage", TimeoutSeconds=0),
    "TimeoutSeconds is text": _put("ReadImage", TimeoutSeconds="60"),
    "TimeoutSeconds and TimeoutSecondsPath": _put("ReadImage", TimeoutSecondsPath="$.seconds"),
    "HeartbeatSeconds above TimeoutSeconds": _put("WaitForRunning", HeartbeatSeconds=301),
    "HeartbeatSeconds 0": _put("WaitForRunning", HeartbeatSeconds=0),
    # Retry and Catch
    "BackoffRate below 1": _retry(BackoffRate=0.5),
    "MaxAttempts below 0": _retry(MaxAttempts=-1),
    "MaxAttempts is no whole number": _retry(MaxAttempts=1.5),
    "IntervalSeconds 0": _retry(IntervalSeconds=0),
    "MaxDelaySeconds is not above IntervalSeconds": _retry(IntervalSeconds=30),
    "a JitterStrategy that is none": _retry(JitterStrategy="SOME"),
    "States.ALL is not alone": _catch(ErrorEquals=["States.ALL", "Sandbox.Timedout"]),
    "States.ALL is not the last catch": lambda definition: definition["States"]["ReadImage"]["Catch"].insert(
        0, {**ALL, "Next": "IsAnApp"}
    ),
    "States.ALL is not the last retry": _retry(ErrorEquals=["States.ALL"]),
    "an error that Step Functions has not": _retry(ErrorEquals=["States.Timedout"]),
    "no ErrorEquals": _retry(ErrorEquals=[]),
    "a catch without Next": lambda definition: definition["States"]["ReadImage"]["Catch"][0].pop("Next"),
    "a field that no retry has": _retry(MaxAttempt=3),
    # Paths, payloads, functions
    "ResultPath is no reference path": _put("ReadImage", ResultPath="$.images[*]"),
    "ResultPath is no path": _put("ReadImage", ResultPath="image"),
    "InputPath is no path": _put("ReadImage", InputPath="admission"),
    "a key with .$ whose value is no path": _payload(deployment__="everything"),
    "a key with .$ whose value is no text": _payload(attempt__=3),
    "a function misspelt": _payload(token__="States.Fromat('{}', $$.Task.Token)"),
    "a function inside another misspelt": _payload(
        token__="States.Format('{}', States.JsonToSting($$.Task.Token))"
    ),
    "a function with too few arguments": _payload(attempt__="States.MathAdd(1)"),
    "a function that does not close": _payload(attempt__="States.MathAdd(1, 2"),
    "a context path that is none": _payload(attempt__="$$.State.Attempt"),
    "a context path of another kind": _payload(attempt__="$$.Exection.Id"),
    "the task token is passed on nowhere": lambda definition: definition["States"]["WaitForRunning"][
        "Parameters"
    ]["Payload"].pop("token.$"),
    "the task token's path is passed as text": _literal_token,
    "a parameter that lambda:invoke has not": _parameters(Function="deploy"),
    "lambda:invoke without FunctionName": lambda definition: definition["States"]["WaitForRunning"][
        "Parameters"
    ].pop("FunctionName"),
    "ErrorPath is no reference path": _put("DeploymentFailed", ErrorPath="outcome.error"),
    "Error and ErrorPath": _put("DeploymentFailed", Error="DeploymentFailed"),
}


def broken(name: str) -> Definition:
    definition = deployed()
    CHANGES[name](definition)
    return definition
