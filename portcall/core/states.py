"""The state of an app, from `deployer.domain.app_status`, and the documents of `--json`."""

from dataclasses import asdict
from typing import Any

from deployer.domain import holds
from deployer.domain.app_status import DEPLOYING as DEPLOYING
from deployer.domain.app_status import DOWN as DOWN
from deployer.domain.app_status import LIVE as LIVE
from deployer.domain.app_status import STOPPED as STOPPED
from deployer.domain.app_status import AppStatus as AppStatus
from deployer.domain.app_status import answers as answers
from deployer.domain.app_status import pinned as pinned
from deployer.domain.app_status import seconds_of as seconds_of
from deployer.domain.app_status import status_of as status_of
from deployer.domain.app_status import version as version
from deployer.domain.app_status import why_down as why_down
from deployer.domain.deployment import BY_HAND as BY_HAND
from deployer.domain.deployment import Current, Deployment, Stop

from portcall.core.price import of_current


def app_document(status: AppStatus) -> dict[str, Any]:
    """An app, for `--json`."""
    price = of_current(status.serving)
    return {
        "app": status.app,
        "state": status.state,
        "url": status.url,
        "since": status.since,
        "note": status.note,
        "usd_a_month": price.total if price else None,
        "serving": serving_document(status.serving) if status.serving else None,
        "latest": deployment_document(status.latest) if status.latest else None,
        "pin": asdict(status.pin) if status.pin else None,
        "stop": asdict(status.stop) if status.stop else None,
    }


def serving_document(current: Current) -> dict[str, Any]:
    """What serves, for `--json`; times are in UNIX seconds, `until` is 0 for ever."""
    return {
        "deployment": current.deployment,
        "tag": current.tag,
        "digest": current.digest,
        "url": current.url,
        "direct_url": current.direct_url or current.url,
        "since": seconds_of(current.since),
        "until": current.until,
        "task": current.task,
        "revision": current.revision,
        "previous": current.previous,
    }


def deployment_document(deployment: Deployment) -> dict[str, Any]:
    """A deployment, for `--json`; `outcome` is null while it is in progress."""
    return {
        "deployment": deployment.deployment,
        "time": deployment.time,
        "tag": deployment.tag,
        "digest": deployment.digest,
        "outcome": deployment.outcome or None,
        "began_at": deployment.began_at,
        "ended_at": deployment.ended_at,
        "url": deployment.url,
        "reason": deployment.reason,
        "error": deployment.error,
        "hint": deployment.hint,
        "restart": bool(deployment.restart),
        "attempt": int(deployment.retry.get("attempt", 1)),
        "asked": asked_document(deployment.asked) if deployment.asked else None,
    }


def asked_document(asked: dict[str, Any]) -> dict[str, Any]:
    """An operator's request, for `--json`; nobody has checked `by`."""
    return {name: asked.get(name, "") for name in ("action", "by", "reason", "at")}


def who_asked(asked: dict[str, Any]) -> str:
    """`Rollback, requested by ... (not verified): reason`, '' for a push."""
    if not asked:
        return ""
    hold = Stop(str(asked.get("reason", "")), str(asked.get("by", "")))
    return f"{str(asked.get('action', '')).capitalize()}{holds.said_by(hold)}"
