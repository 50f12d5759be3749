//! Druid's spellings, and Superset's, as plain calls of functions that exist.
//!
//! One walk over the tree, children first. It puts in the values of parameters and the instant of
//! `CURRENT_TIMESTAMP`, turns special syntax into calls, and completes time functions with the session's zone, so
//! that nothing below has to know it. What depends on the types of columns is left to [`crate::plan::semantics`].

use std::cell::Cell;
use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    BinaryOperator, CeilFloorKind, DataType, DateTimeField, Expr, Function, FunctionArg, FunctionArgExpr,
    LimitClause, Query, Select, SetExpr, Spanned, TableFactor, TrimWhereField, TypedString, UnaryOperator,
    Value, VisitMut, VisitorMut,
};
use ovate_storage::time::{Period, Zone, parse::parse_iso};

use super::positions::{self, Tokens};
use super::tree::{
    arg, args_mut, as_text, binary, call, cast, column, function_name, instant, null, number, rename, take,
    text,
};
use super::{interval, like, names, parameters};
use crate::error::QueryError;
use crate::request::SqlParameter;

/// What rewriting needs to know besides the tree.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Surroundings<'a> {
    /// The text, for the places of errors.
    pub(crate) sql: &'a str,
    pub(crate) parameters: &'a [SqlParameter],
    /// The session's time zone.
    pub(crate) zone: Zone,
    pub(crate) now: &'a Now,
}

/// What `CURRENT_TIMESTAMP` is for a whole statement.
#[derive(Debug)]
pub(crate) struct Now {
    time_ms: i64,
    asked: Cell<usize>,
}

impl Now {
    pub(crate) fn new(time_ms: i64) -> Self {
        Self { time_ms, asked: Cell::new(0) }
    }

    fn ask(&self) -> i64 {
        self.asked.set(self.asked.get() + 1);
        self.time_ms
    }

    /// In how many places the statement depends on it.
    pub(crate) fn asked(&self) -> usize {
        self.asked.get()
    }
}

/// Rewrites a query in place.
pub(crate) fn rewrite(query: &mut Query, surroundings: &Surroundings<'_>) -> Result<(), QueryError> {
    match VisitMut::visit(query, &mut Rewriter(*surroundings)) {
        ControlFlow::Break(error) => Err(error),
        ControlFlow::Continue(()) => Ok(()),
    }
}

struct Rewriter<'a>(Surroundings<'a>);

