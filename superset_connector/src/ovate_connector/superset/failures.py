"""The server's messages as Superset's kinds of errors.

Each pattern matches a message of the server or of the DB-API; the names of its groups are those that Superset's own
texts use. An empty text shows the message as it is, which names the place and the nearest name.
"""

from __future__ import annotations

import re
from re import Pattern
from typing import NamedTuple


class Failure(NamedTuple):
    """A kind of error: the name of a `SupersetErrorType`, the text, and which field of the form is wrong."""

    pattern: Pattern[str]
    error_type: str
    text: str
    invalid: tuple[str, ...] = ()


FAILURES: tuple[Failure, ...] = (
    Failure(
        re.compile(
            r"Column '(?P<column_name>[^']*)' not found in (?:any table|table '[^']*')"
            r"(?:; did you mean '(?P<nearest>[^']*)'\?)?"
        ),
        "COLUMN_DOES_NOT_EXIST_ERROR",
        "",
    ),
    Failure(re.compile(r"Object '(?P<table_name>[^']*)' not found"), "TABLE_DOES_NOT_EXIST_ERROR", ""),
    Failure(
        re.compile(
            r"No match found for function signature|Received an unexpected token|Incorrect syntax near"
            r"|Non-query expression encountered|No value bound for parameter|Query could not be planned"
        ),
        "SYNTAX_ERROR",
        "",
    ),
    Failure(re.compile(r"timed out after \d+ ms|no answer from \S+ within"), "CONNECTION_DATABASE_TIMEOUT", ""),
    Failure(
        re.compile(r"status 401|[Aa]uthenticat|wants a user|[Uu]ser .*password|[Uu]nauthori[sz]ed|credentials are"),
        "CONNECTION_ACCESS_DENIED_ERROR",
        "",
        ("username", "password"),
    ),
    Failure(
        re.compile(r"[Nn]ame or service not known|nodename nor servname|[Nn]ame resolution|getaddrinfo failed"),
        "CONNECTION_INVALID_HOSTNAME_ERROR",
        "",
        ("host",),
    ),
    Failure(
        re.compile(r"[Cc]onnection refused"),
        "CONNECTION_PORT_CLOSED_ERROR",
        "",
        ("host", "port"),
    ),
    Failure(
        re.compile(r"no connection to \S+ within|[Nn]etwork is unreachable|No route to host"),
        "CONNECTION_HOST_DOWN_ERROR",
        "",
        ("host", "port"),
    ),
)

_PLACE = re.compile(r"\(line \[(\d+)\], column \[(\d+)\]\)|at line (\d+), column (\d+)")


# What Superset makes of a failed test of a connection: SQLAlchemy's error without an error, our text as its statement.
_WRAPPED = re.compile(
    r"^\(builtins\.NoneType\) None\s*\[SQL: (?P<message>.*)\]\s*\(Background on this error at: \S+\)\s*$", re.S
)


def unwrapped(message: str) -> str:
    """The message as the server or the DB-API gave it."""
    match = _WRAPPED.match(message)
    return match["message"] if match else message


def place_of(message: str) -> dict[str, int]:
    """Where in the statement a message says the mistake is: `{"line": 1, "column": 8}`, or nothing."""
    match = _PLACE.search(message)
    if match is None:
        return {}
    line, column = (int(number) for number in match.groups() if number is not None)
    return {"line": line, "column": column}
