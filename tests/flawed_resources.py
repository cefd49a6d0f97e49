"""Resources with one flaw each that AWS refuses, to measure how strong the checks are.

Each is (name of the flaw, type, properties, words of the refusal that names it).
"""

from typing import Any

GROUP = {"GroupDescription": "The apps", "VpcId": "vpc-0a1b2c3d4e5f60718"}
RULE = {"IpProtocol": "tcp", "FromPort": 3000, "ToPort": 3000, "CidrIp": "0.0.0.0/0"}
FUNCTION = {
    "Code": {"S3Bucket": "sample", "S3Key": "sample"},
    "Role": "arn:aws:iam::111122223333:role/sample",
    "Handler": "app.handler",
    "Runtime": "python3.13",
}
TABLE = {
    "BillingMode": "PAY_PER_REQUEST",
    "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
    "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
}
TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "ecs-tasks.amazonaws.com"}, "Action": "sts:AssumeRole"}
    ],
}
STATEMENT = {"Effect": "Allow", "Action": "ecs:RunTask", "Resource": "*"}
MACHINE = {"RoleArn": "arn:aws:iam::111122223333:role/sample", "DefinitionString": "{}"}
TASK = {
    "Family": "portcall",
    "RequiresCompatibilities": ["FARGATE"],
    "NetworkMode": "awsvpc",
    "Cpu": "256",
    "Memory": "512",
}
CONTAINER = {"Name": "app", "Image": "nginx"}


def _policy(**statement: Any) -> dict[str, Any]:
    return {"PolicyDocument": {"Version": "2012-10-17", "Statement": [STATEMENT | statement]}}


def _lifecycle(rule: str) -> dict[str, Any]:
    # ECR takes none of fewer than 100 characters.
    return {"LifecyclePolicy": {"LifecyclePolicyText": f'{{"rules": [{rule}]}}'.ljust(100)}}


