"""What becomes of the bodies a server answers with when it refuses."""

from __future__ import annotations

import json

import pytest

from ovate_connector import dbapi
from ovate_connector.dbapi.errors import from_response


def modern(message: str, category: str, **context: str) -> bytes:
    fields = {"error": "druidException", "errorCode": "general", "persona": "USER", "category": category}
    return json.dumps({**fields, "errorMessage": message, "context": context}).encode()


def legacy(error: str, message: str, category: str) -> bytes:
    return json.dumps({"error": error, "errorClass": "x.Y", "category": category, "errorMessage": message}).encode()


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (400, modern("Object 'NOPE' not found (line [1], column [15])", "INVALID_INPUT"), dbapi.ProgrammingError),
        (400, modern("Illegal TIMESTAMP literal 'x': not in format", "INVALID_INPUT"), dbapi.DataError),
        (400, modern("Query could not be planned. A possible reason is [x]", "INVALID_INPUT"), dbapi.NotSupportedError),
        (500, modern("/ by zero", "UNCATEGORIZED"), dbapi.DataError),
        (500, legacy("Unknown exception", "/ by zero", "RUNTIME_FAILURE"), dbapi.DataError),
        (400, legacy("Resource limit exceeded", "too much memory", "INVALID_INPUT"), dbapi.OperationalError),
        (504, legacy("Query timeout", "timed out", "TIMEOUT"), dbapi.OperationalError),
        (500, legacy("Query cancelled", "cancelled", "CANCELED"), dbapi.OperationalError),
        (429, legacy("Query capacity exceeded", "too many", "CAPACITY_EXCEEDED"), dbapi.OperationalError),
        (401, modern("who is there", "UNAUTHORIZED"), dbapi.OperationalError),
        (500, modern("a bug", "DEFENSIVE"), dbapi.InternalError),
        (501, modern("not yet", "UNSUPPORTED"), dbapi.NotSupportedError),
        (502, b"<html>Bad Gateway</html>", dbapi.OperationalError),
        (418, b"", dbapi.DatabaseError),
    ],
)
def test_each_refusal_becomes_its_class(status: int, body: bytes, kind: type[Exception]) -> None:
    assert type(from_response(status, body)) is kind


def test_the_servers_message_and_place_are_kept() -> None:
    text = "Column 'nope' not found in any table; did you mean 'note'? (line [1], column [8])"
    error = from_response(400, modern(text, "INVALID_INPUT", line="1", column="8"), "the-id")
    assert str(error) == text
    assert (error.status, error.category, error.line, error.column) == (400, "INVALID_INPUT", 1, 8)
    assert error.query_id == "the-id"


def test_a_page_of_html_is_no_message() -> None:
    assert str(from_response(502, b"<html>...</html>")) == "the server answered with status 502"
    assert str(from_response(404, b"No such thing")) == "No such thing"


def test_the_hierarchy_is_that_of_pep_249() -> None:
    assert issubclass(dbapi.Error, Exception)
    assert issubclass(dbapi.InterfaceError, dbapi.Error)
    for kind in (dbapi.DataError, dbapi.OperationalError, dbapi.IntegrityError, dbapi.NotSupportedError):
        assert issubclass(kind, dbapi.DatabaseError)
    assert (dbapi.apilevel, dbapi.threadsafety, dbapi.paramstyle) == ("2.0", 2, "qmark")
