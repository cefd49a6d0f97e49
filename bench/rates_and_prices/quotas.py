"""AWS's documented rates, of a new account in a region that is not one of the three largest: data, no code.

Read in November 2026 from copies of the pages that `source` names; no account was at hand. Where a page gives
one number a second and no size of the bucket, that holds one second's worth. Not documented, and so without
limits here: ECR's DescribeImages and DescribeRepositories, Parameter Store's DescribeParameters.
"""

from dataclasses import dataclass

ECS = "https://docs.aws.amazon.com/AmazonECS/latest/APIReference/request-throttling.html"
FARGATE = "https://docs.aws.amazon.com/AmazonECS/latest/developerguide/throttling.html"
EC2 = "https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-throttling.html"
STEP_FUNCTIONS = "https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html"
ECR = "https://docs.aws.amazon.com/AmazonECR/latest/userguide/service-quotas.html"
ECS_QUOTAS = "https://docs.aws.amazon.com/general/latest/gr/ecs-service.html"
LAMBDA = "https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html"
SNS = "https://docs.aws.amazon.com/general/latest/gr/sns.html"
DYNAMODB = "https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/on-demand-capacity-mode.html"
VPC = "https://docs.aws.amazon.com/vpc/latest/userguide/amazon-vpc-limits.html"


@dataclass(frozen=True)
class Bucket:
    """So many calls at once, then so many a second, all `calls` together."""

    name: str
    calls: tuple[str, ...]
    burst: float
    per_second: float
    source: str


REGISTER = Bucket(
    "ECS task definitions", ("ecs.register_task_definition", "ecs.deregister_task_definition"), 20, 1, ECS
)
PUT_IMAGE = Bucket("ECR PutImage", ("ecr.put_image",), 10, 10, ECR)
LAUNCHES = Bucket("Fargate launches", ("ecs.run_task",), 100, 20, FARGATE)
START_EXECUTION = Bucket("StartExecution", ("stepfunctions.start_execution",), 800, 150, STEP_FUNCTIONS)
TRANSITIONS = Bucket("StateTransition", ("stepfunctions.transition",), 800, 500, STEP_FUNCTIONS)

BUCKETS = (
    REGISTER,
    PUT_IMAGE,
    LAUNCHES,
    START_EXECUTION,
    TRANSITIONS,
    Bucket("Fargate RunTask", ("ecs.run_task",), 20, 20, FARGATE),
    Bucket("ECS task changes", ("ecs.run_task", "ecs.stop_task"), 100, 40, ECS),
    Bucket("ECS task reads", ("ecs.describe_tasks", "ecs.list_tasks"), 100, 20, ECS),
    # By id, which is neither a filter nor a page.
    Bucket("EC2 DescribeNetworkInterfaces", ("ec2.describe_network_interfaces",), 50, 10, EC2),
    Bucket("EC2 DescribeSecurityGroups", ("ec2.describe_security_groups",), 100, 20, EC2),
    Bucket("EC2 CreateSecurityGroup", ("ec2.create_security_group",), 50, 5, EC2),
    Bucket("EC2 DeleteSecurityGroup", ("ec2.delete_security_group",), 50, 5, EC2),
    Bucket("EC2 AuthorizeSecurityGroupIngress", ("ec2.authorize_security_group_ingress",), 50, 5, EC2),
    Bucket("EC2 RevokeSecurityGroupIngress", ("ec2.revoke_security_group_ingress",), 50, 5, EC2),
    Bucket("ECR BatchGetImage", ("ecr.batch_get_image",), 2000, 2000, ECR),
    Bucket("ECR GetDownloadUrlForLayer", ("ecr.get_download_url_for_layer",), 3000, 3000, ECR),
    Bucket("DescribeExecution", ("stepfunctions.describe_execution",), 250, 10, STEP_FUNCTIONS),
    Bucket("SendTaskSuccess", ("stepfunctions.send_task_success",), 1500, 300, STEP_FUNCTIONS),
    Bucket("SendTaskFailure", ("stepfunctions.send_task_failure",), 1500, 300, STEP_FUNCTIONS),
    # What a new table on demand takes at once; it doubles with use.
    Bucket("DynamoDB reads", ("dynamodb.get_item", "dynamodb.query"), 12000, 12000, DYNAMODB),
    Bucket(
        "DynamoDB writes",
        ("dynamodb.put_item", "dynamodb.update_item", "dynamodb.delete_item", "dynamodb.transact_write_items"),
        4000,
        4000,
        DYNAMODB,
    ),
)

# Functions at once: 1,000 by default, 10 in many new accounts until they ask for more.
CONCURRENCY, NEW_CONCURRENCY = 1000, 10
# Fargate's vCPUs at once by default, and those of the smallest app.
VCPUS, APP_VCPUS = 6.0, 0.25
# Emails a second of one subscription, above which SNS switches it off.
MAILS_PER_SECOND = 10
# Of a region: network interfaces and security groups; of a subnet of /20, addresses.
NETWORK_INTERFACES, SECURITY_GROUPS, SUBNET_ADDRESSES = 5000, 2500, 4091
REPOSITORIES = 100_000
