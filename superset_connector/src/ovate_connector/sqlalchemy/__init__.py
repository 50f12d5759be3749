"""The dialect `ovate://` for SQLAlchemy 1.4 and 2.x. SQLAlchemy finds it through its entry point."""

from .dialect import OvateDialect, OvateHttpDialect, OvateHttpsDialect
from .types import ARRAY, COMPLEX, DOUBLE

__all__ = ["ARRAY", "COMPLEX", "DOUBLE", "OvateDialect", "OvateHttpDialect", "OvateHttpsDialect"]
