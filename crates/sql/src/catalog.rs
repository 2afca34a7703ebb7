//! PostgreSQL's catalog over the store's tables.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::array::{AsArray as _, RecordBatch};
use arrow::datatypes::{Int32Type, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::CatalogProviderList;
use datafusion::datasource::TableType;
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::ScalarUDF;
use datafusion::prelude::SessionContext;
use datafusion_pg_catalog::pg_catalog::catalog_info::CatalogInfo;
use datafusion_pg_catalog::pg_catalog::context::{PgCatalogContextProvider, Role};
use datafusion_pg_catalog::pg_catalog::{PgCatalogSchemaProvider, PgCatalogStaticTables, setup_pg_catalog};

use super::names::{IsVisible, ToRegclass};
use super::tables::Tables;
use super::{POSTGRES_CATALOG, functions, information};

/// Makes the catalog known to a session.
pub(super) async fn set_up(context: &SessionContext) -> Result<()> {
    let missing = || DataFusionError::Internal(format!("the session has no catalog {POSTGRES_CATALOG}"));
    let catalog = context.catalog(POSTGRES_CATALOG).ok_or_else(missing)?;
    catalog.register_schema(information::SCHEMA, Arc::new(information::schema(&catalog).await?))?;
    setup_pg_catalog(context, POSTGRES_CATALOG, OneRole).map_err(|error| *error)?;
    let all = Sorted(Arc::clone(context.state().catalog_list()));
    let tables = Arc::new(PgCatalogStaticTables::try_new()?);
    let of_library = Arc::new(PgCatalogSchemaProvider::try_new(all, tables, OneRole)?);
    catalog.register_schema("pg_catalog", Arc::new(Tables(of_library)))?;
    functions::register(context)?;
    // Numbers are given to tables as they are met. A client carries them from one question to the next, which another
    // process answers: so they are given in the same order each time, here.
    let all = "select n.nspname, c.relname, c.oid from pg_catalog.pg_class c \
         join pg_catalog.pg_namespace n on n.oid = c.relnamespace";
    let (numbers, hidden) = numbers(&context.sql(all).await?.collect().await?);
    context.register_udf(ScalarUDF::from(ToRegclass::of(numbers)));
    context.register_udf(ScalarUDF::from(IsVisible::but(hidden)));
    Ok(())
}

/// The numbers of all tables, by their names with a schema and, of those that are found without, alone; and the numbers of
/// those that are not.
fn numbers(batches: &[RecordBatch]) -> (BTreeMap<String, i32>, BTreeSet<i32>) {
    let (mut numbers, mut hidden) = (BTreeMap::new(), BTreeSet::new());
    for batch in batches {
        let text = |column: usize| batch.column(column).as_string::<i32>();
        let oids = batch.column(2).as_primitive::<Int32Type>();
        for row in 0..batch.num_rows() {
            let (schema, table, number) = (text(0).value(row), text(1).value(row), oids.value(row));
            numbers.insert(format!("{schema}.{table}"), number);
            if schema == information::SCHEMA {
                hidden.insert(number);
            } else {
                numbers.insert(table.to_owned(), number);
            }
        }
    }
    (numbers, hidden)
}

/// The tables of a session, always in the same order.
#[derive(Debug, Clone)]
struct Sorted(Arc<dyn CatalogProviderList>);

fn sorted(mut names: Vec<String>) -> Vec<String> {
    names.sort_unstable();
    names
}

#[async_trait]
impl CatalogInfo for Sorted {
    async fn catalog_names(&self) -> Result<Vec<String>> {
        CatalogInfo::catalog_names(&self.0).await.map(sorted)
    }

    async fn schema_names(&self, catalog: &str) -> Result<Option<Vec<String>>> {
        Ok(CatalogInfo::schema_names(&self.0, catalog).await?.map(sorted))
    }

    async fn table_names(&self, catalog: &str, schema: &str) -> Result<Option<Vec<String>>> {
        Ok(CatalogInfo::table_names(&self.0, catalog, schema).await?.map(sorted))
    }

    async fn table_schema(&self, catalog: &str, schema: &str, table: &str) -> Result<Option<SchemaRef>> {
        self.0.table_schema(catalog, schema, table).await
    }

    async fn table_type(&self, catalog: &str, schema: &str, table: &str) -> Result<Option<TableType>> {
        self.0.table_type(catalog, schema, table).await
    }
}

/// Who asks, by whatever name, may read and no more.
#[derive(Debug, Clone)]
struct OneRole;

/// As the functions of the catalog call whoever owns the tables.
const ROLE: &str = "postgres";

#[async_trait]
impl PgCatalogContextProvider for OneRole {
    async fn roles(&self) -> Vec<String> {
        vec![ROLE.to_owned()]
    }

    async fn role(&self, name: &str) -> Option<Role> {
        (name == ROLE).then(|| Role {
            name: ROLE.to_owned(),
            is_superuser: false,
            can_login: true,
            can_create_db: false,
            can_create_role: false,
            can_create_user: false,
            can_replication: false,
            grants: Vec::new(),
            inherited_roles: Vec::new(),
        })
    }
}
