//! The SQL that users may write: the query engine's own, with JSON operators that bind as
//! tightly as everyone expects.

use std::any::TypeId;

use datafusion::sql::sqlparser::dialect::{Dialect, GenericDialect};
use datafusion::sql::sqlparser::parser::{Parser, ParserError};
use datafusion::sql::sqlparser::tokenizer::Token;

/// Above `::`, so that `data->>'n'::int` casts the member and not its name, and above `=`,
/// which the generic dialect would take first.
const JSON_PRECEDENCE: u8 = 55;

/// The generic dialect but for the precedence of `->` and `->>`.
#[derive(Debug)]
pub(super) struct StoreDialect;

/// Everything that the generic dialect switches on, but for statements that are refused anyway, and for
/// `select from events`, which is a slip and not a question for rows of no columns.
macro_rules! as_generic {
    ($($switch:ident)*) => { $(fn $switch(&self) -> bool { GenericDialect.$switch() })* };
}

impl Dialect for StoreDialect {
    fn dialect(&self) -> TypeId {
        TypeId::of::<GenericDialect>()
    }

    fn is_delimited_identifier_start(&self, c: char) -> bool {
        GenericDialect.is_delimited_identifier_start(c)
    }

    fn is_identifier_start(&self, c: char) -> bool {
        GenericDialect.is_identifier_start(c)
    }

    fn is_identifier_part(&self, c: char) -> bool {
        GenericDialect.is_identifier_part(c)
    }

    fn get_next_precedence(&self, parser: &Parser) -> Option<Result<u8, ParserError>> {
        let is_json = matches!(parser.peek_token_ref().token, Token::Arrow | Token::LongArrow);
        is_json.then_some(Ok(JSON_PRECEDENCE))
    }

    as_generic! {
        allow_extract_custom
        allow_extract_single_quotes
        support_map_literal_syntax
        supports_comma_separated_trim
        supports_cte_without_as
        supports_dictionary_syntax
        supports_explain_with_utility_options
        supports_extract_comma_syntax
        supports_filter_during_aggregation
        supports_from_first_select
        supports_group_by_expr
        supports_group_by_with_modifier
        supports_interval_options
        supports_left_associative_joins_without_parens
        supports_limit_comma
        supports_named_fn_args_with_assignment_operator
        supports_nested_comments
        supports_parens_around_table_factor
        supports_partition_by_after_order_by
        supports_pipe_operator
        supports_projection_trailing_commas
        supports_select_wildcard_except
        supports_select_wildcard_exclude
        supports_select_wildcard_ilike
        supports_select_wildcard_rename
        supports_select_wildcard_replace
        supports_string_escape_constant
        supports_struct_literal
        supports_try_convert
        supports_unicode_string_literal
        supports_values_as_table_factor
        supports_window_clause_named_window_reference
        supports_window_function_null_treatment_arg
    }
}
