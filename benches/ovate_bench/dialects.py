"""How each system writes the few things that SQL dialects do not agree on; all else in a query is the same text."""

from __future__ import annotations

from dataclasses import dataclass, field

from .data import iso

SUMMED_IN_64_BITS = 'SUM(CAST("{column}" AS DOUBLE))'  # for those that sum FLOAT in 32, and are wrong in the fourth digit
UNITS = ("minute", "hour", "day", "month", "year")


@dataclass(frozen=True)
class Dialect:
    """`bucket` holds {unit} and {column}; `units` says how the system names a unit where it does not by its name."""

    bucket: str = "date_trunc('{unit}', {column})"
    units: dict[str, str] = field(default_factory=dict)
    schema: str = ""
    float_sum: str = 'SUM("{column}")'  # in 64 bits

    def floor(self, unit: str, column: str = '"__time"') -> str:
        assert unit in UNITS
        return self.bucket.format(unit=self.units.get(unit, unit), column=column)

    def table(self, name: str) -> str:
        return f'{self.schema}"{name}"'

    def sum_of_float(self, column: str) -> str:
        return self.float_sum.format(column=column)

    @staticmethod
    def instant(time_ms: int) -> str:
        """As Superset writes a timestamp: every system compares a time with such a text."""
        return f"'{iso(time_ms).replace('T', ' ')}000'"

    @staticmethod
    def day(date: str) -> str:
        return f"'{date} 00:00:00.000000'"


DRUID = Dialect(
    "TIME_FLOOR({column}, '{unit}')",
    {"minute": "PT1M", "hour": "PT1H", "day": "P1D", "month": "P1M", "year": "P1Y"},
    '"druid".',
)
