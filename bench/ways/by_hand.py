"""The manual way of the tutorials: AWS CLI commands, one after the other."""

import json
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from bench.cloud.bench_cloud import BenchCloud

AWS = str(Path(sys.executable).with_name("aws"))
CALLER = "by-hand"


def deploy(cloud: BenchCloud, cluster: str = "") -> tuple[float, float]:
    """Register, run, wait, find the address, request until it answers, publish: begin and end as UNIX times.

    In Portcall's own cluster, if none is given.
    """
    ecs = cloud.client("ecs")
    cluster = cluster or cloud.outputs["ClusterArn"]
    # Portcall's: its families are called after the stack.
    latest = next(
        arn for arn in ecs.list_task_definitions(sort="DESC")["taskDefinitionArns"] if "/portcall_" in arn
    )
    definition = ecs.describe_task_definition(taskDefinition=latest)["taskDefinition"]
    request = {
        name: definition[name]
        for name in ("family", "networkMode", "cpu", "memory", "executionRoleArn", "containerDefinitions")
    }
    began = time.time()
    registered = _aws(
        cloud, "ecs", "register-task-definition", "--requires-compatibilities", "FARGATE",
        "--cli-input-json", json.dumps(request),
    )  # fmt: skip
    places = ",".join(f"{name}=[{value}]" for name, value in network(cloud).items())
    task = _aws(
        cloud, "ecs", "run-task", "--cluster", cluster, "--launch-type", "FARGATE",
        "--task-definition", registered["taskDefinition"]["taskDefinitionArn"],
        "--network-configuration", f"awsvpcConfiguration={{{places},assignPublicIp=ENABLED}}",
    )["tasks"][0]["taskArn"]  # fmt: skip
    _aws(cloud, "ecs", "wait", "tasks-running", "--cluster", cluster, "--tasks", task)
    described = _aws(cloud, "ecs", "describe-tasks", "--cluster", cluster, "--tasks", task)["tasks"][0]
    details = {each["name"]: each["value"] for each in described["attachments"][0]["details"]}
    interface = details["networkInterfaceId"]
    found = _aws(cloud, "ec2", "describe-network-interfaces", "--network-interface-ids", interface)
    url = f"http://{found['NetworkInterfaces'][0]['Association']['PublicIp']}:3000/"
    _until_it_answers(url)
    _aws(cloud, "sns", "publish", "--topic-arn", cloud.outputs["TopicArn"], "--message", url)
    ended = time.time()
    ecs.stop_task(cluster=cluster, task=task)
    return began, ended


def network(cloud: BenchCloud) -> dict[str, str]:
    """The subnets and the security group. Somebody who does it by hand knows them, so this is not measured."""
    function = next(
        each
        for each in cloud.client("lambda").list_functions()["Functions"]
        if "RunTask" in each["FunctionName"]
    )
    variables = function["Environment"]["Variables"]
    in_vpc = [{"Name": "vpc-id", "Values": [variables["VPC_ID"]]}]
    group = cloud.client("ec2").describe_security_groups(Filters=in_vpc)["SecurityGroups"][0]["GroupId"]
    return {"subnets": variables["SUBNET_IDS"], "securityGroups": group}


def _aws(cloud: BenchCloud, *arguments: str) -> Any:
    done = subprocess.run(
        [AWS, *arguments, "--output", "json"],
        check=True,
        capture_output=True,
        # The CLI may keep its bytecode, whatever the machine says: nobody's CLI compiles itself each time.
        env={
            **cloud.settings.process_environment(),
            "AWS_SDK_UA_APP_ID": CALLER,
            "PYTHONDONTWRITEBYTECODE": "",
        },
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
