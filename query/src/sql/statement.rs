//! The first look at a statement: is it small enough, what kind is it, and does it parse.
//!
//! Works on tokens: `EXPLAIN PLAN FOR`, `SET x = 1;` before a query, and the final `;` are taken off here, so that
//! what reaches the parser is one query. Everything that is not a query is refused by name.

use datafusion::sql::sqlparser::ast::Query;
use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::parser::{Parser, ParserError};
use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan, Tokenizer, Word};
use serde_json::{Map, Value};

use super::dialect::DruidDialect;
use super::positions;
use crate::error::{Position, QueryError};
use crate::options::StatementLimits;

/// What to do with the query.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Run it.
    Run,
    /// `EXPLAIN PLAN FOR`: say how it would run.
    Explain,
    /// `EXPLAIN ANALYZE`: run it and say what that took.
    Analyze,
}

/// One statement.
#[derive(Debug)]
pub(crate) struct Statement {
    pub(crate) mode: Mode,
    /// `SET` before the query: as if in the request's context.
    pub(crate) settings: Map<String, Value>,
    pub(crate) query: Box<Query>,
}

/// The statements that can begin here, for error messages.
const STARTS: &str = r#""EXPLAIN", "SET", "WITH", "SELECT", "VALUES", "(""#;

/// Reads one statement.
pub(crate) fn parse(sql: &str, limits: &StatementLimits) -> Result<Statement, QueryError> {
    if sql.len() > limits.statement_bytes_max {
        return Err(QueryError::invalid(format!(
            "Statement of {} bytes is longer than statement_bytes_max ({})",
            sql.len(),
            limits.statement_bytes_max
        )));
    }
    let mut tokens = tokenize(sql)?;
    if tokens.len() > limits.tokens_max {
        return Err(QueryError::invalid(format!(
            "Statement of {} tokens is longer than statement_tokens_max ({})",
            tokens.len(),
            limits.tokens_max
        )));
    }
    check_nesting(&tokens, limits.depth_max)?;
    number_parameters(&mut tokens)?;
    let (settings, mut tokens) = take_settings(tokens)?;
    let mode = take_explain(&mut tokens);
    check_start(&tokens)?;
    let query = parse_query(sql, tokens, limits)?;
    Ok(Statement { mode, settings, query })
}

/// The words and signs of a statement, without white space and comments.
pub(crate) fn tokenize(sql: &str) -> Result<Vec<TokenWithSpan>, QueryError> {
    let mut tokens = Tokenizer::new(&DruidDialect, sql).tokenize_with_location().map_err(|e| {
        let at = e.location;
        QueryError::invalid(format!("Lexical error at line {}, column {}. {}", at.line, at.column, e.message))
    })?;
    tokens.retain(|t| !matches!(t.token, Token::Whitespace(_)));
    Ok(tokens)
}

/// Refuses what would recurse too deep, before the parser recurses.
fn check_nesting(tokens: &[TokenWithSpan], depth_max: usize) -> Result<(), QueryError> {
    let (mut open, mut prefixes) = (0_usize, 0_usize);
    for token in tokens {
        prefixes = if is_prefix(&token.token) { prefixes + 1 } else { 0 };
        match &token.token {
            Token::LParen
            | Token::LBracket
            | Token::LBrace
            | Token::Word(Word { keyword: Keyword::CASE, quote_style: None, .. }) => open += 1,
            Token::RParen | Token::RBracket | Token::RBrace => open = open.saturating_sub(1),
            Token::Word(Word { keyword: Keyword::END, quote_style: None, .. }) => {
                open = open.saturating_sub(1);
            }
            _ => {}
        }
        if open > depth_max || prefixes > depth_max {
            return Err(too_deep(depth_max));
        }
    }
    Ok(())
}

fn is_prefix(token: &Token) -> bool {
    matches!(token, Token::Minus | Token::Plus | Token::Tilde)
        || matches!(token, Token::Word(Word { keyword: Keyword::NOT, quote_style: None, .. }))
}

pub(crate) fn too_deep(depth_max: usize) -> QueryError {
    QueryError::invalid(format!("Statement is nested deeper than statement_depth_max ({depth_max})"))
}

