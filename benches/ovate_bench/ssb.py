"""The Star Schema Benchmark, flat: one wide table, 13 queries in four flights.

The table is made from TPC-H's by the rules of the benchmark: orders, customers, suppliers and parts are joined into each
line; a city is a tenth of its nation, a brand a fortieth of its category, a category a fifth of its manufacturer.
"""

from __future__ import annotations

from pathlib import Path

from . import generated
from .dialects import Dialect
from .workloads import Workload

NAME = "ssb"
FLAT = """
SELECT o_orderdate::TIMESTAMP AS "__time", l_orderkey::BIGINT AS "LO_ORDERKEY", l_linenumber::BIGINT AS "LO_LINENUMBER",
    o_orderpriority::VARCHAR AS "LO_ORDERPRIORITY", l_shipmode::VARCHAR AS "LO_SHIPMODE",
    l_quantity::BIGINT AS "LO_QUANTITY", (l_extendedprice * 100)::BIGINT AS "LO_EXTENDEDPRICE",
    (l_discount * 100)::BIGINT AS "LO_DISCOUNT", (l_tax * 100)::BIGINT AS "LO_TAX",
    (l_extendedprice * 100 * (1 - l_discount))::BIGINT AS "LO_REVENUE",
    (ps_supplycost * 100 * l_quantity)::BIGINT AS "LO_SUPPLYCOST",
    substr(cn.n_name || '         ', 1, 9) || (c_custkey % 10)::VARCHAR AS "C_CITY",
    cn.n_name::VARCHAR AS "C_NATION", cr.r_name::VARCHAR AS "C_REGION", c_mktsegment::VARCHAR AS "C_MKTSEGMENT",
    substr(sn.n_name || '         ', 1, 9) || (s_suppkey % 10)::VARCHAR AS "S_CITY",
    sn.n_name::VARCHAR AS "S_NATION", sr.r_name::VARCHAR AS "S_REGION",
    'MFGR#' || substr(p_brand, 7, 1) AS "P_MFGR", 'MFGR#' || substr(p_brand, 7, 2) AS "P_CATEGORY",
    'MFGR#' || substr(p_brand, 7, 2) || (p_partkey % 40 + 1)::VARCHAR AS "P_BRAND", p_size::BIGINT AS "P_SIZE"
FROM lineitem
    JOIN orders ON l_orderkey = o_orderkey
    JOIN customer ON o_custkey = c_custkey
    JOIN nation cn ON c_nationkey = cn.n_nationkey JOIN region cr ON cn.n_regionkey = cr.r_regionkey
    JOIN supplier ON l_suppkey = s_suppkey
    JOIN nation sn ON s_nationkey = sn.n_nationkey JOIN region sr ON sn.n_regionkey = sr.r_regionkey
    JOIN part ON l_partkey = p_partkey
    JOIN partsupp ON l_partkey = ps_partkey AND l_suppkey = ps_suppkey
"""
TABLE = "LINEORDER_FLAT"
EIGHT_BRANDS = "\"P_BRAND\" >= 'MFGR#2221' AND \"P_BRAND\" <= 'MFGR#2228'"
TWO_CITIES = "('UNITED KI1', 'UNITED KI5')"


def workload(scale: float, folder: Path) -> Workload:
    queries = {
        name: lambda d, pieces=pieces: statement(d, *pieces)
        for name, pieces in {
            "Q1.1": (1, "1993-01-01", "1994-01-01", '"LO_DISCOUNT" BETWEEN 1 AND 3 AND "LO_QUANTITY" < 25'),
            "Q1.2": (1, "1994-01-01", "1994-02-01", '"LO_DISCOUNT" BETWEEN 4 AND 6 AND "LO_QUANTITY" BETWEEN 26 AND 35'),
            "Q1.3": (1, "1994-02-05", "1994-02-12", '"LO_DISCOUNT" BETWEEN 5 AND 7 AND "LO_QUANTITY" BETWEEN 26 AND 35'),
            "Q2.1": (2, "", "", "\"P_CATEGORY\" = 'MFGR#12' AND \"S_REGION\" = 'AMERICA'", '"P_BRAND"'),
            "Q2.2": (2, "", "", f"{EIGHT_BRANDS} AND \"S_REGION\" = 'ASIA'", '"P_BRAND"'),
            "Q2.3": (2, "", "", "\"P_BRAND\" = 'MFGR#2239' AND \"S_REGION\" = 'EUROPE'", '"P_BRAND"'),
            "Q3.1": (3, "1992-01-01", "1998-01-01", both("REGION", "= 'ASIA'"), '"C_NATION", "S_NATION"'),
            "Q3.2": (3, "1992-01-01", "1998-01-01", both("NATION", "= 'UNITED STATES'"), '"C_CITY", "S_CITY"'),
            "Q3.3": (3, "1992-01-01", "1998-01-01", both("CITY", f"IN {TWO_CITIES}"), '"C_CITY", "S_CITY"'),
            "Q3.4": (3, "1997-12-01", "1998-01-01", both("CITY", f"IN {TWO_CITIES}"), '"C_CITY", "S_CITY"'),
            "Q4.1": (4, "", "", f"{both('REGION', EQUALS_AMERICA)} AND {MANUFACTURERS}", '"C_NATION"'),
            "Q4.2": (
                4, "1997-01-01", "1999-01-01", f"{both('REGION', EQUALS_AMERICA)} AND {MANUFACTURERS}",
                '"S_NATION", "P_CATEGORY"',
            ),
            "Q4.3": (
                4, "1997-01-01", "1999-01-01", "\"S_NATION\" = 'UNITED STATES' AND \"P_CATEGORY\" = 'MFGR#14'",
                '"S_CITY", "P_BRAND"',
            ),
        }.items()
    }  # fmt: skip
    connection = generated.tpch(folder / "tables", scale)
    return generated.workload(f"SSB flat, SF {scale:g}", TABLE, FLAT, queries, connection, folder)


EQUALS_AMERICA = "= 'AMERICA'"
MANUFACTURERS = "\"P_MFGR\" IN ('MFGR#1', 'MFGR#2')"
SUMS = {
    1: 'SUM("LO_EXTENDEDPRICE" * "LO_DISCOUNT") AS "revenue"',
    2: 'SUM("LO_REVENUE") AS "revenue"',
    3: 'SUM("LO_REVENUE") AS "revenue"',
    4: 'SUM("LO_REVENUE" - "LO_SUPPLYCOST") AS "profit"',
}


def both(column: str, condition: str) -> str:
    """Customer's and supplier's."""
    return f'"C_{column}" {condition} AND "S_{column}" {condition}'


def statement(d: Dialect, flight: int, begin: str, end: str, where: str, keys: str = "") -> str:
    """Flight 1 has one sum; 2 and 4 are ordered by year and keys; 3 by year, greatest revenue first."""
    span = f'"__time" >= {d.day(begin)} AND "__time" < {d.day(end)} AND ' if begin else ""
    source = f"FROM {d.table(TABLE)} WHERE {span}{where}"
    if flight == 1:
        return f"SELECT {SUMS[1]} {source}"
    order = '"year", "revenue" DESC' if flight == 3 else f'"year", {keys}'
    groups = ", ".join(str(place) for place in range(1, keys.count(",") + 3))
    return f'SELECT {d.floor("year")} AS "year", {keys}, {SUMS[flight]} {source} GROUP BY {groups} ORDER BY {order}'
