"""The workflow's document: the event that starts it, and for each state a key with what that state returned.

A test holds it against `ResultPath`, `Parameters` and the choices of statemachine/deploy.asl.yaml, and each
handler against the type of its key. `at` is when a step ended, in UNIX seconds; `notes` are sentences for the
mail.
"""

from typing import TYPE_CHECKING, Any, Literal, NotRequired, Required, TypedDict

if TYPE_CHECKING:
    from mypy_boto3_ecs.type_defs import HealthCheckTypeDef

# ── What the workflow is started with: an event of ECR's, or what `Push.event` makes of a push, with a reason.

Detail = TypedDict(
    "Detail",
    {"action-type": str, "result": str, "repository-name": str, "image-tag": str, "image-digest": str},
    total=False,
)


class Restart(TypedDict):
    """What a restart runs again: a revision of a deployment, with its number. The document has its `image`."""

    deployment: str
    sequence: int
    revision: str
    reason: str
    # How often AWS refused to start it.
    refusals: int
    # Somebody asked for it: the task before runs until the new one answers.
    asked: NotRequired[bool]


class Retry(TypedDict):
    """A further attempt: of which deployment, the how-manieth, and why the one before failed."""

    of: str
    attempt: int
    reason: NotRequired[str]


class Found(TypedDict):
    """When a tag was seen to point to the push."""

    at: int


class Start(TypedDict, total=False):
    """The input of an execution."""

    id: Required[str]
    time: Required[str]
    detail: Required[Detail]
    # The app, where no event of ECR's starts the workflow.
    app: str
    restart: Restart
    retry: Retry
    # What the ledger has of the request for a deployment: `action`, `by`, `reason`, `at` and more.
    asked: dict[str, Any]
    found: Found


# ── What each state returns


class Admitted(TypedDict):
    """`sequence` is the number of the push."""

    result: Literal["admitted", "duplicate", "same image", "superseded", "held"]
    sequence: int
    at: NotRequired[float]


class Admission(Admitted):
    """The app is named here, once for all steps."""

    app: str


class Image(TypedDict, total=False):
    """The fields of ImageSpec, where it is an app; `gated` says that CheckFindings comes next."""

    result: Literal["app", "ignored"]
    reason: str
    gated: bool
    at: float
    digests: list[str]
    architecture: Literal["X86_64", "ARM64"]
    ports: list[int]
    cpu: str
    memory: str
    health: str
    timeout: int
    environment: dict[str, str]
    capacity: str
    container_health: "HealthCheckTypeDef | None"
    expires: int | None
    named_by: list[str]


class Findings(TypedDict):
    """A note says that the image was deployed without a scan."""

    notes: list[str]
    at: float


class Ended(TypedDict):
    """When a step without any other result ended."""

    at: float


class TaskDefinition(TypedDict):
    """`arn` is the revision's."""

    result: Literal["registered", "superseded"]
    arn: NotRequired[str]
    at: NotRequired[float]


class StartedTask(TypedDict):
    """`arn` is the task's, `securityGroup` the id of the group that it is in."""

    arn: str
    securityGroup: str
    notes: list[str]
    at: float


class Running(TypedDict):
    """The task's network interface, and the digest that ECS says it runs, '' if it does not say."""

    interface: str
    digest: str
    at: float


class Endpoint(TypedDict):
    """The task's two IP addresses."""

    public: str
    private: str
    at: float


class Health(TypedDict):
    """Where the app answered, and with which status, None over TCP; or what was `seen` instead.

    A worker has '' for a URL, and no port. `also` has the port that a redirect of the app leads to.
    """

    result: Literal["answered", "no answer yet"]
    seen: NotRequired[str]
    url: NotRequired[str]
    port: NotRequired[int | None]
    also: NotRequired[list[int]]
    status: NotRequired[int | None]
    notes: NotRequired[list[str]]
    at: NotRequired[float]


class Log(TypedDict):
    """How many lines of the app's log were read."""

    lines: int


class Switch(TypedDict):
    """`url` is the one in the mail, `previous` the digest that served before, or ''.

    `takesOver` says that the stable URL pointed to another version until now.
    """

    result: Literal["current", "moved", "superseded", "held"]
    takesOver: bool
    url: str
    previous: str
    notes: list[str]


class StableUrlCheck(TypedDict):
    """The status with which the app answered at its stable URL."""

    status: int | None
    at: float


class Stopped(TypedDict):
    """What the mail is to say of the previous version's tasks."""

    notes: list[str]


class Recorded(TypedDict):
    """`retried` is a push that the sweep deploys, since nothing holds it any more."""

    result: Literal["recorded", "retried"]
    at: float


class Outcome(TypedDict):
    """The error and the cause of the failed execution."""

    error: str
    reason: str


class Caught(TypedDict, total=False):
    """What a Catch leaves: the error's name, and its message or a JSON with that."""

    Error: str
    Cause: str


class Document(Start, total=False):
    """What a state gets, and what RollBack reads, however far the workflow came."""

    admission: Admission
    # Of a restart, it is there from the start.
    image: Image
    findings: Findings
    ignored: Ended
    taskDefinition: TaskDefinition
    task: StartedTask
    running: Running
    endpoint: Endpoint
    health: Health
    log: Log
    switch: Switch
    stableUrl: StableUrlCheck
    stopped: Stopped
    notification: Ended
    recorded: Recorded
    error: Caught
    outcome: Outcome
    rollBackError: Caught


# ── What states get that are not given the document itself


class Execution(TypedDict):
    """AdmitPush: which execution it is, and the document."""

    execution: str
    push: Document


class Attempt(TypedDict):
    """RunTask, PublishUrl: how many times the state was tried before, and the document."""

    attempt: int
    deployment: Document


class Waiting(Attempt):
    """WaitForRunning: what wakes the state, too."""

    token: str
