//! DataFusion's complaints about a statement, as Druid would make them.
//!
//! The planner reports what it could not resolve; this module finds the place in the tree, says it in Calcite's
//! words and adds the nearest name that exists. It reads the tree as the user wrote it.

use std::ops::ControlFlow;

use datafusion::arrow::datatypes::DataType;
use datafusion::common::{Column, DataFusionError, SchemaError, TableReference};
use datafusion::sql::sqlparser::ast::{
    Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, ObjectName, Query, Spanned, Value,
    Visit, Visitor,
};
use datafusion::sql::sqlparser::tokenizer::Span;

use super::context::Names;
use super::types::is_text;
use crate::error::{DidYouMean, QueryError, bare_text, nearest};
use crate::options::StatementLimits;
use crate::sql::positions::{self, Tokens};
use crate::sql::statement;
use crate::sql::tree::{function_name, plain_args};

/// What the user is told about a failure of planning. The tree was consumed; errors can afford to parse again.
pub(crate) fn blame(
    error: &DataFusionError,
    sql: &str,
    limits: &StatementLimits,
    names: &Names<'_>,
) -> QueryError {
    let query = match statement::parse(sql, limits) {
        Ok(statement) => statement.query,
        Err(error) => return error,
    };
    let query = &*query;
    match error.find_root() {
        DataFusionError::External(external) => match external.downcast_ref::<QueryError>() {
            Some(own) => table_error(own, query),
            None => plan_error(&external.to_string(), query, sql, names),
        },
        DataFusionError::SchemaError(schema_error, _) => match schema_error.as_ref() {
            SchemaError::FieldNotFound { field, valid_fields } => {
                column_error(field, valid_fields, query, sql)
            }
            SchemaError::AmbiguousReference { field } => {
                let at = find_column(query, &field.name, None).and_then(positions::of_span);
                QueryError::invalid_at(format!("Column '{}' is ambiguous", field.name), at)
            }
            other => QueryError::invalid(other.to_string()),
        },
        DataFusionError::Plan(_) | DataFusionError::Execution(_) => {
            plan_error(&bare_text(error), query, sql, names)
        }
        _ => unplaced(error),
    }
}

/// What the user is told about a failure of planning that no place in the text is to blame for.
pub(crate) fn unplaced(error: &DataFusionError) -> QueryError {
    match error.find_root() {
        DataFusionError::External(external) => match external.downcast_ref::<QueryError>() {
            Some(own) => own.clone(),
            None => QueryError::invalid(external.to_string()),
        },
        DataFusionError::Internal(_) => QueryError::Internal(bare_text(error)),
        DataFusionError::ArrowError(arrow, _)
            if matches!(**arrow, arrow::error::ArrowError::DivideByZero) =>
        {
            QueryError::DivisionByZero { running: false }
        }
        DataFusionError::ResourcesExhausted(text) => QueryError::Resources(text.clone()),
        DataFusionError::NotImplemented(_) => QueryError::Unplannable(bare_text(error)),
        _ => QueryError::invalid(bare_text(error)),
    }
}

/// A table that the catalog did not find: the place is where its name stands.
fn table_error(error: &QueryError, query: &Query) -> QueryError {
    let QueryError::Invalid { message, position: None } = error else { return error.clone() };
    let Some(name) = message.strip_prefix("Object '").and_then(|rest| rest.split('\'').next()) else {
        return error.clone();
    };
    let mut finder =
        Find { relation: Some(name), column: None, qualifier: None, function: None, span: None, call: None };
    let _ = query.visit(&mut finder);
    QueryError::invalid_at(message.clone(), finder.span.and_then(positions::of_span))
}

