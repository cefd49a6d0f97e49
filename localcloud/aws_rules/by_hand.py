"""Rules written by hand, which no model and no documentation states in a machine-readable form.

`MEMBERS` are limits of a member of a structure, by (service, structure, member); a whole structure has '' for
its member. `PROPERTIES` are those of a CloudFormation property, by (type, path with * for a list's entries).
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import regex

from localcloud.aws_rules import documents, members, networks, policies
from localcloud.aws_rules.limits import Limit, at_least, at_most, begins_not, bytes_at_most, matches, one_of

_TAG_OF_AWS = begins_not("aws:")
_TAG_KEYS = Limit(
    "have no key that begins with 'aws:'", lambda tags: not any(key.lower().startswith("aws:") for key in tags)
)
# https://docs.aws.amazon.com/general/latest/gr/aws_tagging.html
_TAG_VALUES = Limit(
    "have no value of more than 256 characters", lambda tags: all(len(value) <= 256 for value in tags.values())
)
# https://docs.aws.amazon.com/step-functions/latest/apireference/API_StartExecution.html
_EXECUTION_NAME = matches(
    r'[^\s<>{}\[\]?*"#%\\^|~`$&,;:/\x00-\x1f\x7f-\x9f]{1,80}', "be a name that Step Functions takes"
)
_QUEUE_NAME = matches(r"[a-zA-Z0-9_-]{1,80}|[a-zA-Z0-9_-]{1,75}\.fifo", "be a queue's name")
_TOPIC_NAME = matches(r"[a-zA-Z0-9_-]{1,256}|[a-zA-Z0-9_-]{1,251}\.fifo", "be a topic's name")
_PORT = (at_least(-1), at_most(65535))


def _json(why_not: Callable[[Any], str], asks: str) -> Limit:
    """A limit for a JSON document, as text or parsed; `why_not` returns the problem, '' if there is none."""

    def holds(value: Any) -> bool:
        try:
            return not why_not(json.loads(value) if isinstance(value, str) else value)
        except ValueError:
            return False

    return Limit(asks, holds)


_LIFECYCLE_POLICY = _json(documents.wrong_in_lifecycle_policy, "be a lifecycle policy that ECR takes")
_EVENT_PATTERN = _json(documents.wrong_in_event_pattern, "be an event pattern that EventBridge takes")
_POLICY = _json(policies.wrong_in_policy, "be a policy document that IAM takes")
_IDENTITY_POLICY = _json(policies.wrong_in_identity_policy, "be a policy document that IAM takes")
_TRUST = _json(policies.wrong_in_trust_policy, "be a policy document that IAM takes for a role's trust")
_SCHEDULE = Limit("be a schedule, rate(5 minutes) say", lambda value: not documents.wrong_in_schedule(value))
_INTEGRATION = Limit(
    "be a URL with a public name or an IP, and the port 80, 443 or from 1024 on",
    lambda value: not networks.wrong_in_integration_uri(value),
    says="Invalid HTTP endpoint specified for URI",
)


def _without_spaces_at_most(number: int) -> Limit:
    def holds(value: Any) -> bool:
        text = value if isinstance(value, str) else json.dumps(value)
        return len("".join(text.split())) <= number

    return Limit(f"have at most {number} characters, spaces not counted", holds)


# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
_MANAGED_POLICY = (_IDENTITY_POLICY, _without_spaces_at_most(6144))
_ROLE_POLICY = (_IDENTITY_POLICY, _without_spaces_at_most(10240))
_TRUST_POLICY = (_TRUST, _without_spaces_at_most(2048))

_SUBSCRIPTION = Limit(
    "have an endpoint of the kind of its protocol", lambda value: not members.wrong_in_subscription(value)
)
# https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html
_RESERVED_VARIABLES = {"AWS_REGION", "AWS_DEFAULT_REGION", "AWS_EXECUTION_ENV", "AWS_SESSION_TOKEN"} | {
    "AWS_ACCESS_KEY",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_LAMBDA_FUNCTION_NAME",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
    "AWS_LAMBDA_FUNCTION_VERSION",
    "AWS_LAMBDA_LOG_GROUP_NAME",
    "AWS_LAMBDA_LOG_STREAM_NAME",
    "AWS_LAMBDA_RUNTIME_API",
    "AWS_LAMBDA_INITIALIZATION_TYPE",
}

MEMBERS: dict[tuple[str, str, str], tuple[Limit, ...]] = {
    # The documentation says UTF-8 today, but said ASCII for years; ASCII is always safe.
    # https://docs.aws.amazon.com/sns/latest/api/API_Publish.html
    ("sns", "PublishInput", "Subject"): (
        Limit(
            "be ASCII without control characters, and not begin with a blank",
            lambda value: regex.fullmatch("[!-~][ -~]*", value) is not None,
            says="Invalid parameter: Subject",
        ),
    ),
    ("sns", "PublishInput", "Message"): (bytes_at_most(256 * 1024), at_least(1, "characters")),
    ("sns", "CreateTopicInput", "Name"): (_TOPIC_NAME,),
    ("sns", "SubscribeInput", "Protocol"): (
        one_of(("http", "https", "email", "email-json", "sms", "sqs", "application", "lambda", "firehose")),
    ),
    ("sns", "SubscribeInput", ""): (_SUBSCRIPTION,),
    ("sns", "Tag", "Key"): (_TAG_OF_AWS,),
    ("sqs", "CreateQueueRequest", "QueueName"): (_QUEUE_NAME,),
    ("sqs", "GetQueueUrlRequest", "QueueName"): (_QUEUE_NAME,),
    ("sqs", "CreateQueueRequest", "tags"): (_TAG_KEYS,),
    ("stepfunctions", "StartExecutionInput", "name"): (_EXECUTION_NAME,),
    ("stepfunctions", "CreateStateMachineInput", "name"): (_EXECUTION_NAME,),
    ("stepfunctions", "Tag", "key"): (_TAG_OF_AWS,),
    # https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs-using-tags.html
    ("ecs", "Tag", "key"): (
        at_least(1, "characters"),
        at_most(128, "characters"),
        matches(r"[\p{L}\p{Z}\p{N}_.:/=+\-@]*"),
        _TAG_OF_AWS,
    ),
    ("ecs", "Tag", "value"): (at_most(256, "characters"), matches(r"[\p{L}\p{Z}\p{N}_.:/=+\-@]*")),
    ("ecs", "PortMapping", "containerPort"): (at_least(0), at_most(65535)),
    ("ecs", "StopTaskRequest", "reason"): (at_most(255, "characters"),),
    ("ecs", "LogConfiguration", "options"): (
        Limit(
            "give streams a name without : and *, and leave room for the task in its 512 characters",
            (lambda options: not members.wrong_in_log_prefix(options.get("awslogs-stream-prefix", ""))),
        ),
    ),
    ("ecs", "RegisterTaskDefinitionRequest", ""): (
        # https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-quotas.html
        Limit("have at most 64 KB", lambda request: len(json.dumps(request).encode()) <= 64 * 1024),
        Limit("be of a size that Fargate has", lambda request: not members.wrong_in_fargate_size(request)),
    ),
    ("ec2", "CreateTagsRequest", "Tags"): (at_most(50, "entries"),),
    ("ec2", "IpPermission", "IpProtocol"): (
        matches("(?i)tcp|udp|icmp|icmpv6|-1|[0-9]|[1-9][0-9]|1[0-9][0-9]|2[0-4][0-9]|25[0-5]", "be a protocol"),
    ),
    ("ec2", "IpPermission", "FromPort"): _PORT,
    ("ec2", "IpPermission", "ToPort"): _PORT,
    ("ec2", "IpPermission", ""): (
        Limit("have no FromPort above its ToPort", lambda rule: not networks.wrong_in_ports(rule)),
    ),
    ("ec2", "IpRange", "CidrIp"): (Limit("be a CIDR block", lambda value: not networks.wrong_in_cidr(value)),),
    ("ecr", "Tag", "Key"): (at_most(128, "characters"), _TAG_OF_AWS),
    ("ecr", "Tag", "Value"): (at_most(256, "characters"),),
    ("ecr", "PutLifecyclePolicyRequest", "lifecyclePolicyText"): (_LIFECYCLE_POLICY,),
    ("ecr", "CreateRepositoryCreationTemplateRequest", "lifecyclePolicy"): (_LIFECYCLE_POLICY,),
    ("events", "PutEventsRequestEntry", "Detail"): (bytes_at_most(256 * 1024),),
    ("events", "PutRuleRequest", "EventPattern"): (_EVENT_PATTERN,),
    ("events", "PutRuleRequest", "ScheduleExpression"): (_SCHEDULE,),
    ("events", "Tag", "Key"): (_TAG_OF_AWS,),
    ("apigatewayv2", "CreateApiRequest", "Target"): (_INTEGRATION,),
    ("apigatewayv2", "UpdateApiRequest", "Target"): (_INTEGRATION,),
    ("apigatewayv2", "CreateIntegrationRequest", "IntegrationUri"): (_INTEGRATION,),
    ("apigatewayv2", "UpdateIntegrationRequest", "IntegrationUri"): (_INTEGRATION,),
    ("apigatewayv2", "CreateApiRequest", "Tags"): (_TAG_KEYS, _TAG_VALUES),
    ("apigatewayv2", "TagResourceRequest", "Tags"): (_TAG_KEYS, _TAG_VALUES),
    # https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/HowItWorks.NamingRulesDataTypes.html
    ("dynamodb", "CreateTableInput", "TableName"): (
        matches(r"[a-zA-Z0-9_.-]{3,255}|arn:.+", "be a table's name, of 3 to 255 characters"),
    ),
    # https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_PutParameter.html
    ("ssm", "PutParameterRequest", "Name"): (
        matches(r"(?!(?i:/?aws|/?ssm))/?[a-zA-Z0-9_.-]+(/[a-zA-Z0-9_.-]+){0,14}", "be a parameter's name"),
        at_most(1011, "characters"),
    ),
    ("lambda", "CreateFunctionRequest", "FunctionName"): (
        matches(
            r"[a-zA-Z0-9-_]{1,64}|arn:.+|\d{12}:.+|function:.+", "be a name of at most 64 characters, or an ARN"
        ),
    ),
    # https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html
    ("lambda", "Environment", "Variables"): (
        Limit(
            "have variables with names of letters, digits and _",
            lambda names: all(regex.fullmatch(r"[a-zA-Z][a-zA-Z0-9_]+", name) for name in names),
        ),
        Limit(
            "have no variables that Lambda keeps for itself",
            lambda names: not any(name in _RESERVED_VARIABLES for name in names),
        ),
        Limit(
            "have at most 4096 bytes of variables",
            lambda values: len(json.dumps(values, separators=(",", ":")).encode()) <= 4096,
        ),
    ),
    # 5,400 seconds of the model are for Managed Instances.
    ("lambda", "CreateFunctionRequest", "Timeout"): (at_most(900),),
    ("lambda", "UpdateFunctionConfigurationRequest", "Timeout"): (at_most(900),),
    ("lambda", "CreateFunctionRequest", "MemorySize"): (at_most(10240),),
    ("lambda", "UpdateFunctionConfigurationRequest", "MemorySize"): (at_most(10240),),
    ("iam", "CreatePolicyRequest", "PolicyDocument"): _MANAGED_POLICY,
    ("iam", "PutRolePolicyRequest", "PolicyDocument"): _ROLE_POLICY,
    ("iam", "CreateRoleRequest", "AssumeRolePolicyDocument"): _TRUST_POLICY,
    ("iam", "Tag", "Key"): (_TAG_OF_AWS,),
    ("cloudformation", "Tag", "Key"): (_TAG_OF_AWS,),
}

# https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_CreateCapacityProvider.html
_CAPACITY_PROVIDER = matches(
    r"FARGATE|FARGATE_SPOT|(?!(?i:aws|ecs|fargate))[a-zA-Z0-9_-]{1,255}", "be a capacity provider"
)

PROPERTIES: dict[tuple[str, str], tuple[Limit, ...]] = {
    ("AWS::ECR::Repository", "LifecyclePolicy/LifecyclePolicyText"): (_LIFECYCLE_POLICY,),
    ("AWS::Events::Rule", "EventPattern"): (_EVENT_PATTERN,),
    ("AWS::Events::Rule", "ScheduleExpression"): (_SCHEDULE,),
    ("AWS::IAM::ManagedPolicy", "PolicyDocument"): _MANAGED_POLICY,
    ("AWS::IAM::Role", "AssumeRolePolicyDocument"): _TRUST_POLICY,
    ("AWS::IAM::Role", "Policies/*/PolicyDocument"): _ROLE_POLICY,
    ("AWS::SQS::QueuePolicy", "PolicyDocument"): (_POLICY,),
    ("AWS::SNS::TopicPolicy", "PolicyDocument"): (_POLICY,),
    # https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-cloudformation-customresource.html
    ("AWS::CloudFormation::CustomResource", "ServiceTimeout"): (
        Limit(
            "be a number from 1, and at most 3600",
            lambda value: str(value).isdecimal() and 1 <= int(value) <= 3600,
        ),
    ),
    ("AWS::CloudFormation::CustomResource", ""): (
        Limit("have a ServiceToken", lambda properties: bool(properties.get("ServiceToken"))),
    ),
    ("AWS::SNS::Subscription", ""): (_SUBSCRIPTION,),
    ("AWS::SNS::Subscription", "TopicArn"): (matches("arn:.+", "be the ARN of a topic"),),
    ("AWS::SNS::Topic", "DisplayName"): (at_most(100, "characters"),),
    ("AWS::SQS::Queue", ""): (
        Limit(
            "be a FIFO queue by its name too, and have a count with where it redrives to",
            lambda queue: not members.wrong_in_queue(queue),
        ),
    ),
    ("AWS::EC2::Route", ""): (
        Limit("have one destination and one target", lambda route: not networks.wrong_in_route(route)),
    ),
    ("AWS::EC2::Subnet", "AvailabilityZone"): (
        matches(r"[a-z]{2,4}(-[a-z]+)+-[0-9]([a-z]|(-[a-z0-9]+)+)", "be a zone, us-east-1a say"),
    ),
    ("AWS::EC2::VPCEndpoint", "ServiceName"): (
        matches(r"(com|aws|cn|eu)\..+\..+", "be a service's name, com.amazonaws.us-east-1.dynamodb say"),
    ),
    ("AWS::ECS::Cluster", "CapacityProviders/*"): (_CAPACITY_PROVIDER,),
    ("AWS::ECS::ClusterCapacityProviderAssociations", "CapacityProviders/*"): (_CAPACITY_PROVIDER,),
    ("AWS::ECR::RepositoryCreationTemplate", ""): (
        Limit(
            "have a CustomRoleArn with its ResourceTags",
            lambda template: "CustomRoleArn" in template or not template.get("ResourceTags"),
        ),
    ),
    ("AWS::ApiGatewayV2::Route", "RouteKey"): (
        matches(r"\S+|(ANY|DELETE|GET|HEAD|OPTIONS|PATCH|POST|PUT) /\S*", "be a route, GET /path say"),
    ),
    ("AWS::ApiGatewayV2::Stage", "StageName"): (
        matches(r"\$default|[a-zA-Z0-9_-]{1,128}", "be a stage's name"),
    ),
    ("AWS::StepFunctions::StateMachine", "DefinitionString"): (
        _json(documents.wrong_in_workflow, "be a definition in JSON"),
    ),
    ("AWS::EC2::SecurityGroup", "SecurityGroupIngress/*"): MEMBERS["ec2", "IpPermission", ""],
    ("AWS::EC2::SecurityGroup", "SecurityGroupEgress/*"): MEMBERS["ec2", "IpPermission", ""],
    ("AWS::EC2::SecurityGroupIngress", ""): MEMBERS["ec2", "IpPermission", ""],
    ("AWS::EC2::SecurityGroupEgress", ""): MEMBERS["ec2", "IpPermission", ""],
    ("AWS::EC2::VPC", "CidrBlock"): (
        Limit("be a CIDR block from /16 to /28", lambda value: not networks.wrong_in_cidr(value, 16, 28)),
    ),
    ("AWS::EC2::Subnet", "CidrBlock"): (
        Limit("be a CIDR block from /16 to /28", lambda value: not networks.wrong_in_cidr(value, 16, 28)),
    ),
    ("AWS::EC2::Route", "DestinationCidrBlock"): MEMBERS["ec2", "IpRange", "CidrIp"],
    ("AWS::DynamoDB::Table", ""): (
        Limit(
            "define the attributes of its keys, and no others", lambda table: not members.wrong_in_keys(table)
        ),
    ),
    # Their members have another name, or are not the only ones of theirs.
    ("AWS::DynamoDB::Table", "TableName"): MEMBERS["dynamodb", "CreateTableInput", "TableName"],
    ("AWS::SNS::Topic", "TopicName"): (_TOPIC_NAME,),
    ("AWS::StepFunctions::StateMachine", "StateMachineName"): (_EXECUTION_NAME,),
    ("AWS::SSM::Parameter", "Name"): MEMBERS["ssm", "PutParameterRequest", "Name"],
    ("AWS::ECS::TaskDefinition", ""): MEMBERS["ecs", "RegisterTaskDefinitionRequest", ""],
    ("AWS::ECS::TaskDefinition", "ContainerDefinitions/*/LogConfiguration/Options"): MEMBERS[
        "ecs", "LogConfiguration", "options"
    ],
    ("AWS::Lambda::Function", "Environment/Variables"): MEMBERS["lambda", "Environment", "Variables"],
    ("AWS::Lambda::Function", "Timeout"): (at_least(1), at_most(900)),
    ("AWS::Lambda::Function", "FunctionName"): MEMBERS["lambda", "CreateFunctionRequest", "FunctionName"],
}
