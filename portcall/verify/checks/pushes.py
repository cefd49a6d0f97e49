"""The install, the first push, and what AWS reports about a push."""

import json
import re
import statistics
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from portcall.verify import install as stack
from portcall.verify import queues
from portcall.verify.check import check
from portcall.verify.errors import CheckFailedError, DifferentError, NotRunError
from portcall.verify.images import EXAMPLE, PROBE
from portcall.verify.run import Pushed, Run

IMAGE_TYPES = (
    "",
    "application/vnd.docker.container.image.v1+json",
    "application/vnd.oci.image.config.v1+json",
)
ADDRESS_ALLOWED = 90
START_UP_ALLOWED = 1.0
SCAN_ALLOWED = 300
UNFINISHED_SCANS = ("PENDING", "IN_PROGRESS")


@check("`sam build` and `sam deploy` create the whole stack", needs=())
def install(run: Run) -> str:
    run.state.install += 1
    run.say("sam build")
    stack.build(run.tools, run.folder)
    run.deploy()
    queues.open_queues(run.account, run.state)
    found = stack.describe(run.account, run.state.name) or {}
    return f"{found.get('StackStatus')}, {len(run.state.resources)} resources"


@check("an email with the URL, where the example app answers")
def first_push(run: Run) -> str:
    run.say("docker build and push of the example app")
    pushed = run.push_image(run.images.build("latest", EXAMPLE), "latest")
    mail = run.mail(pushed, "deployed")
    document = run.live(pushed)
    run.state.facts["first-push"] = document
    status, said, _ = run.get(document["url"])
    if "Hello, World!" not in said:
        raise DifferentError(f"{document['url']} answers {status}: {said[:200]}")
    return f"email {mail['seconds']:.1f} s after the push; the URL answers {status}"


@check(
    "one event for the tag, typed as an image or not at all; the children of an index have no tag",
    needs=("install", "first-push"),
)
def push_events(run: Run) -> str:
    wanted = run.state.facts["first-push"]["digest"]

    def look() -> list[dict[str, Any]]:
        found = [each for each in run.events("aws.ecr") if each["event"]["detail"].get("action-type") == "PUSH"]
        return found if any(each["event"]["detail"]["image-digest"] == wanted for each in found) else []

    events = run.eventually(look, run.pace.event) or []
    of_tag = [each for each in events if each["event"]["detail"].get("image-tag") == "latest"]
    seen = "; ".join(_push_event(each) for each in events) or "no event"
    types = {each["event"]["detail"].get("artifact-media-type", "") for each in of_tag}
    others = {each["event"]["detail"].get("image-tag", "") for each in events if each not in of_tag}
    of_push = [each for each in of_tag if each["event"]["detail"]["image-digest"] == wanted]
    if len(of_push) != 1 or not types <= set(IMAGE_TYPES) or not others <= {""}:
        raise DifferentError(seen)
    return seen


def _push_event(each: dict[str, Any]) -> str:
    detail = each["event"]["detail"]
    shown = {
        name: detail.get(name, "absent") for name in ("image-tag", "manifest-media-type", "artifact-media-type")
    }
    words = ", ".join(f"{name} `{value}`" for name, value in shown.items())
    return f"{detail['image-digest'][7:15]}: {words}, {queues.lateness(each):.0f} s late"


@check(
    "a RUNNING event with the interface and the digest, of the image or of its index",
    needs=("install", "first-push"),
)
def task_events(run: Run) -> str:
    document = run.state.facts["first-push"]

    def look() -> list[dict[str, Any]]:
        found = [
            each for each in run.events("aws.ecs") if each["event"]["detail"].get("taskArn") == document["task"]
        ]
        return found if any(each["event"]["detail"]["lastStatus"] == "RUNNING" for each in found) else []

    events = run.eventually(look, run.pace.event)
    if not events:
        raise DifferentError(f"no event of {document['task'].rsplit('/', 1)[-1]} that is RUNNING")
    versions = [each["event"]["detail"].get("version") for each in events]
    states = [each["event"]["detail"]["lastStatus"] for each in events]
    running = next(each for each in events if each["event"]["detail"]["lastStatus"] == "RUNNING")
    detail = running["event"]["detail"]
    digest = str((detail.get("containers") or [{}])[0].get("imageDigest", ""))
    which = "the pushed digest" if digest == document["digest"] else f"another digest, {digest[:19] or 'none'}"
    kinds = [each.get("type") for each in detail.get("attachments", [])]
    order = "in order" if versions == sorted(versions) else f"out of order: versions {versions}"
    late = queues.lateness(running)
    seen = f"{' '.join(states)} ({order}); RUNNING came {late:.0f} s late with {which}, attachments {kinds}"
    if not digest or not kinds:
        raise DifferentError(seen)
    return seen


@check(
    f"EC2 shows the public IP of a new interface within {ADDRESS_ALLOWED} s", needs=("install", "first-push")
)
def public_ip(run: Run) -> str:
    entered, left, failures = None, None, 0
    inside = False
    for event in run.history(run.state.facts["first-push"]["deployment"]):
        if event.get("stateEnteredEventDetails", {}).get("name") == "ResolvePublicIp":
            entered, inside = event["timestamp"], True
        elif event.get("stateExitedEventDetails", {}).get("name") == "ResolvePublicIp":
            left, inside = event["timestamp"], False
        elif inside and event["type"] in ("TaskFailed", "LambdaFunctionFailed"):
            failures += 1
    if entered is None or left is None:
        raise CheckFailedError("The execution's history has no state ResolvePublicIp.")
    took = (left - entered).total_seconds()
    seen = f"known after {took:.1f} s and {failures} tries that came too early"
    if took > ADDRESS_ALLOWED:
        raise DifferentError(seen)
    return seen


