"""The calls that IAM lets through are written down, so that it can be asked again."""

import json
from pathlib import Path

import boto3
import pytest
from botocore.exceptions import ClientError

from bench.permissions import load
from tests.local.conftest import start_cloud


def test_a_call_of_a_role_is_written_once_with_what_decided_it(engine: None, tmp_path: Path) -> None:
    cloud = start_cloud(tmp_path, PORTCALL_IAM_DECISIONS=str(tmp_path / "decisions"))
    try:
        iam, name = cloud.client("iam"), "portcall-RunTaskFunctionRole-0A1B2C"
        trust = {"Effect": "Allow", "Principal": {"AWS": cloud.account}, "Action": "sts:AssumeRole"}
        role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps({"Statement": [trust]}))
        allow = {"Sid": "FindQueues", "Effect": "Allow", "Action": "sqs:ListQueues", "Resource": "*"}
        iam.put_role_policy(RoleName=name, PolicyName="it", PolicyDocument=json.dumps({"Statement": [allow]}))
        key = cloud.client("sts").assume_role(RoleArn=role["Role"]["Arn"], RoleSessionName="test")[
            "Credentials"
        ]
        (tmp_path / "decisions/test").write_text("this test")
        session = boto3.Session(
            key["AccessKeyId"], key["SecretAccessKey"], key["SessionToken"], region_name=cloud.region
        )
        sqs = session.client("sqs", endpoint_url=cloud.endpoint)
        for _ in range(2):
            sqs.list_queues()
        with pytest.raises(ClientError, match="AccessDenied"):
            sqs.create_queue(QueueName="not-allowed")
    finally:
        cloud.stop()
    (decision,) = load(tmp_path / "decisions")
    assert (decision.role, decision.test, decision.needed) == (name, "this test", {"FindQueues"})
    assert decision.context["action"] == "sqs:ListQueues"
