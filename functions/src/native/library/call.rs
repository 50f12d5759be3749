//! A call about to be lowered: its arguments, typed, and what functions ask of them.

use std::sync::Arc;

use datafusion::logical_expr::Expr;

use crate::native::ast::{Kind, Node};
use crate::native::coerce::{coerce, condition};
use crate::native::error::{ExpressionError, Position};
use crate::native::kernel::{self, Kernel};
use crate::native::types::{Type, Typed};

/// A call: the name as written, where, the arguments as written and as lowered.
pub(crate) struct Call<'a> {
    pub(crate) name: &'a str,
    pub(crate) at: Position,
    pub(crate) nodes: &'a [Node],
    pub(crate) arguments: Vec<Typed>,
}

impl Call<'_> {
    /// An error that names the function and the place.
    pub(crate) fn error(&self, problem: impl Into<String>) -> ExpressionError {
        ExpressionError::Argument { name: self.name.to_owned(), at: self.at, problem: problem.into() }
    }

    /// Argument `i`; the registry has checked how many there are.
    pub(crate) fn argument(&self, i: usize) -> Result<&Typed, ExpressionError> {
        self.arguments.get(i).ok_or_else(|| self.error(format!("needs an argument {}", i + 1)))
    }

    /// Whether argument `i` was given.
    pub(crate) fn has(&self, i: usize) -> bool {
        i < self.arguments.len()
    }

    /// Argument `i` as `to`.
    pub(crate) fn as_type(&self, i: usize, to: Type) -> Result<Expr, ExpressionError> {
        let argument = self.argument(i)?;
        match coerce(argument.clone(), to) {
            Some(typed) => Ok(typed.expr),
            None => Err(self.mismatch(i, argument.ty, to.name())),
        }
    }

    /// Argument `i` as text.
    pub(crate) fn text(&self, i: usize) -> Result<Expr, ExpressionError> {
        self.as_type(i, Type::Text)
    }

    /// Argument `i` as a long.
    pub(crate) fn long(&self, i: usize) -> Result<Expr, ExpressionError> {
        self.as_type(i, Type::Long)
    }

    /// Argument `i` as a double.
    pub(crate) fn double(&self, i: usize) -> Result<Expr, ExpressionError> {
        self.as_type(i, Type::Double)
    }

    /// Argument `i` as a condition.
    pub(crate) fn condition(&self, i: usize) -> Result<Expr, ExpressionError> {
        let argument = self.argument(i)?;
        condition(argument.clone()).ok_or_else(|| self.mismatch(i, argument.ty, "a condition"))
    }

    pub(crate) fn mismatch(&self, i: usize, found: Type, wanted: &str) -> ExpressionError {
        self.error(format!("has {} as argument {}, where it takes {wanted}", found.name(), i + 1))
    }

    /// Argument `i`, which must be a literal string or `null`.
    pub(crate) fn literal_text(&self, i: usize, what: &str) -> Result<Option<&str>, ExpressionError> {
        match self.nodes.get(i).map(|node| &node.kind) {
            Some(Kind::Text(text)) => Ok(Some(text)),
            Some(Kind::Null) | None => Ok(None),
            Some(_) => Err(self.error(format!("needs a literal string as {what}, its argument {}", i + 1))),
        }
    }

    /// Argument `i`, which must be a literal string.
    pub(crate) fn required_text(&self, i: usize, what: &str) -> Result<&str, ExpressionError> {
        let missing = || self.error(format!("needs a literal string as {what}, its argument {}", i + 1));
        self.literal_text(i, what)?.ok_or_else(missing)
    }

    /// Argument `i`, which must be a literal long; `None` when it is not given.
    pub(crate) fn literal_long(&self, i: usize, what: &str) -> Result<Option<i64>, ExpressionError> {
        match self.nodes.get(i).map(|node| &node.kind) {
            Some(Kind::Long(value)) => Ok(Some(*value)),
            None => Ok(None),
            Some(_) => {
                Err(self.error(format!("needs a literal whole number as {what}, its argument {}", i + 1)))
            }
        }
    }

    /// A function of this name.
    pub(crate) fn function(&self, arguments: Vec<Expr>, ty: Type, kernel: Arc<Kernel>) -> Typed {
        self.function_with("", arguments, ty, kernel)
    }

    /// A function of this name that holds `constants`.
    pub(crate) fn function_with(
        &self,
        constants: &str,
        arguments: Vec<Expr>,
        ty: Type,
        kernel: Arc<Kernel>,
    ) -> Typed {
        kernel::call(&self.name.to_ascii_lowercase(), constants, arguments, ty, kernel)
    }
}
