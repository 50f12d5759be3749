//! Tokens to a tree, by precedence climbing. The grammar is Druid's `Expr.g4`.
//!
//! The depth of the *tree* is bounded, not only that of the recursion: `a + b + c + …` nests to the left without
//! recursing here, but everything that walks the tree later recurses along it.

use super::ast::{ArrayLiteral, BinaryOperator, Kind, Lambda, Node, UnaryOperator};
use super::error::{ExpressionError, Position};
use super::token::{Token, tokens};

/// The longest text that is read, in bytes.
pub const LENGTH_MAX: usize = 64 * 1024;
/// The deepest tree that is built. Everything that walks one recurses, on threads whose stacks have two megabytes.
pub const DEPTH_MAX: usize = 100;

/// Reads one expression.
pub fn parse(text: &str) -> Result<Node, ExpressionError> {
    if text.len() > LENGTH_MAX {
        return Err(ExpressionError::TooLong { length: text.len(), max: LENGTH_MAX });
    }
    let mut parser = Parser { tokens: tokens(text)?, next: 0, open: 0 };
    let (node, _) = parser.expression(0)?;
    match parser.peek() {
        Token::End => Ok(node),
        _ => Err(parser.unexpected("an operator or the end")),
    }
}

struct Parser {
    tokens: Vec<(Token, Position)>,
    next: usize,
    /// Calls of `expression` under way.
    open: usize,
}

/// A node and the height of its tree.
type Tall = (Node, usize);

impl Parser {
    fn peek(&self) -> &Token {
        self.tokens.get(self.next).map_or(&Token::End, |(token, _)| token)
    }

    fn peek_at(&self, ahead: usize) -> &Token {
        self.tokens.get(self.next + ahead).map_or(&Token::End, |(token, _)| token)
    }

    fn at(&self) -> Position {
        self.tokens.get(self.next).or(self.tokens.last()).map_or(Position(0), |(_, at)| *at)
    }

    /// Takes the next token; the final [`Token::End`] stays.
    fn bump(&mut self) -> Token {
        let token = self.peek().clone();
        if token != Token::End {
            self.next += 1;
        }
        token
    }

    fn accept(&mut self, mark: &'static str) -> bool {
        let found = *self.peek() == Token::Mark(mark);
        if found {
            self.next += 1;
        }
        found
    }

    fn expect(&mut self, mark: &'static str) -> Result<(), ExpressionError> {
        if self.accept(mark) { Ok(()) } else { Err(self.unexpected(&format!("'{mark}'"))) }
    }

    fn unexpected(&self, expected: &str) -> ExpressionError {
        let found = match self.peek() {
            Token::End => "the end".to_owned(),
            Token::Null => "null".to_owned(),
            Token::Long(value) => value.to_string(),
            Token::Double(value) => value.to_string(),
            Token::Text(_) => "a string".to_owned(),
            Token::Identifier(name) => format!("the name '{name}'"),
            Token::ElementType(name) => format!("<{name}>"),
            Token::Mark(mark) => format!("'{mark}'"),
        };
        ExpressionError::Syntax { at: self.at(), problem: format!("found {found}, expected {expected}") }
    }

    fn deeper(height: usize, at: Position) -> Result<usize, ExpressionError> {
        if height >= DEPTH_MAX {
            Err(ExpressionError::TooDeep { at, max: DEPTH_MAX })
        } else {
            Ok(height + 1)
        }
    }

    /// An expression whose operators bind at least as tightly as `floor`.
    fn expression(&mut self, floor: u8) -> Result<Tall, ExpressionError> {
        // Parentheses leave no trace in the tree but do recurse.
        self.open = Self::deeper(self.open, self.at())?;
        let mut left = self.operand()?;
        while let Token::Mark(mark) = self.peek() {
            let Some(operator) = BinaryOperator::of_symbol(mark) else { break };
            if operator.precedence() < floor {
                break;
            }
            let at = self.at();
            self.bump();
            let tighter = operator.precedence() + u8::from(!operator.is_right_associative());
            let right = self.expression(tighter)?;
            let height = Self::deeper(left.1.max(right.1), at)?;
            left = (Node { kind: Kind::Binary(operator, Box::new(left.0), Box::new(right.0)), at }, height);
        }
        self.open -= 1;
        Ok(left)
    }

