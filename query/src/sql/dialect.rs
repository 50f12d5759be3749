//! The grammar: Druid's SQL as sqlparser's switches.
//!
//! It is sqlparser's generic grammar where that agrees with Druid, and differs where Druid (Calcite) does:
//! identifiers are quoted with `"` only, backslashes in strings are ordinary characters, `U&'…'` is a string, and
//! the constructs of other products that would change the meaning of plain SQL are off.

use std::any::TypeId;

use datafusion::sql::sqlparser::dialect::{Dialect, GenericDialect};

/// Druid's SQL.
#[derive(Debug, Clone, Copy)]
pub(crate) struct DruidDialect;

impl Dialect for DruidDialect {
    /// The parser asks for the generic grammar by type in places that have no switch.
    fn dialect(&self) -> TypeId {
        TypeId::of::<GenericDialect>()
    }

    fn is_delimited_identifier_start(&self, ch: char) -> bool {
        ch == '"'
    }

    fn identifier_quote_style(&self, _identifier: &str) -> Option<char> {
        Some('"')
    }

    fn is_identifier_start(&self, ch: char) -> bool {
        ch.is_alphabetic() || ch == '_'
    }

    fn is_identifier_part(&self, ch: char) -> bool {
        ch.is_alphanumeric() || ch == '_' || ch == '$'
    }

    fn supports_unicode_string_literal(&self) -> bool {
        true
    }

    fn supports_filter_during_aggregation(&self) -> bool {
        true
    }

    fn supports_within_after_array_aggregation(&self) -> bool {
        true
    }

    fn supports_group_by_expr(&self) -> bool {
        true
    }

    fn supports_window_clause_named_window_reference(&self) -> bool {
        true
    }

    fn supports_window_function_null_treatment_arg(&self) -> bool {
        true
    }

    fn supports_parens_around_table_factor(&self) -> bool {
        true
    }

    fn supports_values_as_table_factor(&self) -> bool {
        true
    }

    fn supports_left_associative_joins_without_parens(&self) -> bool {
        true
    }

    /// `EXTRACT(MICROSECOND …)`, `EXTRACT(MILLENNIUM …)`: unknown units reach the rewriter, which names the known ones.
    fn allow_extract_custom(&self) -> bool {
        true
    }

    /// `TRIM(x, ' ')`: how sqlglot, and so Superset, writes `TRIM(BOTH ' ' FROM x)`.
    fn supports_comma_separated_trim(&self) -> bool {
        true
    }

    fn supports_named_fn_args_with_rarrow_operator(&self) -> bool {
        true
    }

    fn supports_nested_comments(&self) -> bool {
        false
    }

    fn supports_select_wildcard_except(&self) -> bool {
        false
    }

    fn supports_order_by_all(&self) -> bool {
        false
    }

    fn supports_group_by_with_modifier(&self) -> bool {
        false
    }
}
