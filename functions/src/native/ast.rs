//! The tree of an expression, as it was written: no types, no functions resolved.
//!
//! [`Node`]s compare by what they say, not by where they stand, and print as text that reads back to the same tree.

use std::collections::BTreeSet;
use std::fmt::{self, Write as _};

use super::error::Position;

/// A node and where its text begins.
#[derive(Debug, Clone)]
pub struct Node {
    /// What it is.
    pub kind: Kind,
    /// Where it was written.
    pub at: Position,
}

impl PartialEq for Node {
    fn eq(&self, other: &Self) -> bool {
        self.kind == other.kind
    }
}

/// What a node is.
#[derive(Debug, Clone)]
pub enum Kind {
    /// `null`.
    Null,
    /// A whole number.
    Long(i64),
    /// A number with a point or an exponent, `NaN` or `Infinity`.
    Double(f64),
    /// `'text'`.
    Text(String),
    /// `[1, 2]`, `['a', null]`, `<DOUBLE>[]`.
    Array(ArrayLiteral),
    /// A column, or a lambda's argument.
    Identifier(String),
    /// `-x`, `!x`.
    Unary(UnaryOperator, Box<Node>),
    /// `x + y`.
    Binary(BinaryOperator, Box<Node>, Box<Node>),
    /// `name(arguments)`.
    Call(String, Vec<Node>),
    /// `name((x, y) -> body, arguments)`.
    Apply(String, Lambda, Vec<Node>),
}

impl PartialEq for Kind {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Null, Self::Null) => true,
            (Self::Long(a), Self::Long(b)) => a == b,
            // NaN is one literal, whatever its bits.
            (Self::Double(a), Self::Double(b)) => a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan()),
            (Self::Text(a), Self::Text(b)) | (Self::Identifier(a), Self::Identifier(b)) => a == b,
            (Self::Array(a), Self::Array(b)) => a == b,
            (Self::Unary(one, of), Self::Unary(other, of_other)) => one == other && of == of_other,
            (Self::Binary(one, left, right), Self::Binary(other, other_left, other_right)) => {
                one == other && left == other_left && right == other_right
            }
            (Self::Call(one, of), Self::Call(other, of_other)) => one == other && of == of_other,
            (Self::Apply(one, lambda, of), Self::Apply(other, other_lambda, of_other)) => {
                one == other && lambda == other_lambda && of == of_other
            }
            _ => false,
        }
    }
}

/// A literal array; `None` is a NULL element.
#[derive(Debug, Clone, PartialEq)]
pub enum ArrayLiteral {
    /// Of strings.
    Text(Vec<Option<String>>),
    /// Of longs.
    Long(Vec<Option<i64>>),
    /// Of doubles.
    Double(Vec<Option<f64>>),
}

/// `(x, y) -> body`.
#[derive(Debug, Clone, PartialEq)]
pub struct Lambda {
    /// The arguments' names.
    pub arguments: Vec<String>,
    /// What is computed of them.
    pub body: Box<Node>,
}

/// Operators of one operand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnaryOperator {
    /// `-`
    Minus,
    /// `!`
    Not,
}

/// Operators of two operands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum BinaryOperator {
    Power,
    Multiply,
    Divide,
    Modulo,
    Plus,
    Minus,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Equal,
    NotEqual,
    And,
    Or,
}

impl BinaryOperator {
    const ALL: [Self; 14] = [
        Self::Power,
        Self::Multiply,
        Self::Divide,
        Self::Modulo,
        Self::Plus,
        Self::Minus,
        Self::Less,
        Self::LessOrEqual,
        Self::Greater,
        Self::GreaterOrEqual,
        Self::Equal,
        Self::NotEqual,
        Self::And,
        Self::Or,
    ];

    /// The operator that is written `symbol`.
    pub fn of_symbol(symbol: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|o| o.symbol() == symbol)
    }

    /// As it is written.
    pub const fn symbol(self) -> &'static str {
        match self {
            Self::Power => "^",
            Self::Multiply => "*",
            Self::Divide => "/",
            Self::Modulo => "%",
            Self::Plus => "+",
            Self::Minus => "-",
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
            Self::Equal => "==",
            Self::NotEqual => "!=",
            Self::And => "&&",
            Self::Or => "||",
        }
    }

    /// How tightly it binds. `&&` and `||` bind alike: Druid's grammar gives both one level.
    pub const fn precedence(self) -> u8 {
        match self {
            Self::Power => 5,
            Self::Multiply | Self::Divide | Self::Modulo => 4,
            Self::Plus | Self::Minus => 3,
            Self::Less
            | Self::LessOrEqual
            | Self::Greater
            | Self::GreaterOrEqual
            | Self::Equal
            | Self::NotEqual => 2,
            Self::And | Self::Or => 1,
        }
    }

    /// Whether `a ^ b ^ c` means `a ^ (b ^ c)`.
    pub const fn is_right_associative(self) -> bool {
        matches!(self, Self::Power)
    }
}

