"""Superset's settings: those that the README of the connector asks for, and no caches, so that each chart is asked of
the database. Its own database and its secret lie in SUPERSET_HOME."""

import os
import pathlib

from ovate_connector.superset import base_map, sqlglot_dialects

HOME = pathlib.Path(os.environ["SUPERSET_HOME"])
SECRET_KEY = (HOME / "secret").read_text().strip()
SQLALCHEMY_DATABASE_URI = f"sqlite:///{HOME}/superset.db?check_same_thread=false"
CACHE_CONFIG = DATA_CACHE_CONFIG = {"CACHE_TYPE": "NullCache"}
TALISMAN_ENABLED = False
CONTENT_SECURITY_POLICY_WARNING = False
RATELIMIT_ENABLED = False
FEATURE_FLAGS = {"ESTIMATE_QUERY_COST": True, "DRUID_JOINS": True}

SQLGLOT_DIALECTS_EXTENSIONS = sqlglot_dialects
BLUEPRINTS = [base_map()]
