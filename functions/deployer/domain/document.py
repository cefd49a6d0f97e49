"""The workflow's document: the event that starts it, and a key for each state with what that state returned.

A test compares it with `ResultPath` and `Parameters` of statemachine/deploy.asl.yaml, and each handler with the
type of its key. `at` is when a step ended, in UNIX seconds; `notes` are sentences for the mail. Most values of
`result` are only for executions that began before an update, whose older definition compares them.
"""

from typing import TYPE_CHECKING, Any, Literal, NotRequired, Required, TypedDict

if TYPE_CHECKING:
    from mypy_boto3_ecs.type_defs import HealthCheckTypeDef

# ── The input of the workflow: ECR's event, or what `Push.event` builds for a push, with one of these keys.

Detail = TypedDict(
    "Detail",
    {"action-type": str, "result": str, "repository-name": str, "image-tag": str, "image-digest": str},
    total=False,
)


class Restart(TypedDict):
    """The deployment that a restart runs again, with its revision and number. The document has its `image`."""

    deployment: str
    sequence: int
    revision: str
    reason: str
    # How often AWS refused to start it.
    refusals: int
    # An operator asked for it: the old task runs until the new one answers.
    asked: NotRequired[bool]


class Retry(TypedDict):
    """A retry: of which deployment, the number of the attempt, and why the one before failed."""

    of: str
    attempt: int
    reason: NotRequired[str]


class Found(TypedDict):
    """When the sweep saw the tag point to this push."""

    at: int


class Start(TypedDict, total=False):
    """The input of an execution."""

    id: Required[str]
    time: Required[str]
    detail: Required[Detail]
    # The app, if the workflow was not started by ECR's event.
    app: str
    restart: Restart
    retry: Retry
    # The operator's request, as the ledger has it: `action`, `by`, `reason`, `at` and more.
    asked: dict[str, Any]
    found: Found


# ── The result of each state


class Admission(TypedDict):
    """`sequence` is the push's sequence number; `app` names the app for all later steps."""

    result: Literal["admitted"]
    sequence: int
    app: str
    at: float


class Image(TypedDict, total=False):
    """The fields of ImageSpec; `gated` says that CheckFindings comes before RegisterTaskDefinition."""

    result: Literal["app"]
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
    size: int
    packing: Literal["gzip", "zstd", "soci"]


class Findings(TypedDict):
    """If the image is deployed without a scan, a note says so."""

    notes: list[str]
    at: float


class Ended(TypedDict):
    """When a step ended that has no other result."""

    at: float


class TaskDefinition(TypedDict):
    """`arn` is the revision's."""

    result: Literal["registered"]
    arn: str
    at: float


class StartedTask(TypedDict):
    """`arn` is the task's, `securityGroup` the id of its group."""

    arn: str
    securityGroup: str
    notes: list[str]
    at: float


class Running(TypedDict):
    """The task's network interface, and the digest that ECS reports for it, '' if ECS reports none.

    The times are ECS's, if it reports them.
    """

    interface: str
    digest: str
    pullStartedAt: NotRequired[float]
    pullStoppedAt: NotRequired[float]
    at: float


class Endpoint(TypedDict):
    """The task's two IP addresses."""

    public: str
    private: str
    at: float


class Health(TypedDict):
    """Where the app answered, and with which status (None for TCP).

    A worker has the URL '' and no port. `also` has the port that a redirect of the app points to.
    """

    result: Literal["answered"]
    url: str
    port: int | None
    also: list[int]
    status: int | None
    notes: list[str]
    at: float


class Log(TypedDict):
    """How many lines of the app's log were read."""

    lines: int


class Switch(TypedDict):
    """What SwitchOver did.

    `result`: `moved` if API Gateway is about to point the stable URL to the new version, else `current`.
    `takesOver`: an earlier task existed and is replaced. `url`: the one in the mail. `previous`: the digest
    that was current before, or ''.
    """

    result: Literal["current", "moved"]
    takesOver: bool
    url: str
    previous: str
    notes: list[str]


class StableUrlCheck(TypedDict):
    """The HTTP status of the app's answer at its stable URL."""

    status: int | None
    at: float


class Stopped(TypedDict):
    """Notes for the mail about the previous version's tasks."""

    notes: list[str]


class Recorded(TypedDict):
    """`retried` means that nothing holds the push any more, so the sweep deploys it."""

    result: Literal["recorded", "retried"]
    at: float


class Outcome(TypedDict):
    """The error and the cause of the failed execution."""

    error: str
    reason: str


class Caught(TypedDict, total=False):
    """What a Catch stores: the error's name, and its message or a JSON text that contains it."""

    Error: str
    Cause: str


class Document(Start, total=False):
    """The document that states get. RollBack may get it with only the first keys."""

    admission: Admission
    # A restart's input already has it.
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
    # The last BranchError.
    branch: Caught
    error: Caught
    outcome: Outcome
    rollBackError: Caught


# ── The input of states that do not get the document itself


class Execution(TypedDict):
    """AdmitPush: the execution's ARN, and the document."""

    execution: str
    push: Document


class Attempt(TypedDict):
    """RunTask, PublishUrl: how often the state was tried before, and the document."""

    attempt: int
    deployment: Document


class Waiting(Attempt):
    """WaitForRunning: also the task token that wakes the state."""

    token: str
