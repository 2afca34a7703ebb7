//! The tables of the catalog that are other than `datafusion-pg-catalog` has them.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema};
use async_trait::async_trait;
use datafusion::catalog::view::ViewTable;
use datafusion::catalog::{MemTable, SchemaProvider, TableProvider};
use datafusion::common::ScalarValue;
use datafusion::datasource::provider_as_source;
use datafusion::error::Result;
use datafusion::logical_expr::{LogicalPlanBuilder, col, lit};

use super::functions::SETTINGS;

/// What is an array there, and a text in what the library carries.
const ARRAYS: [&str; 10] = [
    "conkey",
    "confkey",
    "conpfeqop",
    "conppeqop",
    "conffeqop",
    "conexclop",
    "indkey",
    "indcollation",
    "indclass",
    "indoption",
];

/// The catalog, where a store has no indexes and no constraints.
#[derive(Debug)]
pub(super) struct Tables(pub Arc<dyn SchemaProvider>);

#[async_trait]
impl SchemaProvider for Tables {
    fn table_names(&self) -> Vec<String> {
        self.0.table_names()
    }

    fn table_exist(&self, name: &str) -> bool {
        self.0.table_exist(name)
    }

    async fn table(&self, name: &str) -> Result<Option<Arc<dyn TableProvider>>> {
        let Some(table) = self.0.table(name).await? else { return Ok(None) };
        Ok(Some(match name {
            "pg_index" | "pg_constraint" => emptied(&table.schema())?,
            "pg_class" => with_options(table)?,
            "pg_settings" => settings()?,
            _ => table,
        }))
    }
}

/// No rows, in columns that arrays are arrays in.
fn emptied(schema: &Schema) -> Result<Arc<dyn TableProvider>> {
    let fields = schema.fields().iter().map(|field| match ARRAYS.contains(&field.name().as_str()) {
        true => {
            let of = DataType::List(Arc::new(Field::new_list_field(DataType::Int16, true)));
            Field::new(field.name(), of, true)
        }
        false => field.as_ref().clone(),
    });
    let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
    Ok(Arc::new(MemTable::try_new(Arc::clone(&schema), vec![vec![RecordBatch::new_empty(schema)]])?))
}

/// With the two columns that are missing.
fn with_options(table: Arc<dyn TableProvider>) -> Result<Arc<dyn TableProvider>> {
    let schema = table.schema();
    let names = schema.fields().iter().map(|field| col(field.name().as_str()));
    let list = DataType::List(Arc::new(Field::new_list_field(DataType::Utf8, true)));
    let none = ScalarValue::try_new_null(&list)?;
    let added = ["relacl", "reloptions"].map(|name| lit(none.clone()).alias(name));
    let columns: Vec<_> = names.chain(added).collect();
    let plan = LogicalPlanBuilder::scan("pg_class", provider_as_source(table), None)?.project(columns)?.build()?;
    Ok(Arc::new(ViewTable::new(plan, None)))
}

fn settings() -> Result<Arc<dyn TableProvider>> {
    const OTHERS: [&str; 9] =
        ["unit", "category", "short_desc", "context", "vartype", "source", "min_val", "max_val", "boot_val"];
    let texts = |values: Vec<Option<&str>>| -> ArrayRef { Arc::new(StringArray::from(values)) };
    let mut columns = vec![
        ("name", texts(SETTINGS.iter().map(|(name, _)| Some(*name)).collect())),
        ("setting", texts(SETTINGS.iter().map(|(_, value)| Some(*value)).collect())),
    ];
    columns.extend(OTHERS.map(|name| (name, texts(vec![None; SETTINGS.len()]))));
    let fields: Vec<Field> = columns.iter().map(|(name, _)| Field::new(*name, DataType::Utf8, true)).collect();
    let schema = Arc::new(Schema::new(fields));
    let batch = RecordBatch::try_new(Arc::clone(&schema), columns.into_iter().map(|(_, values)| values).collect())?;
    Ok(Arc::new(MemTable::try_new(schema, vec![vec![batch]])?))
}
