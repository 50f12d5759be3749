"""What of SQLAlchemy's suite applies: each requirement that is closed has its reason beside it."""

from __future__ import annotations

from typing import Any

from sqlalchemy.testing import exclusions
from sqlalchemy.testing.requirements import SuiteRequirements

_READ_ONLY = "the server's SQL only reads"
_NO_CONSTRAINTS = "the server has no keys, constraints or named indexes"
_INGESTED = "tables are kept by the suite's dialect, not by the server, which could not reflect them"
_NO_TIME = "the server has no type for a time of day"
_MILLISECONDS = "timestamps have milliseconds"
_NO_ZONES = "timestamps have no zone"
_NO_DECIMALS = "fractions are doubles"
_NO_BYTES = "the server has no type for bytes"

CLOSED = {
    "table_reflection": _INGESTED,
    "views": _INGESTED,
    "schemas": _INGESTED,
    "temporary_tables": _INGESTED,
    "temp_table_reflection": _INGESTED,
    "temp_table_names": _INGESTED,
    "has_temp_table": _INGESTED,
    "index_reflection": _NO_CONSTRAINTS,
    "primary_key_constraint_reflection": _NO_CONSTRAINTS,
    "foreign_key_constraint_reflection": _NO_CONSTRAINTS,
    "unique_constraint_reflection": _NO_CONSTRAINTS,
    "check_constraint_reflection": _NO_CONSTRAINTS,
    "comment_reflection": _INGESTED,
    "foreign_keys": _NO_CONSTRAINTS,
    "self_referential_foreign_keys": _NO_CONSTRAINTS,
    "duplicate_key_raises_integrity_error": _NO_CONSTRAINTS,
    "sequences": "the server has no sequences",
    "identity_columns": _READ_ONLY,
    "computed_columns": _READ_ONLY,
    "autoincrement_insert": _READ_ONLY,
    "implements_get_lastrowid": _READ_ONLY,
    "dbapi_lastrowid": _READ_ONLY,
    "insert_from_select": _READ_ONLY,
    "empty_inserts": _READ_ONLY,
    "empty_inserts_executemany": _READ_ONLY,
    "ctes_on_dml": _READ_ONLY,
    "sane_rowcount": "statements change no rows to be counted",
    "sane_multi_rowcount": "statements change no rows to be counted",
    "savepoints": "there are no transactions",
    "two_phase_transactions": "there are no transactions",
    "isolation_level": "there are no transactions",
    "autocommit": "there are no transactions",
    "server_side_cursors": "every result is streamed; there is nothing to switch on",
    "time": _NO_TIME,
    "time_microseconds": _NO_TIME,
    "time_implicit_bound": _NO_TIME,
    "datetime_microseconds": _MILLISECONDS,
    "timestamp_microseconds": _MILLISECONDS,
    "datetime_timezone": _NO_ZONES,
    "time_timezone": _NO_ZONES,
    "binary_comparisons": _NO_BYTES,
    "binary_literals": _NO_BYTES,
    "precision_numerics_many_significant_digits": _NO_DECIMALS,
    "precision_numerics_retains_significant_digits": _NO_DECIMALS,
    "precision_numerics_enotation_large": _NO_DECIMALS,
    "cast_precision_numerics_many_significant_digits": _NO_DECIMALS,
    "numeric_received_as_decimal_untyped": _NO_DECIMALS,
    "implicit_decimal_binds": _NO_DECIMALS,
    "json_type": "the server has no type for JSON",
    "order_by_collation": "the server has one collation",
    "percent_schema_names": _INGESTED,
    "unicode_ddl": _INGESTED,
    "tuple_in": "the server has no row values",
    "ctes": "the server has no recursive common table expressions, which the suite's only test is about",
    "array_type": "rows with arrays cannot be kept by the suite's dialect",
}

OPEN = (
    "boolean_col_expressions",
    "bound_limit_offset",
    "date",
    "date_coerces_from_datetime",
    "date_historic",
    "datetime",
    "datetime_historic",
    "datetime_literals",
    "except_",
    "fetch_null_from_numeric",
    "float_is_numeric",
    "floats_to_four_decimals",
    "group_by_complex_expression",
    "infinity_floats",
    "intersect",
    "nullable_booleans",
    "nullsordering",
    "offset",
    "order_by_col_from_union",
    "order_by_label_with_expression",
    "parens_in_union_contained_select_w_limit_offset",
    "parens_in_union_contained_select_wo_limit_offset",
    "precision_generic_float_type",
    "regexp_match",
    "regexp_replace",
    "sql_expression_limit_offset",
    "standalone_binds",
    "standalone_null_binds_whereclause",
    "subqueries",
    "supports_is_distinct_from",
    "text_type",
    "unicode_data",
    "unbounded_varchar",
    "window_functions",
)


class Requirements(SuiteRequirements):
    """Filled from the two tables above."""


def _closed(reason: str) -> Any:
    return property(lambda self: exclusions.skip_if(lambda config: True, reason))


for _name, _reason in CLOSED.items():
    setattr(Requirements, _name, _closed(_reason))
for _name in OPEN:
    setattr(Requirements, _name, property(lambda self: exclusions.open()))
