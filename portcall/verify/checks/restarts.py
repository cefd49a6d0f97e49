"""Apps that crash, or are stopped by hand."""

import time
from typing import Any

from portcall.verify.check import check
from portcall.verify.errors import CheckFailedError, DifferentError
from portcall.verify.run import Run


@check("an app that crashes is live again, with an email that says why")
def crash(run: Run) -> str:
    document = run.live(run.push("latest", VERSION="crash"))
    before = len(run.mails())
    run.get(f"{document['url']}crash")
    began = time.time()
    run.say("waiting for the restart's email")

    def look() -> dict[str, Any] | None:
        fresh = [each["document"] for each in run.mails()[before:]]
        return next((each for each in fresh if each["digest"] == document["digest"]), None)

    again = run.eventually(look, run.pace.mail)
    if again is None:
        raise CheckFailedError(f"No email within {run.pace.mail:.0f} s of the crash.")
    took = time.time() - began
    if again["outcome"] != "deployed" or not again.get("restarted"):
        raise DifferentError(f"the email says {again['outcome']}: {again.get('reason', again.get('url'))}")
    run.state.facts["current"] = {"task": again["task"], "url": again["url"]}
    run.get(again["url"])
    return f"live again after {took:.0f} s; why it stopped: {again['restarted']}"


@check("an app that is stopped by hand stays stopped, also after a sweep")
def stopped_by_hand(run: Run) -> str:
    document = run.live(run.push("latest", VERSION="stopped"))
    before, began = len(run.mails()), time.time()
    run.account.client("ecs").stop_task(
        cluster=run.state.outputs["ClusterArn"], task=document["task"], reason="portcall verify-aws"
    )

    def stopped() -> dict[str, Any] | None:
        return next(
            (
                each["event"]["detail"]
                for each in run.events("aws.ecs", began)
                if each["event"]["detail"].get("taskArn") == document["task"]
                and each["event"]["detail"]["lastStatus"] == "STOPPED"
            ),
            None,
        )

    run.say("waiting for the task to stop")
    detail = run.eventually(stopped, run.pace.mail)
    if detail is None:
        raise CheckFailedError("No event says that the task has stopped.")
    run.sweep()
    run.wait_quietly()
    started = [each for each in run.executions() if each["startDate"].timestamp() >= began]
    mails = [each["subject"] for each in run.mails()[before:]]
    seen = (
        f"{detail.get('stopCode')}: {detail.get('stoppedReason')}; {len(started)} restarts, {len(mails)} emails"
    )
    if started or mails:
        raise DifferentError(f"{seen} {mails}")
    return seen