/// Numbers the `?` in order of appearance; the tree does not keep that order.
fn number_parameters(tokens: &mut [TokenWithSpan]) -> Result<(), QueryError> {
    let mut count = 0;
    for token in tokens {
        if let Token::Placeholder(name) = &mut token.token {
            if name != "?" {
                return Err(unexpected(name, positions::of_span(token.span), "\"?\""));
            }
            count += 1;
            *name = format!("?{count}");
        }
    }
    Ok(())
}

/// Takes off `SET name = value;` and the final semicolon. A second statement is refused.
fn take_settings(
    mut tokens: Vec<TokenWithSpan>,
) -> Result<(Map<String, Value>, Vec<TokenWithSpan>), QueryError> {
    let mut settings = Map::new();
    while matches!(tokens.last().map(|t| &t.token), Some(Token::SemiColon)) {
        tokens.pop();
    }
    loop {
        let is_set = is_keyword(token_at(&tokens, 0), Keyword::SET);
        let semicolon = tokens.iter().position(|t| t.token == Token::SemiColon);
        match semicolon {
            None if is_set => return Err(QueryError::invalid("Unsupported SQL statement [SET_OPTION]")),
            None => return Ok((settings, tokens)),
            Some(at) if is_set => {
                let rest = tokens.split_off(at + 1);
                let (name, value) = setting(&tokens[..at]).ok_or_else(|| {
                    QueryError::invalid("SET takes a name, '=' and a literal: SET timeout = 1000")
                })?;
                settings.insert(name, value);
                tokens = rest;
            }
            Some(at) => return Err(unexpected(";", positions::of_span(tokens[at].span), "<EOF>")),
        }
    }
}

/// `SET name = literal`.
fn setting(tokens: &[TokenWithSpan]) -> Option<(String, Value)> {
    let [_, name, eq, value @ ..] = tokens else { return None };
    let (Token::Word(name), Token::Eq) = (&name.token, &eq.token) else { return None };
    let (sign, value) = match value {
        [minus, value] if minus.token == Token::Minus => ("-", value),
        [value] => ("", value),
        _ => return None,
    };
    let value = match &value.token {
        Token::Number(digits, _) => serde_json::from_str(&format!("{sign}{digits}")).ok()?,
        Token::SingleQuotedString(text) => Value::String(text.clone()),
        Token::Word(word) => match word.keyword {
            Keyword::TRUE => Value::Bool(true),
            Keyword::FALSE => Value::Bool(false),
            _ => return None,
        },
        _ => return None,
    };
    Some((name.value.clone(), value))
}

/// Takes off `EXPLAIN PLAN [… ] FOR` or `EXPLAIN [ANALYZE]`.
fn take_explain(tokens: &mut Vec<TokenWithSpan>) -> Mode {
    if !is_keyword(token_at(tokens, 0), Keyword::EXPLAIN) {
        return Mode::Run;
    }
    if is_keyword(token_at(tokens, 1), Keyword::ANALYZE) {
        tokens.drain(..2);
        return Mode::Analyze;
    }
    if is_keyword(token_at(tokens, 1), Keyword::PLAN) {
        // Calcite knows options between the two words, such as WITH IMPLEMENTATION.
        if let Some(at) = tokens.iter().take(8).position(|t| is_keyword(Some(&t.token), Keyword::FOR)) {
            tokens.drain(..=at);
            return Mode::Explain;
        }
    }
    tokens.drain(..1);
    Mode::Explain
}

/// Whether a token is that word, and not a name in quotes.
pub(crate) fn is_keyword(token: Option<&Token>, keyword: Keyword) -> bool {
    matches!(token, Some(Token::Word(word)) if word.quote_style.is_none() && word.keyword == keyword)
}

fn token_at(tokens: &[TokenWithSpan], at: usize) -> Option<&Token> {
    tokens.get(at).map(|token| &token.token)
}

