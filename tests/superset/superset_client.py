"""Superset as its own pages use it: the REST API, with a session, a token and no retries."""

from __future__ import annotations

import itertools
import json
import re
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import requests
import yaml

_NUMBERS = itertools.count(1)


class Superset:
    """A logged-in session."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._session = requests.Session()
        self._session.headers["Referer"] = url
        form = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', self.request("GET", "/login/").text)
        token = form[1] if form else ""
        login = {"username": "admin", "password": "admin", "csrf_token": token}
        self.request("POST", "/login/", data=login)
        self._session.headers["X-CSRFToken"] = self.get("/api/v1/security/csrf_token/")["result"]

    def request(self, method: str, path: str, **keywords: Any) -> requests.Response:
        """Any request, whatever the answer's status."""
        return self._session.request(method, self.url + path, timeout=120, **keywords)

    def get(self, path: str, **parameters: Any) -> Any:
        """The answer to GET; its status must be one of success."""
        return _success(self.request("GET", path, params=parameters))

    def post(self, path: str, body: Any) -> Any:
        """The answer to POST; its status must be one of success."""
        return _success(self.request("POST", path, json=body))

    def import_dashboard(self, file: Path, uri: str) -> int:
        """Imports an export as it is, and returns the dashboard's id.

        The export's database carries no password and somebody else's address. It is created first, under the export's
        own identity, which the import then keeps.
        """
        with ZipFile(file) as export:
            texts = [yaml.safe_load(export.read(name)) for name in export.namelist() if name.endswith(".yaml")]
            names = [name.split("/", 1)[1] for name in export.namelist() if "/databases/" in name]
        database = next(text for text in texts if "sqlalchemy_uri" in text)
        dashboard = next(text for text in texts if "dashboard_title" in text)
        keep = ("database_name", "uuid", "expose_in_sqllab")
        self.post("/api/v1/database/", {**{key: database[key] for key in keep}, "sqlalchemy_uri": uri})
        with file.open("rb") as content:
            answer = self.request(
                "POST",
                "/api/v1/dashboard/import/",
                files={"formData": (file.name, content, "application/zip")},
                data={"overwrite": "true", "passwords": json.dumps(dict.fromkeys(names, ""))},
            )
        assert _success(answer) == {"message": "OK"}
        return next(
            found["id"]
            for found in self.get("/api/v1/dashboard/", q="(page_size:100)")["result"]
            if found["dashboard_title"] == dashboard["dashboard_title"]
        )

    def database_id(self, name: str) -> int:
        """The id of a database."""
        return _named(self.get("/api/v1/database/", q="(page_size:100)"), "database_name", name)["id"]

    def dataset_id(self, table: str, database: str) -> int:
        """The id of a table's dataset."""
        datasets = self.get("/api/v1/dataset/", q="(page_size:100)")["result"]
        return next(
            found["id"]
            for found in datasets
            if found["table_name"] == table and found["database"]["database_name"] == database
        )

    def chart_data(self, dataset: int, **query: Any) -> dict[str, Any]:
        """What a chart's query gives: Superset's result with its rows (`data`), statement (`query`) and bounds."""
        query = {"filters": [], "extras": {}, "row_limit": 10_000, "order_desc": True, **query}
        context = {"datasource": {"id": dataset, "type": "table"}, "queries": [query], "force": True}
        (result,) = self.post("/api/v1/chart/data", {**context, "result_type": "full", "result_format": "json"})[
            "result"
        ]
        assert result["error"] is None, result
        assert result["rowcount"] == len(result["data"])
        return dict(result)

    def run(self, database: int, sql: str, limit: int = 1000, client_id: str | None = None) -> requests.Response:
        """A statement in SQL Lab."""
        body = {"database_id": database, "sql": sql, "schema": "druid", "queryLimit": limit, "runAsync": False}
        client_id = client_id or f"t{next(_NUMBERS):09}"
        return self.request(
            "POST", "/api/v1/sqllab/execute/", json={**body, "client_id": client_id, "expand_data": True}
        )


def _named(answer: Any, key: str, name: str) -> Any:
    return next(found for found in answer["result"] if found[key] == name)


def _success(answer: requests.Response) -> Any:
    assert answer.ok, f"{answer.request.method} {answer.url}: {answer.status_code} {answer.text[:2000]}"
    return answer.json()
