"""The image decides how it runs; for what it does not set, the install's defaults apply."""

import copy
import dataclasses
import json

import pytest
from deployer.domain import image
from deployer.domain import ports as candidate_ports
from deployer.domain.errors import BadLabelError, UnsupportedImageError
from deployer.domain.image import Defaults, ImageSpec, Limits

from tests.images import AMD64, ARM64, CONFIGURATION

DEFAULTS = Defaults(port=3000, cpu="256", memory="512", health="/", timeout=300)
LIMITS = Limits(max_cpu=4096, max_memory=8192)


def spec(platform=None, **settings) -> ImageSpec:
    """Of an image that says only this, and how it is started."""
    config = {
        "architecture": "amd64",
        "os": "linux",
        **(platform or {}),
        "config": {"Cmd": ["app"], **settings},
    }
    return image.spec(config, digests=[AMD64], defaults=DEFAULTS, limits=LIMITS)


def exposing(*ports: str, **settings) -> list[int]:
    return spec(ExposedPorts={port: {} for port in ports}, **settings).ports


def checking(address: str) -> dict[str, object]:
    return {"Test": ["CMD-SHELL", f"curl -f {address} || exit 1"]}


def test_an_image_says_it_all():
    found = image.spec(CONFIGURATION, digests=[ARM64, AMD64, ARM64], defaults=DEFAULTS, limits=LIMITS)
    assert found == ImageSpec(
        digests=[ARM64, AMD64],
        architecture="X86_64",
        ports=[3000],
        cpu="256",
        memory="1024",
        health="/healthz",
        timeout=300,
        environment={"GREETING": "Hello, World"},
        capacity="FARGATE",
        container_health={
            "command": ["CMD-SHELL", "curl -f http://localhost:3000/healthz || exit 1"],
            "interval": 10,
            "timeout": 2,
            "retries": 5,
            "startPeriod": 5,
        },
        expires=None,
        named_by=["HEALTHCHECK"],
    )


def test_an_image_that_says_nothing_gets_the_defaults():
    found = spec()
    assert (found.ports, found.cpu, found.memory) == ([3000], "256", "512")
    assert (found.health, found.timeout, found.capacity) == ("/", 300, "FARGATE")
    assert (found.environment, found.container_health, found.expires) == ({}, None, None)


def test_labels_win_over_all_else():
    labels = {
        "portcall.port": "9000", "portcall.cpu": "1024", "portcall.memory": "4096", "portcall.health": "tcp",
        "portcall.timeout": "60", "portcall.capacity": "spot", "portcall.expires": "never", "portcall.env.A": "b",
    }  # fmt: skip
    health = checking("http://localhost:3000/healthz")
    found = spec(Labels=labels, ExposedPorts={"3000/tcp": {}, "53/udp": {}}, Healthcheck=health)
    assert (found.ports, found.cpu, found.memory) == ([9000], "1024", "4096")
    assert (found.health, found.timeout, found.capacity) == ("tcp", 60, "FARGATE_SPOT")
    assert (found.environment, found.expires) == ({"A": "b"}, 0)


@pytest.mark.parametrize(
    ("platform", "architecture"),
    [
        ({"architecture": "x86_64"}, "X86_64"),
        ({"architecture": "arm64", "variant": "v8"}, "ARM64"),
        ({"architecture": "aarch64"}, "ARM64"),
        ({"architecture": "arm64", "os": ""}, "ARM64"),
        ({"architecture": "", "os": None}, "X86_64"),
        ({"architecture": 5, "os": ["windows"]}, "X86_64"),
    ],
)
def test_the_cpu_is_the_one_that_the_image_was_built_for(platform, architecture):
    assert spec(platform).architecture == architecture


@pytest.mark.parametrize(
    "platform",
    [
        {"os": "windows"}, {"os": "windows", "architecture": ""}, {"architecture": "386"}, {"architecture": "s390x"},
        {"architecture": "arm", "variant": "v7"}, {"architecture": "riscv64"}, {"architecture": "amd64", "variant": "v3"},
        {"os": "wasi", "architecture": "wasm"}, {"os": "unknown", "architecture": "unknown"},
    ],
)  # fmt: skip
def test_an_image_for_another_platform_is_refused_with_what_to_do(platform):
    with pytest.raises(UnsupportedImageError, match="docker build --platform linux/amd64"):
        spec(platform)


@pytest.mark.parametrize(
    "start", [{"Entrypoint": ["/app"]}, {"Cmd": ["app"]}, {"Entrypoint": [], "Cmd": ["", "app"]}]
)
def test_an_entry_point_or_a_command_starts_it(start):
    assert spec(**{"Entrypoint": None, "Cmd": None, **start})


