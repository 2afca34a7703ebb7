//! What lies below an aggregate, where that is the table `events`: its filters, and what the columns are made of.

use std::collections::HashMap;

use datafusion::common::Column;
use datafusion::common::tree_node::{Transformed, TreeNode as _};
use datafusion::error::Result;
use datafusion::logical_expr::utils::split_conjunction_owned;
use datafusion::logical_expr::{Expr, Filter, LogicalPlan};

use crate::tables;

/// The events that an aggregate sees. All expressions are over the columns of `events`, without a qualifier.
pub(super) struct Below {
    /// All of these hold for them.
    pub conditions: Vec<Expr>,
    columns: HashMap<Column, Expr>,
}

impl Below {
    /// `None` where it is anything but events, filtered and projected.
    pub fn of(plan: &LogicalPlan) -> Result<Option<Self>> {
        match plan {
            LogicalPlan::TableScan(scan) => {
                let is_events = scan.table_name.table() == tables::NAMES[0]
                    && scan.source.schema() == tables::all_columns()
                    && scan.fetch.is_none();
                if !is_events {
                    return Ok(None);
                }
                let columns = scan.projected_schema.columns().into_iter();
                let columns =
                    columns.map(|column| (column.clone(), Expr::Column(Column::new_unqualified(column.name))));
                let mut below = Self { conditions: Vec::new(), columns: columns.collect() };
                below.conditions = scan.filters.iter().map(unqualified).collect::<Result<_>>()?;
                Ok(Some(below))
            }
            LogicalPlan::Filter(Filter { predicate, input, .. }) => {
                let Some(mut below) = Self::of(input)? else { return Ok(None) };
                let Some(condition) = below.resolve(predicate)? else { return Ok(None) };
                for condition in split_conjunction_owned(condition) {
                    // What a scan is told stands above it, too.
                    if !below.conditions.contains(&condition) {
                        below.conditions.push(condition);
                    }
                }
                Ok(Some(below))
            }
            LogicalPlan::SubqueryAlias(alias) => {
                let Some(below) = Self::of(&alias.input)? else { return Ok(None) };
                let (outer, inner) = (alias.schema.columns(), alias.input.schema().columns());
                below.renamed(outer.into_iter().zip(inner.into_iter().map(Expr::Column)))
            }
            LogicalPlan::Projection(projection) => {
                let Some(below) = Self::of(&projection.input)? else { return Ok(None) };
                below.renamed(projection.schema.columns().into_iter().zip(projection.expr.iter().cloned()))
            }
            _ => Ok(None),
        }
    }

    fn renamed(self, columns: impl Iterator<Item = (Column, Expr)>) -> Result<Option<Self>> {
        let mut renamed = HashMap::new();
        for (column, expr) in columns {
            let Some(expr) = self.resolve(&expr.unalias())? else { return Ok(None) };
            renamed.insert(column, expr);
        }
        Ok(Some(Self { conditions: self.conditions, columns: renamed }))
    }

    /// An expression of the aggregate over the columns of `events`; `None` where it names another one.
    pub fn resolve(&self, expr: &Expr) -> Result<Option<Expr>> {
        let mut is_known = true;
        let resolved = expr.clone().transform_up(|expr| {
            let Expr::Column(column) = &expr else { return Ok(Transformed::no(expr)) };
            match self.columns.get(column) {
                Some(known) => Ok(Transformed::yes(known.clone())),
                None => {
                    is_known = false;
                    Ok(Transformed::no(expr))
                }
            }
        })?;
        Ok(is_known.then_some(resolved.data))
    }
}

fn unqualified(expr: &Expr) -> Result<Expr> {
    let stripped = expr.clone().transform_up(|expr| match expr {
        Expr::Column(column) => Ok(Transformed::yes(Expr::Column(Column::new_unqualified(column.name)))),
        expr => Ok(Transformed::no(expr)),
    })?;
    Ok(stripped.data)
}
