"""What others wrote is made fit for a mail, and no more of it is changed than must be."""

import time

import pytest
from deployer.domain.text import discreet, printable
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b]0;a title\x07text", "text"),
        ("\x1b[2K\rGet:1", " Get:1"),
        ("    indented\t\n", "    indented"),
        ("a\x00b\u202ec\ud800d", "a b c d"),
        ("Größe 漢字 \N{BUG}", "Größe 漢字 \N{BUG}"),
    ],
)
def test_only_what_can_be_printed_is_left(text, plain):
    assert printable(text) == plain


def test_what_is_too_long_says_that_it_was_cut():
    assert printable("x" * 30, 20) == "x" * 16 + " ..."


@given(st.text())
def test_it_is_one_line_that_any_channel_takes(text):
    plain = printable(text, 100)
    assert len(plain) <= 100
    assert len(plain.splitlines()) <= 1
    plain.encode()


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("AWS_SECRET_ACCESS_KEY=abc/def+1", "AWS_SECRET_ACCESS_KEY=***"),
        ("export DB_PASSWORD='s3cret' DEBUG=1", "export DB_PASSWORD='***' DEBUG=1"),
        ('{"password": "hunter2", "user": "me"}', '{"password": "***", "user": "me"}'),
        ("GET /?api_key=abc&page=2", "GET /?api_key=***&page=2"),
        ("postgres://me:s3cret@db:5432/x", "postgres://me:***@db:5432/x"),
        ("SyntaxError: Unexpected token: }", "SyntaxError: Unexpected token: }"),
        ("error: password authentication failed", "error: password authentication failed"),
        ("KeyError: 'SECRET_KEY'", "KeyError: 'SECRET_KEY'"),
        ("http://user@host:8080/", "http://user@host:8080/"),
    ],
)
def test_secrets_are_not_told(line, told):
    assert discreet(line) == told


@pytest.mark.parametrize("line", ["x" * 500, "token" * 100, "=" * 500, "://" + "a:" * 200, "secret=" * 70])
def test_no_line_takes_long(line):
    began = time.monotonic()
    discreet(line)
    assert time.monotonic() - began < 0.2
