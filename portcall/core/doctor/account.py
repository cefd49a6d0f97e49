"""Checks of the account: credentials, region, ECS's role, and Fargate's quota."""

from portcall.core.doctor.judgement import Judgement, failed, ok, warning

# In seconds.
SOON = 15 * 60
ROLE = "AWSServiceRoleForECS"
# Service Quotas: Fargate On-Demand vCPU resource count.
QUOTA = "L-3032A538"


def credentials(arn: str, expires_at: float, now: float) -> Judgement:
    """`expires_at` is in UNIX seconds, 0 if the keys do not expire, or if unknown."""
    if not expires_at:
        return ok(f"You are {arn}.")
    left = expires_at - now
    if left < SOON:
        return warning(f"You are {arn}, for {left / 60:.0f} min more.", "Log in again soon: aws sso login")
    return ok(f"You are {arn}, for {left / 3600:.1f} h more.")


def region(name: str, ecs: set[str], ecr: set[str]) -> Judgement:
    """`ecs` and `ecr` are the regions of each service that the installed AWS SDK knows."""
    lacking = [service for service, known in (("ECS", ecs), ("ECR", ecr)) if name not in known]
    if not lacking:
        return ok(f"{name} has ECS, Fargate and ECR.")
    return warning(
        f"The AWS SDK on this machine does not know {' and '.join(lacking)} in {name}.",
        "Choose another region with --region, unless it is newer than the SDK.",
    )


def ecs_role(exists: bool) -> Judgement:
    """ECS needs its service-linked role before the first task."""
    if exists:
        return ok(f"The role {ROLE} is there.")
    return failed(
        f"The role {ROLE} is missing: ECS can start no task.",
        "Run: aws iam create-service-linked-role --aws-service-name ecs.amazonaws.com",
    )


def quota(allowed: float, used: float, next_one: float, *, whole_account: bool) -> Judgement:
    """On-demand vCPUs: the quota, how many are in use, and those of the largest app.

    While a version replaces another, both run.
    """
    whose = "run in this account" if whole_account else "are used by Portcall; what else runs is not known"
    said = f"Fargate lets {allowed:g} vCPU run at the same time; {used:g} {whose}."
    ask = (
        "Request more: aws service-quotas request-service-quota-increase --service-code fargate "
        f"--quota-code {QUOTA} --desired-value {max(2 * allowed, used + 2 * next_one):g}"
    )
    if used + next_one > allowed:
        return failed(
            f"{said} The next push needs {next_one:g} more while it replaces the version before.", ask
        )
    if used + 2 * next_one > allowed:
        return warning(f"{said} There is room for one push at a time.", ask)
    return ok(said)
