"""Fake credentials for everything, so that a forgotten mock fails instead of deploying."""

import contextlib
import fcntl
import gc
import json
import os
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from deployer.aws import ledger
from hypothesis import settings
from moto import mock_aws

from localcloud import stack
from localcloud.cloud import python_for_functions
from localcloud.machine.docker_engine import ensure_engine, stop_engine
from localcloud.settings import CloudSettings
from portcall.installer.packaged import Packaged
from tests import installing
from tests.explorer.dynamodb import Table
from tests.ledger_in_memory import in_memory

# The same examples in every CI run; on a developer's machine they are random.
# How long one of them takes depends on the machine, so it has no deadline.
settings.register_profile("ci", derandomize=True, deadline=None)
settings.register_profile("here", deadline=None)
settings.load_profile("ci" if os.environ.get("CI") else "here")
# `make unit` plays only a part of the tests with thousands of examples.
QUICK = "PORTCALL_QUICK" in os.environ
# `python -m bench.properties` multiplies the examples by this number.
TIMES = 0.25 if QUICK else int(os.environ.get("PORTCALL_EXAMPLES_TIMES", "1"))
if TIMES > 1:
    settings.register_profile("long", max_examples=int(100 * TIMES), deadline=None)
    settings.load_profile("long")

StateFolder = Callable[[str], Path]
EVENTS = Path(__file__).parent / "events"


def apps_with_slots() -> set[str]:
    """The apps that have a slot in any set."""
    return {app for apps in ledger.taken_slots().values() for app in apps}


def examples(number: int) -> int:
    """The number of Hypothesis examples for a test that is too slow for the usual hundred, or fast enough for
    more.
    """
    return max(1, int(number * TIMES))


FUNCTION_ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_SESSION_TOKEN": "testing",
    "AWS_DEFAULT_REGION": "eu-west-1",
    "AWS_REGION": "eu-west-1",
    "POWERTOOLS_SERVICE_NAME": "portcall",
    "POWERTOOLS_METRICS_NAMESPACE": "Portcall",
    "STACK": "portcall",
    "REGISTRY": "111122223333.dkr.ecr.eu-west-1.amazonaws.com",
    "CLUSTER_ARN": "arn:aws:ecs:eu-west-1:111122223333:cluster/portcall",
    "SUBNET_IDS": "subnet-0a1b2c3d,subnet-4e5f6071",
    "VPC_ID": "vpc-0a1b2c3d",
    "PROBE_GROUP_ID": "",
    "ALLOWED_CIDR": "0.0.0.0/0",
    "EXECUTION_ROLE_ARN": "arn:aws:iam::111122223333:role/execution",
    "APP_LOG_GROUP": "apps",
    "TOPIC_ARN": "arn:aws:sns:eu-west-1:111122223333:portcall",
    "LEDGER_TABLE": "ledger",
    "CONTAINER_PORT": "3000",
    "ENVIRONMENTS": "repository",
    "LASTING_TAGS": "latest",
    "PREVIEW_HOURS": "24",
    "MAX_PREVIEW_HOURS": "168",
    "MAX_PREVIEWS": "3",
    "MAX_PREVIEWS_PER_REPOSITORY": "3",
    "MAX_APPS": "100",
    "STABLE_URL": "off",
    "OPERATE_FUNCTION": "portcall-operate-1a2b3c4d",
    "DASHBOARD_URL": "",
}

# For ReadImage.
READ_ENVIRONMENT = {
    "TASK_CPU": "256",
    "TASK_MEMORY": "512",
    "MAX_CPU": "1024",
    "MAX_MEMORY": "4096",
    "CPU_ARCHITECTURE": "X86_64",
    "CAPACITY_PROVIDER": "FARGATE",
    "HEALTH_PATH": "/",
    "HEALTH_TIMEOUT": "2",
    "BLOCK_ON_FINDINGS": "none",
}

# For CheckFindings, which also has BLOCK_ON_FINDINGS.
GATE_ENVIRONMENT = {"WHEN_NOT_SCANNED": "refuse"}

