//! What two statements have in common that differ only in the times they ask for.

use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::tokenizer::{Token, Word};
use ovate_storage::TIME_COLUMN;
use ovate_storage::time::Zone;
use ovate_storage::time::parse::parse_iso;

use crate::request::{Context, SqlRequest};
use crate::sql::statement::{is_keyword, tokenize};

/// Longer statements are planned each time.
const TEXT_BYTES_MAX: usize = 16 << 10;

/// Everything besides rows and instants that decides about a plan.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) struct Wording {
    /// Without white space; an instant is a placeholder of the form it is written in.
    tokens: Vec<Token>,
    /// Type and value of each `?`.
    parameters: Vec<(String, String)>,
    zone: Zone,
    outer_limit: Option<usize>,
}

/// A statement, taken apart.
#[derive(Debug)]
pub(crate) struct Worded {
    pub(crate) wording: Wording,
    /// Milliseconds, in the order of the text.
    pub(crate) instants: Vec<i64>,
    /// How many of them follow from the current time.
    pub(crate) nows: usize,
}

impl Worded {
    /// Takes a statement apart that is asked at `now_ms`; `None`: it is to be planned each time.
    pub(crate) fn of(request: &SqlRequest, context: &Context, now_ms: i64) -> Option<Self> {
        if request.query.len() > TEXT_BYTES_MAX {
            return None;
        }
        let mut tokens: Vec<Token> =
            tokenize(&request.query).ok()?.into_iter().map(|token| token.token).collect();
        while tokens.last() == Some(&Token::SemiColon) {
            tokens.pop();
        }
        // A semicolon inside follows SET, which changes the context.
        if tokens.contains(&Token::SemiColon) || is_keyword(tokens.first(), Keyword::EXPLAIN) {
            return None;
        }
        let (mut instants, mut nows) = (Vec::new(), 0);
        // On the wall clocks of other zones, texts of one form are not read alike.
        let lifted = if context.zone == Zone::UTC { 0..tokens.len() } else { 0..0 };
        for at in lifted {
            if let Some((time_ms, form)) = written(&tokens, at) {
                instants.push(time_ms);
                tokens[at] = Token::Placeholder(form);
            } else if let Some(time_ms) = current(&tokens, at, now_ms) {
                instants.push(time_ms);
                nows += 1;
            }
        }
        let parameters = request.parameters.iter().map(|p| (p.type_.clone(), p.value.to_string())).collect();
        let wording = Wording { tokens, parameters, zone: context.zone, outer_limit: context.outer_limit };
        Some(Self { wording, instants, nows })
    }
}

/// The instant that the text at `at` stands for, and the form of the text, if all that is done with it is to compare
/// `__time` with it: `__time >= '…'`, `TIMESTAMP '…'`, `TIME_PARSE('…')` or `CAST('…' AS TIMESTAMP)`.
fn written(tokens: &[Token], at: usize) -> Option<(i64, String)> {
    let Token::SingleQuotedString(text) = &tokens[at] else { return None };
    let rest = &tokens[at + 1..];
    let (before, rest) = match &tokens[..at] {
        [before @ .., word] if is_keyword(Some(word), Keyword::TIMESTAMP) => (before, rest),
        [before @ .., word, Token::LParen] if is_word(word, "TIME_PARSE") => {
            (before, rest.strip_prefix(&[Token::RParen])?)
        }
        [before @ .., word, Token::LParen] if is_keyword(Some(word), Keyword::CAST) => match rest {
            [as_, timestamp, Token::RParen, rest @ ..]
                if is_keyword(Some(as_), Keyword::AS) && is_keyword(Some(timestamp), Keyword::TIMESTAMP) =>
            {
                (before, rest)
            }
            _ => return None,
        },
        before => (before, rest),
    };
    bounds_time(before, rest).then_some(())?;
    let form = text.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    Some((parse_iso(text, Zone::UTC)?, form))
}

/// The instant that `CURRENT_TIMESTAMP` at `at` stands for, or `CURRENT_TIMESTAMP - INTERVAL '2' MINUTE`, if all that
/// is done with it is to compare `__time` with it.
fn current(tokens: &[Token], at: usize, now_ms: i64) -> Option<i64> {
    is_keyword(tokens.get(at), Keyword::CURRENT_TIMESTAMP).then_some(())?;
    let (ago_ms, rest) = match &tokens[at + 1..] {
        [Token::Minus, interval, Token::SingleQuotedString(count), Token::Word(unit), rest @ ..]
            if is_keyword(Some(interval), Keyword::INTERVAL) =>
        {
            let unit_ms = match unit.keyword {
                Keyword::SECOND => 1_000,
                Keyword::MINUTE => 60_000,
                Keyword::HOUR => 3_600_000,
                Keyword::DAY => 86_400_000,
                _ => return None,
            };
            (count.parse::<i64>().ok()?.checked_mul(unit_ms)?, rest)
        }
        rest => (0, rest),
    };
    bounds_time(&tokens[..at], rest).then_some(())?;
    now_ms.checked_sub(ago_ms)
}

/// Whether what stands between `before` and `rest` is an operand by itself, and what `__time` is compared with.
fn bounds_time(before: &[Token], rest: &[Token]) -> bool {
    let [before @ .., column, Token::GtEq | Token::Gt | Token::LtEq | Token::Lt] = before else {
        return false;
    };
    let is_time = matches!(column, Token::Word(word) if word.value == TIME_COLUMN);
    let of_table = before.strip_suffix(&[Token::Period]).and_then(<[Token]>::split_last);
    let before = of_table.map_or(before, |(_, before)| before);
    is_time && begins_operand(before.last()) && ends_operand(rest.first())
}

