//! The information schema as PostgreSQL has it: by its names of types, and with the columns that programs look for.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int32Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema};
use datafusion::catalog::{CatalogProvider, MemTable, MemorySchemaProvider, SchemaProvider as _};
use datafusion::error::Result;

use super::types::postgres_name;
use super::{POSTGRES_CATALOG, SCHEMA as PUBLIC};

/// Its name.
pub(super) const SCHEMA: &str = "information_schema";

/// Tables of it that are there and hold nothing: a store has no keys, no views and no routines of a user's own.
const EMPTY: [(&str, &[&str]); 6] = [
    ("views", &["table_catalog", "table_schema", "table_name", "view_definition", "check_option", "is_updatable"]),
    (
        "table_constraints",
        &[
            "constraint_catalog",
            "constraint_schema",
            "constraint_name",
            "table_catalog",
            "table_schema",
            "table_name",
            "constraint_type",
        ],
    ),
    (
        "key_column_usage",
        &[
            "constraint_catalog",
            "constraint_schema",
            "constraint_name",
            "table_catalog",
            "table_schema",
            "table_name",
            "column_name",
            "ordinal_position",
        ],
    ),
    (
        "constraint_column_usage",
        &["table_catalog", "table_schema", "table_name", "column_name", "constraint_schema", "constraint_name"],
    ),
    (
        "referential_constraints",
        &["constraint_catalog", "constraint_schema", "constraint_name", "unique_constraint_name"],
    ),
    (
        "routines",
        &["specific_catalog", "specific_schema", "specific_name", "routine_schema", "routine_name", "data_type"],
    ),
];

/// The schema over the tables that there are.
pub(super) async fn schema(catalog: &Arc<dyn CatalogProvider>) -> Result<MemorySchemaProvider> {
    let mut tables: Vec<(String, Arc<Schema>)> = Vec::new();
    if let Some(public) = catalog.schema(PUBLIC) {
        let mut names = public.table_names();
        names.sort_unstable();
        for name in names {
            if let Some(table) = public.table(&name).await? {
                tables.push((name, table.schema()));
            }
        }
    }
    let schema = MemorySchemaProvider::new();
    let add = |name: &str, batch: RecordBatch| {
        let table = MemTable::try_new(batch.schema(), vec![vec![batch]])?;
        schema.register_table(name.to_owned(), Arc::new(table)).map(|_| ())
    };
    add("schemata", schemata()?)?;
    add("tables", of_tables(&tables)?)?;
    add("columns", of_columns(&tables)?)?;
    for (name, columns) in EMPTY {
        let fields: Vec<Field> = columns.iter().map(|column| Field::new(*column, DataType::Utf8, true)).collect();
        add(name, RecordBatch::new_empty(Arc::new(Schema::new(fields))))?;
    }
    Ok(schema)
}

/// Rows by their columns, each of texts or of numbers.
fn batch(columns: Vec<(&str, ArrayRef)>) -> Result<RecordBatch> {
    let fields = columns.iter().map(|(name, values)| Field::new(*name, values.data_type().clone(), true));
    let schema = Schema::new(fields.collect::<Vec<_>>());
    Ok(RecordBatch::try_new(Arc::new(schema), columns.into_iter().map(|(_, values)| values).collect())?)
}

fn texts<'a>(values: impl IntoIterator<Item = Option<&'a str>>) -> ArrayRef {
    Arc::new(StringArray::from_iter(values))
}

fn schemata() -> Result<RecordBatch> {
    let names = [SCHEMA, "pg_catalog", PUBLIC];
    let same = |value| texts(names.map(|_| value));
    batch(vec![
        ("catalog_name", same(Some(POSTGRES_CATALOG))),
        ("schema_name", texts(names.map(Some))),
        ("schema_owner", same(Some("postgres"))),
        ("default_character_set_catalog", same(None)),
    ])
}

fn of_tables(tables: &[(String, Arc<Schema>)]) -> Result<RecordBatch> {
    let same = |value| texts(tables.iter().map(|_| value));
    batch(vec![
        ("table_catalog", same(Some(POSTGRES_CATALOG))),
        ("table_schema", same(Some(PUBLIC))),
        ("table_name", texts(tables.iter().map(|(name, _)| Some(name.as_str())))),
        ("table_type", same(Some("BASE TABLE"))),
        ("is_insertable_into", same(Some("NO"))),
        ("is_typed", same(Some("NO"))),
    ])
}

fn of_columns(tables: &[(String, Arc<Schema>)]) -> Result<RecordBatch> {
    let columns: Vec<(&str, usize, &Field)> = tables
        .iter()
        .flat_map(|(name, schema)| {
            schema.fields().iter().enumerate().map(|(at, field)| (name.as_str(), at + 1, field.as_ref()))
        })
        .collect();
    let same = |value| texts(columns.iter().map(|_| value));
    let of_types =
        |of: fn(&DataType) -> Option<&'static str>| texts(columns.iter().map(|(_, _, field)| of(field.data_type())));
    let numbers = |of: fn(&DataType) -> Option<i32>| -> ArrayRef {
        Arc::new(Int32Array::from_iter(columns.iter().map(|(_, _, field)| of(field.data_type()))))
    };
    let positions = columns.iter().map(|(_, at, _)| i32::try_from(*at).ok());
    batch(vec![
        ("table_catalog", same(Some(POSTGRES_CATALOG))),
        ("table_schema", same(Some(PUBLIC))),
        ("table_name", texts(columns.iter().map(|(table, ..)| Some(*table)))),
        ("column_name", texts(columns.iter().map(|(_, _, field)| Some(field.name().as_str())))),
        ("ordinal_position", Arc::new(Int32Array::from_iter(positions))),
        ("column_default", same(None)),
        ("is_nullable", texts(columns.iter().map(|(.., field)| Some(if field.is_nullable() { "YES" } else { "NO" })))),
        ("data_type", of_types(|of| Some(in_words(postgres_name(of))))),
        ("character_maximum_length", numbers(|_| None)),
        ("character_octet_length", numbers(|of| (postgres_name(of) == "text").then_some(1 << 30))),
        ("numeric_precision", numbers(bits)),
        ("numeric_precision_radix", numbers(|of| bits(of).map(|_| 2))),
        ("numeric_scale", numbers(|of| of.is_integer().then_some(0))),
        ("datetime_precision", numbers(|of| of.is_temporal().then_some(6))),
        ("interval_type", same(None)),
        ("collation_name", same(None)),
        ("domain_name", same(None)),
        ("udt_catalog", same(Some(POSTGRES_CATALOG))),
        ("udt_schema", same(Some("pg_catalog"))),
        ("udt_name", of_types(|of| Some(postgres_name(of)))),
        ("is_identity", same(Some("NO"))),
        ("identity_generation", same(None)),
        ("is_generated", same(Some("NEVER"))),
        ("generation_expression", same(None)),
        ("is_updatable", same(Some("NO"))),
    ])
}

/// A type as the standard calls it.
fn in_words(name: &'static str) -> &'static str {
    match name {
        "bool" => "boolean",
        "int2" => "smallint",
        "int4" => "integer",
        "int8" => "bigint",
        "float8" => "double precision",
        "timestamp" => "timestamp without time zone",
        "timestamptz" => "timestamp with time zone",
        same => same,
    }
}

fn bits(of: &DataType) -> Option<i32> {
    match postgres_name(of) {
        "int2" => Some(16),
        "int4" => Some(32),
        "int8" => Some(64),
        "float8" => Some(53),
        _ => None,
    }
}
