"""The calls that IAM allows are recorded, so that they can be evaluated again."""

import json
from pathlib import Path

import boto3
import pytest
from botocore.exceptions import ClientError

from bench.permissions.report import load
from tests.local.conftest import Cloud, start_cloud


def test_a_role_is_asked_about_with_its_path_and_a_rule_of_the_default_bus_without_it(cloud: Cloud) -> None:
    iam = cloud.client("iam")
    trust = {"Effect": "Allow", "Principal": {"AWS": cloud.account}, "Action": "sts:AssumeRole"}
    document = json.dumps({"Statement": [trust]})
    asked = iam.create_role(RoleName="asked", Path="/some/path/", AssumeRolePolicyDocument=document)["Role"][
        "Arn"
    ]
    asking = iam.create_role(RoleName="asking", AssumeRolePolicyDocument=document)["Role"]["Arn"]
    cloud.client("events").put_rule(Name="some-rule", ScheduleExpression="rate(1 day)")
    rule = f"arn:aws:events:{cloud.region}:{cloud.account}:rule/some-rule"
    allowed = [
        {"Effect": "Allow", "Action": "iam:GetRole", "Resource": asked},
        {"Effect": "Allow", "Action": "events:DescribeRule", "Resource": rule},
    ]
    iam.put_role_policy(RoleName="asking", PolicyName="it", PolicyDocument=json.dumps({"Statement": allowed}))
    key = cloud.client("sts").assume_role(RoleArn=asking, RoleSessionName="test")["Credentials"]
    session = boto3.Session(
        key["AccessKeyId"], key["SecretAccessKey"], key["SessionToken"], region_name=cloud.region
    )
    own = {"endpoint_url": cloud.endpoint}
    assert session.client("iam", **own).get_role(RoleName="asked")["Role"]["Arn"] == asked
    assert session.client("events", **own).describe_rule(Name="some-rule")["Arn"] == rule
    with pytest.raises(ClientError, match="AccessDenied"):
        session.client("iam", **own).get_role(RoleName="asking")


def test_a_dashboard_is_asked_about_without_a_region(cloud: Cloud) -> None:
    iam, body = cloud.client("iam"), json.dumps({"widgets": []})
    trust = {"Effect": "Allow", "Principal": {"AWS": cloud.account}, "Action": "sts:AssumeRole"}
    document = json.dumps({"Statement": [trust]})
    role = iam.create_role(RoleName="looks", AssumeRolePolicyDocument=document)["Role"]["Arn"]
    dashboard = f"arn:aws:cloudwatch::{cloud.account}:dashboard/ours"
    allow = {"Effect": "Allow", "Action": "cloudwatch:GetDashboard", "Resource": dashboard}
    iam.put_role_policy(RoleName="looks", PolicyName="it", PolicyDocument=json.dumps({"Statement": [allow]}))
    key = cloud.client("sts").assume_role(RoleArn=role, RoleSessionName="test")["Credentials"]
    session = boto3.Session(
        key["AccessKeyId"], key["SecretAccessKey"], key["SessionToken"], region_name=cloud.region
    )
    looking = session.client("cloudwatch", endpoint_url=cloud.endpoint)
    for name in ("ours", "theirs"):
        cloud.client("cloudwatch").put_dashboard(DashboardName=name, DashboardBody=body)
    assert looking.get_dashboard(DashboardName="ours")["DashboardBody"] == body
    with pytest.raises(ClientError, match="AccessDenied"):
        looking.get_dashboard(DashboardName="theirs")


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