fn begins_operand(token: Option<&Token>) -> bool {
    const WORDS: [Keyword; 4] = [Keyword::WHERE, Keyword::AND, Keyword::OR, Keyword::NOT];
    matches!(token, Some(Token::LParen)) || WORDS.iter().any(|word| is_keyword(token, *word))
}

fn ends_operand(token: Option<&Token>) -> bool {
    const WORDS: [Keyword; 8] = [
        Keyword::AND,
        Keyword::OR,
        Keyword::GROUP,
        Keyword::ORDER,
        Keyword::LIMIT,
        Keyword::OFFSET,
        Keyword::HAVING,
        Keyword::UNION,
    ];
    matches!(token, None | Some(Token::RParen)) || WORDS.iter().any(|word| is_keyword(token, *word))
}

fn is_word(token: &Token, name: &str) -> bool {
    matches!(token, Token::Word(Word { value, quote_style: None, .. }) if value.eq_ignore_ascii_case(name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Map;

    const NOW_MS: i64 = 1_795_428_000_123;

    fn worded(sql: &str, zone: &str) -> Option<Worded> {
        let request = SqlRequest { query: sql.to_owned(), ..SqlRequest::default() };
        let context = Map::from_iter([("sqlTimeZone".to_owned(), zone.into())]);
        Worded::of(&request, &Context::read(&context).unwrap(), NOW_MS)
    }

    fn instants(sql: &str) -> Vec<i64> {
        worded(sql, "UTC").unwrap().instants
    }

    fn alike(a: &str, b: &str) -> bool {
        worded(a, "UTC").unwrap().wording == worded(b, "UTC").unwrap().wording
    }

    #[test]
    fn statements_that_differ_in_instants_and_white_space_are_worded_alike() {
        let of = |from: &str, to: &str| {
            format!("SELECT a FROM t WHERE __time >= TIMESTAMP '{from}' AND __time < TIME_PARSE('{to}')")
        };
        let (one, other) =
            (of("2026-01-01 00:00:00", "2026-01-02T00:00"), of("2025-02-03 04:05:06", "2027-11-12T13:14"));
        assert!(alike(&one, &other.replace("AND ", "AND\n  /* until */ ")));
        assert_eq!(instants(&one), [1_767_225_600_000, 1_767_312_000_000]);
        assert!(!alike(&one, &of("2026-01-01 00:00:00", "2026-01-02T00:00:00")), "other forms");
        assert!(!alike(&one, &one.replace("SELECT a", "SELECT b")));
        assert_eq!(
            instants("SELECT 1 FROM t WHERE (\"t\".\"__time\" > CAST('2026-01-01' AS TIMESTAMP))").len(),
            1
        );
    }

    #[test]
    fn a_stretch_before_now_moves_with_it() {
        let ago = |text: &str| {
            let sql = format!("SELECT 1 FROM t WHERE __time > {text} AND a = CURRENT_TIMESTAMP");
            let worded = worded(&sql, "UTC").unwrap();
            assert_eq!(worded.nows, worded.instants.len());
            worded.instants.first().map(|time_ms| NOW_MS - time_ms)
        };
        assert_eq!(ago("CURRENT_TIMESTAMP"), Some(0));
        assert_eq!(ago("CURRENT_TIMESTAMP - INTERVAL '2' MINUTE"), Some(120_000));
        assert_eq!(ago("CURRENT_TIMESTAMP - INTERVAL '1' MONTH"), None);
        assert_eq!(ago("CURRENT_TIMESTAMP - INTERVAL '1' HOUR - INTERVAL '1' HOUR"), None);
        assert_eq!(ago("CURRENT_TIMESTAMP + INTERVAL '1' HOUR"), None);
    }

    #[test]
    fn instants_that_more_is_done_with_stay_where_they_are() {
        for sql in [
            "SELECT 1 FROM t WHERE __time = TIMESTAMP '2026-01-01 00:00:00'",
            "SELECT 1 FROM t WHERE __time > '2026-01-01' || ''",
            "SELECT 1 FROM t WHERE __time >= TIMESTAMP '2026-01-01 00:00:00' + INTERVAL '1' DAY",
            "SELECT 1 FROM t WHERE __time >= TIME_FLOOR(TIMESTAMP '2026-01-01 00:00:00', 'P1D')",
            "SELECT 1 FROM t WHERE __time >= TIME_PARSE('2026-01-01', 'yyyy-MM-dd')",
            "SELECT 1 FROM t WHERE __time >= TIME_PARSE('2026-13-01')",
            "SELECT 1 FROM t WHERE x - __time >= TIMESTAMP '2026-01-01 00:00:00'",
            "SELECT 1 FROM t WHERE __time >= CAST('2026-01-01' AS TIMESTAMP) - 1",
            "SELECT 1 FROM t WHERE __time >= CAST('2026-01-01' AS DATE)",
            "SELECT 1 FROM t WHERE other >= TIMESTAMP '2026-01-01 00:00:00'",
        ] {
            assert_eq!(instants(sql), [0_i64; 0], "{sql}");
        }
        let zurich =
            worded("SELECT 1 FROM t WHERE __time > TIMESTAMP '2026-01-01 00:00:00'", "Europe/Zurich");
        assert_eq!(zurich.unwrap().instants, [0_i64; 0]);
    }

    #[test]
    fn what_is_more_than_a_query_is_planned_each_time() {
        assert!(worded("SELECT 1;", "UTC").is_some());
        assert!(worded("SET timeout = 5; SELECT 1", "UTC").is_none());
        assert!(worded("EXPLAIN PLAN FOR SELECT 1", "UTC").is_none());
        assert!(worded("SELECT 'open", "UTC").is_none());
        assert!(worded(&format!("SELECT '{}'", " ".repeat(TEXT_BYTES_MAX)), "UTC").is_none());
    }
}
