"""The example app: its responses, and its image."""

import importlib.util
import json
import re
from pathlib import Path

import pytest
from flask.testing import FlaskClient

FOLDER = Path(__file__).parents[2] / "flask_app"
DOCKERFILE = (FOLDER / "Dockerfile").read_text()


@pytest.fixture
def client() -> FlaskClient:
    spec = importlib.util.spec_from_file_location("flask_app_example", FOLDER / "app.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    client: FlaskClient = module.app.test_client()
    return client


@pytest.mark.parametrize(("path", "said"), [("/", "Hello, World!"), ("/greet", "Greetings from Flask!")])
def test_greets(client: FlaskClient, path: str, said: str) -> None:
    answer = client.get(path)
    assert (answer.status_code, answer.text) == (200, said)


def test_does_not_know_other_paths(client: FlaskClient) -> None:
    assert client.get("/nowhere").status_code == 404


def test_every_requirement_is_pinned() -> None:
    lines = (FOLDER / "requirements.txt").read_text().splitlines()
    assert [re.match(r"\w+==[\d.]+$", line) is not None for line in lines] == [True, True]


def test_listens_where_it_says_that_it_listens() -> None:
    assert "\nEXPOSE 3000\n" in DOCKERFILE
    assert "--bind=0.0.0.0:3000" in DOCKERFILE


def test_does_not_run_as_root() -> None:
    assert DOCKERFILE.index("\nUSER app\n") < DOCKERFILE.index("\nCMD ")


def test_gunicorn_is_the_first_process_and_gets_the_stop_signal() -> None:
    command = json.loads(DOCKERFILE.rsplit("\nCMD ", 1)[1].replace("\\\n", ""))
    assert command[:2] == ["gunicorn", "app:app"]


def test_the_image_takes_only_what_the_dockerfile_copies() -> None:
    let_in = {line[1:] for line in (FOLDER / ".dockerignore").read_text().splitlines() if line[0] == "!"}
    assert let_in == set(re.findall(r"^COPY (\S+)", DOCKERFILE, re.MULTILINE))
