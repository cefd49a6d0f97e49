"""Any content of a registry is an app, ignored, or refused with a clear message."""

import copy
import json
import math
from typing import Any

import pytest
from deployer.domain import fargate, image, ports
from deployer.domain.endpoint import NONE
from deployer.domain.errors import BadLabelError, UnsupportedImageError
from deployer.domain.failure import explain
from deployer.domain.image import Defaults, ImageSpec, Limits
from deployer.domain.mail import SUBJECT_LIMIT
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conftest import examples
from tests.images import AMD64, APPS, ARM64, ARTIFACTS, BUILDX, CONFIGURATION

DEFAULTS = Defaults(port=3000, cpu="256", memory="512", health="/", timeout=300)
LIMITS = Limits(max_cpu=2048, max_memory=8192)

# Half characters, control characters and what floats cannot be counted with: JSON can hold them all.
TEXT = st.text(st.characters(exclude_categories=()), max_size=50)
SCALARS = st.none() | st.booleans() | st.integers() | st.just(10**400) | st.floats() | TEXT
JSON = st.recursive(
    SCALARS, lambda each: st.lists(each, max_size=5) | st.dictionaries(TEXT, each, max_size=5), max_leaves=15
)
MEANINGFUL = st.sampled_from(
    ["3000/tcp", "53/udp", "CMD", "CMD-SHELL", "NONE", "curl http://localhost:3000/x", "linux", "windows", "arm64", "unknown",
     "application/vnd.oci.image.config.v1+json", "application/vnd.oci.image.index.v1+json", AMD64, "512", "1", "2G", "spot",
     "never", "/", "tcp"]
)  # fmt: skip
LABELS = st.dictionaries(
    st.sampled_from(["port", "cpu", "memory", "health", "timeout", "capacity", "expires", "env.A", "env.B"]).map("portcall.".__add__)
    | TEXT.map("portcall.".__add__)
    | TEXT,
    MEANINGFUL | TEXT | st.integers(0, 20000).map(str),
    max_size=4,
)  # fmt: skip


def places(document: Any) -> list[tuple[Any, Any]]:
    """(holder, key) of every value in it."""
    pairs = (
        document.items()
        if isinstance(document, dict)
        else enumerate(document)
        if isinstance(document, list)
        else ()
    )
    return [place for key, value in pairs for place in ((document, key), *places(value))]


@st.composite
def spoiled(draw: st.DrawFn, *samples: dict[str, Any]) -> dict[str, Any]:
    """A real sample in which a few values were replaced, or are gone."""
    document = copy.deepcopy(draw(st.sampled_from(samples)))
    for _ in range(draw(st.integers(1, 4))):
        here = places(document)
        if here:
            holder, key = draw(st.sampled_from(here))
            if draw(st.booleans()):
                holder[key] = draw(MEANINGFUL | JSON)
            else:
                del holder[key]
    return document


MANIFESTS = st.dictionaries(TEXT, JSON, max_size=5) | spoiled(*APPS.values(), *ARTIFACTS.values(), BUILDX)
CONFIGURATIONS = st.dictionaries(TEXT, JSON, max_size=5) | spoiled(CONFIGURATION)


def spec(configuration: dict[str, Any]) -> ImageSpec | None:
    try:
        found = image.spec(configuration, digests=[AMD64, ARM64], defaults=DEFAULTS, limits=LIMITS)
    except (UnsupportedImageError, BadLabelError) as error:
        speaks_to_people(error)
        return None
    can_run(found)
    return found


def speaks_to_people(error: Exception) -> None:
    """One printable line, and a mail whose subject is not cut off."""
    message = str(error)
    assert message.isprintable()
    assert 20 < len(message) < 400
    failure = explain(
        error=type(error).__name__,
        message=message,
        task=None,
        log=[],
        port=3000,
        memory="512",
        architecture="ARM64",
    )
    assert failure.reason == message
    assert "was refused" in failure.summary
    assert len(f"flask-app {failure.summary}") < SUBJECT_LIMIT


def can_run(found: ImageSpec) -> None:
    assert int(found.memory) in fargate.MEMORY[int(found.cpu)]
    assert int(found.cpu) <= LIMITS.max_cpu
    assert int(found.memory) <= LIMITS.max_memory
    assert found.architecture in ("X86_64", "ARM64")
    assert found.capacity in ("FARGATE", "FARGATE_SPOT")
    assert len(found.ports) <= ports.LIMIT
    assert bool(found.ports) == (found.health != NONE), "a worker has none, and nothing else"
    assert len(set(found.ports)) == len(found.ports) == len(found.named_by)
    assert all(0 < port < 65536 for port in found.ports)
    assert found.health in ("tcp", NONE) or found.health.startswith("/")
    assert 5 <= found.timeout <= 840
    assert found.expires is None or found.expires >= 0
    travelled = json.dumps(found.document(), allow_nan=False)
    assert len(travelled) < 64 * 1024
    assert ImageSpec.from_document(json.loads(travelled)) == found


@given(MANIFESTS)
@settings(max_examples=examples(150), deadline=None)
def test_any_manifest_is_an_app_or_none_or_refused(manifest):
    try:
        if image.is_index(manifest):
            chosen = image.choose(manifest, preferred="ARM64")
            assert chosen is None or chosen.startswith("sha256:")
        elif image.is_app(manifest):
            assert image.config_digest(manifest).startswith("sha256:")
    except UnsupportedImageError as error:
        speaks_to_people(error)


@given(CONFIGURATIONS)
@settings(max_examples=examples(150), deadline=None)
def test_any_configuration_can_run_or_is_refused(configuration):
    spec(configuration)


@given(LABELS)
@settings(max_examples=examples(150), deadline=None)
def test_any_labels_are_understood_or_refused(labels):
    spec({"config": {"Cmd": ["app"], "Labels": labels}})


@given(JSON | st.text(max_size=200))
@settings(max_examples=examples(100), deadline=None)
def test_any_text_is_an_object_or_refused(value):
    try:
        assert isinstance(image.parse(value if isinstance(value, str) else json.dumps(value)), dict)
    except UnsupportedImageError as error:
        speaks_to_people(error)


@pytest.mark.parametrize(
    "settings",
    [
        {"Labels": {f"label{n}": "x" for n in range(10_000)}},
        {"ExposedPorts": {f"{n}/udp": {} for n in range(65_536)} | {"80/tcp": {}}},
        {"Healthcheck": {"Test": ["CMD-SHELL", "localhost/" * 1_000_000]}},
        {
            "Healthcheck": {
                "Test": ["CMD", "true"],
                "Interval": math.nan,
                "Timeout": math.inf,
                "Retries": -(10**400),
            }
        },
    ],
)
def test_much_of_a_thing_is_not_trouble(settings):
    assert spec({"config": {"Cmd": ["app"], **settings}})


@pytest.mark.parametrize(
    "labels",
    [
        {f"portcall.{n}": "x" * 1000 for n in range(10_000)},
        {f"portcall.env.V{n}": "x" for n in range(10_000)},
        {"portcall.health": "/" + "\U0001f600" * 1_000_000},
        {"portcall.memory": "9" * 1_000_000},
        {"portcall." + "\u202e" * 1_000_000: ""},
    ],
)
def test_too_much_of_a_thing_is_refused(labels):
    assert spec({"config": {"Cmd": ["app"], "Labels": labels}}) is None
