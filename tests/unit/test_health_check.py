"""A HEALTHCHECK is passed to ECS, and names the app's port."""

import boto3
import pytest
from botocore.stub import Stubber
from deployer.domain.health_check import COMMAND_LIMIT, HealthTarget, container_health, target

SECOND = 10**9


def check(*test: str, **more: object) -> dict[str, object]:
    return {"Test": list(test), **more}


def test_docker_counts_in_nanoseconds_and_ecs_in_seconds():
    test = ["CMD-SHELL", "curl -f http://localhost/ || exit 1"]
    docker = {"Interval": 10 * SECOND, "Timeout": 3 * SECOND, "StartPeriod": 60 * SECOND, "Retries": 5}
    assert container_health(check(*test, **docker)) == {
        "command": test,
        "interval": 10,
        "timeout": 3,
        "retries": 5,
        "startPeriod": 60,
    }


@pytest.mark.parametrize(
    "silent", [{}, {"Interval": 0, "Timeout": 0, "Retries": 0}, {"Interval": None, "Timeout": "3s"}]
)
def test_a_missing_or_invalid_health_check_setting_is_dockers_default(silent):
    found = container_health(check("CMD", "true", **silent))
    assert found == {"command": ["CMD", "true"], "interval": 30, "timeout": 30, "retries": 3, "startPeriod": 0}


@pytest.mark.parametrize(
    ("number", "expected"),
    [(1, (5, 2, 1, 1)), (-SECOND, (5, 2, 1, 0)), (SECOND + 1, (5, 2, 10, 2)), (10**30, (300, 60, 10, 300))],
)
def test_health_check_settings_are_limited_to_the_bounds_of_ecs(number, expected):
    docker = dict.fromkeys(("Interval", "Timeout", "Retries", "StartPeriod"), number)
    found = container_health(check("CMD", "true", **docker))
    assert tuple(found[name] for name in ("interval", "timeout", "retries", "startPeriod")) == expected


def test_ecs_knows_the_shape():
    health = container_health(check("CMD", "true"))
    client = boto3.client("ecs")
    with Stubber(client) as stub:
        stub.add_response("register_task_definition", {})
        container = {"name": "app", "healthCheck": health}
        client.register_task_definition(family="app", containerDefinitions=[container])


@pytest.mark.parametrize(
    "none",
    [
        None, [], "curl", {}, check(), check("NONE"), check("CMD"), check("CMD-SHELL", " "), {"Test": "curl"},
        {"Test": ["CMD", 1]}, check("curl", "http://localhost/"), check("CMD", "a\0b"), check("CMD", "\ud800"),
        check("CMD", "x" * COMMAND_LIMIT), check("CMD", *[""] * COMMAND_LIMIT, "x"),
    ],
)  # fmt: skip
def test_a_missing_or_invalid_health_check_gives_no_check_and_no_target(none):
    assert container_health(none) is None
    assert target(none) is None


@pytest.mark.parametrize(
    ("command", "port", "path"),
    [
        ("curl -f http://localhost:3000/healthz || exit 1", 3000, "/healthz"),
        ("curl -f http://127.0.0.1:8080/healthz||exit 1", 8080, "/healthz"),
        ("wget -qO- http://0.0.0.0:5000", 5000, "/"),
        ("wget -qO- http://[::1]:9/a/b.html?c=1&d=2", 9, "/a/b.html?c=1"),
        ("curl HTTP://LOCALHOST/", 80, "/"),
        ("curl --fail localhost:8080/up; true", 8080, "/up"),
        ("curl localhost/up", 80, "/up"),
        ("curl -fsS localhost:8080 || exit 1", 8080, "/"),
        ("true; wget -q --spider 127.0.0.1:9000", 9000, "/"),
        ("curl --unix-socket /run/app.sock http://localhost/up", None, "/up"),
        ("""node -e "require('http').get('http://localhost:3000/health', r => process.exit(r.statusCode != 200))\"""", 3000, "/health"),
        ("""python -c 'import urllib.request as r; r.urlopen("http://localhost:8000/")'""", 8000, "/"),
        ("curl http://localhost:$PORT/health", None, "/health"),
        ("curl http://localhost:${PORT:-3000}/health", None, "/health"),
        ("node -e `fetch(\"http://localhost:${process.env.PORT}\")`", None, "/"),
        ("curl http://localhost:99999/health", None, "/health"),
        ("curl http://example.com/ && curl http://localhost:3000/a && curl http://localhost:4000/b", 3000, "/a"),
    ],
)  # fmt: skip
def test_the_address_that_the_check_asks_is_found(command, port, path):
    assert target(check("CMD-SHELL", command)) == HealthTarget(port, path)
    assert target(check("CMD", *command.split(" "))) == HealthTarget(port, path)


@pytest.mark.parametrize(
    "command",
    [
        "pg_isready -h localhost", "nc -z localhost 3000", "redis-cli -u redis://localhost:6379/0", "wait-for localhost:5432",
        "curl -f $URL || nc -z localhost:5432",
        "curl https://localhost/health", "curl http://localhost.example.com/", "curl http://example.com/localhost/x",
        "curl http://user@localhost/x", "curl http://localhost:3000/$STAGE/health", "curl http://localhost:3000/ä",
        "test -e /tmp/localhost/up",
    ],
)  # fmt: skip
def test_a_command_without_a_plain_http_url_of_the_app_has_no_target(command):
    assert target(check("CMD-SHELL", command)) is None
