"""Lambda functions: environment, leftovers, queues."""

import json
import os
import time
import uuid
from typing import Any

import pytest

from tests.local.conftest import Cloud, eventually

pytestmark = pytest.mark.long(15)

SHOW = """
import json, os, sys, logging
loaded = os.getpid()
logging.getLogger().setLevel("INFO")

def handler(event, context):
    print("printed")
    logging.getLogger("mine").info("logged")
    return {
        "variables": dict(os.environ),
        "path": sys.path,
        "process": loaded,
        "context": [context.function_name, context.memory_limit_in_mb, context.log_group_name],
        "remaining": context.get_remaining_time_in_millis(),
        "code": __file__,
    }
"""


def test_a_function_sees_lambdas_variables_and_none_of_this_machines(cloud: Cloud) -> None:
    arn = cloud.function(SHOW, Environment={"Variables": {"OWN": "1"}})
    name = arn.rsplit(":", 1)[-1]
    error, shown = cloud.invoke(arn)
    assert not error
    variables: dict[str, str] = shown["variables"]
    assert variables["OWN"] == "1"
    assert variables["AWS_REGION"] == cloud.region
    assert variables["AWS_LAMBDA_FUNCTION_NAME"] == name
    assert variables["AWS_LAMBDA_LOG_GROUP_NAME"] == f"/aws/lambda/{name}"
    assert (variables["_HANDLER"], variables["AWS_EXECUTION_ENV"]) == ("app.handler", "AWS_Lambda_python3.13")
    assert variables["AWS_ACCESS_KEY_ID"].startswith("ASIA")
    leaked = {"NOT_FOR_FUNCTIONS", "PYTHONPATH", "VIRTUAL_ENV", "SSL_CERT_FILE", "AUTH", "GATEWAY_PORT"}
    assert not leaked & set(variables)
    assert shown["context"] == [name, "128", f"/aws/lambda/{name}"]
    assert 9_000 < shown["remaining"] <= 10_000


def test_a_link_to_the_console_of_aws_is_empty_because_there_is_no_console(cloud: Cloud) -> None:
    links = {
        "CHINA": "https://cn-north-1.console.amazonaws.cn/cloudwatch/home?region=cn-north-1#dashboards/dashboard/x",
        "GOVERNMENT": "https://us-gov-west-1.console.amazonaws-us-gov.com/states/home",
        "GLOBAL": "https://console.aws.amazon.com/iam/home",
        "REGION": "https://us-east-1.console.aws.amazon.com/cloudwatch/home?region=us-east-1#dashboards/dashboard/x",
    }
    others = {"DOCS": "https://docs.aws.amazon.com/", "HOST": "https://console.aws.amazon.com.example.org/"}
    _, shown = cloud.invoke(cloud.function(SHOW, Environment={"Variables": links | others}))
    variables = shown["variables"]
    assert {name: variables[name] for name in links} == dict.fromkeys(links, "")
    assert {name: variables[name] for name in others} == others


def test_functions_with_the_same_code_share_it_unpacked_and_compiled(cloud: Cloud) -> None:
    _, one = cloud.invoke(cloud.function(SHOW))
    _, two = cloud.invoke(cloud.function(SHOW, MemorySize=256))
    assert one["process"] != two["process"]
    assert one["code"] == two["code"]
    assert one["code"].startswith(str(cloud.state_dir / "lambda"))


def test_functions_leave_the_processor_to_the_services_that_they_call(cloud: Cloud) -> None:
    _, function = cloud.invoke(
        cloud.function("import os\ndef handler(event, context):\n    return os.nice(0)\n")
    )
    assert function > os.getpriority(os.PRIO_PROCESS, cloud.process.pid)


def test_an_environment_outlives_an_exception(cloud: Cloud) -> None:
    arn = cloud.function(
        "import os\ndef handler(event, context):\n    if event: raise ValueError('no')\n"
        "    return os.getpid()\n"
    )
    _, before = cloud.invoke(arn)
    error, body = cloud.invoke(arn, {"fail": True})
    assert (error, body["errorType"], body["errorMessage"]) == ("Unhandled", "ValueError", "no")
    assert cloud.invoke(arn)[1] == before


def test_a_functions_output_and_logs_go_to_its_configured_log_group(cloud: Cloud) -> None:
    group = f"group-{uuid.uuid4().hex[:8]}"
    cloud.client("logs").create_log_group(logGroupName=group)
    cloud.invoke(cloud.function(SHOW, LoggingConfig={"LogGroup": group, "LogFormat": "JSON"}))
    lines = [event["message"] for event in cloud.client("logs").filter_log_events(logGroupName=group)["events"]]
    assert "printed" in lines
    assert any('"message": "logged"' in line for line in lines)
    assert lines[0].startswith("START RequestId:")


def test_a_function_has_its_roles_permissions_only(cloud: Cloud) -> None:
    source = "import boto3\ndef handler(e, c):\n    boto3.client('sns').list_topics()\n"
    error, body = cloud.invoke(cloud.function(source))
    assert error
    assert "not authorized to perform: sns:ListTopics" in body["errorMessage"]


def test_an_event_waits_for_a_busy_function_and_is_not_dropped(cloud: Cloud) -> None:
    group, awslambda = f"group-{uuid.uuid4().hex[:8]}", cloud.client("lambda")
    cloud.client("logs").create_log_group(logGroupName=group)
    source = "import time\ndef handler(event, context):\n    time.sleep(0.5)\n    print('RAN', event['n'])\n"
    arn = cloud.function(source, LoggingConfig={"LogGroup": group})
    awslambda.put_function_concurrency(FunctionName=arn, ReservedConcurrentExecutions=1)
    awslambda.add_permission(
        FunctionName=arn, StatementId="rule", Action="lambda:InvokeFunction", Principal="events.amazonaws.com"
    )
    events = cloud.client("events")
    events.put_rule(Name=group, EventPattern=json.dumps({"source": [group]}))
    events.put_targets(Rule=group, Targets=[{"Id": "it", "Arn": arn, "InputPath": "$.detail"}])
    for number in range(4):
        events.put_events(
            Entries=[{"Source": group, "DetailType": "test", "Detail": json.dumps({"n": number})}]
        )

    def ran() -> list[Any]:
        logged = cloud.client("logs").filter_log_events(logGroupName=group)["events"]
        found = sorted(event["message"] for event in logged if event["message"].startswith("RAN"))
        return found if len(found) >= 4 else []

    assert eventually(ran) == [f"RAN {number}" for number in range(4)]
    time.sleep(0.2)
    assert len(ran()) == 4


def test_a_function_that_loads_slowly_has_its_own_time_out_for_it_as_well(cloud: Cloud) -> None:
    slow = "import time\ntime.sleep(10.5)\ndef handler(event, context):\n    return 'loaded'"
    assert cloud.invoke(cloud.function(slow, Timeout=5)) == ("", "loaded")
