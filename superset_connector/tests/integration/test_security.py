"""Passwords and TLS: a server with a user, and a real TLS end in front of it."""

from __future__ import annotations

import os
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from server import Server

from ovate_connector import dbapi

USER, PASSWORD = "reader", "geheim: ü/@?"


@pytest.fixture(scope="module")
def guarded() -> Iterator[Server]:
    """A server that wants a password which is not plain ASCII."""
    hashed = subprocess.run(
        [os.environ["OVATE_BIN"], "hash-password"], input=PASSWORD.encode(), capture_output=True, check=True
    )
    server = Server("--user", f"{USER}={hashed.stdout.decode().strip()}", "--rate", "20")
    server.credentials = (USER, PASSWORD)
    try:
        server.wait()
        yield server
    finally:
        server.stop()


def _certificate(folder: Path, name: str) -> tuple[Path, Path]:
    """A self-signed certificate for 127.0.0.1, and its key."""
    cert, key = folder / f"{name}.pem", folder / f"{name}.key"
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2"
    subprocess.run(
        [
            *command.split(),
            "-subj",
            f"/CN={name}",
            "-addext",
            "subjectAltName=IP:127.0.0.1",
            "-keyout",
            key,
            "-out",
            cert,
        ],
        check=True,
        capture_output=True,
    )
    return cert, key


class TlsEnd:
    """Takes TLS connections and hands their bytes to a server. Given a client's certificate, it wants to see it."""

    def __init__(self, server: Server, cert: Path, key: Path, client_cert: Path | None = None) -> None:
        self._target = (server.host, server.port)
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(cert, key)
        if client_cert is not None:
            self._context.verify_mode = ssl.CERT_REQUIRED
            self._context.load_verify_locations(client_cert)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                plain, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(plain,), daemon=True).start()

    def _serve(self, plain: socket.socket) -> None:
        try:
            client = self._context.wrap_socket(plain, server_side=True)
        except OSError:  # the client does not trust us, or we do not trust it
            plain.close()
            return
        with client, socket.create_connection(self._target) as server:
            back = threading.Thread(target=_copy, args=(server, client), daemon=True)
            back.start()
            _copy(client, server)
            back.join()


def _copy(source: socket.socket, target: socket.socket) -> None:
    try:
        while data := source.recv(1 << 16):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        return


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, Path]]:
    folder = tmp_path_factory.mktemp("certificates")
    return {name: _certificate(folder, name) for name in ("server", "client", "stranger")}


@pytest.mark.parametrize("transport", ["arrow", "json"])
def test_the_right_password_opens_and_a_wrong_one_does_not(guarded: Server, transport: str) -> None:
    def ask(user: str | None, password: str | None) -> object:
        with dbapi.connect(guarded.host, guarded.port, user, password, transport=transport) as connection:
            return connection.execute("SELECT COUNT(*) FROM DEVICES").fetchone()

    assert ask(USER, PASSWORD) == (1000,)
    for user, password in ((USER, "wrong"), ("nobody", PASSWORD), (None, None), (USER, None)):
        with pytest.raises(dbapi.OperationalError, match="credentials are missing or wrong") as caught:
            ask(user, password)
        assert caught.value.status == 401
        assert PASSWORD not in str(caught.value)


def test_a_password_can_stand_in_an_address(guarded: Server) -> None:
    url = sa.engine.URL.create("ovate", USER, PASSWORD, guarded.host, guarded.port)
    engine = sa.create_engine(str(url) if isinstance(url, str) else url.render_as_string(hide_password=False))
    with engine.connect() as connection:
        assert connection.execute(sa.text("SELECT COUNT(*) FROM DEVICES")).scalar() == 1000
    assert PASSWORD not in repr(engine)
    engine.dispose()


@pytest.mark.filterwarnings("ignore:Unverified HTTPS request")  # it is what verify=false asks for
def test_tls_is_trusted_by_its_certificate_only(guarded: Server, certificates: dict[str, tuple[Path, Path]]) -> None:
    end = TlsEnd(guarded, *certificates["server"])
    try:
        url = sa.engine.URL.create("ovate+https", USER, PASSWORD, "127.0.0.1", end.port)
        for options, trusted in (
            ({"ca_file": str(certificates["server"][0])}, True),
            ({"verify": "false"}, True),
            ({}, False),
            ({"ca_file": str(certificates["stranger"][0])}, False),
        ):
            engine = sa.create_engine(url.set(query=options))
            if trusted:
                with engine.connect() as connection:
                    assert len(connection.execute(sa.text("SELECT * FROM DEVICES")).fetchall()) == 1000
            else:
                with (
                    pytest.raises(sa.exc.OperationalError, match="no trusted connection"),
                    engine.connect() as connection,
                ):
                    connection.execute(sa.text("SELECT 1"))
            engine.dispose()
    finally:
        end.close()


def test_a_client_can_show_a_certificate(guarded: Server, certificates: dict[str, tuple[Path, Path]]) -> None:
    end = TlsEnd(guarded, *certificates["server"], client_cert=certificates["client"][0])

    def ask(name: str) -> object:
        cert, key = (str(path) for path in certificates[name])
        trusted = str(certificates["server"][0])
        with dbapi.connect(
            "127.0.0.1", end.port, USER, PASSWORD, scheme="https", ca_file=trusted, client_cert=cert, client_key=key
        ) as connection:
            return connection.execute("SELECT 1").fetchone()

    try:
        assert ask("client") == (1,)
        with pytest.raises(dbapi.OperationalError):
            ask("stranger")
    finally:
        end.close()
