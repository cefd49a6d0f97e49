"""Who can reach the apps, and that a change applies to all of them."""

from typing import Any

from portcall.verify.check import check
from portcall.verify.errors import DifferentError, NotRunError
from portcall.verify.run import Run

EVERYONE = "0.0.0.0/0"
# Reserved for documentation (RFC 5737), so nobody has an address there.
NOBODY = "192.0.2.0/24"


@check(
    "with a narrow AllowedCidr a push is live, and no group of the install is open to everyone",
    needs=("install", "other-port"),
)
def narrow_cidr(run: Run) -> str:
    # As the README says; the others then go the shorter way.
    run.deploy(AllowedCidr=NOBODY)
    document = run.live(run.push("latest", VERSION="narrow"))
    run.sweep()
    seen = f"live at {document['url']}; {_described(run)}"
    if EVERYONE in _callers(run):
        raise DifferentError(seen)
    return seen


@check("the app cannot be reached from outside AllowedCidr", needs=("install", "narrow-cidr"))
def narrow_cidr_keeps_out(run: Run) -> str:
    if run.account.embedded:
        raise NotRunError("The embedded cloud filters no packets.")
    run.update(AllowedCidr=NOBODY)
    url = run.state.facts["current"]["url"]
    try:
        status, _, _ = run.get(url)
    except OSError as error:
        return f"{url} does not answer from here: {error}"
    raise DifferentError(f"{url} answers {status} from here")


@check("with a wide AllowedCidr the app can be reached from everywhere again", needs=("install", "narrow-cidr"))
def widen_cidr(run: Run) -> str:
    run.update(AllowedCidr=EVERYONE)
    document = run.live(run.push("latest", VERSION="wide"))
    status, _, _ = run.get(document["url"])
    run.sweep()
    seen = f"{document['url']} answers {status}; {_described(run)}"
    if NOBODY in _callers(run):
        raise DifferentError(seen)
    return seen


def _groups(run: Run) -> list[dict[str, Any]]:
    """The security groups in the install's VPC: the stack's own, and those that it created for apps."""
    filters = [{"Name": "vpc-id", "Values": [run.state.resources["Vpc"]]}]
    groups: list[dict[str, Any]] = run.account.client("ec2").describe_security_groups(Filters=filters)[
        "SecurityGroups"
    ]
    return groups


def _callers(run: Run) -> set[str]:
    ranges = [
        each for group in _groups(run) for rule in group["IpPermissions"] for each in rule.get("IpRanges", [])
    ]
    return {each["CidrIp"] for each in ranges}


def _described(run: Run) -> str:
    groups = [
        f"{group['GroupName']} {rule.get('FromPort')} {each['CidrIp']}"
        for group in _groups(run)
        for rule in group["IpPermissions"]
        for each in rule.get("IpRanges", [])
    ]
    return f"open: {'; '.join(groups) or 'nothing'}"