# For RegisterTaskDefinition.
REGISTER_ENVIRONMENT = {"PREVIEW_SECRETS": "own"}

# For the functions outside the workflow.
WATCH_ENVIRONMENT = {
    "STATE_MACHINE_ARN": "arn:aws:states:eu-west-1:111122223333:stateMachine:deploy",
    "REPOSITORY_PATTERNS": "flask-app,*",
    "TAG_PATTERNS": "*",
}

# Where clouds write the calls that IAM allowed; each test process has its own folder.
DECISIONS = Path()
if "PORTCALL_IAM_DECISIONS" in os.environ:
    DECISIONS = Path(os.environ["PORTCALL_IAM_DECISIONS"]) / os.environ.get("PYTEST_XDIST_WORKER", "main")
    DECISIONS.mkdir(parents=True, exist_ok=True)
    os.environ["PORTCALL_IAM_DECISIONS"] = str(DECISIONS.resolve())

# At import time, because Powertools reads these variables when the steps are imported.
for name in [name for name in os.environ if name.startswith(("AWS_", "POWERTOOLS_"))]:
    del os.environ[name]
os.environ.update(FUNCTION_ENVIRONMENT | READ_ENVIRONMENT | GATE_ENVIRONMENT | REGISTER_ENVIRONMENT)
os.environ.update(WATCH_ENVIRONMENT)


# The garbage collector went through all modules again and again: a tenth of what `make unit` took.
gc.set_threshold(50_000, 20, 20)


def pytest_collection_finish() -> None:
    gc.collect()
    gc.freeze()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """What a test that has passed has printed need not go to the process that reports, which shows none of it."""
    report = yield
    if report.passed and "PYTEST_XDIST_WORKER" in os.environ:
        report.sections = []
    return report


@pytest.hookimpl(trylast=True)
def pytest_unconfigure() -> None:
    """pytest has just collected garbage; the next passes, its own and Python's, would find nothing in seconds."""
    gc.freeze()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The files that take longest begin first, so that no worker has one left at the end."""

    def seconds(item: pytest.Item) -> int:
        marker = item.get_closest_marker("long")
        return int(marker.args[0]) if marker else 0

    items.sort(key=seconds, reverse=True)


@pytest.fixture(scope="session")
def shared_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that all processes of this test run share."""
    own = tmp_path_factory.getbasetemp()
    return own.parent if "PYTEST_XDIST_WORKER" in os.environ else own


