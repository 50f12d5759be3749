//! What is wrong with a call of a function. It travels inside [`DataFusionError::External`].

use datafusion::error::DataFusionError;
use thiserror::Error;

/// A call that cannot be answered. Argument numbers count from 1, as a reader of the query does.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum FunctionError {
    /// Too few or too many arguments.
    #[error("{function} takes {expected}, {given} given")]
    ArgumentCount {
        /// The function, as queries write it.
        function: String,
        /// How many it takes, in words.
        expected: String,
        /// How many the call has.
        given: usize,
    },
    /// An argument of a type that cannot be converted.
    #[error("argument {argument} of {function} must be {expected}, not {given}")]
    ArgumentType {
        /// The function, as queries write it.
        function: String,
        /// Which argument.
        argument: usize,
        /// The type that it takes, in words.
        expected: &'static str,
        /// The type given.
        given: String,
    },
    /// An argument of the right type with a value that means nothing.
    #[error("argument {argument} of {function}: {reason}")]
    ArgumentValue {
        /// The function, as queries write it.
        function: String,
        /// Which argument.
        argument: usize,
        /// What is wrong with it.
        reason: String,
    },
    /// A whole number divided by zero. Druid's text.
    #[error("/ by zero")]
    DivisionByZero,
    /// A text longer than one value may be.
    #[error("the result of {function} would have more than {bytes_max} bytes")]
    TooLong {
        /// The function, as queries write it.
        function: String,
        /// The most bytes that a value may have.
        bytes_max: usize,
    },
    /// Texts that are long together.
    #[error("{function} makes more than {bytes_max} bytes of text of {rows} rows")]
    TooMuch {
        /// The function, as queries write it.
        function: String,
        /// The most bytes for one batch of rows.
        bytes_max: usize,
        /// The rows that it took to get there.
        rows: usize,
    },
}

impl From<FunctionError> for DataFusionError {
    fn from(error: FunctionError) -> Self {
        Self::External(Box::new(error))
    }
}