/// Refuses what is not a query, and says what to do instead.
fn check_start(tokens: &[TokenWithSpan]) -> Result<(), QueryError> {
    let Some(first) = tokens.first() else {
        let nowhere = Position { line: 0, column: 0, end_line: 0, end_column: 0 };
        return Err(unexpected("<EOF>", Some(nowhere), STARTS));
    };
    let word = match &first.token {
        Token::LParen => return Ok(()),
        Token::Word(word) if word.quote_style.is_none() => word,
        other => return Err(unexpected(&other.to_string(), positions::of_span(first.span), STARTS)),
    };
    match word.keyword {
        Keyword::SELECT | Keyword::WITH | Keyword::VALUES | Keyword::TABLE => Ok(()),
        Keyword::INSERT | Keyword::REPLACE => Err(QueryError::invalid(format!(
            "{} operations are not supported by requested SQL engine [native]; rows arrive through supervisors: POST a \
             specification to /druid/indexer/v1/supervisor",
            word.value.to_uppercase()
        ))),
        Keyword::NoKeyword => Err(QueryError::invalid("Non-query expression encountered in illegal context")),
        _ => {
            let hint = match word.keyword {
                Keyword::SHOW | Keyword::DESCRIBE | Keyword::DESC => {
                    "Tables and columns are listed by SELECT * FROM INFORMATION_SCHEMA.TABLES and INFORMATION_SCHEMA.COLUMNS"
                }
                Keyword::DROP | Keyword::DELETE | Keyword::TRUNCATE => {
                    "Data are removed with DELETE /druid/coordinator/v1/datasources/{datasource}"
                }
                Keyword::CREATE | Keyword::ALTER => {
                    "Datasources are made by posting a specification to /druid/indexer/v1/supervisor"
                }
                _ => "Only queries are answered here",
            };
            Err(near_keyword(&word.value, first, &format!("{STARTS}\n{hint}")))
        }
    }
}

fn near_keyword(word: &str, at: &TokenWithSpan, expected: &str) -> QueryError {
    QueryError::invalid(format!(
        "Incorrect syntax near the keyword '{}' at line {}, column {}.\nWas expecting one of:\n    {expected}",
        word.to_uppercase(),
        at.span.start.line,
        at.span.start.column
    ))
}

fn unexpected(token: &str, position: Option<Position>, expected: &str) -> QueryError {
    let nowhere = Position { line: 1, column: 1, end_line: 1, end_column: 1 };
    QueryError::UnexpectedToken {
        token: token.to_owned(),
        position: position.unwrap_or(nowhere),
        expected: expected.to_owned(),
    }
}

fn parse_query(
    sql: &str,
    tokens: Vec<TokenWithSpan>,
    limits: &StatementLimits,
) -> Result<Box<Query>, QueryError> {
    let end = tokens.last().cloned();
    let mut parser = Parser::new(&DruidDialect)
        // The parser counts several steps per level of nesting; the true depth is checked before and after.
        .with_recursion_limit(limits.depth_max.saturating_mul(4) + 64)
        .with_tokens_with_locations(tokens);
    let query = parser.parse_query();
    let at = parser.peek_token();
    match query {
        Ok(query) if at.token == Token::EOF => Ok(query),
        Ok(_) => Err(rejected(&at, "<EOF>")),
        Err(ParserError::RecursionLimitExceeded) => Err(too_deep(limits.depth_max)),
        Err(ParserError::TokenizerError(text)) => Err(QueryError::invalid(text)),
        Err(ParserError::ParserError(text)) => Err(parser_error(&text, sql, end.as_ref())),
    }
}

/// Words that Druid's parser reserves and people are likely to misplace.
const RESERVED: &[&str] = &[
    "SELECT",
    "FROM",
    "WHERE",
    "GROUP",
    "ORDER",
    "BY",
    "HAVING",
    "LIMIT",
    "OFFSET",
    "FETCH",
    "UNION",
    "INTERSECT",
    "EXCEPT",
    "JOIN",
    "INNER",
    "LEFT",
    "RIGHT",
    "FULL",
    "CROSS",
    "ON",
    "USING",
    "AS",
    "AND",
    "OR",
    "IN",
    "BETWEEN",
    "LIKE",
    "IS",
    "THEN",
    "WHEN",
    "ELSE",
    "END",
    "OVER",
    "FILTER",
];

fn rejected(token: &TokenWithSpan, expected: &str) -> QueryError {
    let text = token.token.to_string();
    if RESERVED.contains(&text.to_uppercase().as_str()) {
        return near_keyword(&text, token, &format!("{expected} ..."));
    }
    unexpected(&text, positions::of_span(token.span), expected)
}