fn column_error(field: &Column, valid: &[Column], query: &Query, sql: &str) -> QueryError {
    let qualifier = field.relation.as_ref().map(TableReference::table);
    let span = find_column(query, &field.name, qualifier).or_else(|| find_column(query, &field.name, None));
    let at = span.and_then(positions::of_span).or_else(|| Tokens::of(sql).name(&field.name));
    if let Some(qualifier) = qualifier {
        let is_known =
            |name: &str| valid.iter().any(|v| v.relation.as_ref().is_some_and(|r| r.table() == name));
        if !is_known(qualifier) {
            let known: Vec<&str> =
                valid.iter().filter_map(|v| v.relation.as_ref()).map(TableReference::table).collect();
            let near = nearest(qualifier, known);
            return QueryError::invalid_at(format!("Table '{qualifier}' not found{}", DidYouMean(near)), at);
        }
        let columns = valid.iter().filter(|v| v.relation.as_ref().is_some_and(|r| r.table() == qualifier));
        let near = nearest(&field.name, columns.map(|v| v.name.as_str()));
        let message = format!("Column '{}' not found in table '{qualifier}'{}", field.name, DidYouMean(near));
        return QueryError::invalid_at(message, at);
    }
    let near = nearest(&field.name, valid.iter().map(|v| v.name.as_str()));
    QueryError::invalid_at(format!("Column '{}' not found in any table{}", field.name, DidYouMean(near)), at)
}

/// Complaints that DataFusion only has as text.
fn plan_error(text: &str, query: &Query, sql: &str, names: &Names<'_>) -> QueryError {
    if let Some(name) = between(text, "Invalid function '", "'") {
        return function_error(name, query, sql, names);
    }
    if text.contains("must appear in the GROUP BY clause") || text.contains("must be in GROUP BY") {
        let column = between(text, "column \"", "\"").unwrap_or_default();
        let column = column.rsplit('.').next().unwrap_or(column);
        let at = find_column(query, column, None).and_then(positions::of_span);
        return QueryError::invalid_at(format!("Expression '{column}' is not being grouped"), at);
    }
    if let Some(call) = between(text, "argument types '", "'") {
        let name = call.split('(').next().unwrap_or(call);
        let at = find_function(query, name).and_then(|span| Tokens::of(sql).call(span));
        let candidates = between(text, "Candidate functions:\n", "\n\n").unwrap_or_default().trim();
        let hint = if candidates.is_empty() { String::new() } else { format!("; it takes {candidates}") };
        return QueryError::invalid_at(
            format!("Cannot apply '{}' to arguments {call}{hint}", name.to_uppercase()),
            at,
        );
    }
    // A function that names itself where it refuses its arguments.
    let mut words = text.split([' ', '(', ':', ',']).filter(|word| word.len() > 1);
    let span = words.find_map(|word| find_function(query, word));
    let at = span.and_then(|span| Tokens::of(sql).call(span));
    QueryError::invalid_at(text.to_owned(), at)
}

fn function_error(name: &str, query: &Query, sql: &str, names: &Names<'_>) -> QueryError {
    let mut finder =
        Find { relation: None, column: None, qualifier: None, function: Some(name), span: None, call: None };
    let _ = query.visit(&mut finder);
    let at = finder.span.and_then(|span| Tokens::of(sql).call(span));
    let columns = names.columns();
    let types: Vec<&str> =
        finder.call.as_ref().map(|call| argument_types(call, &columns)).unwrap_or_default();
    let known = names.function_names();
    let near = nearest(name, known.iter().map(String::as_str).filter(|known| !known.starts_with('$')));
    let near = near.map(str::to_uppercase);
    QueryError::invalid_at(
        format!(
            "No match found for function signature {}({}){}",
            name.to_uppercase(),
            types.join(", "),
            DidYouMean(near.as_deref())
        ),
        at,
    )
}

/// Calcite's families of types, as far as they can be told without planning.
fn argument_types(call: &Function, columns: &[(String, DataType)]) -> Vec<&'static str> {
    if let FunctionArguments::List(list) = &call.args
        && matches!(list.args.as_slice(), [FunctionArg::Unnamed(FunctionArgExpr::Wildcard)])
    {
        return Vec::new();
    }
    plain_args(call).unwrap_or_default().into_iter().map(|arg| family(arg, columns)).collect()
}