impl Node {
    /// The columns that the tree names, a lambda's own arguments aside; sorted.
    pub fn columns(&self) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        self.collect_columns(&mut Vec::new(), &mut found);
        found
    }

    fn collect_columns<'a>(&'a self, bound: &mut Vec<&'a str>, found: &mut BTreeSet<String>) {
        match &self.kind {
            Kind::Identifier(name) => {
                if !bound.contains(&name.as_str()) {
                    found.insert(name.clone());
                }
            }
            Kind::Unary(_, operand) => operand.collect_columns(bound, found),
            Kind::Binary(_, left, right) => {
                left.collect_columns(bound, found);
                right.collect_columns(bound, found);
            }
            Kind::Call(_, arguments) => {
                for argument in arguments {
                    argument.collect_columns(bound, found);
                }
            }
            Kind::Apply(_, lambda, arguments) => {
                for argument in arguments {
                    argument.collect_columns(bound, found);
                }
                let outer = bound.len();
                bound.extend(lambda.arguments.iter().map(String::as_str));
                lambda.body.collect_columns(bound, found);
                bound.truncate(outer);
            }
            Kind::Null | Kind::Long(_) | Kind::Double(_) | Kind::Text(_) | Kind::Array(_) => {}
        }
    }

    /// Whether it can stand beside an operator without parentheses.
    fn is_primary(&self) -> bool {
        match &self.kind {
            Kind::Long(value) => *value >= 0,
            Kind::Double(value) => !value.is_sign_negative() || value.is_nan(),
            Kind::Unary(..) | Kind::Binary(..) => false,
            _ => true,
        }
    }
}

/// Text that reads back to this tree: operands that are operations stand in parentheses.
impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            Kind::Null => f.write_str("null"),
            Kind::Long(value) => write!(f, "{value}"),
            Kind::Double(value) => write_double(f, *value),
            Kind::Text(value) => write_quoted(f, value, '\''),
            Kind::Array(value) => write!(f, "{value}"),
            Kind::Identifier(name) => write_identifier(f, name),
            // `-5` would read back as a literal.
            Kind::Unary(operator, operand) => {
                f.write_char(match operator {
                    UnaryOperator::Minus => '-',
                    UnaryOperator::Not => '!',
                })?;
                match &operand.kind {
                    Kind::Identifier(_) | Kind::Call(..) | Kind::Apply(..) => write!(f, "{operand}"),
                    _ => write!(f, "({operand})"),
                }
            }
            Kind::Binary(operator, left, right) => {
                write_operand(f, left)?;
                write!(f, " {} ", operator.symbol())?;
                write_operand(f, right)
            }
            Kind::Call(name, arguments) => {
                write_identifier(f, name)?;
                f.write_char('(')?;
                write_list(f, arguments)?;
                f.write_char(')')
            }
            Kind::Apply(name, lambda, arguments) => {
                write_identifier(f, name)?;
                write!(f, "({lambda}, ")?;
                write_list(f, arguments)?;
                f.write_char(')')
            }
        }
    }
}

impl fmt::Display for Lambda {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char('(')?;
        for (i, argument) in self.arguments.iter().enumerate() {
            f.write_str(if i == 0 { "" } else { ", " })?;
            write_identifier(f, argument)?;
        }
        write!(f, ") -> {}", self.body)
    }
}

impl fmt::Display for ArrayLiteral {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(values) => write_array(f, "STRING", values, |f, v| write_quoted(f, v, '\'')),
            Self::Long(values) => write_array(f, "LONG", values, |f, v| write!(f, "{v}")),
            Self::Double(values) => write_array(f, "DOUBLE", values, |f, v| write_double(f, *v)),
        }
    }
}

fn write_array<T>(
    f: &mut fmt::Formatter<'_>,
    element: &str,
    values: &[Option<T>],
    write_value: impl Fn(&mut fmt::Formatter<'_>, &T) -> fmt::Result,
) -> fmt::Result {
    write!(f, "ARRAY<{element}>[")?;
    for (i, value) in values.iter().enumerate() {
        f.write_str(if i == 0 { "" } else { ", " })?;
        match value {
            Some(value) => write_value(f, value)?,
            None => f.write_str("null")?,
        }
    }
    f.write_char(']')
}

fn write_operand(f: &mut fmt::Formatter<'_>, node: &Node) -> fmt::Result {
    if node.is_primary() { write!(f, "{node}") } else { write!(f, "({node})") }
}

fn write_list(f: &mut fmt::Formatter<'_>, nodes: &[Node]) -> fmt::Result {
    for (i, node) in nodes.iter().enumerate() {
        f.write_str(if i == 0 { "" } else { ", " })?;
        write!(f, "{node}")?;
    }
    Ok(())
}

/// Always with a point or an exponent, so that it stays a double.
fn write_double(f: &mut fmt::Formatter<'_>, value: f64) -> fmt::Result {
    if value.is_nan() {
        f.write_str("NaN")
    } else if value.is_infinite() {
        f.write_str(if value > 0.0 { "Infinity" } else { "-Infinity" })
    } else {
        let text = format!("{value:?}");
        // Rust may write `1e16`, which is a double here too.
        f.write_str(&text)
    }
}

fn write_identifier(f: &mut fmt::Formatter<'_>, name: &str) -> fmt::Result {
    let mut chars = name.chars();
    let bare = chars.next().is_some_and(|c| c.is_ascii_alphabetic() || matches!(c, '_' | '$'))
        && chars.all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '$'))
        && !matches!(name, "null" | "NaN" | "Infinity" | "ARRAY");
    if bare { f.write_str(name) } else { write_quoted(f, name, '"') }
}

fn write_quoted(f: &mut fmt::Formatter<'_>, text: &str, quote: char) -> fmt::Result {
    f.write_char(quote)?;
    for c in text.chars() {
        match c {
            '\\' => f.write_str("\\\\")?,
            c if c == quote => write!(f, "\\{quote}")?,
            c if c.is_control() && u32::from(c) <= 0xFFFF => write!(f, "\\u{:04X}", u32::from(c))?,
            c => f.write_char(c)?,
        }
    }
    f.write_char(quote)
}