FLAWED: list[tuple[str, str, dict[str, Any], str]] = [
    # Characters
    ("an apostrophe in a rule", "AWS::EC2::SecurityGroup", GROUP | {"SecurityGroupIngress": [RULE | {"Description": "The app's port"}]}, "no other characters"),
    ("an apostrophe in a group", "AWS::EC2::SecurityGroup", GROUP | {"GroupDescription": "The app's ports"}, "match"),
    ("a dash that is none in a rule", "AWS::EC2::SecurityGroupIngress", RULE | {"GroupId": "sg-0a1b2c3d", "Description": "apps – ports"}, "no other characters"),
    ("a space in a queue's name", "AWS::SQS::Queue", {"QueueName": "late news"}, "a queue's name"),
    ("a dot in a topic's name", "AWS::SNS::Topic", {"TopicName": "news.all"}, "a topic's name"),
    ("a space in a workflow's name", "AWS::StepFunctions::StateMachine", MACHINE | {"StateMachineName": "deploy it"}, "Step Functions takes"),
    ("capitals in a repository", "AWS::ECR::Repository", {"RepositoryName": "Flask-App"}, "match"),
    ("a colon in a log group", "AWS::Logs::LogGroup", {"LogGroupName": "apps:all"}, "match"),
    ("a slash in a cluster's name", "AWS::ECS::Cluster", {"ClusterName": "apps/all"}, "no other characters"),
    ("a slash in a role's name", "AWS::IAM::Role", {"RoleName": "a/b", "AssumeRolePolicyDocument": TRUST}, "match"),
    ("a dash in a variable's name", "AWS::Lambda::Function", FUNCTION | {"Environment": {"Variables": {"LOG-LEVEL": "info"}}}, "variables"),
    ("a dash in a Sid", "AWS::IAM::ManagedPolicy", _policy(Sid="run-tasks"), "policy document"),
    ("a colon in a stream's prefix", "AWS::ECS::TaskDefinition", TASK | {"ContainerDefinitions": [CONTAINER | {"LogConfiguration": {"LogDriver": "awslogs", "Options": {"awslogs-stream-prefix": "a:b"}}}]}, "without : and"),
    ("a space in a parameter's name", "AWS::SSM::Parameter", {"Name": "/portcall/my app", "Type": "String", "Value": "v"}, "parameter's name"),
    # Lengths
    ("a rule's description of 256", "AWS::EC2::SecurityGroup", GROUP | {"SecurityGroupIngress": [RULE | {"Description": "d" * 256}]}, "at most 255"),
    ("a function's description of 257", "AWS::Lambda::Function", FUNCTION | {"Description": "d" * 257}, "at most 256"),
    ("a function's name of 65", "AWS::Lambda::Function", FUNCTION | {"FunctionName": "f" * 65}, "64 characters"),
    ("a role's name of 65", "AWS::IAM::Role", {"RoleName": "r" * 65, "AssumeRolePolicyDocument": TRUST}, "at most 64"),
    ("a tag's value of 257", "AWS::EC2::VPC", {"CidrBlock": "10.0.0.0/16", "Tags": [{"Key": "Name", "Value": "v" * 257}]}, "at most 256"),
    ("a tag's key of 129", "AWS::ECS::Cluster", {"Tags": [{"Key": "k" * 129, "Value": "v"}]}, "at most 128"),
    ("a topic's name of 257", "AWS::SNS::Topic", {"TopicName": "t" * 257}, "at most 256"),
    ("a table's name of 2", "AWS::DynamoDB::Table", TABLE | {"TableName": "ab"}, "a table's name"),
    ("a workflow's name of 81", "AWS::StepFunctions::StateMachine", MACHINE | {"StateMachineName": "m" * 81}, "at most 80"),
    ("variables of more than 4 KB", "AWS::Lambda::Function", FUNCTION | {"Environment": {"Variables": {"A": "a" * 4100}}}, "4096"),
    ("a managed policy of more than 6144", "AWS::IAM::ManagedPolicy", _policy(Resource=[f"arn:aws:ecs:us-east-1:111122223333:task/{n:060}" for n in range(80)]), "6144"),
    # What is one of a few
    ("a runtime that is none", "AWS::Lambda::Function", FUNCTION | {"Runtime": "python4"}, "one of"),
    ("an architecture that is none", "AWS::Lambda::Function", FUNCTION | {"Architectures": ["arm"]}, "one of"),
    ("a retention that is none", "AWS::Logs::LogGroup", {"RetentionInDays": 31}, "one of"),
    ("a protocol that is none", "AWS::SNS::Subscription", {"TopicArn": "arn:aws:sns:us-east-1:111122223333:news", "Protocol": "mail", "Endpoint": "you@example.com"}, "one of"),
    ("a billing mode that is none", "AWS::DynamoDB::Table", TABLE | {"BillingMode": "PER_REQUEST"}, "one of"),
    ("a key's type that is none", "AWS::DynamoDB::Table", TABLE | {"KeySchema": [{"AttributeName": "pk", "KeyType": "PARTITION"}]}, "one of"),
    ("a state that is none", "AWS::Events::Rule", {"ScheduleExpression": "rate(5 minutes)", "State": "ON"}, "one of"),
    ("a kind of endpoint that is none", "AWS::EC2::VPCEndpoint", {"VpcId": "vpc-0a1b2c3d", "ServiceName": "com.amazonaws.us-east-1.dynamodb", "VpcEndpointType": "Gatewy"}, "one of"),
    ("a kind of workflow that is none", "AWS::StepFunctions::StateMachine", MACHINE | {"StateMachineType": "FAST"}, "one of"),
    # Numbers
    ("a port of 70000", "AWS::EC2::SecurityGroup", GROUP | {"SecurityGroupIngress": [RULE | {"ToPort": 70000}]}, "65535"),
    ("ports the wrong way round", "AWS::EC2::SecurityGroup", GROUP | {"SecurityGroupIngress": [RULE | {"FromPort": 4000}]}, "FromPort above"),
    ("a time-out of 901", "AWS::Lambda::Function", FUNCTION | {"Timeout": 901}, "at most 900"),
    ("memory of 64", "AWS::Lambda::Function", FUNCTION | {"MemorySize": 64}, "at least 128"),
    ("a service time-out of 3601", "AWS::CloudFormation::CustomResource", {"ServiceToken": "arn:aws:lambda:us-east-1:111122223333:function:clean", "ServiceTimeout": 3601}, "at most 3600"),
    ("a network of /8", "AWS::EC2::VPC", {"CidrBlock": "10.0.0.0/8"}, "/16 to /28"),
    ("an address of 300", "AWS::EC2::SecurityGroup", GROUP | {"SecurityGroupIngress": [RULE | {"CidrIp": "300.0.0.0/8"}]}, "CIDR block"),
    ("an age of an event of a week", "AWS::Events::Rule", {"ScheduleExpression": "rate(5 minutes)", "Targets": [{"Arn": "arn:aws:lambda:us-east-1:111122223333:function:f", "Id": "a", "RetryPolicy": {"MaximumEventAgeInSeconds": 604800}}]}, "at most 86400"),
    ("memory that Fargate has not", "AWS::ECS::TaskDefinition", TASK | {"Memory": "4096", "ContainerDefinitions": [CONTAINER]}, "a size that Fargate has"),
    # What must be there, and what must not
    ("no description of a group", "AWS::EC2::SecurityGroup", {"VpcId": "vpc-0a1b2c3d"}, "be there"),
    ("no role of a function", "AWS::Lambda::Function", {name: FUNCTION[name] for name in ("Code", "Handler", "Runtime")}, "be there"),
    ("a property that there is none of", "AWS::SNS::Topic", {"Title": "Portcall"}, "no such property"),
    ("a key that is not defined", "AWS::DynamoDB::Table", TABLE | {"KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}]}, "attributes of its keys"),
    # Documents and expressions in strings
    ("a lifecycle policy without a count", "AWS::ECR::Repository", _lifecycle('{"rulePriority": 1, "selection": {"tagStatus": "any"}, "action": {"type": "expire"}}'), "lifecycle policy"),
    ("a lifecycle policy that is not JSON", "AWS::ECR::Repository", _lifecycle('{"rulePriority": 1, "selection": {"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": 50},}'), "lifecycle policy"),
    ("two stars in a wildcard", "AWS::Events::Rule", {"EventPattern": {"source": [{"wildcard": "a**"}]}}, "event pattern"),
    ("five minute", "AWS::Events::Rule", {"ScheduleExpression": "rate(5 minute)"}, "a schedule"),
    ("a cron of five fields", "AWS::Events::Rule", {"ScheduleExpression": "cron(0 12 * * *)"}, "a schedule"),
    ("an effect that is none", "AWS::IAM::ManagedPolicy", _policy(Effect="Permit"), "policy document"),
    ("a resource that is not an ARN", "AWS::IAM::ManagedPolicy", _policy(Resource="cluster/portcall"), "policy document"),
    ("an integration that is not public", "AWS::ApiGatewayV2::Integration", {"ApiId": "a1b2c3", "IntegrationType": "HTTP_PROXY", "IntegrationMethod": "ANY", "PayloadFormatVersion": "1.0", "IntegrationUri": "http://stopped.invalid/"}, "public name"),
    ("a tag of AWS's own", "AWS::EC2::VPC", {"CidrBlock": "10.0.0.0/16", "Tags": [{"Key": "aws:name", "Value": "v"}]}, "not begin with"),
    # What does not go together
    ("a mail to no address", "AWS::SNS::Subscription", {"TopicArn": "arn:aws:sns:us-east-1:111122223333:news", "Protocol": "email", "Endpoint": "you"}, "of its protocol"),
    ("http for https", "AWS::SNS::Subscription", {"TopicArn": "arn:aws:sns:us-east-1:111122223333:news", "Protocol": "https", "Endpoint": "http://example.com/"}, "of its protocol"),
    ("a FIFO queue without the name of one", "AWS::SQS::Queue", {"QueueName": "late", "FifoQueue": True}, "FIFO queue by its name"),
    ("a route to nowhere", "AWS::EC2::Route", {"RouteTableId": "rtb-0a1b2c3d", "DestinationCidrBlock": "0.0.0.0/0"}, "one target"),
    ("two keys of which both are HASH", "AWS::DynamoDB::Table", TABLE | {"AttributeDefinitions": [{"AttributeName": each, "AttributeType": "S"} for each in "ab"], "KeySchema": [{"AttributeName": each, "KeyType": "HASH"} for each in "ab"]}, "attributes of its keys"),
    ("tags of repositories without a role", "AWS::ECR::RepositoryCreationTemplate", {"Prefix": "team", "AppliedFor": ["CREATE_ON_PUSH"], "ResourceTags": [{"Key": "a", "Value": "b"}]}, "CustomRoleArn"),
    ("a principal in a role's policy", "AWS::IAM::ManagedPolicy", _policy(Principal="*"), "policy document"),
    ("trust in nobody", "AWS::IAM::Role", {"AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole"}]}}, "trust"),
    ("a condition that IAM does not know", "AWS::IAM::ManagedPolicy", _policy(Condition={"StringEqual": {"aws:RequestTag/a": "b"}}), "policy document"),
    # What is nothing of its kind
    ("a protocol of the web", "AWS::EC2::SecurityGroup", GROUP | {"SecurityGroupIngress": [RULE | {"IpProtocol": "http"}]}, "a protocol"),
    ("a zone that is none", "AWS::EC2::Subnet", {"VpcId": "vpc-0a1b2c3d", "CidrBlock": "10.0.0.0/24", "AvailabilityZone": "a"}, "a zone"),
    ("a service without its region", "AWS::EC2::VPCEndpoint", {"VpcId": "vpc-0a1b2c3d", "ServiceName": "dynamodb"}, "service's name"),
    ("a capacity provider that is none", "AWS::ECS::Cluster", {"CapacityProviders": ["FARGATE_CHEAP"]}, "capacity provider"),
    ("a stage with a space", "AWS::ApiGatewayV2::Stage", {"ApiId": "a1b2c3", "StageName": "a b"}, "stage's name"),
    ("a variable of Lambda's own", "AWS::Lambda::Function", FUNCTION | {"Environment": {"Variables": {"AWS_REGION": "eu-west-1"}}}, "keeps for itself"),
    ("a workflow that is not JSON", "AWS::StepFunctions::StateMachine", MACHINE | {"DefinitionString": "{"}, "a definition"),
    ("a tag twice", "AWS::EC2::VPC", {"CidrBlock": "10.0.0.0/16", "Tags": [{"Key": "a", "Value": each} for each in "12"]}, "no key twice"),
    ("fifty-one tags", "AWS::SNS::Topic", {"Tags": [{"Key": str(each), "Value": "v"} for each in range(51)]}, "at most 50"),
]  # fmt: skip
