"""SQLAlchemy's suite, all of it, less what the requirements close and what is named here with its reason."""

from sqlalchemy.testing import suite as _suite
from sqlalchemy.testing.suite import *  # noqa: F403

_REFLECTION = (
    "reflects tables the suite has created; the dialect's reflection is tested on the server's own tables "
    "in tests/integration/test_sqlalchemy.py"
)

EXCLUDED = {
    "BizarroCharacterTest": _REFLECTION,
    "ComponentReflectionTest": _REFLECTION,
    "ComponentReflectionTestExtra": _REFLECTION,
    "CompositeKeyReflectionTest": _REFLECTION,
    "HasIndexTest": _REFLECTION,
    "HasTableTest": _REFLECTION,
    "OneConnectionTablesTest": _REFLECTION,
    "QuotedNameArgumentTest": _REFLECTION,
    "SameNamedSchemaTableTest": "needs tables in two schemas, which only the server could keep",
    "LongNameBlowoutTest": "is about the names of indexes and constraints",
    "TableDDLTest": "is about DDL",
    "FutureTableDDLTest": "is about DDL",
    "InsertBehaviorTest": "is about what INSERT does",
    "LastrowidTest": "is about what INSERT does",
    "ReturningGuardsTest": "is about what INSERT, UPDATE and DELETE do",
    "RowCountTest": "is about how many rows a statement changed",
    "SimpleUpdateDeleteTest": "is about UPDATE and DELETE",
    "BinaryTest": "the server has no type for bytes",
}
for _name in EXCLUDED:
    if hasattr(_suite, _name):
        del globals()[_name]

# Single tests of a class that otherwise holds.
EXCLUDED_TESTS = {
    "DateHistoricTest": ("literal_years", "the suite's dialect cannot keep several rows of literals"),
    "DateTimeHistoricTest": ("literal_years", "the suite's dialect cannot keep several rows of literals"),
}
for _name, (_part, _reason) in EXCLUDED_TESTS.items():
    _class = getattr(_suite, _name)
    _tests = {name: None for name in dir(_class) if name.startswith("test_") and _part in name}
    globals()[_name] = type(_name, (_class,), _tests)
