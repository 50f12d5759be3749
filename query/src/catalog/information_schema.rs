//! `INFORMATION_SCHEMA`, column by column as Druid has it.

use ovate_storage::{ColumnType, TIME_COLUMN};

use super::rows::Kind::{Long, Text};
use super::rows::{self, Cell, Declared};
use super::{Catalog, Found, SCHEMAS, sys};
use crate::error::QueryError;
use crate::plan::context::{CATALOG, DEFAULT_SCHEMA};

/// The tables, as they are listed.
pub(super) const TABLES: [&str; 4] = ["COLUMNS", "ROUTINES", "SCHEMATA", "TABLES"];

const SCHEMATA_COLUMNS: [Declared; 7] = [
    ("CATALOG_NAME", Text, false),
    ("SCHEMA_NAME", Text, false),
    ("SCHEMA_OWNER", Text, true),
    ("DEFAULT_CHARACTER_SET_CATALOG", Text, true),
    ("DEFAULT_CHARACTER_SET_SCHEMA", Text, true),
    ("DEFAULT_CHARACTER_SET_NAME", Text, true),
    ("SQL_PATH", Text, true),
];

const TABLES_COLUMNS: [Declared; 6] = [
    ("TABLE_CATALOG", Text, false),
    ("TABLE_SCHEMA", Text, false),
    ("TABLE_NAME", Text, false),
    ("TABLE_TYPE", Text, false),
    ("IS_JOINABLE", Text, false),
    ("IS_BROADCAST", Text, false),
];

const COLUMNS_COLUMNS: [Declared; 17] = [
    ("TABLE_CATALOG", Text, false),
    ("TABLE_SCHEMA", Text, false),
    ("TABLE_NAME", Text, false),
    ("COLUMN_NAME", Text, false),
    ("ORDINAL_POSITION", Long, false),
    ("COLUMN_DEFAULT", Text, false),
    ("IS_NULLABLE", Text, false),
    ("DATA_TYPE", Text, false),
    ("CHARACTER_MAXIMUM_LENGTH", Text, true),
    ("CHARACTER_OCTET_LENGTH", Text, true),
    ("NUMERIC_PRECISION", Long, true),
    ("NUMERIC_PRECISION_RADIX", Long, true),
    ("NUMERIC_SCALE", Long, true),
    ("DATETIME_PRECISION", Long, true),
    ("CHARACTER_SET_NAME", Text, true),
    ("COLLATION_NAME", Text, true),
    ("JDBC_TYPE", Long, false),
];

const ROUTINES_COLUMNS: [Declared; 6] = [
    ("ROUTINE_CATALOG", Text, false),
    ("ROUTINE_SCHEMA", Text, false),
    ("ROUTINE_NAME", Text, false),
    ("ROUTINE_TYPE", Text, false),
    ("IS_AGGREGATOR", Text, false),
    ("SIGNATURES", Text, true),
];

/// A table of this schema; `None` if there is no such table.
pub(super) fn table(catalog: &Catalog, name: &str) -> Option<Result<Found, QueryError>> {
    Some(match name {
        "SCHEMATA" => rows::table(&SCHEMATA_COLUMNS, &schemata()),
        "TABLES" => rows::table(&TABLES_COLUMNS, &tables(catalog)),
        "COLUMNS" => rows::table(&COLUMNS_COLUMNS, &columns(catalog)),
        "ROUTINES" => rows::table(&ROUTINES_COLUMNS, &routines()),
        _ => return None,
    })
}

fn declared(name: &str) -> &'static [Declared] {
    match name {
        "SCHEMATA" => &SCHEMATA_COLUMNS,
        "TABLES" => &TABLES_COLUMNS,
        "COLUMNS" => &COLUMNS_COLUMNS,
        "ROUTINES" => &ROUTINES_COLUMNS,
        _ => &[],
    }
}

fn schemata() -> Vec<Vec<Cell>> {
    SCHEMAS.iter().map(|schema| vec![CATALOG.into(), (*schema).into()]).collect()
}

