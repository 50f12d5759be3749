"""Ovate for Python.

* `ovate_connector.dbapi`: DB-API 2.0 over Ovate's SQL endpoint; Arrow on the wire where pyarrow is installed.
* `ovate_connector.sqlalchemy`: the dialect `ovate://` for SQLAlchemy 1.4 and 2.x.
* `ovate_connector.superset`: the engine spec Apache Superset finds by itself, and a sqlglot dialect.

Each is imported only where it is asked for: the DB-API needs neither SQLAlchemy nor Superset.
"""

__version__ = "0.1.0"
