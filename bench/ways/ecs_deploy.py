"""An ECS service of one task, and `ecs deploy` of the package ecs-deploy, which gives it another image."""

import subprocess
import sys
import time
from pathlib import Path

from bench.cloud.bench_cloud import BenchCloud

ECS = str(Path(sys.executable).with_name("ecs"))
NAME = "peer"
CALLER = "ecs-deploy"


def create(cloud: BenchCloud, cluster: str, role: str, network: dict[str, str]) -> None:
    """The service, running. `network` has a list of `subnets` with commas, and a `securityGroups`."""
    ecs = cloud.client("ecs")
    ecs.register_task_definition(
        family=NAME,
        networkMode="awsvpc",
        requiresCompatibilities=["FARGATE"],
        cpu="256",
        memory="512",
        executionRoleArn=role,
        containerDefinitions=[{"name": "app", "image": image(cloud), "essential": True}],
    )
    ecs.create_service(
        cluster=cluster,
        serviceName=NAME,
        taskDefinition=NAME,
        desiredCount=1,
        launchType="FARGATE",
        networkConfiguration={
            "awsvpcConfiguration": {
                "subnets": network["subnets"].split(","),
                "securityGroups": [network["securityGroups"]],
                "assignPublicIp": "ENABLED",
            }
        },
    )


def image(cloud: BenchCloud) -> str:
    """The image of the bench's app."""
    of = cloud.settings
    return f"{of.account}.dkr.ecr.{of.region}.amazonaws.com/flask-app:latest"


def deploy(cloud: BenchCloud, cluster: str) -> tuple[float, float]:
    """When the command began and when it ended, as UNIX times. Raises RuntimeError with what it said."""
    environment = {**cloud.settings.process_environment(), "AWS_SDK_UA_APP_ID": CALLER}
    command = [ECS, "deploy", cluster, NAME, "--image", "app", image(cloud)]
    began = time.time()
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    if done.returncode:
        raise RuntimeError(done.stdout + done.stderr)
    return began, time.time()
