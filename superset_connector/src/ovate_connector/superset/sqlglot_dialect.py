"""How Superset's SQL parser (sqlglot) reads and writes Ovate's SQL.

Superset parses every statement and writes it anew (limits, row-level security, ad-hoc metrics). sqlglot's own Druid
dialect then turns functions into others it knows from elsewhere (`APPROX_COUNT_DISTINCT` into `APPROX_DISTINCT`,
`LOG10(x)` into `LOG(10, x)`, `TIMESTAMPDIFF(HOUR, a, b)` into `TIMESTAMPDIFF(HOUR, a, B)`). Here a function that is
written is the function that arrives: only those whose syntax is not that of a call are known to the parser at all.
"""

from __future__ import annotations

from typing import Any

from sqlglot import exp, generator, parser
from sqlglot.dialects.druid import Druid

_PLAIN = ("AVG", "COALESCE", "COUNT", "MAX", "MIN", "SUM")


def _string_agg(self: Any, expression: Any) -> str:
    separator = expression.args.get("separator")
    arguments = [self.sql(expression, "this")]
    if separator is not None:
        arguments.append(self.sql(separator))
    return f"STRING_AGG({', '.join(arguments)})"


def _position(self: Any, expression: Any) -> str:
    return f"POSITION({self.sql(expression, 'substr')} IN {self.sql(expression, 'this')})"


def _trim(self: Any, expression: Any) -> str:
    side = expression.args.get("position") or "BOTH"
    characters = self.sql(expression, "expression") or "' '"
    return f"TRIM({side} {characters} FROM {self.sql(expression, 'this')})"


class Ovate(Druid):
    """The dialect `ovate`."""

    class Parser(parser.Parser):
        """Calls stay calls."""

        FUNCTIONS = {name: parser.Parser.FUNCTIONS[name] for name in _PLAIN}
        # STRING_AGG takes a limit of bytes as a third argument: as a call it keeps it.
        FUNCTION_PARSERS = {
            name: parse for name, parse in parser.Parser.FUNCTION_PARSERS.items() if name != "STRING_AGG"
        }

    class Generator(Druid.Generator):
        """Writes what the server and Druid read."""

        TRANSFORMS = {
            **Druid.Generator.TRANSFORMS,
            exp.ApproxDistinct: lambda self, e: self.func("APPROX_COUNT_DISTINCT", e.this),
            exp.GroupConcat: _string_agg,
            exp.StrPosition: _position,
            exp.Trim: _trim,
        }
        TYPE_MAPPING = {
            **generator.Generator.TYPE_MAPPING,
            exp.DataType.Type.NCHAR: "VARCHAR",
            exp.DataType.Type.NVARCHAR: "VARCHAR",
            exp.DataType.Type.TEXT: "VARCHAR",
            exp.DataType.Type.UUID: "VARCHAR",
        }
