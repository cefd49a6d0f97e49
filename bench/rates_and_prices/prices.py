"""AWS's prices in US dollars, in us-east-1 and without free tiers, as of November 2026: data, no code."""

# https://aws.amazon.com/step-functions/pricing/, of Standard workflows
TRANSITION = 0.025 / 1000
# https://aws.amazon.com/lambda/pricing/, of arm64
LAMBDA_GB_SECOND, LAMBDA_REQUEST = 0.0000133334, 0.20 / 1_000_000
# https://aws.amazon.com/dynamodb/pricing/on-demand/
DYNAMODB_READ, DYNAMODB_WRITE = 0.125 / 1_000_000, 0.625 / 1_000_000
# https://aws.amazon.com/sns/pricing/
EMAIL = 2.0 / 100_000
# https://aws.amazon.com/fargate/pricing/ and https://aws.amazon.com/vpc/pricing/: a task on ARM of 0.25 vCPU,
# 0.5 GB and a public IPv4 address, for a month.
VCPU_HOUR_ARM, GB_HOUR_ARM, IPV4_HOUR = 0.03238, 0.00356, 0.005
HOURS = 730
SMALLEST_APP_MONTH = HOURS * (0.25 * VCPU_HOUR_ARM + 0.5 * GB_HOUR_ARM + IPV4_HOUR)
# https://aws.amazon.com/api-gateway/pricing/, of HTTP APIs
HTTP_API_REQUEST = 1.0 / 1_000_000
# Of the functions: template.yaml.
MEMORY_GB = 1.0
# https://aws.amazon.com/lambda/pricing/: what is billed around the clock, SnapStart's for Python
SNAPSTART_CACHE_GB_SECOND, SNAPSTART_RESTORED_GB = 0.0000015046, 0.0001397998
PROVISIONED_GB_SECOND = 0.0000033334
# https://aws.amazon.com/sns/pricing/
PUBLISH = 0.50 / 1_000_000
# https://aws.amazon.com/eventbridge/pricing/: AWS's own events and schedules are free
CUSTOM_EVENT = 1.0 / 1_000_000
# https://aws.amazon.com/cloudwatch/pricing/
LOG_GB = 0.50
# https://aws.amazon.com/elasticloadbalancing/pricing/ and https://aws.amazon.com/vpc/pricing/, without use
LOAD_BALANCER_HOUR, NAT_GATEWAY_HOUR = 0.0225, 0.045
