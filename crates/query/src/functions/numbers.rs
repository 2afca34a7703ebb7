//! Values of JSON beside numbers: what is a number is compared as one, and what is none equals none.

use arrow::datatypes::DataType;
use datafusion::common::DFSchema;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::Transformed;
use datafusion::error::Result;
use datafusion::logical_expr::expr::{Between, InList};
use datafusion::logical_expr::expr_rewriter::FunctionRewrite;
use datafusion::logical_expr::{BinaryExpr, Expr, ExprSchemable as _, Operator, try_cast};

/// `data->>'progress' >= 50`: left to itself the engine casts each value to the type of the number, and one that is `33.5`
/// or `half` ends the query.
#[derive(Debug)]
pub struct BesideNumbers;

impl FunctionRewrite for BesideNumbers {
    fn name(&self) -> &str {
        "json_beside_numbers"
    }

    fn rewrite(&self, expr: Expr, schema: &DFSchema, _config: &ConfigOptions) -> Result<Transformed<Expr>> {
        let is_number = |expr: &Expr| expr.get_type(schema).is_ok_and(|of| of.is_numeric());
        Ok(match expr {
            Expr::BinaryExpr(BinaryExpr { left, op, right }) if compares(op) => {
                let (left_is_text, right_is_text) = (is_text_of_json(&left), is_text_of_json(&right));
                let left = if left_is_text && is_number(&right) { number(*left) } else { left };
                let right = if right_is_text && is_number(&left) { number(*right) } else { right };
                Transformed::yes(Expr::BinaryExpr(BinaryExpr { left, op, right }))
            }
            Expr::Between(between) if is_text_of_json(&between.expr) && is_number(&between.low) => {
                Transformed::yes(Expr::Between(Between { expr: number(*between.expr), ..between }))
            }
            Expr::InList(list) if is_text_of_json(&list.expr) && list.list.iter().all(is_number) => {
                Transformed::yes(Expr::InList(InList { expr: number(*list.expr), ..list }))
            }
            expr => Transformed::no(expr),
        })
    }
}

fn compares(operator: Operator) -> bool {
    use Operator::{Eq, Gt, GtEq, Lt, LtEq, NotEq};
    matches!(operator, Eq | NotEq | Lt | LtEq | Gt | GtEq)
}

fn is_text_of_json(expr: &Expr) -> bool {
    match expr {
        Expr::Alias(alias) => is_text_of_json(&alias.expr),
        Expr::ScalarFunction(called) => matches!(called.func.name(), "json_as_text" | "json_get_str"),
        _ => false,
    }
}

fn number(text: Expr) -> Box<Expr> {
    Box::new(try_cast(text, DataType::Float64))
}