    /// A primary with the unary operators before it.
    fn operand(&mut self) -> Result<Tall, ExpressionError> {
        let at = self.at();
        let mut operators = Vec::new();
        loop {
            if self.accept("-") {
                operators.push((UnaryOperator::Minus, at));
            } else if self.accept("!") {
                operators.push((UnaryOperator::Not, at));
            } else {
                break;
            }
        }
        let negative = matches!(operators.last(), Some((UnaryOperator::Minus, _)));
        let (mut node, mut height) = match (negative, self.peek()) {
            // The sign belongs to the literal: -9223372036854775808 has no positive counterpart.
            (true, Token::Long(value)) => {
                let value = *value;
                let Some(value) = 0_i64.checked_sub_unsigned(value) else {
                    return Err(self.too_large(&format!("-{value}")));
                };
                self.bump();
                operators.pop();
                (Node { kind: Kind::Long(value), at }, 1)
            }
            (true, Token::Double(value)) => {
                let value = -*value;
                self.bump();
                operators.pop();
                (Node { kind: Kind::Double(value), at }, 1)
            }
            _ => self.primary()?,
        };
        for (operator, at) in operators.into_iter().rev() {
            height = Self::deeper(height, at)?;
            node = Node { kind: Kind::Unary(operator, Box::new(node)), at };
        }
        Ok((node, height))
    }

    fn too_large(&self, digits: &str) -> ExpressionError {
        ExpressionError::Syntax { at: self.at(), problem: format!("{digits} does not fit a 64-bit number") }
    }

    fn primary(&mut self) -> Result<Tall, ExpressionError> {
        let at = self.at();
        let kind = match self.peek() {
            Token::Null => Kind::Null,
            Token::Long(value) => {
                Kind::Long(i64::try_from(*value).map_err(|_| self.too_large(&value.to_string()))?)
            }
            Token::Double(value) => Kind::Double(*value),
            Token::Text(text) => Kind::Text(text.clone()),
            Token::Identifier(name) => {
                let name = name.clone();
                self.bump();
                return if self.accept("(") {
                    self.call(name, at)
                } else {
                    Ok(leaf(Kind::Identifier(name), at))
                };
            }
            Token::Mark("(") => {
                self.bump();
                let inner = self.expression(0)?;
                self.expect(")")?;
                return Ok(inner);
            }
            Token::Mark("[") => return Ok(leaf(Kind::Array(self.array(None)?), at)),
            Token::ElementType(name) => {
                let name = name.clone();
                self.bump();
                return Ok(leaf(Kind::Array(self.array(Some(&name))?), at));
            }
            _ => return Err(self.unexpected("a value, a column, a function or '('")),
        };
        self.bump();
        Ok(leaf(kind, at))
    }

    /// After `name(`.
    fn call(&mut self, name: String, at: Position) -> Result<Tall, ExpressionError> {
        if self.accept(")") {
            return Ok((Node { kind: Kind::Call(name, Vec::new()), at }, 1));
        }
        let lambda = self.lambda()?;
        if lambda.is_some() {
            self.expect(",")?;
        }
        let mut height = lambda.as_ref().map_or(0, |(_, height)| *height);
        let mut arguments = Vec::new();
        loop {
            let (argument, argument_height) = self.expression(0)?;
            height = height.max(argument_height);
            arguments.push(argument);
            if !self.accept(",") {
                break;
            }
        }
        if !self.accept(")") {
            return Err(self.unexpected("',' or ')'"));
        }
        let height = Self::deeper(height, at)?;
        let kind = match lambda {
            Some((lambda, _)) => Kind::Apply(name, lambda, arguments),
            None => Kind::Call(name, arguments),
        };
        Ok((Node { kind, at }, height))
    }

    /// `x -> body` or `(x, y) -> body`, when that is what comes.
    fn lambda(&mut self) -> Result<Option<(Lambda, usize)>, ExpressionError> {
        let Some(length) = self.lambda_head() else { return Ok(None) };
        let head = self.tokens.get(self.next..self.next + length).unwrap_or_default();
        let arguments = head
            .iter()
            .filter_map(|(token, _)| match token {
                Token::Identifier(name) => Some(name.clone()),
                _ => None,
            })
            .collect();
        self.next += length;
        self.expect("->")?;
        let (body, height) = self.expression(0)?;
        Ok(Some((Lambda { arguments, body: Box::new(body) }, height)))
    }

