"""Types: what the server says a column is, and PEP 249's type objects.

A column's type code is the SQL type's name, a plain string (`VARCHAR`, `BIGINT`, `TIMESTAMP`, `ARRAY<LONG>`), which
equals the PEP 249 type objects it belongs to: `cursor.description[0][1] == NUMBER`.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass


class TypeObject(frozenset[str]):
    """A PEP 249 type object: equal to the name of each SQL type it stands for."""

    def __new__(cls, names: Iterable[str]) -> TypeObject:
        """Stand for `names`."""
        return super().__new__(cls, names)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, str):
            return other.upper() in self
        return super().__eq__(other)

    def __ne__(self, other: object) -> bool:
        return not self == other

    __hash__ = frozenset.__hash__


STRING = TypeObject(["VARCHAR", "CHAR"])
NUMBER = TypeObject(["TINYINT", "SMALLINT", "INTEGER", "BIGINT", "FLOAT", "REAL", "DOUBLE", "DECIMAL", "BOOLEAN"])
DATETIME = TypeObject(["TIMESTAMP", "DATE", "TIME"])
BINARY = TypeObject(["BINARY", "VARBINARY"])
ROWID = TypeObject([])

Date = dt.date
Time = dt.time
Timestamp = dt.datetime
Binary = bytes


def DateFromTicks(ticks: float) -> dt.date:
    """The day of a POSIX time, in UTC."""
    return dt.datetime.fromtimestamp(ticks, dt.timezone.utc).date()


def TimeFromTicks(ticks: float) -> dt.time:
    """The time of day of a POSIX time, in UTC."""
    return dt.datetime.fromtimestamp(ticks, dt.timezone.utc).time()


def TimestampFromTicks(ticks: float) -> dt.datetime:
    """The instant of a POSIX time, without a zone, in UTC."""
    return dt.datetime.fromtimestamp(ticks, dt.timezone.utc).replace(tzinfo=None)


@dataclass(frozen=True)
class Column:
    """A column of a result: its name and both of its types, as the server gives them."""

    name: str
    sql_type: str
    druid_type: str

    @property
    def type_code(self) -> str:
        """The SQL type, or the more telling Druid type where the SQL type only says `ARRAY` or `OTHER`."""
        return self.druid_type if self.sql_type in ("ARRAY", "OTHER", "") else self.sql_type

    @property
    def description(self) -> tuple[str, str, None, None, None, None, bool | None]:
        """The seven items PEP 249 wants."""
        return (self.name, self.type_code, None, None, None, None, None)