@contextlib.contextmanager
def one_at_a_time(folder: Path, what: str) -> Iterator[None]:
    """A lock for all processes of this test run."""
    with (folder / f"{what}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@pytest.fixture(scope="session")
def engine(shared_folder: Path) -> Iterator[None]:
    """A Docker engine, installed and started if needed. It runs longer than the clouds, to see what they
    leave.

    The processes of a test run share it; the last one stops it.
    """
    folder = shared_folder / "engine"
    folder.mkdir(exist_ok=True)
    user = folder / f"{os.getpid()}.user"
    with one_at_a_time(shared_folder, "engine"):
        ensure_engine(folder, print)
        user.touch()
    yield
    with one_at_a_time(shared_folder, "engine"):
        user.unlink()
        if not list(folder.glob("*.user")):
            stop_engine(folder, print)


@pytest.fixture(scope="session")
def built(shared_folder: Path) -> Path:
    """The template that `sam build` writes, beside what it built; the processes of a test run share it."""
    settings = CloudSettings(state_dir=shared_folder / "built")
    with one_at_a_time(shared_folder, "built"):
        finished = settings.state_dir / "build.finished"
        if not finished.exists():
            finished.write_text(str(stack.build(settings, print)))
        return Path(finished.read_text())


@pytest.fixture(scope="session")
def release(built: Path, shared_folder: Path) -> Packaged:
    """The stack as a release carries it."""
    folder = shared_folder / "release"
    with one_at_a_time(shared_folder, "release"):
        return installing.package(built, folder)


@pytest.fixture(scope="session")
def state_folder(shared_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> StateFolder:
    """A function that makes the state folder of a cloud, with the Python for the functions, which the whole test
    run shares: to make it takes six seconds of CPU, and there is nothing in it that slows the functions down.
    """
    shared = CloudSettings(state_dir=shared_folder / "python")

    def made(name: str) -> Path:
        folder = tmp_path_factory.mktemp(name)
        with one_at_a_time(shared_folder, "python"):
            python = python_for_functions(shared, print).parents[1]
        (folder / python.name).symlink_to(python)
        return folder

    return made


@pytest.fixture(autouse=True)
def _name_the_test(request: pytest.FixtureRequest) -> None:
    if DECISIONS.name:
        (DECISIONS / "test").write_text(request.node.nodeid)
        # bench.permissions checks with this whether all tests have run.
        with (DECISIONS / "ran").open("a") as file:
            file.write(f"{request.node.nodeid}\n")


@pytest.fixture(autouse=True)
def _nothing_is_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reset what a test of the command line chooses (session, table), and the cached settings."""
    from deployer import settings
    from deployer.aws import client, table

    monkeypatch.setattr(client, "_given", None)
    monkeypatch.setattr(table, "_given", "")
    for read in vars(settings).values():
        if hasattr(read, "cache_clear"):
            read.cache_clear()


@pytest.fixture
def event() -> Callable[[str], dict[str, Any]]:
    """Read a sample of an AWS event by its file's name, e.g. `event("ecr-push-tagged")`."""
    return lambda name: json.loads((EVENTS / f"{name}.json").read_text())


class LambdaContext:
    """The fields of the context that Powertools reads."""

    function_name = function_arn = invoked_function_arn = aws_request_id = "test"
    memory_limit_in_mb = 128


@pytest.fixture(scope="module")
def _dynamodb() -> Iterator[Any]:
    """moto needs a third of a second to start, so it stays for all tests of a file."""
    from deployer.aws.client import _client

    with mock_aws():
        _client.cache_clear()
        yield boto3.client("dynamodb")
    _client.cache_clear()


@pytest.fixture
def ledger_table(_dynamodb: Any) -> Callable[[], None]:
    """An empty ledger in moto's DynamoDB; call it for another one."""

    def empty() -> None:
        if _dynamodb.list_tables()["TableNames"]:
            _dynamodb.delete_table(TableName="ledger")
        _dynamodb.create_table(
            TableName="ledger",
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[
                {"AttributeName": name, "AttributeType": "S"} for name in ("pk", "sk", "listed")
            ],
            KeySchema=[
                {"AttributeName": "pk", "KeyType": "HASH"},
                {"AttributeName": "sk", "KeyType": "RANGE"},
            ],
            GlobalSecondaryIndexes=[
                {
                    "IndexName": "listing",
                    "KeySchema": [
                        {"AttributeName": "listed", "KeyType": "HASH"},
                        {"AttributeName": "sk", "KeyType": "RANGE"},
                    ],
                    "Projection": {"ProjectionType": "ALL"},
                }
            ],
        )

    empty()
    return empty


@pytest.fixture(scope="module")
def _table() -> Iterator[Table]:
    from deployer.aws import client

    client._client.cache_clear()
    with in_memory(client._session().events) as table:
        yield table
    client._client.cache_clear()


@pytest.fixture
def ledger_in_memory(_table: Table) -> Table:
    """An empty ledger for tests that are not about DynamoDB itself: a tenth of moto's time."""
    _table.items.clear()
    return _table


@pytest.fixture
def push(event: Callable[[str], dict[str, Any]]) -> Callable[[int], dict[str, Any]]:
    """`push(n)` is the n-th push of the app, each with an id and a digest of its own."""

    def nth(number: int) -> dict[str, Any]:
        document = event("ecr-push-tagged")
        document["id"] = f"push-{number}"
        document["time"] = f"2026-11-20T09:15:{number:02}Z"
        document["detail"]["image-digest"] = f"sha256:{number:064x}"
        return document

    return nth
