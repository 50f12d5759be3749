"""The exceptions of PEP 249, and which of them an answer of the server becomes.

The server's message is kept word for word: it names the column, the nearest name and the place. What else it said
(category, code, position, id) stands on the exception as attributes.
"""

from __future__ import annotations

import json
from typing import Any


class Warning(Exception):
    """Important warnings (PEP 249). Ovate gives none."""


class Error(Exception):
    """What every error of this module is.

    `status` is the HTTP status, `category` and `code` are the server's, `line` and `column` say where in the statement
    the mistake is, `query_id` names the statement in the server's log. Each may be `None`.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        category: str | None = None,
        code: str | None = None,
        line: int | None = None,
        column: int | None = None,
        query_id: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        self.category = category
        self.code = code
        self.line = line
        self.column = column
        self.query_id = query_id


class InterfaceError(Error):
    """The module was used wrongly: a closed cursor, an unknown option."""


class DatabaseError(Error):
    """What the server answered with."""


class DataError(DatabaseError):
    """A value that cannot be: a malformed timestamp, a division by zero, a number out of range."""


class OperationalError(DatabaseError):
    """Not the statement's fault: no connection, wrong password, timed out, cancelled, out of memory."""


class IntegrityError(DatabaseError):
    """Never raised: the server has no constraints. PEP 249 wants the class."""


class InternalError(DatabaseError):
    """A bug or a damaged store on the server."""


class ProgrammingError(DatabaseError):
    """The statement is wrong: syntax, unknown column, table or function, wrong number of parameters."""


class NotSupportedError(DatabaseError):
    """The statement is right and not supported."""


_BY_CATEGORY: dict[str, type[DatabaseError]] = {
    "INVALID_INPUT": ProgrammingError,
    "NOT_FOUND": ProgrammingError,
    "UNSUPPORTED": NotSupportedError,
    "UNAUTHORIZED": OperationalError,
    "FORBIDDEN": OperationalError,
    "CAPACITY_EXCEEDED": OperationalError,
    "CANCELED": OperationalError,
    "TIMEOUT": OperationalError,
    "RUNTIME_FAILURE": OperationalError,
    "DEFENSIVE": InternalError,
}

_BY_STATUS: dict[int, type[DatabaseError]] = {
    400: ProgrammingError,
    401: OperationalError,
    403: OperationalError,
    404: ProgrammingError,
    405: NotSupportedError,
    413: ProgrammingError,
    429: OperationalError,
    500: InternalError,
    501: NotSupportedError,
    502: OperationalError,
    503: OperationalError,
    504: OperationalError,
}

# Beginnings of messages that tell a wrong value from a wrong statement; both have the category INVALID_INPUT.
_VALUE_MISTAKES = ("Illegal TIMESTAMP", "Illegal DATE", "Value ")
_ARITHMETIC = ("/ by zero", "integer overflow", "long overflow")


def from_response(status: int, body: bytes, query_id: str | None = None) -> DatabaseError:
    """The exception for an answer that is not a result."""
    fields = _fields(body)
    message = _message(status, body, fields)
    category = _text(fields.get("category"))
    context = fields.get("context")
    context = context if isinstance(context, dict) else {}
    return _class_of(status, category, message, fields)(
        message,
        status=status,
        category=category,
        code=_text(fields.get("errorCode")),
        line=_number(context.get("line")),
        column=_number(context.get("column")),
        query_id=query_id,
    )


def _class_of(status: int, category: str | None, message: str, fields: dict[str, Any]) -> type[DatabaseError]:
    if message.startswith(_ARITHMETIC):
        return DataError
    if category == "INVALID_INPUT":
        if message.startswith(_VALUE_MISTAKES):
            return DataError
        if fields.get("error") == "Resource limit exceeded":
            return OperationalError
        if message.startswith("Query could not be planned"):
            return NotSupportedError
    if category in _BY_CATEGORY:
        return _BY_CATEGORY[category]
    if status in _BY_STATUS:
        return _BY_STATUS[status]
    return OperationalError if status >= 500 else DatabaseError


def _fields(body: bytes) -> dict[str, Any]:
    try:
        fields = json.loads(body)
    except ValueError:
        return {}
    return fields if isinstance(fields, dict) else {}


def _message(status: int, body: bytes, fields: dict[str, Any]) -> str:
    for key in ("errorMessage", "error", "message"):
        if text := _text(fields.get(key)):
            return text
    # Proxies answer in HTML; a whole page is no message.
    text = body.decode("utf-8", "replace").strip()
    if text and not text.startswith("<"):
        return text[:500]
    if status == 401:
        return "the server wants a user and a password, or does not accept these (status 401)"
    return f"the server answered with status {status}"


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _number(value: object) -> int | None:
    try:
        return int(value) if isinstance(value, str | int) else None
    except ValueError:
        return None