@check(
    f"the functions start within half a second or so, below {START_UP_ALLOWED:.0f} s at the median",
    needs=("install", "first-push"),
)
def function_start_up(run: Run) -> str:
    if run.account.embedded:
        raise NotRunError("The embedded cloud's functions write no REPORT lines.")
    logs, group = run.account.client("logs"), run.state.resources["StepsLogGroup"]

    def look() -> list[float]:
        pages = logs.get_paginator("filter_log_events").paginate(
            logGroupName=group, filterPattern='"Init Duration"'
        )
        lines = [event["message"] for page in pages for event in page["events"]]
        found = [re.search(r"Init Duration: ([0-9.]+) ms", line) for line in lines]
        return [float(each[1]) / 1000 for each in found if each]

    starts = run.eventually(look, run.pace.event)
    if not starts:
        raise CheckFailedError(f"The log group {group} holds no REPORT line with an Init Duration.")
    median = statistics.median(starts)
    seen = f"{len(starts)} cold starts: median {median:.2f} s, longest {max(starts):.2f} s"
    if median > START_UP_ALLOWED:
        raise DifferentError(seen)
    return seen


@check(
    f"ECR has scanned the image within {SCAN_ALLOWED} s, and dates the scan", needs=("install", "first-push")
)
def scan(run: Run) -> str:
    document, ecr = run.state.facts["first-push"], run.account.client("ecr")
    image = {"repositoryName": run.state.name, "imageId": {"imageDigest": document["digest"]}}
    answers: list[str] = []

    def look() -> dict[str, Any] | None:
        try:
            found: dict[str, Any] = ecr.describe_image_scan_findings(**image)
        except ecr.exceptions.ScanNotFoundException as error:
            answers.append(str(error))
            return None
        answers.append(str(found["imageScanStatus"]))
        return None if found["imageScanStatus"]["status"] in UNFINISHED_SCANS else found

    run.say("waiting for ECR's scan")
    found = run.eventually(look, run.pace.event if run.account.embedded else SCAN_ALLOWED)
    if not found:
        raise DifferentError(f"no result: {answers[-1]}")
    status = found["imageScanStatus"]["status"]
    done = found.get("imageScanFindings", {}).get("imageScanCompletedAt")
    if not done:
        raise DifferentError(f"{status}, without a date: {found['imageScanStatus'].get('description', '')}")
    listed = ecr.describe_images(repositoryName=run.state.name, imageIds=[image["imageId"]])["imageDetails"]
    return f"{status}, dated {(done - listed[0]['imagePushedAt']).total_seconds():.0f} s after the push"


@check(
    "no event and no deployment: the registry has that digest under that tag already",
    needs=("install", "first-push"),
)
def same_image_again(run: Run) -> str:
    run.say("docker push of the same image")
    image = run.images.build("latest", EXAMPLE)
    began = time.time()
    run.push_image(image, "latest")
    run.wait_quietly()
    events = [
        each for each in run.events("aws.ecr", began) if each["event"]["detail"].get("action-type") == "PUSH"
    ]
    started = [each for each in run.executions() if each["startDate"].timestamp() >= began]
    seen = f"{len(events)} events, {len(started)} executions"
    if events or started:
        raise DifferentError("; ".join([seen, *map(_push_event, events)]))
    return seen


@check("the command in the output DeployAgain deploys the image of the tag again, with an email")
def deploy_again(run: Run) -> str:
    command = run.state.outputs.get("DeployAgain", "")
    function = re.search(r"--function-name (\S+)", command)
    payload = re.search(r"--payload '(.*?)'", command)
    if not function or not payload:
        raise NotRunError("This install has no output DeployAgain.")
    pushed = run.push("latest", VERSION="again")
    first = run.live(pushed)
    run.say("the command of the output")
    before, began = len(run.mails()), time.time()
    answer = run.account.client("lambda").invoke(FunctionName=function[1], Payload=payload[1].encode())
    said = answer["Payload"].read().decode()
    if answer.get("FunctionError") or json.loads(said).get("status") != "started":
        raise DifferentError(said)
    again = run.live(Pushed(pushed.digest, began, before))
    if again["task"] == first["task"]:
        raise DifferentError(f"the email has the task of before: {first['task']}")
    return f"{said}; live at {again['url']}"


@check("two tags are pushed at once: both deployments succeed, and the app is live")
def two_tags_at_once(run: Run) -> str:
    images = {tag: run.images.build(tag, PROBE, VERSION=f"two-{tag}") for tag in ("latest", "1.2")}
    run.say("docker push of two tags at once")
    run.mails()
    with ThreadPoolExecutor() as pool:
        pushes = [pool.submit(run.images.push, image) for image in images.values()]
        for push in pushes:
            push.result()
    digests = {run.images.digest(tag): tag for tag in images}

    def look() -> list[dict[str, Any]] | None:
        found = [each for each in run.executions() if each["digest"] in digests]
        ended = all(each["status"] != "RUNNING" for each in found)
        return found if ended and {each["digest"] for each in found} == set(digests) else None

    run.say("waiting for both deployments")
    executions = run.eventually(look, run.pace.mail)
    if not executions:
        raise CheckFailedError("Not both pushes have an execution that has ended.")
    seen = "; ".join(
        f"{digests[each['digest']]}: {each['status']} {each.get('error', '')} {each.get('cause', '')}".strip()
        for each in executions
    )
    if any(each["status"] != "SUCCEEDED" for each in executions):
        raise DifferentError(seen)
    return seen