fn family(expr: &Expr, columns: &[(String, DataType)]) -> &'static str {
    let of_column = |name: &str| match columns.iter().find(|(column, _)| column == name) {
        Some((_, data_type)) if is_text(data_type) => "<CHARACTER>",
        Some((_, data_type)) if data_type.is_numeric() => "<NUMERIC>",
        Some((_, DataType::Timestamp(..))) => "<TIMESTAMP>",
        Some((_, DataType::Boolean)) => "<BOOLEAN>",
        _ => "<ANY>",
    };
    match expr {
        Expr::Identifier(ident) => of_column(&ident.value),
        Expr::CompoundIdentifier(parts) => parts.last().map_or("<ANY>", |ident| of_column(&ident.value)),
        Expr::Nested(inner) => family(inner, columns),
        Expr::Value(value) => match &value.value {
            Value::Number(..) => "<NUMERIC>",
            Value::SingleQuotedString(_) => "<CHARACTER>",
            Value::Boolean(_) => "<BOOLEAN>",
            _ => "<ANY>",
        },
        Expr::TypedString(_) => "<TIMESTAMP>",
        Expr::BinaryOp { left, op, .. } => match op.to_string().as_str() {
            "+" | "-" | "*" | "/" | "%" => family(left, columns),
            "||" => "<CHARACTER>",
            _ => "<BOOLEAN>",
        },
        _ => "<ANY>",
    }
}

fn between<'a>(text: &'a str, start: &str, end: &str) -> Option<&'a str> {
    let rest = &text[text.find(start)? + start.len()..];
    Some(rest.find(end).map_or(rest, |at| &rest[..at]))
}

fn find_column(query: &Query, name: &str, qualifier: Option<&str>) -> Option<Span> {
    let mut finder =
        Find { relation: None, column: Some(name), qualifier, function: None, span: None, call: None };
    let _ = query.visit(&mut finder);
    finder.span
}

fn find_function(query: &Query, name: &str) -> Option<Span> {
    let mut finder =
        Find { relation: None, column: None, qualifier: None, function: Some(name), span: None, call: None };
    let _ = query.visit(&mut finder);
    finder.span
}

/// The first place where a name is used.
struct Find<'a> {
    relation: Option<&'a str>,
    column: Option<&'a str>,
    qualifier: Option<&'a str>,
    function: Option<&'a str>,
    span: Option<Span>,
    call: Option<Function>,
}

impl Visitor for Find<'_> {
    type Break = ();

    fn pre_visit_relation(&mut self, relation: &ObjectName) -> ControlFlow<()> {
        let Some(name) = self.relation else { return ControlFlow::Continue(()) };
        let has_name = relation.0.iter().filter_map(|part| part.as_ident()).any(|ident| ident.value == name);
        if has_name {
            self.span = Some(relation.span());
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
        match expr {
            Expr::Identifier(ident)
                if self.qualifier.is_none() && Some(ident.value.as_str()) == self.column =>
            {
                self.span = Some(ident.span);
            }
            Expr::CompoundIdentifier(parts) => {
                let [.., table, column] = parts.as_slice() else { return ControlFlow::Continue(()) };
                let fits = self.qualifier.is_none_or(|qualifier| qualifier == table.value);
                if !fits || Some(column.value.as_str()) != self.column {
                    return ControlFlow::Continue(());
                }
                self.span = Some(expr.span());
            }
            Expr::Function(function) => {
                let name = function_name(function);
                let wanted = self.function.map(str::to_uppercase);
                if wanted.is_none() || name != wanted {
                    return ControlFlow::Continue(());
                }
                self.span = Some(function.name.span());
                self.call = Some(function.clone());
            }
            _ => return ControlFlow::Continue(()),
        }
        ControlFlow::Break(())
    }
}
