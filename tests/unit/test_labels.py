"""Labels are read, and errors name the possible values."""

import pytest
from deployer.domain import labels
from deployer.domain.errors import BadLabelError
from deployer.domain.labels import Labels


def refused(label: str, value: object) -> str:
    with pytest.raises(BadLabelError) as error:
        labels.read({label: value})
    return str(error.value)


def test_other_peoples_labels_are_theirs():
    others = {
        "maintainer": "x",
        "org.opencontainers.image.title": None,
        "portcall": "y",
        "com.portcall.port": "z",
    }
    assert labels.read(others) == Labels()


@pytest.mark.parametrize("none", [None, [], "portcall.port", 5, {}])
def test_no_labels_say_nothing(none):
    assert labels.read(none) == Labels()


@pytest.mark.parametrize(
    ("name", "value", "meaning"),
    [
        ("port", "8080", 8080), ("port", " 1 ", 1), ("port", "65535", 65535),
        ("cpu", "256", 256), ("cpu", "16384", 16384), ("cpu", "0.25", 256), ("cpu", ".5 vCPU", 512),
        ("cpu", "1", 1024), ("cpu", "2 vcpu", 2048), ("cpu", "16", 16384), ("cpu", "4vCPUs", 4096),
        ("memory", "512", 512), ("memory", "512M", 512), ("memory", "512MB", 512), ("memory", "512 MiB", 512),
        ("memory", "1G", 1024), ("memory", "1GB", 1024), ("memory", "2Gi", 2048), ("memory", "0.5gb", 512),
        ("health", "/healthz", "/healthz"), ("health", "/", "/"), ("health", "/a?b=c", "/a?b=c"), ("health", "TCP", "tcp"), ("health", "None", "none"),
        ("timeout", "5", 5), ("timeout", "840", 840),
        ("capacity", "FARGATE", "FARGATE"), ("capacity", "on-demand", "FARGATE"), ("capacity", "On_Demand", "FARGATE"),
        ("capacity", "FARGATE_SPOT", "FARGATE_SPOT"), ("capacity", "Spot", "FARGATE_SPOT"),
        ("expires", "90m", 5400), ("expires", "12H", 43200), ("expires", "2d", 172800), ("expires", "1w", 604800),
        ("expires", "never", 0),
    ],
)  # fmt: skip
def test_a_label_is_read(name, value, meaning):
    assert labels.read({f"portcall.{name}": value}) == Labels(**{name: meaning})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("port", ""), ("port", "0"), ("port", "65536"), ("port", "8O80"), ("port", "-1"), ("port", "3000/tcp"), ("port", "٣"),
        ("cpu", "300"), ("cpu", "0"), ("cpu", "256 vCPU"), ("cpu", "0.3"), ("cpu", "."), ("cpu", "32"), ("cpu", "1e3"),
        ("memory", "0"), ("memory", "1T"), ("memory", "0.3G"), ("memory", "-512"), ("memory", "9" * 5000), ("memory", "½G"),
        ("health", "healthz"), ("health", "http://x/"), ("health", "/a b"), ("health", "/ä"), ("health", "/" + "a" * 2000),
        ("timeout", "4"), ("timeout", "841"), ("timeout", "1m"),
        ("capacity", "ec2"), ("capacity", ""),
        ("expires", "0m"), ("expires", "soon"), ("expires", "3"), ("expires", "99999w"), ("expires", "1.5d"),
    ],
)  # fmt: skip
def test_an_impossible_value_is_reported_with_what_is_possible(name, value):
    message = refused(f"portcall.{name}", value)
    assert f"The label portcall.{name} is " in message
    assert labels.READERS[name][1] in message


def test_a_label_is_text():
    assert "portcall.port must be a string" in refused("portcall.port", 3000)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("prot", "portcall.port"), ("PORT", "portcall.port"), ("mem", "portcall.memory"), ("cpus", "portcall.cpu"),
        ("healthcheck", "portcall.health"), ("time-out", "portcall.timeout"), ("expire", "portcall.expires"),
    ],
)  # fmt: skip
def test_a_near_miss_is_understood(written, meant):
    assert f"(did you mean {meant}?)" in refused(f"portcall.{written}", "1")


def test_an_unknown_label_is_reported_with_all_that_are_known():
    message = refused("portcall.replicas", "3")
    assert "portcall.replicas is unknown" in message
    assert all(f"portcall.{name}" in message for name in labels.READERS)
    assert "did you mean" not in message


def test_a_near_miss_of_a_value_is_understood():
    assert "'sport' (did you mean spot?)" in refused("portcall.capacity", "sport")


def test_environment_variables_are_taken_as_they_are():
    said = {"portcall.env.GREETING": " Hello,\n World ", "portcall.env._a1": "", "portcall.port": "80"}
    assert labels.read(said).environment == {"GREETING": " Hello,\n World ", "_a1": ""}


@pytest.mark.parametrize("name", ["env", "env.", "env.1A", "env.A-B", "env.A B", "env.Ä", "env.A=B", "env.A\n"])
def test_a_variable_has_a_name(name):
    assert "must be portcall.env. followed by the name of an environment variable" in refused(
        f"portcall.{name}", "secret"
    )


@pytest.mark.parametrize("value", ["secret\0", "secret\ud800"])
def test_a_variable_holds_what_a_process_can_hold(value):
    assert "portcall.env.A" in refused("portcall.env.A", value)


@pytest.mark.parametrize(
    "label", ["portcall.env.A", "portcall.env.1", "portcall.enviroment.A", "portcall.evn.A", "portcall.ENV.A"]
)
def test_the_value_of_a_variable_is_never_reported(label):
    assert "secret" not in refused(label, "secret\0")


def test_all_variables_together_leave_room_in_the_task_definition():
    at_most = {f"portcall.env.V{n}": "x" * 1000 for n in range(32)}
    assert len(labels.read(at_most).environment) == 32
    with pytest.raises(BadLabelError, match="the limit is 32768"):
        labels.read(at_most | {"portcall.env.ONE_MORE": "ä" * 200})


def test_a_refused_label_is_quoted_short_and_printable():
    message = refused("portcall.\u202eport\n" + "x" * 5000, "1")
    assert "'portcall.?port?xxx" in message
    assert len(refused("portcall.port", "9\r\n" * 5000)) < 120