@pytest.mark.parametrize(
    "start", [{"Cmd": None}, {"Cmd": []}, {"Cmd": [""], "Entrypoint": [" "]}, {"Cmd": "app"}, {"Cmd": [1]}]
)
def test_an_image_that_nothing_starts_is_refused(start):
    with pytest.raises(UnsupportedImageError, match=r"no start command\. Add a CMD"):
        spec(**start)


@pytest.mark.parametrize("config", [{}, {"config": None}, {"config": []}])
def test_an_image_without_settings_is_refused(config):
    with pytest.raises(UnsupportedImageError, match="no start command"):
        image.spec(config, digests=[], defaults=DEFAULTS, limits=LIMITS)


def test_the_exposed_port_is_the_port():
    assert exposing("8080/tcp") == [8080]
    assert exposing("8080") == [8080]
    assert exposing("53/udp", "8080/TCP") == [8080]


def test_several_exposed_ports_are_candidates_in_ascending_order():
    assert exposing("9090/tcp", "443/tcp", "8080/tcp", "8080/udp") == [443, 8080, 9090]


def test_the_health_check_names_which_of_the_exposed_ports_it_is():
    assert exposing("9090/tcp", "8080/tcp", Healthcheck=checking("http://localhost:8080/")) == [8080]
    assert exposing("9090/tcp", "8080/tcp", Healthcheck=checking("http://localhost:7070/")) == [
        7070,
        8080,
        9090,
    ]
    assert exposing("9090/tcp", "8080/tcp", Healthcheck=checking("http://localhost:$PORT/")) == [8080, 9090]
    assert exposing("80/tcp", "8080/tcp", Healthcheck=checking("http://localhost/")) == [80]


def test_the_health_check_names_the_port_where_nothing_else_does():
    assert spec(Healthcheck=checking("http://localhost:8080/")).ports == [8080]


def test_the_health_check_names_the_path():
    assert spec(Healthcheck=checking("http://localhost:3000/up")).health == "/up"
    assert spec(Healthcheck=checking("http://localhost:$PORT/up")).health == "/up"


def test_a_health_check_of_another_port_names_no_path():
    health = checking("http://localhost:9090/metrics")
    assert spec(ExposedPorts={"8080/tcp": {}}, Healthcheck=health).health == "/"
    assert spec(Labels={"portcall.port": "8080"}, Healthcheck=health).health == "/"


@pytest.mark.parametrize(
    "ports", [{}, None, [], "80", {"0/tcp": {}, "65536": {}, "٣": {}, "80/": {}, "/tcp": {}, "5-1": {}, "": {}}]
)
def test_an_image_without_valid_exposed_ports_gets_the_default_port(ports):
    assert spec(ExposedPorts=ports).ports == [3000]


def test_an_image_that_exposes_no_tcp_port_is_refused_unless_a_label_names_one():
    with pytest.raises(UnsupportedImageError, match=r"LABEL portcall\.port"):
        exposing("53/udp")
    assert exposing("53/udp", Labels={"portcall.port": "8080"}) == [8080]


def test_too_many_ports_are_refused_unless_a_label_names_one():
    many = [f"{port}/tcp" for port in range(1, candidate_ports.LIMIT + 2)]
    assert len(exposing(*many[:-1])) == candidate_ports.LIMIT
    with pytest.raises(UnsupportedImageError, match=r"21 TCP ports.*LABEL portcall\.port"):
        exposing(*many)
    assert exposing(*many, Labels={"portcall.port": "7"}) == [7]


def test_a_size_above_the_limit_names_the_parameter():
    with pytest.raises(BadLabelError, match="MaxCpu"):
        spec(Labels={"portcall.cpu": "8192"})
    with pytest.raises(BadLabelError, match="MaxMemory"):
        spec(Labels={"portcall.memory": "16G"})


def test_a_spec_travels_as_json():
    found = spec(Labels={"portcall.env.A": "ä\n"}, Healthcheck=checking("http://localhost/"))
    assert ImageSpec.from_document(json.loads(json.dumps(found.document()))) == found
    assert found.document().keys() == {field.name for field in dataclasses.fields(ImageSpec)}


def test_the_configuration_is_left_as_it_was():
    before = copy.deepcopy(CONFIGURATION)
    image.spec(CONFIGURATION, digests=[AMD64], defaults=DEFAULTS, limits=LIMITS)
    assert before == CONFIGURATION
