//! Places in the text, in the form errors carry them.

use datafusion::sql::sqlparser::tokenizer::{Location, Span, Token, TokenWithSpan, Tokenizer};

use super::dialect::DruidDialect;
use crate::error::Position;

/// The position that a span covers; sqlparser's spans end one column late. `None` for spans that are unknown.
pub(crate) fn of_span(span: Span) -> Option<Position> {
    (span.start.line > 0).then(|| Position {
        line: span.start.line,
        column: span.start.column,
        end_line: span.end.line,
        end_column: span.end.column.saturating_sub(1).max(1),
    })
}

/// The tokens of a statement that is known to be wrong: where things really begin and end. Made again from the
/// text, because only errors need it.
#[derive(Debug)]
pub(crate) struct Tokens(Vec<TokenWithSpan>);

impl Tokens {
    pub(crate) fn of(sql: &str) -> Self {
        let mut tokens = Vec::new();
        // What cannot be split into tokens was refused long before; a half list still serves an error message.
        let _ = Tokenizer::new(&DruidDialect, sql).tokenize_with_location_into_buf(&mut tokens);
        tokens.retain(|t| !matches!(t.token, Token::Whitespace(_)));
        Self(tokens)
    }

    fn at(&self, start: Location) -> Option<usize> {
        self.0.iter().position(|t| t.span.start == start)
    }

    /// The last token with this text that does not begin after a place.
    pub(crate) fn at_or_before(&self, line: u64, column: u64, text: &str) -> Option<Position> {
        let here = Location { line, column };
        let tokens = self.0.iter().rev().filter(|t| t.span.start <= here);
        let token = tokens.into_iter().find(|t| t.token.to_string().eq_ignore_ascii_case(text))?;
        of_span(token.span)
    }

    /// From the name of a function to its closing parenthesis.
    pub(crate) fn call(&self, name: Span) -> Option<Position> {
        let first = self.at(name.start)?;
        let mut depth = 0;
        for token in &self.0[first..] {
            match token.token {
                Token::LParen => depth += 1,
                Token::RParen => depth -= 1,
                _ => continue,
            }
            if depth <= 0 {
                return of_span(Span::new(name.start, token.span.end));
            }
        }
        of_span(name)
    }

    /// From the token before `span` to its end: a literal with its type name.
    pub(crate) fn with_previous(&self, span: Span) -> Option<Position> {
        let at = self.at(span.start)?;
        of_span(Span::new(self.0[at.checked_sub(1)?].span.start, span.end))
    }

    /// The first token that is this name, quoted or not.
    pub(crate) fn name(&self, name: &str) -> Option<Position> {
        let token = self.0.iter().find(|t| matches!(&t.token, Token::Word(word) if word.value == name))?;
        of_span(token.span)
    }
}
