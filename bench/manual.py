"""The manual way of the tutorials: AWS CLI commands, one after the other."""

import json
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from bench.setting import Setting

AWS = str(Path(sys.executable).with_name("aws"))


def deploy(setting: Setting) -> float:
    """Register, run, wait, find the address, request until it answers, publish; return the seconds."""
    ecs = setting.client("ecs")
    cluster = setting.outputs["ClusterArn"]
    latest = ecs.list_task_definitions(sort="DESC", maxResults=1)["taskDefinitionArns"][0]
    definition = ecs.describe_task_definition(taskDefinition=latest)["taskDefinition"]
    request = {
        name: definition[name]
        for name in ("family", "networkMode", "cpu", "memory", "executionRoleArn", "containerDefinitions")
    }
    began = time.monotonic()
    registered = _aws(
        setting, "ecs", "register-task-definition", "--requires-compatibilities", "FARGATE",
        "--cli-input-json", json.dumps(request),
    )  # fmt: skip
    network = ",".join(f"{name}=[{value}]" for name, value in _network(setting).items())
    task = _aws(
        setting, "ecs", "run-task", "--cluster", cluster, "--launch-type", "FARGATE",
        "--task-definition", registered["taskDefinition"]["taskDefinitionArn"],
        "--network-configuration", f"awsvpcConfiguration={{{network},assignPublicIp=ENABLED}}",
    )["tasks"][0]["taskArn"]  # fmt: skip
    _aws(setting, "ecs", "wait", "tasks-running", "--cluster", cluster, "--tasks", task)
    described = _aws(setting, "ecs", "describe-tasks", "--cluster", cluster, "--tasks", task)["tasks"][0]
    details = {each["name"]: each["value"] for each in described["attachments"][0]["details"]}
    interface = details["networkInterfaceId"]
    found = _aws(setting, "ec2", "describe-network-interfaces", "--network-interface-ids", interface)
    url = f"http://{found['NetworkInterfaces'][0]['Association']['PublicIp']}:3000/"
    _until_it_answers(url)
    _aws(setting, "sns", "publish", "--topic-arn", setting.outputs["TopicArn"], "--message", url)
    took = time.monotonic() - began
    ecs.stop_task(cluster=cluster, task=task)
    return took


def _network(setting: Setting) -> dict[str, str]:
    """The subnets and the security group, looked up beforehand: a person who does it by hand knows them."""
    function = next(
        each
        for each in setting.client("lambda").list_functions()["Functions"]
        if "RunTask" in each["FunctionName"]
    )
    variables = function["Environment"]["Variables"]
    in_vpc = [{"Name": "vpc-id", "Values": [variables["VPC_ID"]]}]
    group = setting.client("ec2").describe_security_groups(Filters=in_vpc)["SecurityGroups"][0]["GroupId"]
    return {"subnets": variables["SUBNET_IDS"], "securityGroups": group}


def _aws(setting: Setting, *arguments: str) -> Any:
    done = subprocess.run(
        [AWS, *arguments, "--output", "json"],
        check=True,
        capture_output=True,
        env=setting.settings.process_environment(),
    )
    return json.loads(done.stdout or b"{}")


def _until_it_answers(url: str) -> None:
    for _ in range(600):
        try:
            urllib.request.urlopen(url, timeout=2).close()  # noqa: S310 - the URL of the mail
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
        else:
            return
    raise TimeoutError(url)
