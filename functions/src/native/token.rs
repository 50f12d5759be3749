//! Text to tokens. The lexical grammar is Druid's `Expr.g4`; positions count characters.
//!
//! Escapes follow Java's: `\b \f \n \r \t \' \" \\ \/ \uXXXX`. Any other escape is an error, as in Druid: a
//! regular expression's `\d` is written `\\d` (and `\\\\d` inside JSON).

use super::error::{ExpressionError, Position};

/// One token.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Token {
    /// The keyword `null`.
    Null,
    /// Digits only; whether they fit a long depends on a minus before them.
    Long(u64),
    Double(f64),
    Text(String),
    /// A name, bare or in double quotes.
    Identifier(String),
    /// `<LONG>`, `<DOUBLE>`, `<STRING>` or `ARRAY<…>`, before an array literal: the element type in capitals.
    ElementType(String),
    /// An operator or a mark of punctuation.
    Mark(&'static str),
    End,
}

/// Longer marks first, so that `<=` is not read as `<` and `=`.
const MARKS: [&str; 22] = [
    "->", "<=", ">=", "==", "!=", "&&", "||", "<", ">", "!", "^", "*", "/", "%", "+", "-", "(", ")", "[",
    "]", ",", "=",
];

/// All tokens of `text`, the last being [`Token::End`].
pub(crate) fn tokens(text: &str) -> Result<Vec<(Token, Position)>, ExpressionError> {
    let mut lexer = Lexer { text, byte: 0, at: 0 };
    let mut found = Vec::new();
    loop {
        lexer.skip_while(|c| matches!(c, ' ' | '\t' | '\r' | '\n'));
        let at = Position(lexer.at);
        let token = lexer.next()?;
        let end = token == Token::End;
        found.push((token, at));
        if end {
            return Ok(found);
        }
    }
}

struct Lexer<'a> {
    text: &'a str,
    byte: usize,
    at: usize,
}

