"""Text of other people in mails: secrets are hidden, and no more is changed than needed."""

import time

import pytest
from deployer.domain.text import discreet, printable, without_keys
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


def test_a_text_that_was_cut_ends_with_dots():
    assert printable("x" * 30, 20) == "x" * 16 + " ..."


@given(st.text())
def test_it_is_one_line_that_any_channel_takes(text):
    plain = printable(text, 100)
    assert len(plain) <= 100
    assert len(plain.splitlines()) <= 1
    plain.encode()


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("AWS_SECRET_ACCESS_KEY=abc/def+1", "AWS_SECRET_ACCESS_KEY=***"),
        ("export DB_PASSWORD='s3cret' DEBUG=1", "export DB_PASSWORD='***' DEBUG=1"),
        ('{"password": "hunter2", "user": "me"}', '{"password": "***", "user": "me"}'),
        ("GET /?api_key=abc&page=2", "GET /?api_key=***&page=2"),
        ("postgres://me:s3cret@db:5432/x", "postgres://me:***@db:5432/x"),
        ("password: hunter2", "password: ***"),
        ("  - db_password: 'hunter 2'", "  - db_password: ***"),
        ('   "token" : "abc",', '   "token" : "***",'),
        ("x-api-key: abcdef", "x-api-key: ***"),
        ("spring.datasource.password=abc", "spring.datasource.password=***"),
        ("> Authorization: Bearer abc.def", "> Authorization: Bearer ***"),
        (
            "{'Authorization': 'Basic dXNlcjpwYXNz', 'Accept': '*/*'}",
            "{'Authorization': 'Basic ***', 'Accept': '*/*'}",
        ),
        ("authorization=0123456789abcdef0123", "authorization=***"),
        ("sent Bearer 0123456789abcdef", "sent Bearer ***"),
        ("User AKIAIOSFODNN7EXAMPLE is not", "User AKIA*** is not"),
        ("with ASIAIOSFODNN7EXAMPLE.", "with ASIA***."),
        ("got eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl", "got eyJ***"),
        ("remote: ghp_0123456789abcdefghijABCDEFGHIJ012345", "remote: ghp_***"),
        ("KEY='-----BEGIN RSA PRIVATE KEY-----\\nMIIE\\n'", "KEY='-----BEGIN RSA PRIVATE KEY-----***"),
        ("-----BEGIN CERTIFICATE-----", "-----BEGIN CERTIFICATE-----"),
        ("Bearer authentication is required", "Bearer authentication is required"),
        ("Authorization: missing", "Authorization: missing"),
        ("no token: the file is empty", "no token: the file is empty"),
        ("password: must not be empty", "password: must not be empty"),
        ("SyntaxError: Unexpected token: }", "SyntaxError: Unexpected token: }"),
        ("error: password authentication failed", "error: password authentication failed"),
        ("KeyError: 'SECRET_KEY'", "KeyError: 'SECRET_KEY'"),
        ("http://user@host:8080/", "http://user@host:8080/"),
    ],
)
def test_secrets_are_not_reported(line, shown):
    assert discreet(line) == shown


KEY = [
    "-----BEGIN PRIVATE KEY-----",
    *(f"{'MIIEvQ' * 10}{n}" for n in range(3)),
    "AbC=",
    "-----END PRIVATE KEY-----",
]


@pytest.mark.parametrize(
    ("lines", "shown"),
    [
        (["before", *KEY, "after"], ["before", KEY[0], "***", "after"]),
        (KEY[2:], ["***"]),
        (["a line", *KEY[2:], "after"], ["a line", "***", "after"]),
        (KEY[:3], [KEY[0], "***"]),
        ([KEY[0], "and then it crashed: 1"], [KEY[0], "and then it crashed: 1"]),
        (["no key"], ["no key"]),
    ],
)
def test_no_line_of_a_private_key_is_reported(lines, shown):
    assert without_keys(lines) == shown


@pytest.mark.parametrize(
    "line",
    [
        "x" * 500,
        "token" * 100,
        "=" * 500,
        "://" + "a:" * 200,
        "secret=" * 70,
        "token-" * 400,
        "bearer " * 300,
        "authorization:" * 200,
        "eyJ" * 700,
        "-----BEGIN " * 200,
    ],
)
def test_no_line_takes_long(line):
    began = time.monotonic()
    discreet(line)
    assert time.monotonic() - began < 0.2
