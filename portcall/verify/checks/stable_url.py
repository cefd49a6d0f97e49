"""Stable URLs of API Gateway."""

import json
import time
from urllib.parse import urlsplit

from portcall.verify import leftovers
from portcall.verify.check import check
from portcall.verify.checks.network import EVERYONE
from portcall.verify.errors import DifferentError
from portcall.verify.load import Load
from portcall.verify.run import Run

PATH = "a%2Fb%20c/%C3%A4?x=%2F&y"
# API Gateway decodes the path, so an escaped slash arrives as a slash.
# https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-routes.html
ARRIVES_AS = "/a/b%20c/%C3%A4?x=%2F&y"


@check("with StableUrl=on the email has a URL that is not the task's, where the app answers")
def stable_url(run: Run) -> str:
    run.update(StableUrl="on", AllowedCidr=EVERYONE)
    document = run.live(run.push("latest", VERSION="stable-1"))
    url, direct = document["url"], document["direct_url"]
    if url == direct:
        raise DifferentError(f"the email has the task's own URL, {url}")
    if not run.account.embedded and urlsplit(url).scheme != "https":
        raise DifferentError(f"the URL is {url}, which is not https")
    status, said, _ = run.get(url)
    if "stable-1" not in said:
        raise DifferentError(f"{url} answers {status}: {said[:200]}")
    run.state.facts["stable-url"] = {"url": url, "task": document["task"]}
    return f"{urlsplit(url).scheme} answers {status}"


@check(
    "the app gets the path and the query unchanged, except for an escaped slash",
    needs=("install", "stable-url"),
)
def stable_url_path(run: Run) -> str:
    status, said, _ = run.get(run.state.facts["stable-url"]["url"] + PATH)
    path = json.loads(said)["path"] if status == 200 else f"status {status}"
    if path != ARRIVES_AS:
        raise DifferentError(f"asked for /{PATH}, the app was asked for {path}")
    return f"{path}"


@check(
    "no request fails during a switch-over, and the email comes when the new version answers",
    needs=("install", "stable-url"),
)
def stable_url_switch_over(run: Run) -> str:
    url = run.state.facts["stable-url"]["url"]

    def ask() -> tuple[int, str]:
        status, said, _ = run.get(url)
        return status, said

    with Load(ask) as load:
        document = run.live(run.push("latest", VERSION="stable-2"))
        # The previous task is being stopped by now.
        time.sleep(min(run.pace.quiet, 15))
    run.state.facts["stable-url"] = {"url": url, "task": document["task"]}
    seen = str(load)
    if document["url"] != url:
        raise DifferentError(f"the URL is another one now; {seen}")
    if load.failed or "stable-2" not in load.versions[-1]:
        raise DifferentError(seen)
    return seen


@check("the URL of a stopped app points at nothing and answers 5xx", needs=("install", "stable-url"))
def stable_url_of_a_stopped_app(run: Run) -> str:
    kept = run.state.facts["stable-url"]
    target, _ = _targets(run)
    run.account.client("ecs").stop_task(
        cluster=run.state.outputs["ClusterArn"], task=kept["task"], reason="portcall verify-aws"
    )
    run.say("waiting for the URL to point at nothing")

    def moved() -> str | None:
        # The event of the stop is enough; no sweep is needed. The two responses may differ.
        said, integrations = _targets(run)
        return said if said != target and integrations == [said] else None

    pointed_to = run.eventually(moved, run.pace.mail)
    if pointed_to is None:
        said, integrations = _targets(run)
        raise DifferentError(
            f"the task is stopped, and its API says that it points to {said}; its integrations point to "
            f"{', '.join(integrations)}. Before that it pointed to {target}"
        )

    def gone() -> int | None:
        status, _, _ = run.get(kept["url"])
        return status if status >= 500 else None

    status = run.eventually(gone, run.pace.event)
    if status is None:
        raise DifferentError(f"the API points to {pointed_to}, and the URL answers {run.get(kept['url'])[0]}")
    return f"the API points to {pointed_to}, the URL answers {status}"


@check(
    "with StableUrl=off the next push has the task's own URL, and the API is gone",
    needs=("install", "stable-url"),
)
def stable_url_off(run: Run) -> str:
    run.update(StableUrl="off")
    document = run.live(run.push("latest", VERSION="stable-off"))
    if document["url"] != document["direct_url"]:
        raise DifferentError(f"the email still has {document['url']}")
    run.sweep()
    left = leftovers.apis_of(run.account, run.state.name)
    if left:
        raise DifferentError(f"still there: {[each['ApiEndpoint'] for each in left]}")
    return "the URL is the task's own, the API is gone"


def _targets(run: Run) -> tuple[str, list[str]]:
    """The targets of the app's API: in its description, which Portcall reads, and in each integration.

    Portcall changes both with one call, UpdateApi.
    """
    apis = leftovers.apis_of(run.account, run.state.name)
    if not apis:
        raise DifferentError("the app has no HTTP API")
    found = run.account.client("apigatewayv2").get_integrations(ApiId=apis[0]["ApiId"])["Items"]
    said = apis[0].get("Description", "").rpartition(" at ")[2]
    return said, [each["IntegrationUri"] for each in found]