    /// The number of tokens before `->`, when those ahead are the head of a lambda.
    fn lambda_head(&self) -> Option<usize> {
        let mut length = 0;
        match self.peek() {
            Token::Identifier(_) => length = 1,
            Token::Mark("(") => {
                length += 1;
                while matches!(self.peek_at(length), Token::Identifier(_)) {
                    length += 1;
                    if *self.peek_at(length) != Token::Mark(",") {
                        break;
                    }
                    length += 1;
                }
                if *self.peek_at(length) != Token::Mark(")") {
                    return None;
                }
                length += 1;
            }
            _ => {}
        }
        (length > 0 && *self.peek_at(length) == Token::Mark("->")).then_some(length)
    }

    /// `[…]`; the elements decide the type unless it was named.
    fn array(&mut self, element: Option<&str>) -> Result<ArrayLiteral, ExpressionError> {
        self.expect("[")?;
        let mut values = Vec::new();
        if !self.accept("]") {
            loop {
                values.push(self.element()?);
                if self.accept("]") {
                    break;
                }
                // Druid documents both the comma and the blank.
                if !self.accept(",") && !self.begins_element() {
                    return Err(self.unexpected("',' or ']'"));
                }
            }
        }
        let element = element.unwrap_or_else(|| element_type(&values));
        array_of(element, values)
    }

    fn begins_element(&self) -> bool {
        matches!(
            self.peek(),
            Token::Null | Token::Long(_) | Token::Double(_) | Token::Text(_) | Token::Mark("-")
        )
    }

    fn element(&mut self) -> Result<(Node, Position), ExpressionError> {
        let at = self.at();
        if !self.begins_element() {
            return Err(self.unexpected("a literal"));
        }
        let (node, _) = self.operand()?;
        Ok((node, at))
    }
}

fn leaf(kind: Kind, at: Position) -> Tall {
    (Node { kind, at }, 1)
}

/// Strings if none is a number, longs if all are, doubles otherwise; an empty array is one of strings.
fn element_type(values: &[(Node, Position)]) -> &'static str {
    let some = |want: fn(&Kind) -> bool| values.iter().any(|(node, _)| want(&node.kind));
    if some(|k| matches!(k, Kind::Double(_))) {
        "DOUBLE"
    } else if some(|k| matches!(k, Kind::Long(_))) {
        "LONG"
    } else {
        "STRING"
    }
}

fn array_of(element: &str, values: Vec<(Node, Position)>) -> Result<ArrayLiteral, ExpressionError> {
    let values = values.into_iter();
    match element {
        "LONG" => values
            .map(|(node, at)| match node.kind {
                Kind::Null => Ok(None),
                Kind::Long(value) => Ok(Some(value)),
                Kind::Double(value) => Ok(Some(value as i64)),
                _ => Err(wrong_element("a number", at)),
            })
            .collect::<Result<_, _>>()
            .map(ArrayLiteral::Long),
        "DOUBLE" => values
            .map(|(node, at)| match node.kind {
                Kind::Null => Ok(None),
                Kind::Long(value) => Ok(Some(value as f64)),
                Kind::Double(value) => Ok(Some(value)),
                _ => Err(wrong_element("a number", at)),
            })
            .collect::<Result<_, _>>()
            .map(ArrayLiteral::Double),
        _ => values
            .map(|(node, at)| match node.kind {
                Kind::Null => Ok(None),
                Kind::Text(value) => Ok(Some(value)),
                // A typed array takes numbers too, as they were written.
                kind @ (Kind::Long(_) | Kind::Double(_)) => Ok(Some(Node { kind, at }.to_string())),
                _ => Err(wrong_element("a string", at)),
            })
            .collect::<Result<_, _>>()
            .map(ArrayLiteral::Text),
    }
}

fn wrong_element(expected: &str, at: Position) -> ExpressionError {
    ExpressionError::Syntax {
        at,
        problem: format!("all elements of an array have one type: expected {expected}"),
    }
}