/// sqlparser's `Expected: X, found: T at Line: 1, Column: 8` in Druid's words.
fn parser_error(text: &str, sql: &str, end: Option<&TokenWithSpan>) -> QueryError {
    let (what, place) = text.rsplit_once(" at Line: ").unwrap_or((text, ""));
    let location = place.split_once(", Column: ").and_then(|(l, c)| Some((l.parse().ok()?, c.parse().ok()?)));
    let (line, column) = location.unwrap_or((1, 1));
    let expected = what.strip_prefix("Expected").map(|rest| rest.trim_start_matches(':').trim_start());
    let Some((expected, found)) = expected.and_then(|rest| rest.split_once(", found: ")) else {
        let position = location.map(|_| Position { line, column, end_line: line, end_column: column });
        return QueryError::invalid_at(what.to_owned(), position);
    };
    if found == "EOF" {
        return unexpected("<EOF>", end.and_then(|t| positions::of_span(t.span)), expected);
    }
    // Some errors give the place of the token, others that of the next one.
    let position = positions::Tokens::of(sql).at_or_before(line, column, found);
    let width = found.chars().count().max(1) as u64;
    let position =
        position.unwrap_or(Position { line, column, end_line: line, end_column: column + width - 1 });
    if RESERVED.contains(&found.to_uppercase().as_str()) {
        return QueryError::invalid(format!(
            "Incorrect syntax near the keyword '{}' at line {}, column {}.\nWas expecting one of:\n    {expected} ...",
            found.to_uppercase(),
            position.line,
            position.column
        ));
    }
    unexpected(found, Some(position), expected)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(sql: &str) -> Statement {
        parse(sql, &StatementLimits::default()).unwrap()
    }

    fn refused(sql: &str) -> String {
        parse(sql, &StatementLimits::default()).unwrap_err().to_string()
    }

    #[test]
    fn explain_and_set_and_semicolons_are_taken_off() {
        assert_eq!(parsed("EXPLAIN PLAN FOR SELECT 1").mode, Mode::Explain);
        assert_eq!(parsed("explain analyze select 1").mode, Mode::Analyze);
        let statement = parsed("SET timeout = 5; SET sqlTimeZone = 'Z';\nSELECT 1;");
        assert_eq!(Value::Object(statement.settings).to_string(), r#"{"timeout":5,"sqlTimeZone":"Z"}"#);
        assert_eq!(statement.query.to_string(), "SELECT 1");
    }

    #[test]
    fn one_statement_at_a_time() {
        assert!(
            refused("SELECT 1; SELECT 2")
                .starts_with("Received an unexpected token [;] (line [1], column [9])")
        );
    }

    #[test]
    fn what_is_not_a_query_is_refused_as_druid_does() {
        assert!(
            refused("DROP TABLE x")
                .starts_with("Incorrect syntax near the keyword 'DROP' at line 1, column 1.")
        );
        assert!(refused("INSERT INTO x SELECT 1").starts_with("INSERT operations are not supported"));
        assert_eq!(refused("SELEC 1"), "Non-query expression encountered in illegal context");
        assert!(refused("").starts_with("Received an unexpected token [<EOF>] (line [0], column [0])"));
        assert!(
            refused("SELECT FROM t")
                .starts_with("Incorrect syntax near the keyword 'FROM' at line 1, column 8.")
        );
        assert_eq!(refused("SET x = 1"), "Unsupported SQL statement [SET_OPTION]");
    }

    #[test]
    fn limits_name_themselves() {
        assert!(refused(&format!("SELECT {}", "1,".repeat(20_000))).contains("tokens_max (20000)"));
        assert!(refused(&" ".repeat(300_000)).contains("statement_bytes_max (262144)"));
        assert!(
            refused(&format!("SELECT {}1{}", "(".repeat(600), ")".repeat(600))).contains("depth_max (500)")
        );
        assert!(refused(&format!("SELECT {} TRUE", "NOT ".repeat(600))).contains("depth_max (500)"));
    }

    #[test]
    fn backslashes_are_ordinary_and_double_quotes_are_names() {
        assert_eq!(parsed(r#"SELECT '\' AS "a b""#).query.to_string(), r#"SELECT '\' AS "a b""#);
    }

    #[test]
    fn parameters_are_numbered_as_they_appear() {
        assert_eq!(parsed("SELECT ?, ? + ?").query.to_string(), "SELECT ?1, ?2 + ?3");
    }
}
