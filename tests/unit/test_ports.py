"""The ports on which an app may answer, the likeliest first."""

import pytest
from deployer.domain.errors import UnsupportedImageError
from deployer.domain.ports import LIMIT, Candidate, candidates, note


def of(*exposed: str, label=None, asked=None, env=()) -> list[tuple[int, str]]:
    found = candidates(
        label=label, exposed={each: {} for each in exposed}, asked=asked, environment=list(env), default=3000
    )
    return [(each.port, each.named_by) for each in found]


def test_a_label_is_certain():
    assert of("80", label=9000, asked=8080, env=["PORT=7000"]) == [(9000, "LABEL portcall.port")]


def test_an_image_that_names_none_gets_the_default():
    assert of() == [(3000, "ContainerPort")]


def test_a_range_is_all_of_its_ports():
    assert of("8080-8082/tcp", "9000-9001/udp") == [(8080, "EXPOSE"), (8081, "EXPOSE"), (8082, "EXPOSE")]
    assert [port for port, _ in of("8080-8080")] == [8080]


def test_a_range_that_is_too_wide_is_refused():
    with pytest.raises(UnsupportedImageError, match=rf"61 TCP ports; Portcall can try {LIMIT}.*portcall\.port"):
        of("3000-3060")


def test_metrics_and_debuggers_come_last():
    assert [port for port, _ in of("5005", "8080", "9404")] == [8080, 5005, 9404]
    assert [port for port, _ in of("8080", asked=9090)] == [8080, 9090]


def test_a_metrics_port_is_the_apps_own_where_the_image_says_so():
    assert of("9090") == [(9090, "EXPOSE")]
    assert of("9090", "8080", asked=9090) == [(9090, "HEALTHCHECK")]
    assert [port for port, _ in of("8080", env=["PORT=9090"])] == [9090, 8080]


def test_the_health_checks_port_is_tried_before_an_inherited_expose():
    assert of("80", asked=8080) == [(8080, "HEALTHCHECK"), (80, "EXPOSE")]


@pytest.mark.parametrize(
    ("variable", "named"),
    [
        ("PORT=8080", [8080]),
        ("SERVER_PORT=8081", [8081]),
        ("ASPNETCORE_HTTP_PORTS=8080;8081", [8080, 8081]),
        ("ASPNETCORE_URLS=http://+:5000;https://+:5001", [5000]),
        ("ASPNETCORE_URLS=http://[::]:5000/", [5000]),
    ],
)
def test_a_variable_names_the_port_where_expose_does_not(variable, named):
    assert of(env=["PATH=/bin", variable]) == [(port, f"ENV {variable.split('=')[0]}") for port in named]


def test_a_variable_is_likelier_than_expose():
    assert of("80", "8080", env=["PORT=8080"]) == [(8080, "ENV PORT"), (80, "EXPOSE")]


@pytest.mark.parametrize(
    "variable", ["PORT=", "PORT=$X", "PORT=0", "PORT=65536", "PORT=http", "PORT=tcp://1.2.3.4:80", "PORT"]
)
def test_an_invalid_port_variable_is_ignored(variable):
    assert of(env=[variable]) == [(3000, "ContainerPort")]


def test_only_other_protocols_are_refused_unless_something_else_names_a_port():
    with pytest.raises(UnsupportedImageError, match="exposes no TCP port"):
        of("53/udp")
    assert of("53/udp", env=["PORT=8080"]) == [(8080, "ENV PORT")]


@pytest.mark.parametrize("environment", [None, "PORT=1", {"PORT": "1"}, [1, None, ["PORT=1"]]])
def test_an_odd_environment_names_nothing(environment):
    found = candidates(label=None, exposed=None, asked=None, environment=environment, default=3000)
    assert found == [Candidate(3000, "ContainerPort")]


def test_the_mail_says_which_of_several_ports_was_chosen():
    found = [Candidate(8080, "HEALTHCHECK"), Candidate(80, "EXPOSE"), Candidate(9404, "EXPOSE")]
    assert note(found, [80]) == (
        "It answered on port 80, which EXPOSE names. The other named ports are closed now: 8080 (HEALTHCHECK), "
        "9404 (EXPOSE). To choose another port, add LABEL portcall.port=<number>."
    )
    assert note(found[:1], [8080]) == ""
    assert "closed now: 9404 (EXPOSE)." in note(found, [80, 8080])
    assert "closed" not in note(found[:2], [80, 8080])
