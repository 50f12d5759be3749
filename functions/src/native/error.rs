//! What can be wrong with an expression or a filter, said so that its author can put it right.

use std::fmt;

use datafusion::error::DataFusionError;

/// A place in an expression's text: the zero-based number of characters before it. Prints one-based, as people count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Position(pub usize);

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "character {}", self.0 + 1)
    }
}

/// Why an expression cannot be read, compiled or evaluated.
#[derive(Debug, thiserror::Error)]
pub enum ExpressionError {
    /// The text is not an expression.
    #[error("cannot read the expression at {at}: {problem}")]
    Syntax {
        /// Where.
        at: Position,
        /// What was found, what was expected.
        problem: String,
    },
    /// The text is longer than [`super::LENGTH_MAX`] bytes.
    #[error("the expression has {length} bytes, more than the {max} that are read")]
    TooLong {
        /// Bytes given.
        length: usize,
        /// Bytes allowed.
        max: usize,
    },
    /// Operators and calls are nested more than [`super::DEPTH_MAX`] deep.
    #[error("the expression is nested more than {max} deep at {at}")]
    TooDeep {
        /// Where the limit was passed.
        at: Position,
        /// Levels allowed.
        max: usize,
    },
    /// No such function, neither here nor in Druid.
    #[error("function '{name}' at {at} is not defined{}", suggestion(nearest.as_deref()))]
    UnknownFunction {
        /// As it was written.
        name: String,
        /// Where.
        at: Position,
        /// The closest name there is, when one is close.
        nearest: Option<String>,
    },
    /// A function that Druid has and this engine has not.
    #[error("function '{name}' at {at} is not supported: {reason}")]
    UnsupportedFunction {
        /// As it was written.
        name: String,
        /// Where.
        at: Position,
        /// Why, or what to use.
        reason: &'static str,
    },
    /// Arguments that do not fit.
    #[error("function '{name}' at {at} {problem}")]
    Argument {
        /// The function or operator.
        name: String,
        /// Where.
        at: Position,
        /// What does not fit.
        problem: String,
    },
    /// A column of a type that expressions do not take.
    #[error("column '{column}' has type {found}, which expressions do not read")]
    ColumnType {
        /// The column.
        column: String,
        /// Its Arrow type.
        found: String,
    },
    /// The batch lacks a column that the expression was compiled for.
    #[error("the batch has no column '{column}', which the expression reads")]
    ColumnMissing {
        /// The column.
        column: String,
    },
    /// Evaluation over distinct values needs exactly one input, a string.
    #[error("the expression reads {inputs}; evaluation by distinct values needs exactly one string column")]
    NotOneStringInput {
        /// What it reads instead.
        inputs: String,
    },
    /// The engine underneath failed.
    #[error("cannot evaluate the expression: {0}")]
    Engine(#[from] DataFusionError),
}

impl From<arrow::error::ArrowError> for ExpressionError {
    fn from(error: arrow::error::ArrowError) -> Self {
        Self::Engine(error.into())
    }
}

/// `; the nearest name is 'x'`, or nothing.
pub(crate) fn suggestion(nearest: Option<&str>) -> String {
    nearest.map(|name| format!("; the nearest name is '{name}'")).unwrap_or_default()
}

/// The candidate closest to `name`, case aside, if it is close enough to be what was meant.
pub(crate) fn nearest<'a>(name: &str, candidates: impl Iterator<Item = &'a str>) -> Option<String> {
    let name = name.to_lowercase();
    let tolerated = (name.chars().count() / 3).max(1);
    candidates
        .map(|candidate| (strsim::damerau_levenshtein(&name, &candidate.to_lowercase()), candidate))
        .filter(|(distance, _)| *distance <= tolerated)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate.to_owned())
}
