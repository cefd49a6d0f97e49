"""Rules for AWS's reasons: why it could not start a task, or took it away.

https://docs.aws.amazon.com/AmazonECS/latest/developerguide/stopped-task-error-codes.html
"""

from deployer.domain.stop_rules import Rule

SECRET = r"secrets? from (?:asm|ssm)|fetch secret|secrets ?manager:|ssm:"  # noqa: S105 - a pattern
PULL = r"cannotpull|pull [\w ]*registry auth"
# A number by itself, not part of the hexadecimal digits of a digest.
GONE = r"not found|manifest unknown|unknown blob|blob unknown|\b404\b|does not exist"
DENIED = r"\b403\b|access ?denied|not authorized|kms"

RULES = (
    Rule(
        "failed: out of memory",
        "The app needs more than {memory} MiB. Request more with `LABEL portcall.memory=` in the "
        "Dockerfile. To change it for all apps, deploy Portcall with a larger TaskMemory.",
        reason=("outofmemory",),
    ),
    Rule(
        "failed to start: no permission to read a secret",
        "The stack's ExecutionRole has no permission to read or to decrypt the secret in the reason "
        "above. Allow both.",
        reason=(SECRET, DENIED),
        again=True,
    ),
    Rule(
        "failed to start: a secret is missing",
        "Check that a secret with exactly the name in the reason above exists in this region. Create "
        "it, or correct the name.",
        reason=(SECRET,),
        again=True,
    ),
    Rule(
        "failed to start: the image is too large",
        "A task has 20 GiB of disk, including its image. Make the image smaller: use a slimmer base "
        "image, several stages, a .dockerignore.",
        reason=("no space left on device",),
    ),
    Rule(
        "failed to start: no permission to pull the image",
        "The stack's ExecutionRole pulls images. *Detect drift* in the CloudFormation console shows "
        "whether it was changed. If the repository has its own policy, that policy must allow the "
        "role too.",
        reason=(PULL, DENIED),
        again=True,
    ),
    Rule(
        "failed to start: the image is gone",
        "The image, or one of its layers, is no longer in the repository; it may have been deleted after the "
        "push. Push it again. If the tag still points to it, a push starts no deployment; the command below "
        "does.",
        reason=("cannotpull", GONE),
        again=True,
        is_gone=True,
    ),
    Rule(
        "failed to start: the image could not be pulled",
        "If it happens again, Fargate cannot reach ECR: *Detect drift* in the CloudFormation console "
        "shows what was changed in Portcall's network.",
        reason=(PULL,),
        passing=True,
    ),
    Rule(
        "failed: AWS has no capacity",
        "Your account may have reached its Fargate vCPU quota: request more under Service Quotas. "
        "Otherwise AWS is temporarily short of capacity.",
        reason=("capacity is unavailable|insufficient capacity|limit on the number",),
        passing=True,
    ),
    Rule(
        "failed to start: AWS could not set it up",
        "Nothing is wrong with the image. If it happens again, *Detect drift* in the CloudFormation "
        "console shows what was changed in Portcall's network, roles or log group.",
        reason=("resourceinitialization|network interface provision|timeout waiting for|dockertimeouterror",),
        passing=True,
    ),
    Rule(
        "failed: AWS stopped the task",
        "Nothing is wrong with the image.",
        reason=("spot task was interrupted|scheduled for retirement|underlying infrastructure",),
        passing=True,
    ),
)
