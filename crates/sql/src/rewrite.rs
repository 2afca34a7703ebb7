//! What clients write that neither the engine nor `datafusion-pg-catalog` understands, in words that the engine does.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    AccessExpr, DataType, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgumentList, FunctionArguments, Ident,
    ObjectName, Query, SelectItem, SetExpr, Statement, Value, VisitMut as _, VisitorMut,
};

use super::SCHEMA;
use super::names::TO_REGCLASS;

/// The same statement as the engine understands it.
pub(super) fn rewritten(mut statement: Statement) -> Statement {
    // It goes on to the end.
    let _ = statement.visit(&mut Rewrite);
    statement
}

struct Rewrite;

impl VisitorMut for Rewrite {
    type Break = ();

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        match expr {
            // Those of literals are understood without.
            Expr::Cast { expr: of, data_type, .. } if is_regclass(data_type) && !is_literal(of) => {
                *expr = call(TO_REGCLASS, vec![of.as_ref().clone()]);
            }
            // Rows as an array: of what a store does not have.
            Expr::Function(function) if matches!(function.args, FunctionArguments::Subquery(_)) => {
                *expr = call("string_to_array", vec![null(), text(",")]);
            }
            Expr::Like { pattern, escape_char, .. } => {
                if let Some(escape) = escape_char.take() {
                    let escape = Expr::Value(escape);
                    **pattern = call("replace", vec![pattern.as_ref().clone(), escape, text("\\")]);
                }
            }
            // In which schemas names are looked up that name none: `datafusion-pg-catalog` puts nothing in place of that
            // question of Grafana's, which finds nothing then.
            Expr::InList { expr: of, list, .. }
                if is_schema(of) && matches!(list.as_slice(), [one] if is_empty(one)) =>
            {
                *list = vec![text(SCHEMA)];
            }
            // A part of a row: `(f(x)).n`.
            Expr::CompoundFieldAccess { root, access_chain } => {
                if let [AccessExpr::Dot(Expr::Identifier(name))] = access_chain.as_slice() {
                    *expr = call("get_field", vec![root.as_ref().clone(), text(&name.value)]);
                }
            }
            // What belongs to defaults, identities and collations, of which a store has none; the engine plans no such ones.
            Expr::Case { conditions, else_result, .. } => {
                let results = conditions.iter_mut().map(|condition| &mut condition.result);
                for result in results.chain(else_result.iter_mut().map(|result| &mut **result)) {
                    if matches!(result, Expr::Subquery(_)) {
                        *result = null();
                    }
                }
            }
            Expr::Subquery(query) => to_one_row(query),
            _ => {}
        }
        ControlFlow::Continue(())
    }
}

/// Is it the name of a schema, as `quote_ident(table_schema)`?
fn is_schema(expr: &Expr) -> bool {
    expr.to_string().to_ascii_lowercase().contains("table_schema")
}

fn is_empty(expr: &Expr) -> bool {
    matches!(expr, Expr::Value(value) if matches!(&value.value, Value::SingleQuotedString(text) if text.is_empty()))
}

/// A subquery whose value is wanted has one row at most; the engine wants to be told so, by an aggregate.
fn to_one_row(query: &mut Query) {
    const AGGREGATES: [&str; 6] = ["agg(", "max(", "min(", "count(", "sum(", "bool_"];
    let SetExpr::Select(select) = query.body.as_mut() else { return };
    let [SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. }] = select.projection.as_mut_slice()
    else {
        return;
    };
    let written = expr.to_string().to_ascii_lowercase();
    if select.from.is_empty() || AGGREGATES.iter().any(|name| written.contains(name)) {
        return;
    }
    *expr = call("max", vec![expr.clone()]);
    query.order_by = None;
    query.limit_clause = None;
}

fn is_regclass(of: &DataType) -> bool {
    let name = of.to_string().to_ascii_lowercase();
    name == "regclass" || name == "pg_catalog.regclass"
}

fn is_literal(expr: &Expr) -> bool {
    matches!(expr, Expr::Value(value) if matches!(value.value, Value::SingleQuotedString(_) | Value::Placeholder(_)))
}

fn null() -> Expr {
    Expr::Value(Value::Null.into())
}

fn text(text: &str) -> Expr {
    Expr::Value(Value::SingleQuotedString(text.to_owned()).into())
}

fn call(name: &str, args: Vec<Expr>) -> Expr {
    let args = args.into_iter().map(|arg| FunctionArg::Unnamed(FunctionArgExpr::Expr(arg))).collect();
    let args = FunctionArgumentList { duplicate_treatment: None, args, clauses: Vec::new() };
    Expr::Function(Function {
        name: ObjectName::from(vec![Ident::new(name)]),
        uses_odbc_syntax: false,
        parameters: FunctionArguments::None,
        args: FunctionArguments::List(args),
        filter: None,
        null_treatment: None,
        over: None,
        within_group: Vec::new(),
    })
}
