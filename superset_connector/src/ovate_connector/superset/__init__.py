"""Ovate in Apache Superset.

* `spec`: the engine spec, which Superset finds through its entry point. Imports Superset.
* `sqlglot_dialect`: how Superset's parser reads and writes Ovate's SQL.
* `grains`, `facts`, `failures`: what the spec knows, without Superset, so that it can be tested without one.
* `score`: prints Superset's own feature score of the spec.

In `superset_config.py`:

    from ovate_connector.superset import sqlglot_dialects
    SQLGLOT_DIALECTS_EXTENSIONS = sqlglot_dialects
"""

from __future__ import annotations

from typing import Any


def sqlglot_dialects() -> dict[str, Any]:
    """The value of Superset's setting `SQLGLOT_DIALECTS_EXTENSIONS`."""
    from .sqlglot_dialect import Ovate

    return {"ovate": Ovate}


__all__ = ["sqlglot_dialects"]
