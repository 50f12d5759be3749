"""HTTP: one pooled session a connection, and what can go wrong on the way as PEP 249's exceptions."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import requests
import urllib3
from requests.adapters import HTTPAdapter
from requests.auth import HTTPBasicAuth
from urllib3.util import Retry

from .. import __version__
from .errors import InterfaceError, OperationalError, from_response
from .options import Options

ARROW = "application/vnd.apache.arrow.stream"
# How much longer the client waits than the server was told to: the server's own message is the better one.
_GRACE_SECONDS = 5.0


class Client:
    """Speaks to one server. Threads may share it: requests takes connections from a pool that locks."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self._closed = threading.Event()
        self._session = requests.Session()
        # Only a connection that could not be made is tried again: such a request never reached the server.
        retries = Retry(total=None, connect=1, read=0, redirect=0, status=0, other=0, backoff_factor=0.1)
        adapter = HTTPAdapter(pool_connections=1, pool_maxsize=options.pool_size, max_retries=retries)
        self._session.mount(options.base_url, adapter)
        self._session.headers.update(
            {
                "User-Agent": f"ovate-connector/{__version__}",
                "Accept-Encoding": "gzip" if options.compression else "identity",
                **options.headers,
            }
        )
        if options.user is not None:
            self._session.auth = _basic(options.user, options.password or "")
        # Goes with each request: on the session, REQUESTS_CA_BUNDLE in the environment would overrule it.
        self._verify = (options.ca_file or True) if options.verify else False
        if options.client_cert is not None:
            self._session.cert = (
                (options.client_cert, options.client_key) if options.client_key else options.client_cert
            )

    def sql(self, body: dict[str, Any], accept: str) -> requests.Response:
        """Sends a statement; the answer's body is still to be read."""
        return self._request("POST", self.options.path, json=body, headers={"Accept": accept}, stream=True)

    def cancel(self, query_id: str) -> bool:
        """Stops a statement; whether the server knew it."""
        path = f"{self.options.path.rstrip('/')}/{quote(query_id, safe='')}"
        with self._send("DELETE", path) as response:
            if response.status_code == 404:
                return False
            if response.status_code >= 300:
                raise from_response(response.status_code, response.content, query_id)
            return True

    def get(self, path: str) -> Any:
        """What the server answers to `GET path`, as JSON; `None` if there is nothing there."""
        with self._send("GET", path) as response:
            if response.status_code == 404:
                return None
            if response.status_code >= 300:
                raise from_response(response.status_code, response.content)
            try:
                return response.json()
            except ValueError:
                raise OperationalError(f"{path} does not answer in JSON; is this Ovate?") from None

    def close(self) -> None:
        """Closes the pooled connections."""
        self._closed.set()
        self._session.close()

    def _request(self, method: str, path: str, **keywords: Any) -> requests.Response:
        response = self._send(method, path, **keywords)
        if response.status_code == 200:
            return response
        with response, network_errors(self.options):
            content = response.content
        raise from_response(response.status_code, content, response.headers.get("X-Druid-SQL-Query-Id"))

    def _send(self, method: str, path: str, **keywords: Any) -> requests.Response:
        if self._closed.is_set():
            raise InterfaceError("the connection is closed")
        read = None if self.options.timeout is None else self.options.timeout + _GRACE_SECONDS
        with network_errors(self.options):
            return self._session.request(
                method,
                self.options.base_url + path,
                timeout=(self.options.connect_timeout, read),
                allow_redirects=False,
                verify=self._verify,
                **keywords,
            )


def _basic(user: str, password: str) -> HTTPBasicAuth:
    # requests would write texts in Latin-1; the server reads UTF-8.
    return HTTPBasicAuth(user.encode(), password.encode())


@contextlib.contextmanager
def network_errors(options: Options) -> Iterator[None]:
    """Turns what the network does into an `OperationalError` that names the server."""
    where = f"{options.host}:{options.port}"
    try:
        yield
    except requests.exceptions.SSLError as error:
        raise OperationalError(f"no trusted connection to {where}: {error}") from error
    except (requests.exceptions.ConnectTimeout, urllib3.exceptions.ConnectTimeoutError) as error:
        raise OperationalError(f"no connection to {where} within {options.connect_timeout:g} seconds") from error
    except (requests.exceptions.ReadTimeout, urllib3.exceptions.ReadTimeoutError) as error:
        raise OperationalError(f"no answer from {where} within {options.timeout:g} seconds") from error
    except requests.exceptions.ConnectionError as error:
        raise OperationalError(f"no connection to {where}: {_root(error)}") from error
    except (requests.exceptions.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
        raise OperationalError(f"the answer of {where} broke off: {_root(error)}") from error


def _root(error: BaseException) -> BaseException:
    """What happened first: the wrappers repeat it with their own object's address."""
    while (cause := getattr(error, "reason", None) or error.__cause__ or error.__context__) and isinstance(
        cause, BaseException
    ):
        error = cause
    return error
