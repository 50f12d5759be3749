"""What a connection can be told, checked once, from keywords or from the query part of a URL."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .errors import InterfaceError

DEFAULT_PORT = 8888
SQL_PATH = "/druid/v2/sql"
TRANSPORTS = ("auto", "arrow", "json")


@dataclass(frozen=True)
class Options:
    """How to reach a server and how to ask it. See `ovate_connector.dbapi.connect` for what each means."""

    host: str = "localhost"
    port: int = DEFAULT_PORT
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    scheme: str = "http"
    path: str = SQL_PATH
    timeout: float | None = 300.0
    connect_timeout: float = 10.0
    verify: bool = True
    ca_file: str | None = None
    client_cert: str | None = None
    client_key: str | None = None
    transport: str = "auto"
    compression: bool = False
    pool_size: int = 10
    time_zone: str | None = None
    context: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.scheme not in ("http", "https"):
            raise InterfaceError(f"scheme is http or https, not {self.scheme!r}")
        if self.transport not in TRANSPORTS:
            raise InterfaceError(f"transport is one of {', '.join(TRANSPORTS)}, not {self.transport!r}")
        if not 0 < self.port < 65536:
            raise InterfaceError(f"port is between 1 and 65535, not {self.port}")
        for name, seconds in (("timeout", self.timeout), ("connect_timeout", self.connect_timeout)):
            if seconds is not None and seconds <= 0:
                raise InterfaceError(f"{name} is a positive number of seconds, not {seconds}")
        if self.client_key is not None and self.client_cert is None:
            raise InterfaceError("client_key is given without client_cert")

    @property
    def base_url(self) -> str:
        """The server's address, without a path."""
        host = f"[{self.host}]" if ":" in self.host and not self.host.startswith("[") else self.host
        return f"{self.scheme}://{host}:{self.port}"


_NUMBERS = {"timeout", "connect_timeout"}
_WHOLE_NUMBERS = {"pool_size"}
_FLAGS = {"verify", "compression"}
_TEXTS = {"ca_file", "client_cert", "client_key", "transport", "time_zone", "path"}
_CONTEXT = "context."


def from_query(query: Mapping[str, Any]) -> dict[str, Any]:
    """Keywords for `connect` from the query part of a URL, all of whose values are texts.

    `context.NAME=VALUE` puts NAME into the context of each statement.
    """
    known: dict[str, Any] = {}
    context: dict[str, Any] = {}
    for name, text in query.items():
        if not isinstance(text, str):
            raise InterfaceError(f"{name} is given more than once")
        if name.startswith(_CONTEXT):
            context[name[len(_CONTEXT) :]] = text
        elif name in _NUMBERS:
            known[name] = _number(name, text)
        elif name in _WHOLE_NUMBERS:
            known[name] = int(_number(name, text))
        elif name in _FLAGS:
            known[name] = _flag(name, text)
        elif name in _TEXTS:
            known[name] = text
        else:
            names = sorted(_NUMBERS | _WHOLE_NUMBERS | _FLAGS | _TEXTS)
            raise InterfaceError(f"unknown option {name!r}; the options are {', '.join(names)}, context.NAME")
    if context:
        known["context"] = context
    return known


def _number(name: str, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise InterfaceError(f"{name} is a number, not {text!r}") from None


def _flag(name: str, text: str) -> bool:
    if text.lower() in ("true", "1", "yes", "on"):
        return True
    if text.lower() in ("false", "0", "no", "off"):
        return False
    raise InterfaceError(f"{name} is true or false, not {text!r}")
