//! What output columns are called: `EXPR$0` where nothing is said, and names that occur twice.
//!
//! DataFusion wants the columns of a projection to have different names; Druid does not. A repeated name gets a
//! mark and a number behind it while the statement is planned, which [`shown`] takes off again.

use std::collections::HashSet;

use datafusion::sql::sqlparser::ast::{Expr, Ident, OrderByKind, Query, Select, SelectItem, SetExpr};

/// Stands between a repeated name and its number: a character no sensible name has.
const MARK: char = '\u{1f}';

/// Names the columns of a query, and calls them by these names in its `ORDER BY`: `SELECT DISTINCT a + 1 … ORDER BY
/// a + 1` sorts by a column that is there.
pub(crate) fn settle_query(query: &mut Query) {
    let SetExpr::Select(select) = &mut *query.body else { return };
    settle(select);
    let Some(OrderByKind::Expressions(order)) = query.order_by.as_mut().map(|order| &mut order.kind) else {
        return;
    };
    for sorted in order {
        if matches!(sorted.expr, Expr::Identifier(_) | Expr::CompoundIdentifier(_) | Expr::Value(_)) {
            continue;
        }
        let named = select.projection.iter().find_map(|item| match item {
            SelectItem::ExprWithAlias { expr, alias } if *expr == sorted.expr => Some(alias.clone()),
            _ => None,
        });
        if let Some(alias) = named {
            sorted.expr = Expr::Identifier(alias);
        }
    }
}

/// Names every column of a `SELECT` list.
pub(crate) fn settle(select: &mut Select) {
    let has_wildcard = select
        .projection
        .iter()
        .any(|item| matches!(item, SelectItem::Wildcard(_) | SelectItem::QualifiedWildcard(..)));
    let mut seen = HashSet::new();
    for (index, item) in select.projection.iter_mut().enumerate() {
        let (expr, alias) = match std::mem::replace(item, SelectItem::UnnamedExpr(super::tree::null())) {
            SelectItem::UnnamedExpr(expr) => {
                let name = natural_name(&expr);
                // A column beside a wildcard is in the list twice.
                if let Some(name) = name.as_ref().filter(|name| !has_wildcard && !seen.contains(*name)) {
                    seen.insert(name.clone());
                    *item = SelectItem::UnnamedExpr(expr);
                    continue;
                }
                let repeated = name.is_some();
                let name = name.unwrap_or_else(|| format!("EXPR${index}"));
                (expr, if repeated { marked(&name, index) } else { name })
            }
            SelectItem::ExprWithAlias { expr, alias } => {
                let name =
                    if seen.contains(&alias.value) { marked(&alias.value, index) } else { alias.value };
                (expr, name)
            }
            other => {
                *item = other;
                continue;
            }
        };
        seen.insert(alias.clone());
        *item = SelectItem::ExprWithAlias { expr, alias: Ident::with_quote('"', alias) };
    }
}

/// The name of an output column as the client sees it; `position` counts from 0.
pub(crate) fn shown(name: &str, position: usize) -> String {
    if name.strip_prefix("EXPR$").is_some_and(|digits| digits.bytes().all(|b| b.is_ascii_digit())) {
        return format!("EXPR${position}");
    }
    name.split(MARK).next().unwrap_or(name).to_owned()
}

fn marked(name: &str, index: usize) -> String {
    format!("{name}{MARK}{index}")
}

/// The name of a plain column.
fn natural_name(expr: &Expr) -> Option<String> {
    match expr {
        Expr::Identifier(ident) => Some(ident.value.clone()),
        Expr::CompoundIdentifier(parts) => parts.last().map(|ident| ident.value.clone()),
        Expr::Nested(inner) => natural_name(inner),
        _ => None,
    }
}
