"""The workflow that polls, of polling.yaml: a push, and the wait for its mail."""

import subprocess
import time
from pathlib import Path
from typing import Any

from bench.cloud.bench_cloud import BenchCloud
from localcloud.settings import INBOX_OWNER

TEMPLATE = Path(__file__).with_name("polling.yaml")
REPOSITORY = "polled-app"
STACK = "polling"


def install(cloud: BenchCloud, network: dict[str, str], poll_seconds: int) -> dict[str, str]:
    """The stack's outputs. `network` has a list of `subnets` with commas, and a `securityGroups`."""
    cloud.client("ecr").create_repository(repositoryName=REPOSITORY)
    registry = cloud.settings.registry
    names = f"{registry}/flask-app:latest", f"{registry}/{REPOSITORY}:latest"
    # Before the rule is there: so much of a push is common to all.
    for command in (["tag", *names], ["push", "--quiet", names[1]]):
        subprocess.run(["docker", *command], check=True, stdout=subprocess.DEVNULL)
    parameters = {
        "Email": INBOX_OWNER,
        "Repository": REPOSITORY,
        "Subnet": network["subnets"].partition(",")[0],
        "SecurityGroup": network["securityGroups"],
        "PollSeconds": str(poll_seconds),
    }
    cloudformation = cloud.client("cloudformation")
    cloudformation.create_stack(
        StackName=STACK,
        TemplateBody=TEMPLATE.read_text(),
        Capabilities=["CAPABILITY_IAM"],
        Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()],
    )
    cloudformation.get_waiter("stack_create_complete").wait(
        StackName=STACK, WaiterConfig={"Delay": 1, "MaxAttempts": 60}
    )
    stack = cloudformation.describe_stacks(StackName=STACK)["Stacks"][0]
    return {each["OutputKey"]: each["OutputValue"] for each in stack["Outputs"]}


def deploy(cloud: BenchCloud, workflow: str) -> tuple[float, float, list[dict[str, Any]]]:
    """When the push was accepted and when the mail came, as UNIX times, and the execution's history."""
    before = cloud.mails()
    machine = cloud.client("stepfunctions")
    known = {each["executionArn"] for each in machine.list_executions(stateMachineArn=workflow)["executions"]}
    cloud.push_again(REPOSITORY)
    accepted = time.time()
    mail = cloud.mail_after(before)
    executions = machine.list_executions(stateMachineArn=workflow)["executions"]
    (execution,) = {each["executionArn"] for each in executions} - known
    while machine.describe_execution(executionArn=execution)["status"] == "RUNNING":
        time.sleep(0.02)
    history = machine.get_execution_history(executionArn=execution, maxResults=1000)["events"]
    return accepted, mail.stat().st_mtime_ns / 1e9, history
