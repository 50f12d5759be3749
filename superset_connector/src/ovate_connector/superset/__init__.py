"""Ovate in Apache Superset.

* `spec`: the engine spec, which Superset finds through its entry point. Imports Superset.
* `sqlglot_dialect`: how Superset's parser reads and writes Ovate's SQL.
* `tiles`: a base map for deck.gl charts, so that maps are drawn without a key and without an outside address.
* `grains`, `facts`, `failures`: what the spec knows, without Superset, so that it can be tested without one.
* `score`: prints Superset's own feature score of the spec.

In `superset_config.py`:

    from ovate_connector.superset import base_map, sqlglot_dialects
    SQLGLOT_DIALECTS_EXTENSIONS = sqlglot_dialects
    BLUEPRINTS = [base_map()]
"""

from __future__ import annotations

from typing import Any


def sqlglot_dialects() -> dict[str, Any]:
    """The value of Superset's setting `SQLGLOT_DIALECTS_EXTENSIONS`."""
    from .sqlglot_dialect import Ovate

    return {"ovate": Ovate}


def base_map() -> Any:
    """A Flask blueprint for Superset's setting `BLUEPRINTS`: serves the tiles of the module `tiles`."""
    from flask import Blueprint, Response, abort

    from .tiles import ROUTE, tile

    blueprint = Blueprint("ovate_base_map", __name__)

    @blueprint.route(ROUTE)
    def serve(z: int, x: int, y: int) -> Response:
        try:
            svg = tile(z, x, y)
        except ValueError as error:
            abort(404, str(error))
        return Response(svg, mimetype="image/svg+xml", headers={"Cache-Control": "public, max-age=86400"})

    return blueprint


__all__ = ["base_map", "sqlglot_dialects"]
