"""Notes about answers of an app that are not a plain success."""

import pytest
from deployer.domain.answer import note, redirect_port


@pytest.mark.parametrize("status", [None, 200, 204])
def test_a_success_needs_no_word(status):
    assert note(status, "/", "") == ""


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (400, "ALLOWED_HOSTS"),
        (401, "login"),
        (403, "forbidden"),
        (404, "LABEL portcall.health=/path"),
        (418, "It answered 418 on /up."),
    ],
)
def test_the_mail_says_what_was_answered_and_what_it_may_mean(status, words):
    assert words in note(status, "/up", "")
    assert f"answered {status}" in note(status, "/up", "")
    assert " on /up" in note(status, "/up", "")


def test_a_redirect_is_reported_with_where_it_points():
    assert (
        note(301, "/", "https://203.0.113.7/") == "It answered 301 on / and redirects to https://203.0.113.7/"
    )
    assert note(302, "/", "") == "It answered 302 on /."


def test_an_apps_redirect_is_short_and_printable_in_the_mail():
    said = note(302, "/{status}", "http://x/\r\nSubject: y\x1b[31m" + "z" * 5000)
    assert said.isprintable()
    assert len(said) < 300
    assert "/{status}" in said


@pytest.mark.parametrize(
    ("location", "port"),
    [
        ("https://10.0.0.7/login", 443),
        ("https://10.0.0.7:8443/", 8443),
        ("http://10.0.0.7:80/", 80),
        ("https://10.0.0.7:9/", None),
        ("https://example.com/", None),
        ("/login", None),
        ("https://10.0.0.7:99999/", None),
        ("https://[/", None),
        ("", None),
    ],
)
def test_a_port_that_a_redirect_needs_is_known(location, port):
    assert redirect_port(location, "10.0.0.7", [80, 443, 8443]) == port