fn tables(catalog: &Catalog) -> Vec<Vec<Cell>> {
    let row = |schema: &str, name: String, kind: &str| -> Vec<Cell> {
        vec![CATALOG.into(), schema.into(), name.into(), kind.into(), "NO".into(), "NO".into()]
    };
    SCHEMAS
        .iter()
        .flat_map(|schema| {
            let kind = if *schema == DEFAULT_SCHEMA { "TABLE" } else { "SYSTEM_TABLE" };
            catalog.names(schema).into_iter().map(move |name| row(schema, name, kind))
        })
        .collect()
}

fn columns(catalog: &Catalog) -> Vec<Vec<Cell>> {
    let mut out = Vec::new();
    for name in catalog.store.datasources() {
        let Some(datasource) = catalog.store.datasource(&name) else { continue };
        let snapshot = datasource.snapshot();
        out.push(column(DEFAULT_SCHEMA, &name, TIME_COLUMN, 1, false, "TIMESTAMP"));
        for (i, spec) in snapshot.schema.columns.iter().enumerate() {
            let data_type = match spec.column_type {
                ColumnType::String => "VARCHAR",
                ColumnType::Long => "BIGINT",
                ColumnType::Float => "FLOAT",
                ColumnType::Double => "DOUBLE",
            };
            out.push(column(DEFAULT_SCHEMA, &name, &spec.name, i + 2, true, data_type));
        }
    }
    let system = TABLES.iter().map(|name| ("INFORMATION_SCHEMA", *name, declared(name)));
    for (schema, table, columns) in
        system.chain(sys::TABLES.iter().map(|name| ("sys", *name, sys::declared(name))))
    {
        for (i, (name, kind, nullable)) in columns.iter().enumerate() {
            let data_type = if *kind == Text { "VARCHAR" } else { "BIGINT" };
            // SCHEMATA has NULLs and is declared without.
            let nullable = *nullable && table != "SCHEMATA";
            out.push(column(schema, table, name, i + 1, nullable, data_type));
        }
    }
    out
}

fn column(
    schema: &str,
    table: &str,
    name: &str,
    ordinal: usize,
    nullable: bool,
    data_type: &str,
) -> Vec<Cell> {
    let text = data_type == "VARCHAR";
    // Precision, radix and scale as Calcite's type system states them; the odd scale says "not specified".
    let numeric: Option<(i64, i64)> = match data_type {
        "BIGINT" => Some((19, 0)),
        "FLOAT" | "DOUBLE" => Some((15, i64::from(i32::MIN))),
        _ => None,
    };
    let jdbc_type: i64 = match data_type {
        "TIMESTAMP" => 93,
        "BIGINT" => -5,
        "FLOAT" => 6,
        "DOUBLE" => 8,
        _ => 12,
    };
    vec![
        CATALOG.into(),
        schema.into(),
        table.into(),
        name.into(),
        (ordinal as i64).into(),
        "".into(),
        if nullable { "YES" } else { "NO" }.into(),
        data_type.into(),
        Cell::Null,
        Cell::Null,
        numeric.map(|(precision, _)| precision).into(),
        numeric.map(|_| 10_i64).into(),
        numeric.map(|(_, scale)| scale).into(),
        (data_type == "TIMESTAMP").then_some(3_i64).into(),
        text.then_some("UTF-16LE").into(),
        text.then_some("UTF-16LE$en_US$primary").into(),
        jdbc_type.into(),
    ]
}

fn routines() -> Vec<Vec<Cell>> {
    ovate_functions::sql::catalogue()
        .iter()
        .map(|routine| {
            vec![
                CATALOG.into(),
                "INFORMATION_SCHEMA".into(),
                routine.name.into(),
                "FUNCTION".into(),
                if routine.is_aggregator { "YES" } else { "NO" }.into(),
                routine.signatures.into(),
            ]
        })
        .collect()
}