impl VisitorMut for Rewriter<'_> {
    type Break = QueryError;

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<QueryError> {
        names::settle_query(query);
        flow(fetch_as_limit(query))
    }

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<QueryError> {
        names::settle(select);
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<QueryError> {
        if let TableFactor::Table { args: Some(_), name, .. } = factor {
            let at = positions::of_span(name.span());
            return ControlFlow::Break(QueryError::invalid_at(
                format!("Table function '{name}' is not supported"),
                at,
            ));
        }
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<QueryError> {
        flow(self.expr(expr))
    }
}

fn flow(result: Result<(), QueryError>) -> ControlFlow<QueryError> {
    match result {
        Ok(()) => ControlFlow::Continue(()),
        Err(error) => ControlFlow::Break(error),
    }
}

/// `FETCH NEXT 5 ROWS ONLY` is `LIMIT 5`.
fn fetch_as_limit(query: &mut Query) -> Result<(), QueryError> {
    if let SetExpr::Insert(_) | SetExpr::Update(_) | SetExpr::Delete(_) | SetExpr::Merge(_) = *query.body {
        return Err(QueryError::invalid("Only queries are answered here"));
    }
    let Some(fetch) = query.fetch.take() else { return Ok(()) };
    if fetch.with_ties || fetch.percent {
        return Err(QueryError::invalid(
            "FETCH takes a number of rows; PERCENT and WITH TIES are not supported",
        ));
    }
    let quantity = Some(fetch.quantity.unwrap_or_else(|| number("1")));
    match &mut query.limit_clause {
        None => {
            query.limit_clause =
                Some(LimitClause::LimitOffset { limit: quantity, offset: None, limit_by: Vec::new() });
        }
        Some(LimitClause::LimitOffset { limit: limit @ None, .. }) => *limit = quantity,
        Some(_) => return Err(QueryError::invalid("LIMIT and FETCH exclude each other")),
    }
    Ok(())
}

impl Rewriter<'_> {
    fn expr(&self, expr: &mut Expr) -> Result<(), QueryError> {
        match expr {
            Expr::Value(value) => match &mut value.value {
                Value::UnicodeStringLiteral(content) | Value::NationalStringLiteral(content) => {
                    *expr = text(std::mem::take(content));
                }
                Value::Placeholder(name) => {
                    *expr = parameters::literal(name, self.0.parameters, self.0.zone)?;
                }
                _ => {}
            },
            Expr::TypedString(typed) => *expr = self.typed_string(typed)?,
            Expr::Interval(literal) => {
                if let Some(parts) = interval::parts(literal)? {
                    *literal = interval::plain(parts);
                }
            }
            Expr::Cast { expr: inner, data_type: DataType::Date, .. } => {
                let inner = cast(take(inner), super::tree::timestamp_type());
                *expr = self.floor("TIME_FLOOR", inner, "P1D");
            }
            Expr::Floor { expr: inner, field } => {
                *expr = self.floor_or_ceil("FLOOR", "TIME_FLOOR", take(inner), field)?;
            }
            Expr::Ceil { expr: inner, field } => {
                *expr = self.floor_or_ceil("CEIL", "TIME_CEIL", take(inner), field)?;
            }
            Expr::Extract { field, expr: inner, .. } => {
                let unit = extract_unit(field)?;
                *expr = self.zoned("TIME_EXTRACT", vec![take(inner), text(unit)]);
            }
            Expr::Position { expr: needle, r#in } => *expr = call("STRPOS", [take(r#in), take(needle)]),
            Expr::Substring { expr: inner, substring_from, substring_for, .. } => {
                let from = substring_from.as_mut().map_or_else(|| number("1"), |from| take(from));
                let length = substring_for.as_mut().map(|length| take(length));
                *expr = call("SUBSTRING", [Some(take(inner)), Some(from), length].into_iter().flatten());
            }
            Expr::Trim { trim_where, trim_what, expr: inner, trim_characters } => {
                let name = match trim_where {
                    Some(TrimWhereField::Leading) => "LTRIM",
                    Some(TrimWhereField::Trailing) => "RTRIM",
                    Some(TrimWhereField::Both) | None => "BTRIM",
                };
                let what = match (trim_what, trim_characters.as_mut().and_then(Vec::pop)) {
                    (Some(what), _) => Some(take(what)),
                    (None, characters) => characters,
                };
                *expr = call(name, [Some(take(inner)), what].into_iter().flatten());
            }
            Expr::AtTimeZone { .. } => {
                return Err(QueryError::invalid(
                    "AT TIME ZONE is not supported; use TIME_FORMAT(ts, pattern, zone), TIME_FLOOR(ts, period, NULL, zone) or the \
                     context's sqlTimeZone",
                ));
            }
            Expr::BinaryOp { left, op: op @ (BinaryOperator::Plus | BinaryOperator::Minus), right } => {
                self.calendar_arithmetic(left, op, right)?.into_iter().for_each(|shifted| *expr = shifted);
            }
            Expr::Like { pattern, escape_char, .. } | Expr::ILike { pattern, escape_char, .. } => {
                like::settle(pattern, escape_char)?;
            }
            // A decimal zero has no sign.
            Expr::UnaryOp { op: UnaryOperator::Minus, expr: inner } if is_decimal_zero(inner) => {
                *expr = take(inner);
            }
            Expr::Function(function) => {
                if let Some(rewritten) = self.function(function)? {
                    *expr = rewritten;
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// `TIMESTAMP '2020-01-02 03:04:05'`, `DATE '2020-01-02'`: instants on the session's wall clock.
    fn typed_string(&self, typed: &TypedString) -> Result<Expr, QueryError> {
        let (name, format) = match typed.data_type {
            DataType::Timestamp(..) | DataType::Datetime(_) => ("TIMESTAMP", "yyyy-MM-dd HH:mm:ss"),
            DataType::Date => ("DATE", "yyyy-MM-dd"),
            _ => return Ok(cast(Expr::Value(typed.value.clone()), typed.data_type.clone())),
        };
        let content = typed.value.clone().into_string().unwrap_or_default();
        let time_ms = parse_iso(content.trim(), self.0.zone).ok_or_else(|| {
            let at = Tokens::of(self.0.sql).with_previous(typed.value.span);
            QueryError::invalid_at(
                format!("Illegal {name} literal '{content}': not in format '{format}'"),
                at,
            )
        })?;
        let day = if name == "DATE" { Period::of_days(1).floor(time_ms, None, self.0.zone) } else { time_ms };
        Ok(instant(day))
    }

    /// A call with the session's zone as its last argument, if that is not UTC. `args` reach up to the zone.
    fn zoned(&self, name: &str, mut args: Vec<Expr>) -> Expr {
        if self.0.zone != Zone::UTC {
            args.push(text(self.0.zone.to_string()));
        }
        call(name, args)
    }

    fn floor(&self, name: &str, time: Expr, period: &str) -> Expr {
        if self.0.zone == Zone::UTC {
            return call(name, [time, text(period)]);
        }
        self.zoned(name, vec![time, text(period), null()])
    }

    fn floor_or_ceil(
        &self,
        plain: &str,
        of_time: &str,
        inner: Expr,
        kind: &CeilFloorKind,
    ) -> Result<Expr, QueryError> {
        match kind {
            CeilFloorKind::DateTimeField(DateTimeField::NoDateTime) => Ok(call(plain, [inner])),
            CeilFloorKind::Scale(scale) => Ok(call(plain, [inner, Expr::Value(scale.clone())])),
            CeilFloorKind::DateTimeField(field) => {
                let period = period_of_unit(&field.to_string()).ok_or_else(|| {
                    QueryError::invalid(format!(
                        "{plain} to {field} is not supported; units are SECOND, MINUTE, HOUR, DAY, WEEK, MONTH, QUARTER, YEAR"
                    ))
                })?;
                Ok(self.floor(of_time, inner, period))
            }
        }
    }

    /// Months follow the calendar of the session's zone; other intervals are elapsed time, which DataFusion adds.
    fn calendar_arithmetic(
        &self,
        left: &mut Expr,
        op: &BinaryOperator,
        right: &mut Expr,
    ) -> Result<Option<Expr>, QueryError> {
        let (time, interval, sign) = match (&*left, &*right) {
            (Expr::Interval(_), Expr::Interval(_)) => return Ok(None),
            (_, Expr::Interval(literal)) => {
                (true, literal.clone(), if *op == BinaryOperator::Minus { -1 } else { 1 })
            }
            (Expr::Interval(literal), _) if *op == BinaryOperator::Plus => (false, literal.clone(), 1),
            _ => return Ok(None),
        };
        let Some(parts) = interval::parts(&interval)?.filter(|parts| parts.months != 0) else {
            return Ok(None);
        };
        let time = take(if time { left } else { right });
        let shifted = self.zoned("TIME_SHIFT", vec![time, text("P1M"), number_signed(sign * parts.months)]);
        if parts.ms == 0 {
            return Ok(Some(shifted));
        }
        let rest = interval::plain(interval::Parts { months: 0, ms: sign * parts.ms });
        Ok(Some(binary(shifted, BinaryOperator::Plus, Expr::Interval(rest))))
    }

    fn function(&self, function: &mut Function) -> Result<Option<Expr>, QueryError> {
        let Some(name) = function_name(function) else { return Ok(None) };
        let count = args_mut(function).map_or(0, |args| args.len());
        match (name.as_str(), count) {
            ("CURRENT_TIMESTAMP" | "NOW" | "LOCALTIMESTAMP", _) => {
                return Ok(Some(instant(self.0.now.ask())));
            }
            ("CURRENT_DATE", _) => {
                return Ok(Some(instant(Period::of_days(1).floor(self.0.now.ask(), None, self.0.zone))));
            }
            ("CURRENT_TIME" | "LOCALTIME", _) => {
                return Err(QueryError::invalid_at(
                    format!(
                        "{name} is not supported: there is no type for a time of day. Use CURRENT_TIMESTAMP"
                    ),
                    Tokens::of(self.0.sql).call(function.name.span()),
                ));
            }
            ("TIMESTAMPADD" | "TIMESTAMPDIFF", 3) => {
                unit_as_text(function)?;
                self.complete(function, 3);
            }
            // DataFusion would count rows, and find out about arrays only when it runs.
            ("COUNT" | "ARRAY_CONCAT", 0) => {
                let wanted = if name == "COUNT" { 1 } else { 2 };
                return Err(QueryError::invalid_at(
                    format!(
                        "Invalid number of arguments to function '{name}'. Was expecting {wanted} arguments"
                    ),
                    Tokens::of(self.0.sql).call(function.name.span()),
                ));
            }
            ("APPROX_DISTINCT", _) => rename(function, "APPROX_COUNT_DISTINCT"),
            ("LISTAGG" | "GROUP_CONCAT", _) => {
                rename(function, "STRING_AGG");
                if let Some(args) = args_mut(function).filter(|args| args.len() == 1) {
                    args.push(arg(text(",")));
                }
            }
            ("EARLIEST" | "LATEST", 1 | 2) => by_time(function, &name),
            ("TIME_FLOOR" | "TIME_CEIL", 2 | 3) | ("TIME_SHIFT", 3) => self.complete(function, 3),
            ("TIME_EXTRACT" | "TIME_IN_INTERVAL" | "DATE_TRUNC", 2)
            | ("TIME_PARSE" | "TIME_FORMAT", 1 | 2) => {
                self.complete(function, 2);
            }
            _ => {}
        }
        Ok(None)
    }

    /// Fills up to the zone's position with NULL and appends the zone.
    fn complete(&self, function: &mut Function, before_zone: usize) {
        if self.0.zone == Zone::UTC {
            return;
        }
        if let Some(args) = args_mut(function) {
            args.resize(before_zone, arg(null()));
            args.push(arg(text(self.0.zone.to_string())));
        }
    }
}

fn is_decimal_zero(expr: &Expr) -> bool {
    let Expr::Value(value) = expr else { return false };
    matches!(&value.value, Value::Number(digits, _) if digits.contains('.') && digits.parse() == Ok(0.0))
}

fn number_signed(value: i64) -> Expr {
    let digits = number(value.unsigned_abs().to_string());
    if value < 0 { Expr::UnaryOp { op: UnaryOperator::Minus, expr: Box::new(digits) } } else { digits }
}

/// The unit that `TIMESTAMPADD` and `TIMESTAMPDIFF` begin with is a word in SQL and a text to the function.
fn unit_as_text(function: &mut Function) -> Result<(), QueryError> {
    let at = positions::of_span(function.name.span());
    let name = function.name.to_string();
    let Some(FunctionArg::Unnamed(FunctionArgExpr::Expr(unit))) =
        args_mut(function).and_then(|args| args.first_mut())
    else {
        return Ok(());
    };
    let word = match &*unit {
        Expr::Identifier(ident) => ident.value.clone(),
        other => as_text(other).unwrap_or_default().to_owned(),
    };
    let word = word.to_uppercase();
    let word = word.strip_prefix("SQL_TSI_").unwrap_or(&word);
    if interval::unit_named(word).is_none() {
        return Err(QueryError::invalid_at(
            format!("{name} unit {word} is not one of SECOND, MINUTE, HOUR, DAY, WEEK, MONTH, QUARTER, YEAR"),
            at,
        ));
    }
    *unit = text(word.strip_suffix('S').unwrap_or(word));
    Ok(())
}

/// `EARLIEST(x)` is `EARLIEST_BY(x, __time)`; `__time` of the table that `x` is of, where that is said.
fn by_time(function: &mut Function, name: &str) {
    let Some(args) = args_mut(function) else { return };
    let time = match args.first() {
        Some(FunctionArg::Unnamed(FunctionArgExpr::Expr(Expr::CompoundIdentifier(parts))))
            if parts.len() > 1 =>
        {
            let mut parts = parts.clone();
            if let Some(last) = parts.last_mut() {
                "__time".clone_into(&mut last.value);
            }
            Expr::CompoundIdentifier(parts)
        }
        _ => column("__time"),
    };
    args.insert(1, arg(time));
    rename(function, &format!("{name}_BY"));
}

/// The period of a unit that time can be floored to.
fn period_of_unit(name: &str) -> Option<&'static str> {
    let name = name.to_uppercase();
    Some(match name.strip_suffix('S').unwrap_or(&name) {
        "MILLISECOND" => "PT0.001S",
        "SECOND" => "PT1S",
        "MINUTE" => "PT1M",
        "HOUR" => "PT1H",
        "DAY" => "P1D",
        "WEEK" => "P1W",
        "MONTH" => "P1M",
        "QUARTER" => "P3M",
        "YEAR" => "P1Y",
        "DECADE" => "P10Y",
        "CENTURY" => "P100Y",
        "MILLENNIUM" | "MILLENIUM" => "P1000Y",
        _ => return None,
    })
}

/// The unit of an `EXTRACT`, under the name `TIME_EXTRACT` has for it.
fn extract_unit(field: &DateTimeField) -> Result<&'static str, QueryError> {
    Ok(match field {
        DateTimeField::Epoch => "EPOCH",
        DateTimeField::Microsecond | DateTimeField::Microseconds => "MICROSECOND",
        DateTimeField::Millisecond | DateTimeField::Milliseconds => "MILLISECOND",
        DateTimeField::Second | DateTimeField::Seconds => "SECOND",
        DateTimeField::Minute | DateTimeField::Minutes => "MINUTE",
        DateTimeField::Hour | DateTimeField::Hours => "HOUR",
        DateTimeField::Day | DateTimeField::Days => "DAY",
        DateTimeField::Dow | DateTimeField::DayOfWeek => "DOW",
        DateTimeField::Isodow => "ISODOW",
        DateTimeField::Doy | DateTimeField::DayOfYear => "DOY",
        DateTimeField::Week(_) | DateTimeField::Weeks | DateTimeField::IsoWeek => "WEEK",
        DateTimeField::Month | DateTimeField::Months => "MONTH",
        DateTimeField::Quarter => "QUARTER",
        DateTimeField::Year | DateTimeField::Years => "YEAR",
        DateTimeField::Isoyear => "ISOYEAR",
        DateTimeField::Decade => "DECADE",
        DateTimeField::Century => "CENTURY",
        DateTimeField::Millennium | DateTimeField::Millenium => "MILLENNIUM",
        other => {
            return Err(QueryError::invalid(format!(
                "EXTRACT unit {other} is not one of EPOCH, MICROSECOND, MILLISECOND, SECOND, MINUTE, HOUR, DAY, DOW, ISODOW, DOY, \
                 WEEK, MONTH, QUARTER, YEAR, ISOYEAR, DECADE, CENTURY, MILLENNIUM"
            )));
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::StatementLimits;
    use crate::sql::statement;

    fn rewritten_in(sql: &str, zone: &str) -> Result<String, QueryError> {
        let mut query = statement::parse(&format!("SELECT {sql} AS x"), &StatementLimits::default())?.query;
        let zone = Zone::parse(zone).unwrap();
        rewrite(&mut query, &Surroundings { sql, parameters: &[], zone, now: &Now::new(1_795_428_000_123) })?;
        let text = query.to_string();
        Ok(text["SELECT ".len()..text.len() - " AS \"x\"".len()].to_owned())
    }

    fn rewritten(sql: &str) -> String {
        rewritten_in(sql, "UTC").unwrap()
    }

    #[test]
    fn special_syntax_becomes_calls() {
        assert_eq!(rewritten("FLOOR(t TO HOUR)"), "TIME_FLOOR(t, 'PT1H')");
        assert_eq!(rewritten("CEIL(1.2)"), "CEIL(1.2)");
        assert_eq!(rewritten("EXTRACT(DOW FROM t)"), "TIME_EXTRACT(t, 'DOW')");
        assert_eq!(rewritten("TIMESTAMPADD(DAY, 1, t)"), "TIMESTAMPADD('DAY', 1, t)");
        assert_eq!(rewritten("TIMESTAMPDIFF(SQL_TSI_HOUR, a, b)"), "TIMESTAMPDIFF('HOUR', a, b)");
        assert_eq!(rewritten("POSITION('c' IN s)"), "STRPOS(s, 'c')");
        assert_eq!(rewritten("CAST(t AS DATE)"), "TIME_FLOOR(CAST(t AS TIMESTAMP), 'P1D')");
        assert_eq!(rewritten("U&'\\00fc'"), "'ü'");
        assert_eq!(rewritten("CURRENT_TIMESTAMP"), "CAST(1795428000123 AS TIMESTAMP)");
        assert_eq!(rewritten("EARLIEST(e.a)"), "EARLIEST_BY(e.a, e.__time)");
        assert_eq!(rewritten("LATEST(a, 64)"), "LATEST_BY(a, \"__time\", 64)");
    }

    #[test]
    fn spellings_that_superset_sends_are_understood() {
        assert_eq!(rewritten("APPROX_DISTINCT(a)"), "APPROX_COUNT_DISTINCT(a)");
        assert_eq!(rewritten("TRIM(a, ' ')"), "BTRIM(a, ' ')");
        assert_eq!(rewritten("GROUP_CONCAT(a)"), "STRING_AGG(a, ',')");
    }

    #[test]
    fn the_sessions_zone_completes_time_functions() {
        let zurich = |sql| rewritten_in(sql, "Europe/Zurich").unwrap();
        assert_eq!(zurich("TIME_FLOOR(t, 'P1D')"), "TIME_FLOOR(t, 'P1D', NULL, 'Europe/Zurich')");
        assert_eq!(zurich("TIME_FLOOR(t, 'P1D', NULL, 'UTC')"), "TIME_FLOOR(t, 'P1D', NULL, 'UTC')");
        assert_eq!(zurich("FLOOR(t TO DAY)"), "TIME_FLOOR(t, 'P1D', NULL, 'Europe/Zurich')");
        assert_eq!(zurich("TIME_PARSE(s)"), "TIME_PARSE(s, NULL, 'Europe/Zurich')");
        assert_eq!(zurich("t + INTERVAL '1' MONTH"), "TIME_SHIFT(t, 'P1M', 1, 'Europe/Zurich')");
        assert_eq!(zurich("TIMESTAMP '2026-01-01 00:00:00'"), "CAST(1767222000000 AS TIMESTAMP)");
    }

    #[test]
    fn a_time_of_day_is_refused_by_name() {
        for name in ["CURRENT_TIME", "LOCALTIME"] {
            let error = rewritten_in(name, "UTC").unwrap_err().to_string();
            assert!(error.starts_with(&format!("{name} is not supported")), "{error}");
        }
    }

    #[test]
    fn intervals_of_elapsed_time_are_left_to_the_engine() {
        assert_eq!(rewritten("t - INTERVAL '20' HOUR"), "t - INTERVAL '0 months 72000000 milliseconds'");
        assert_eq!(rewritten("t - INTERVAL '1-1' YEAR TO MONTH"), "TIME_SHIFT(t, 'P1M', -13)");
    }

    #[test]
    fn a_wrong_timestamp_literal_is_refused_where_it_stands() {
        let sql = "SELECT TIMESTAMP '2026-13-01 00:00:00'";
        let mut query = statement::parse(sql, &StatementLimits::default()).unwrap().query;
        let surroundings = Surroundings { sql, parameters: &[], zone: Zone::UTC, now: &Now::new(0) };
        let error = rewrite(&mut query, &surroundings).unwrap_err();
        assert_eq!(
            error.to_string(),
            "Illegal TIMESTAMP literal '2026-13-01 00:00:00': not in format 'yyyy-MM-dd HH:mm:ss' (line [1], column [8])"
        );
        assert_eq!(error.position().unwrap().end_column, 38);
    }
}
