"""Checks before anything is created."""

import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from botocore.exceptions import BotoCoreError, ClientError

from portcall.verify.account import Account
from portcall.verify.errors import CannotStartError

UNKNOWN = "unknown"
# https://docs.aws.amazon.com/apigateway/latest/developerguide/limits.html; it is not in Service Quotas.
HTTP_APIS = 600


@dataclass(frozen=True)
class Quota:
    """A quota: its limit, what is in use, and what the run needs; None is unknown."""

    name: str
    limit: float | None
    used: float | None
    needs: float
    note: str = ""

    @property
    def too_small(self) -> bool:
        """Whether the quota is known to be too small for the run."""
        return self.limit is not None and self.limit - (self.used or 0) < self.needs

    def __str__(self) -> str:
        limit = UNKNOWN if self.limit is None else f"{self.limit:g}"
        used = "" if self.used is None else f", {self.used:g} in use"
        return f"{self.name}: {limit}{used}; the run needs {self.needs:g}{self.note}"


def quotas(account: Account) -> Iterator[Quota]:
    """The quotas that a run may reach."""
    ec2, gateway = account.client("ec2"), account.client("apigatewayv2")
    limit, note = _limit(account, "fargate", "L-3032A538")
    yield Quota("Fargate vCPUs", limit, None, 0.5, note)
    limit, note = _limit(account, "lambda", "L-B99A9384")
    yield Quota("Concurrent Lambda executions", limit, None, 10, note)
    limit, note = _limit(account, "vpc", "L-F678F1CE")
    vpcs = _count(lambda: len(ec2.describe_vpcs()["Vpcs"]))
    yield Quota("VPCs", limit, vpcs, 1, note)
    apis = _count(lambda: sum(len(p["Items"]) for p in gateway.get_paginator("get_apis").paginate()))
    yield Quota("APIs of API Gateway", HTTP_APIS, apis, 1)


def require_docker() -> str:
    """The version of the Docker engine. Raises CannotStartError if there is none."""
    if shutil.which("docker") is None:
        raise CannotStartError(
            "The command `docker`, which pushes the images, is missing. Install it, then run this again."
        )
    asked = subprocess.run(
        ["docker", "version", "--format", "{{.Server.Version}}"], capture_output=True, text=True
    )
    if asked.returncode != 0:
        raise CannotStartError(
            f"Docker does not answer: {asked.stderr.strip() or asked.stdout.strip()}\n"
            "Start it, then run this again."
        )
    return asked.stdout.strip()


def _limit(account: Account, service: str, code: str) -> tuple[float | None, str]:
    """A quota's value, or None and the reason."""
    try:
        answer = account.client("service-quotas").get_service_quota(ServiceCode=service, QuotaCode=code)
        return float(answer["Quota"]["Value"]), ""
    except (BotoCoreError, ClientError, KeyError) as error:
        return None, f" ({_briefly(error)})"


def _count(count: Callable[[], int]) -> float | None:
    try:
        return count()
    except (BotoCoreError, ClientError):
        return None


def _briefly(error: Exception) -> str:
    return str(error).splitlines()[0][:120] if str(error) else type(error).__name__
