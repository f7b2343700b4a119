"""Parsing targets, and removing credentials from them."""

from __future__ import annotations

import pytest

from certhook._text import host_and_port
from certhook.cli.check.target import parse, proxy_address


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("shop.example", ("shop.example", 443, "https", False)),
        ("shop.example.", ("shop.example", 443, "https", False)),
        ("shop.example:8443", ("shop.example", 8443, "https", False)),
        ("https://name:secret@Shop.Example./a?b#c", ("shop.example", 443, "https", False)),
        ("https://shop.example?a@b", ("shop.example", 443, "https", False)),
        ("wss://shop.example:81/", ("shop.example", 81, "https", False)),
        ("MÜNCHEN.example:65535", ("münchen.example", 65535, "https", False)),
        ("::1", ("::1", 443, "https", False)),
        ("fe80::1%lo", ("fe80::1%lo", 443, "https", False)),
        ("[::1]:8443", ("::1", 8443, "https", False)),
        ("mail.example:587", ("mail.example", 587, "smtp", True)),
        ("mail.example:25", ("mail.example", 25, "smtp", True)),
        ("mail.example:993", ("mail.example", 993, "imap", False)),
        ("imap://mail.example", ("mail.example", 143, "imap", True)),
        ("smtps://mail.example", ("mail.example", 465, "smtp", False)),
        ("db.example:5432", ("db.example", 5432, "postgres", True)),
        ("pop3s://mail.example", ("mail.example", 995, "pop3", False)),
        ("ldaps://ldap.example/dc=example", ("ldap.example", 636, "ldap", False)),
        ("ldap.example:636", ("ldap.example", 636, "ldap", False)),
        ("ftps://files.example", ("files.example", 990, "ftp", False)),
        ("rediss://:secret@cache.example/0", ("cache.example", 6379, "redis", False)),
        ("amqps://mq.example", ("mq.example", 5671, "amqp", False)),
        ("mqtts://mq.example", ("mq.example", 8883, "mqtt", False)),
        ("mq.example:8883", ("mq.example", 8883, "mqtt", False)),
        ("ircs://chat.example", ("chat.example", 6697, "irc", False)),
        ("sips://phone.example", ("phone.example", 5061, "sip", False)),
        ("imap:993", ("imap", 993, "imap", False)),
        ("https:8443/path", ("https", 8443, "https", False)),
        ("postgresql://db.example/name", ("db.example", 5432, "postgres", True)),
    ],
)
def test_hosts_ports_and_urls_are_accepted(text: str, expected: tuple[object, ...]) -> None:
    assert parse(text)[1:5] == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("http://shop.example", "http:// does not use certificates; did you mean https://shop.example?"),
        ("https:/shop.example/a", "'https:/shop.example' is not a host; did you mean https://shop.example?"),
        ("https:shop.example", "did you mean https://shop.example?"),
        ("HTTP//shop.example", "did you mean https://shop.example?"),
        ("smtp:///mail.example", "'smtp://' is not a host"),
        ("imaps:/name:secret@mail.example", "did you mean imaps://mail.example?"),
        ("", "'' is not a host"),
        ("gopher://shop.example", "the scheme gopher:// is not supported (expected one of https"),
        ("shop.example:port", "the port must be a number from 1 to 65535"),
        ("shop.example:0", "the port must be a number from 1 to 65535"),
        ("shop.example:65536", "the port must be a number from 1 to 65535"),
        ("https://", "'https://' is not a host"),
        ("...", "is not a host"),
        ("shop..example", "is not a host"),
        ("a" * 64 + ".example", "is not a host"),
        ("a b", "is not a host"),
        *((f"a{character}b", "is not a host") for character in ";&|<>()$`'\"*!{}^~=,+%\uff1b\uff04"),
        ("[fe80::1%$(id)]:443", "is not a host"),
        ("fe80::1%;id", "is not a host"),
        ("a\x1b[2J", r"'a\x1b[2J' contains a non-printable character"),
        ("fe80::1%\x1b[2J", "contains a non-printable character"),
        ("shop\n.example", "contains a non-printable character"),
        ("https://shop.example/\t", "contains a non-printable character"),
        ("https://[::1", "is not a host"),
    ],
)
def test_an_invalid_target_is_refused(text: str, message: str) -> None:
    with pytest.raises(ValueError) as caught:
        parse(text)
    assert message in str(caught.value) and str(caught.value).isprintable()


@pytest.mark.parametrize(
    "text",
    [
        "postgres://name:secret@db.example/a?password=secret",
        "name:secret@db.example",
        "https://name:s/secret?secret#secret@db.example/secret",
        "https://db.example/secret?secret#secret",
    ],
)
def test_credentials_and_paths_are_never_shown(text: str) -> None:
    for variant in (text, f"ftp://{text.rpartition('://')[2]}", text.replace("db.example", "db..example")):
        try:
            shown = repr(parse(variant))
        except ValueError as error:
            shown = str(error)
        assert "secret" not in shown and "db." in shown


def test_credentials_before_a_url_are_not_a_scheme() -> None:
    assert parse("name:secret@db.example/?next=https://shop.example").text == "db.example"


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://name:secret@shop.example:8443/secret?secret#secret", "shop.example:8443"),
        ("name:s/e?c#ret@shop.example", "shop.example"),
        ("https://n@me:s@cret@shop.example", "shop.example"),
        ("shop.example/secret?next=https://other.example", "shop.example"),
        ("http://[::1]:3128/", "[::1]:3128"),
        ("shop.example?secret", "shop.example"),
        ("", ""),
    ],
)
def test_only_the_host_and_port_of_a_url_remain(url: str, expected: str) -> None:
    assert host_and_port(url) == expected


def test_the_address_of_a_proxy_is_printable() -> None:
    assert proxy_address("http://name:secret@proxy\x1b.example:3128/") == r"proxy\x1b.example:3128"
