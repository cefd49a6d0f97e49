"""Finds what Step Functions refuses in a definition: statelint's grammar, and rules that it lacks.

https://states-language.net and https://docs.aws.amazon.com/step-functions/latest/dg/concepts-amazon-states-language.html
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, TypeGuard

from statelint.linter import Linter

# https://docs.aws.amazon.com/step-functions/latest/dg/input-output-contextobject.html
_CONTEXT = re.compile(
    r"\$\$(?:$|\.Execution(?:\.(?:Id|Name|RoleArn|StartTime|RedriveCount|RedriveTime|Input(?:[.\[].*)?))?$"
    r"|\.State(?:\.(?:EnteredTime|Name|RetryCount))?$|\.StateMachine(?:\.(?:Id|Name))?$|\.Task(?:\.Token)?$"
    r"|\.Map(?:\.Item(?:\.(?:Index|Key|Source|Value(?:[.\[].*)?))?)?$)"
)
# https://docs.aws.amazon.com/step-functions/latest/dg/concepts-error-handling.html
_ERRORS = {
    f"States.{name}"
    for name in (
        "ALL",
        "BranchFailed",
        "DataLimitExceeded",
        "ExceedToleratedFailureThreshold",
        "HeartbeatTimeout",
        "Http.Socket",
        "IntrinsicFailure",
        "ItemReaderFailed",
        "NoChoiceMatched",
        "ParameterPathFailure",
        "Permissions",
        "QueryEvaluationError",
        "ResultPathMatchFailure",
        "ResultWriterFailed",
        "Runtime",
        "TaskFailed",
        "Timeout",
    )
}
# https://docs.aws.amazon.com/step-functions/latest/dg/intrinsic-functions.html: name -> arguments
_FUNCTIONS: dict[str, tuple[int, int]] = {
    "Array": (0, 1000),
    "ArrayContains": (2, 2),
    "ArrayGetItem": (2, 2),
    "ArrayLength": (1, 1),
    "ArrayPartition": (2, 2),
    "ArrayRange": (3, 3),
    "ArrayUnique": (1, 1),
    "Base64Decode": (1, 1),
    "Base64Encode": (1, 1),
    "Format": (1, 1000),
    "Hash": (2, 2),
    "JsonMerge": (3, 3),
    "JsonToString": (1, 1),
    "MathAdd": (2, 2),
    "MathRandom": (2, 3),
    "StringSplit": (2, 2),
    "StringToJson": (1, 1),
    "UUID": (0, 0),
}
_RESOURCE = re.compile(
    r"arn:aws[a-z-]*:(?:lambda:[a-z0-9-]+:\d{12}:function:\S+|states:[a-z0-9-]+:\d{12}:activity:\S+"
    r"|states:[a-z0-9-]*:(?:\d{12})?:[A-Za-z0-9-]+:[A-Za-z0-9]+(?::[A-Za-z0-9]+)?"
    r"(?:\.sync(?::2)?|\.waitForTaskToken)?)"
)
_FILTER = re.compile(r"\[\?\(.*?\)\]")
# https://docs.aws.amazon.com/step-functions/latest/dg/connect-lambda.html
_LAMBDA_INVOKE = {
    "ClientContext",
    "FunctionName",
    "InvocationType",
    "LogType",
    "Payload",
    "Qualifier",
    "TenantId",
}

State = dict[str, Any]


def problems(definition: Any) -> list[str]:
    """A sentence for each problem of a definition, none if Step Functions would accept it."""
    if not isinstance(definition, dict):
        return ["A definition must be an object."]
    found: list[str] = Linter.validate(_understood(definition))
    language = definition.get("QueryLanguage", "JSONPath")
    if definition.get("Version", "1.0") != "1.0":
        found.append("Version must be 1.0.")
    for name, state in _states(definition):
        if len(name) > 80:
            found.append(f"{name}: a state's name has at most 80 characters.")
        for check in (_has_what_it_needs, _retries, _catches, _resource):
            found += [f"{name}: {each}" for each in check(state)]
        if state.get("QueryLanguage", language) == "JSONPath":
            for check in (_filters, _paths, _choices, _payloads):
                found += [f"{name}: {each}" for each in check(state)]
    return found


def _understood(value: Any, name: str = "") -> Any:
    """The definition as statelint understands it.

    AWS accepts 2 as a rate, statelint requires 2.0. It knows no filters in paths; `_filters` reports them.
    """
    if isinstance(value, dict):
        return {key: _understood(each, key) for key, each in value.items()}
    if isinstance(value, list):
        return [_understood(each) for each in value]
    if isinstance(value, str) and name.endswith((".$", "Path")):
        return _FILTER.sub("[*]", value)
    return float(value) if name == "BackoffRate" and type(value) is int else value


def _states(machine: Any) -> Iterator[tuple[str, State]]:
    """All states, with those inside Map and Parallel."""
    states = machine.get("States") if isinstance(machine, dict) else None
    for name, state in (states if isinstance(states, dict) else {}).items():
        if isinstance(state, dict):
            yield str(name), state
            for inner in (state.get("Iterator"), state.get("ItemProcessor"), *_list(state, "Branches")):
                yield from _states(inner)


def _list(state: State, name: str) -> list[Any]:
    value = state.get(name)
    return value if isinstance(value, list) else []


def _objects(state: State, name: str) -> list[State]:
    return [each for each in _list(state, name) if isinstance(each, dict)]


def _is_number(value: Any) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _has_what_it_needs(state: State) -> Iterator[str]:
    if state.get("Type") == "Task" and "Resource" not in state:
        yield "a Task needs a Resource"
    if state.get("End") is False:
        yield "End may only be true"
    timeout, heartbeat = state.get("TimeoutSeconds"), state.get("HeartbeatSeconds")
    if _is_number(timeout) and _is_number(heartbeat) and heartbeat >= timeout:
        yield "HeartbeatSeconds must be below TimeoutSeconds"


def _retries(state: State) -> Iterator[str]:
    for retrier in _objects(state, "Retry"):
        interval, longest = retrier.get("IntervalSeconds", 1), retrier.get("MaxDelaySeconds")
        if _is_number(interval) and _is_number(longest) and longest <= interval:
            yield "MaxDelaySeconds must be above IntervalSeconds"
    yield from _errors(_objects(state, "Retry"))


def _catches(state: State) -> Iterator[str]:
    yield from _errors(_objects(state, "Catch"))


def _errors(rules: list[State]) -> Iterator[str]:
    for index, rule in enumerate(rules):
        names = [name for name in _list(rule, "ErrorEquals") if isinstance(name, str)]
        for name in names:
            if name.startswith("States.") and name not in _ERRORS:
                yield f"{name} is not an error of Step Functions"
        if "States.ALL" in names and (len(names) > 1 or index < len(rules) - 1):
            yield "States.ALL must be alone, and in the last rule"


def _resource(state: State) -> Iterator[str]:
    resource = state.get("Resource")
    if state.get("Type") != "Task" or not isinstance(resource, str):
        return
    if not _RESOURCE.fullmatch(resource) and not resource.startswith("{%"):
        yield f"{resource} is not the ARN of a function, an activity or an integration"
    given = state.get("Arguments", state.get("Parameters"))
    if re.search(r":states:::lambda:invoke(\.|$)", resource) and isinstance(given, dict | None):
        names = {name.removesuffix(".$") for name in given or {}}
        if "FunctionName" not in names:
            yield "lambda:invoke needs a FunctionName"
        for name in sorted(names - _LAMBDA_INVOKE):
            yield f"lambda:invoke has no parameter {name}"
    texts = [text for _, text in _expressions(given)]
    passes_token = any("$$.Task.Token" in text or "$states.context.Task.Token" in text for text in texts)
    passes_token |= "$$" in texts or "$$.Task" in texts
    if resource.endswith(".waitForTaskToken") and not passes_token:
        yield "the task token is passed on nowhere, so the state would wait for ever"
    if passes_token and not resource.endswith(".waitForTaskToken"):
        yield "there is a task token only with .waitForTaskToken"


def _expressions(value: Any, key: str = "") -> Iterator[tuple[str, str]]:
    """The expressions in a payload: the values of keys that end in `.$`, and JSONata."""
    if isinstance(value, dict):
        for name, each in value.items():
            yield from _expressions(each, str(name))
    elif isinstance(value, list):
        for each in value:
            yield from _expressions(each)
    elif isinstance(value, str) and (key.endswith(".$") or value.startswith("{%")):
        yield key, value


def _filters(state: State) -> Iterator[str]:
    paths = [value for name, value in state.items() if name.endswith("Path") and isinstance(value, str)]
    payloads = [state.get(name) for name in ("Parameters", "ItemSelector", "ResultSelector")]
    for text in [*paths, *(text for _, text in _expressions(payloads))]:
        if _FILTER.search(text):
            yield f"Step Functions accepts this filter, but the embedded cloud has none: {text}"


def _paths(state: State) -> Iterator[str]:
    for name in ("InputPath", "OutputPath", "ItemsPath"):
        path = state.get(name)
        if isinstance(path, str) and not path.startswith("$"):
            yield f"{name} must be a path"
    given = [state.get(name) for name in ("Parameters", "ItemSelector", "ResultSelector", "Result")]
    texts = [text for _, text in _expressions(given)]
    texts += [value for name, value in state.items() if name.endswith("Path") and isinstance(value, str)]
    texts += [str(rule.get("Variable")) for rule in _rules(state)]
    for text in texts:
        for path in re.findall(r"\$\$[\w.\[\]'-]*", text):
            if not _CONTEXT.match(path):
                yield f"the context object has no {path}"


def _payloads(state: State) -> Iterator[str]:
    for name in ("Parameters", "ItemSelector", "ResultSelector"):
        for key, text in _expressions(state.get(name)):
            if text.startswith("States."):
                yield from _function(key, text)


def _function(key: str, text: str) -> Iterator[str]:
    """The intrinsic functions in an expression, nested ones too, with their numbers of arguments."""
    matched = re.fullmatch(r"\s*States\.(\w+)\((.*)\)\s*", text, re.DOTALL)
    arguments = _split(matched[2]) if matched else None
    if matched is None or arguments is None:
        yield f"{key}: {text} is not a call of a function"
        return
    least, most = _FUNCTIONS.get(matched[1], (0, -1))
    if not least <= len(arguments) <= most:
        yield f"{key}: there is no States.{matched[1]} with {len(arguments)} arguments"
    for argument in arguments:
        if argument.startswith("States."):
            yield from _function(key, argument)
        elif not re.fullmatch(r"\$.*|'.*'|-?\d+(\.\d+)?(e-?\d+)?|true|false|null", argument, re.DOTALL):
            yield f"{key}: {argument} is neither a path, a literal nor a function"


def _split(text: str) -> list[str] | None:
    """The arguments of a call, None if its brackets or quotes do not close."""
    arguments, depth, quoted, now = [], 0, False, ""
    for character, before in zip(text, f" {text}", strict=False):
        if character == "'" and before != "\\":
            quoted = not quoted
        elif not quoted:
            depth += (character in "([") - (character in ")]")
        if character == "," and not quoted and not depth:
            arguments.append(now.strip())
            now = ""
        else:
            now += character
    if quoted or depth:
        return None
    return [*arguments, now.strip()] if text.strip() else []


def _rules(state: State) -> Iterator[State]:
    """The rules of a Choice, with those inside And, Or and Not."""
    ahead = _objects(state, "Choices")
    while ahead:
        rule = ahead.pop()
        yield rule
        ahead += [*_objects(rule, "And"), *_objects(rule, "Or")]
        ahead += [rule["Not"]] if isinstance(rule.get("Not"), dict) else []


def _choices(state: State) -> Iterator[str]:
    for rule in _rules(state):
        said = set(rule) - {"Next", "Comment", "Assign", "Output"}
        if not said & {"And", "Or", "Not", "Variable"}:
            yield "a rule needs a Variable, And, Or or Not"
        elif len(said) != (2 if "Variable" in said else 1):
            yield f"a rule compares once: {', '.join(sorted(said))}"
        variable = rule.get("Variable", "$")
        if not isinstance(variable, str) or not re.match(r"\$(?:$|[.\[$])", variable):
            yield f"Variable must be a path: {variable}"
