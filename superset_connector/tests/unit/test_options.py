"""What a connection can be told."""

from __future__ import annotations

import pytest

from ovate_connector import dbapi
from ovate_connector.dbapi.options import Options, from_query


def test_options_of_a_url_are_typed() -> None:
    query = {"timeout": "2.5", "verify": "false", "transport": "json", "context.sqlTimeZone": "UTC", "pool_size": "3"}
    assert from_query(query) == {
        "timeout": 2.5,
        "verify": False,
        "transport": "json",
        "pool_size": 3,
        "context": {"sqlTimeZone": "UTC"},
    }


@pytest.mark.parametrize("query", [{"timeuot": "1"}, {"timeout": "soon"}, {"verify": "maybe"}, {"timeout": ("1", "2")}])
def test_an_unknown_or_malformed_option_is_refused(query: dict[str, str]) -> None:
    with pytest.raises(dbapi.InterfaceError):
        from_query(query)


@pytest.mark.parametrize(
    "options", [{"scheme": "ftp"}, {"transport": "pigeon"}, {"port": 0}, {"timeout": 0}, {"client_key": "k"}]
)
def test_options_that_cannot_be_are_refused(options: dict[str, object]) -> None:
    with pytest.raises(dbapi.InterfaceError):
        dbapi.connect(**options)  # type: ignore[arg-type]


def test_a_password_does_not_show() -> None:
    assert "secret" not in repr(Options(user="u", password="secret"))


def test_an_ipv6_address_is_bracketed() -> None:
    assert Options(host="::1").base_url == "http://[::1]:8888"


def test_type_objects_equal_the_types_they_stand_for() -> None:
    assert dbapi.STRING == "VARCHAR"
    assert dbapi.NUMBER == "BIGINT"
    assert dbapi.DATETIME == "TIMESTAMP"
    assert dbapi.NUMBER != "VARCHAR"
    assert dbapi.TimestampFromTicks(0).isoformat() == "1970-01-01T00:00:00"