impl<'a> Lexer<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.byte..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn bump(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.byte += c.len_utf8();
        self.at += 1;
        Some(c)
    }

    fn skip_while(&mut self, keep: impl Fn(char) -> bool) -> &'a str {
        let start = self.byte;
        while self.peek().is_some_and(&keep) {
            self.bump();
        }
        &self.text[start..self.byte]
    }

    fn take(&mut self, literal: &str) -> bool {
        let found = self.rest().starts_with(literal);
        if found {
            self.byte += literal.len();
            self.at += literal.chars().count();
        }
        found
    }

    fn next(&mut self) -> Result<Token, ExpressionError> {
        let Some(c) = self.peek() else { return Ok(Token::End) };
        match c {
            '0'..='9' => self.number(),
            '\'' => Ok(Token::Text(self.quoted('\'', "the string")?)),
            '"' => Ok(Token::Identifier(self.quoted('"', "the quoted name")?)),
            '_' | '$' | 'a'..='z' | 'A'..='Z' => Ok(self.word()),
            _ => self.mark(),
        }
    }

    fn number(&mut self) -> Result<Token, ExpressionError> {
        let start = self.at;
        let from = self.byte;
        let mut whole = true;
        self.skip_while(|c| c.is_ascii_digit());
        if self.take(".") {
            whole = false;
            self.skip_while(|c| c.is_ascii_digit());
        }
        // An exponent needs a digit: otherwise the `e` begins a name, which the parser refuses.
        let exponent = self.rest().strip_prefix(['e', 'E']).map(|r| r.strip_prefix('-').unwrap_or(r));
        if exponent.is_some_and(|r| r.starts_with(|c: char| c.is_ascii_digit())) {
            whole = false;
            self.bump();
            self.take("-");
            self.skip_while(|c| c.is_ascii_digit());
        }
        let digits = &self.text[from..self.byte];
        if whole {
            return match digits.parse() {
                Ok(value) => Ok(Token::Long(value)),
                Err(_) => error(start, format!("{digits} does not fit a 64-bit number")),
            };
        }
        match digits.parse() {
            Ok(value) => Ok(Token::Double(value)),
            Err(_) => error(start, format!("{digits} is not a number")),
        }
    }

    fn word(&mut self) -> Token {
        let word = self.skip_while(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '$'));
        match word {
            "null" => Token::Null,
            "NaN" => Token::Double(f64::NAN),
            "Infinity" => Token::Double(f64::INFINITY),
            "ARRAY" => self.array_type().unwrap_or_else(|| Token::Identifier(word.to_owned())),
            _ => Token::Identifier(word.to_owned()),
        }
    }

    /// `<LONG>` and the like, when what follows `ARRAY` is one.
    fn array_type(&mut self) -> Option<Token> {
        ["LONG", "DOUBLE", "STRING"]
            .into_iter()
            .find(|name| self.take(&format!("<{name}>")))
            .map(|name| Token::ElementType(name.to_owned()))
    }

    fn mark(&mut self) -> Result<Token, ExpressionError> {
        // `<LONG>[` begins a typed array; `a <LONG> b` is no expression, so nothing else is lost.
        if let Some(name) =
            ["<LONG>", "<DOUBLE>", "<STRING>"].into_iter().find(|name| self.rest().starts_with(name))
        {
            self.take(name);
            return Ok(Token::ElementType(name.trim_matches(['<', '>']).to_owned()));
        }
        if let Some(mark) = MARKS.into_iter().find(|mark| self.rest().starts_with(mark)) {
            if mark == "=" {
                return error(self.at, "found '=', where '==' compares");
            }
            self.take(mark);
            return Ok(Token::Mark(mark));
        }
        let hint = match self.peek() {
            Some('&') => ", where '&&' is the logical and",
            Some('|') => ", where '||' is the logical or",
            Some('.') => "; a name with dots is written in double quotes",
            _ => "",
        };
        let found = self.peek().map(|c| c.escape_debug().to_string()).unwrap_or_default();
        error(self.at, format!("found '{found}'{hint}"))
    }

    fn quoted(&mut self, quote: char, what: &str) -> Result<String, ExpressionError> {
        let start = self.at;
        self.bump();
        let mut units = Utf16Text::default();
        loop {
            let at = self.at;
            match self.bump() {
                None => return error(start, format!("{what} has no closing {quote}")),
                Some('\\') => match self.escape(at)? {
                    Escaped::Char(c) => units.push(c),
                    Escaped::Unit(unit) => units.push_unit(unit),
                },
                Some(c) if c == quote => return Ok(units.finish()),
                Some(c) => units.push(c),
            }
        }
    }

    fn escape(&mut self, at: usize) -> Result<Escaped, ExpressionError> {
        let c = match self.bump() {
            Some(c @ ('\'' | '"' | '\\' | '/')) => c,
            Some('b') => '\u{8}',
            Some('f') => '\u{c}',
            Some('n') => '\n',
            Some('r') => '\r',
            Some('t') => '\t',
            Some('u') => {
                let hex: String = self.rest().chars().take(4).take_while(char::is_ascii_hexdigit).collect();
                if hex.len() < 4 {
                    return error(at, "\\u needs four hexadecimal digits");
                }
                self.take(&hex);
                return match u16::from_str_radix(&hex, 16) {
                    Ok(unit) => Ok(Escaped::Unit(unit)),
                    Err(_) => error(at, "\\u needs four hexadecimal digits"),
                };
            }
            Some(c) => {
                let c = c.escape_debug();
                return error(at, format!("\\{c} is no escape; a backslash itself is written \\\\"));
            }
            None => return error(at, "the text ends after a backslash"),
        };
        Ok(Escaped::Char(c))
    }
}

fn error<T>(at: usize, problem: impl Into<String>) -> Result<T, ExpressionError> {
    Err(ExpressionError::Syntax { at: Position(at), problem: problem.into() })
}

enum Escaped {
    Char(char),
    Unit(u16),
}

/// Text in which `\ud83d\ude00` must meet to become one character; a lone half becomes U+FFFD.
#[derive(Default)]
struct Utf16Text {
    text: String,
    high: Option<u16>,
}

impl Utf16Text {
    fn push(&mut self, c: char) {
        self.flush();
        self.text.push(c);
    }

    fn push_unit(&mut self, unit: u16) {
        let pair: Vec<u16> = self.high.take().into_iter().chain([unit]).collect();
        for decoded in char::decode_utf16(pair) {
            match decoded {
                Ok(c) => self.push(c),
                Err(lone) if (0xD800..0xDC00).contains(&lone.unpaired_surrogate()) => {
                    self.flush();
                    self.high = Some(lone.unpaired_surrogate());
                }
                Err(_) => self.push(char::REPLACEMENT_CHARACTER),
            }
        }
    }

    fn flush(&mut self) {
        if self.high.take().is_some() {
            self.text.push(char::REPLACEMENT_CHARACTER);
        }
    }

    fn finish(mut self) -> String {
        self.flush();
        self.text
    }
}
