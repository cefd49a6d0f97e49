"""Images that cannot go live, with their mails, and some unusual ones that can."""

import platform

from portcall.verify.check import check
from portcall.verify.errors import CheckFailedError, DifferentError, NotRunError
from portcall.verify.run import Run

OTHER_PORT = 8080


@check("an email with the exit code and the last line of the log; the previous version is still running")
def exit_1(run: Run) -> str:
    before = run.live(run.push("latest", VERSION="before-exit"))
    document = run.mail(run.push("latest", VERSION="exit", MODE="exit"), "failed")["document"]
    seen = (
        f"{document['error']}: {document['reason']}; log {document['log'][-1:]}, serving {document['serving']}"
    )
    if document.get("exit_code") != 1 or "built to fail" not in " ".join(document["log"]):
        raise DifferentError(seen)
    if document["serving"] != before["url"]:
        raise DifferentError(seen)
    run.get(before["url"])
    return seen


@check("an email that says that the app never answered")
def wrong_port(run: Run) -> str:
    document = run.mail(run.push("latest", VERSION="deaf", MODE="deaf"), "failed")["document"]
    seen = f"{document['error']}: {document['reason']}"
    if document["error"] != "NoAnswerError":
        raise DifferentError(seen)
    return seen


@check("an app on another port is live: its security group can be used as soon as it is created")
def other_port(run: Run) -> str:
    document = run.live(run.push("latest", VERSION="other-port", PORT=str(OTHER_PORT)))
    tries = [
        str(event.get("taskFailedEventDetails") or event.get("lambdaFunctionFailedEventDetails"))
        for event in run.history(document["deployment"])
        if event["type"] in ("TaskFailed", "LambdaFunctionFailed")
    ]
    run.get(document["url"])
    return "; ".join([f"live at {document['url']}, {len(tries)} tries again", *tries])


@check("an image for the other CPU is live, on that CPU")
def other_cpu(run: Run) -> str:
    if run.account.embedded:
        raise NotRunError("The embedded cloud runs images for the CPU of this machine.")
    here = "arm64" if platform.machine() in ("arm64", "aarch64") else "amd64"
    other = "amd64" if here == "arm64" else "arm64"
    run.say(f"docker buildx build for linux/{other}")
    try:
        image = run.images.build_for(f"linux/{other}", "latest", VERSION="other-cpu")
    except CheckFailedError as error:
        raise NotRunError(f"This docker builds for no other CPU. {error}") from error
    document = run.live(run.push_image(image, "latest"))
    tasks = run.account.client("ecs").describe_tasks(
        cluster=run.state.outputs["ClusterArn"], tasks=[document["task"]]
    )["tasks"]
    attributes = {each["name"]: each.get("value") for task in tasks for each in task.get("attributes", [])}
    return f"live on {attributes.get('ecs.cpu-architecture', 'a CPU that ECS does not name')}"
