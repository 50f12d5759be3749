"""The shapes of TPC-H's queries 1 and 6 over `lineitem`: a wide aggregate over almost all rows, a narrow one over few.

Money is DOUBLE in every system, since Druid's SQL has no decimals.
"""

from __future__ import annotations

from pathlib import Path

from . import generated
from .dialects import Dialect
from .workloads import Workload

NAME = "tpch"
LINEITEM = """
SELECT l_shipdate::TIMESTAMP AS "__time", l_orderkey::BIGINT AS l_orderkey, l_partkey::BIGINT AS l_partkey,
    l_suppkey::BIGINT AS l_suppkey, l_linenumber::BIGINT AS l_linenumber, l_quantity::DOUBLE AS l_quantity,
    l_extendedprice::DOUBLE AS l_extendedprice, l_discount::DOUBLE AS l_discount, l_tax::DOUBLE AS l_tax,
    l_returnflag::VARCHAR AS l_returnflag, l_linestatus::VARCHAR AS l_linestatus,
    l_shipinstruct::VARCHAR AS l_shipinstruct, l_shipmode::VARCHAR AS l_shipmode
FROM lineitem
"""


def workload(scale: float, folder: Path) -> Workload:
    queries = {"Q1": q1, "Q6": q6}
    connection = generated.tpch(folder / "tables", scale)
    return generated.workload(f"TPC-H shapes, SF {scale:g}", "LINEITEM", LINEITEM, queries, connection, folder)


def q1(d: Dialect) -> str:
    discounted = "l_extendedprice * (1 - l_discount)"
    return (
        "SELECT l_returnflag, l_linestatus, SUM(l_quantity) AS sum_qty, SUM(l_extendedprice) AS sum_base_price, "
        f"SUM({discounted}) AS sum_disc_price, SUM({discounted} * (1 + l_tax)) AS sum_charge, AVG(l_quantity) AS avg_qty, "
        "AVG(l_extendedprice) AS avg_price, AVG(l_discount) AS avg_disc, COUNT(*) AS count_order "
        f'FROM {d.table("LINEITEM")} WHERE "__time" < {d.day("1998-09-03")} '
        "GROUP BY l_returnflag, l_linestatus ORDER BY l_returnflag, l_linestatus"
    )


def q6(d: Dialect) -> str:
    return (
        f"SELECT SUM(l_extendedprice * l_discount) AS revenue FROM {d.table('LINEITEM')} "
        f'WHERE "__time" >= {d.day("1994-01-01")} AND "__time" < {d.day("1995-01-01")} '
        "AND l_discount >= 0.05 AND l_discount <= 0.07 AND l_quantity < 24"
    )
