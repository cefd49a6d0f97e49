"""Checks of an image before it is pushed."""

from deployer.domain import ports

from portcall.core.doctor.judgement import Judgement, failed, ok, unknown, warning
from portcall.core.plan import DEPLOY, FREE, IN_ECR, Plan


def push(made: Plan) -> Judgement:
    """Whether a push would be deployed."""
    place = "in ECR" if made.found == IN_ECR else "on this machine"
    if made.would != DEPLOY:
        return failed(
            f"{made.image} ({place}) would not be deployed: {made.reason}", made.do or "Push another image."
        )
    return ok(f"A push of {made.image} ({place}) deploys the app {made.app}.")


def port(made: Plan) -> Judgement:
    """Whether the image names the app's port."""
    candidates = made.spec.candidates if made.spec else []
    if not candidates:
        return ok("It needs no port: it is a worker.")
    if candidates[0].named_by == ports.DEFAULT:
        return warning(
            f"The image names no port, so {candidates[0].port} is tried (ContainerPort).",
            "Add EXPOSE, or LABEL portcall.port, to its Dockerfile.",
        )
    return ok(
        "It may answer on " + ", then ".join(f"{each.port} ({each.named_by})" for each in candidates) + "."
    )


def slot(made: Plan) -> Judgement:
    """Whether a slot is free."""
    if made.slot == FREE:
        return ok("There is a slot for it.")
    needed = "That needs the managed policy ViewerPolicyArn."
    return unknown("You have no permission to see whether a slot is free.", needed)
