//! A scalar function as data, and how DataFusion sees it.
//!
//! A [`Spec`] says what a function is called, takes and gives, and holds its kernel. [`DruidFunction`] makes a
//! `ScalarUDF` of it: it checks the call, converts each argument to the one array type its kernel knows
//! ([`Kind`]), and runs the kernel once per batch: once per distinct value where the only argument that varies
//! is a dictionary.
//!
//! While a query is planned the kernel runs once over no rows at all. Kernels compile their literals before they
//! look at a row, so a wrong period or pattern is refused before anything is read.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Scalar, new_empty_array};
use arrow::compute::kernels::zip::zip;
use arrow::compute::{is_null, take};
use arrow::datatypes::{DataType, Field, FieldRef, TimeUnit};
use datafusion::common::ScalarValue;
use datafusion::error::Result;
use datafusion::logical_expr::simplify::{ExprSimplifyResult, SimplifyContext};
use datafusion::logical_expr::{
    ColumnarValue, Expr, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

use super::args::{Args, Column};
use super::convert::{self, Kind};
use super::error::FunctionError;

/// The type of a result.
#[derive(Debug, Clone, Copy)]
pub(super) enum Returns {
    Text,
    Long,
    Double,
    Time,
    Boolean,
    TextList,
    /// Decided by the arguments' types.
    By(fn(&[DataType]) -> DataType),
}

/// What a call comes down to, for these arguments; `None`: the call.
pub(super) type Simplify = fn(&[Expr], &SimplifyContext) -> Option<Expr>;

/// A scalar function.
#[derive(Debug)]
pub(super) struct Spec {
    /// As queries write it, in capitals.
    pub(super) name: &'static str,
    pub(super) aliases: &'static [&'static str],
    /// What the kernel gets for each argument; a variadic function repeats the last.
    pub(super) takes: &'static [Kind],
    pub(super) required: usize,
    pub(super) variadic: bool,
    pub(super) returns: Returns,
    pub(super) kernel: fn(&Args) -> Result<ArrayRef>,
    /// The same as operators that more is known about, where the arguments allow it.
    pub(super) simplify: Option<Simplify>,
}

impl Spec {
    /// A function of a fixed number of arguments, all required.
    pub(super) const fn new(
        name: &'static str,
        takes: &'static [Kind],
        returns: Returns,
        kernel: fn(&Args) -> Result<ArrayRef>,
    ) -> Self {
        Self {
            name,
            aliases: &[],
            takes,
            required: takes.len(),
            variadic: false,
            returns,
            kernel,
            simplify: None,
        }
    }

    /// The same function, whose arguments after the first `required` may be left out.
    pub(super) const fn required(mut self, required: usize) -> Self {
        self.required = required;
        self
    }

    /// The same function with any number of arguments of the last kind.
    pub(super) const fn variadic(mut self) -> Self {
        self.variadic = true;
        self
    }

    /// The same function under more names.
    pub(super) const fn aliases(mut self, aliases: &'static [&'static str]) -> Self {
        self.aliases = aliases;
        self
    }

    /// The same function, which some arguments make an expression of operators.
    pub(super) const fn simplified(mut self, simplify: Simplify) -> Self {
        self.simplify = Some(simplify);
        self
    }

    pub(super) fn to_udf(&'static self) -> Arc<ScalarUDF> {
        Arc::new(ScalarUDF::new_from_impl(DruidFunction {
            spec: self,
            name: self.name.to_ascii_lowercase(),
            aliases: self.aliases.iter().map(|alias| alias.to_ascii_lowercase()).collect(),
            signature: Signature::user_defined(Volatility::Immutable),
        }))
    }

    fn kind(&self, argument: usize) -> Kind {
        self.takes.get(argument).or(self.takes.last()).copied().unwrap_or(Kind::Any)
    }

    fn check_types(&self, types: &[DataType]) -> Result<(), FunctionError> {
        let given = types.len();
        if given < self.required || (given > self.takes.len() && !self.variadic) {
            return Err(FunctionError::ArgumentCount {
                function: self.name.to_owned(),
                expected: self.count_in_words(),
                given,
            });
        }
        for (i, given) in types.iter().enumerate() {
            let kind = self.kind(i);
            if !convert::accepts(kind, given) {
                return Err(FunctionError::ArgumentType {
                    function: self.name.to_owned(),
                    argument: i + 1,
                    expected: kind.in_words(),
                    given: given.to_string(),
                });
            }
        }
        Ok(())
    }

    fn count_in_words(&self) -> String {
        let (min, max) = (self.required, self.takes.len());
        match (self.variadic, min == max, min) {
            (true, _, _) => format!("at least {min} arguments"),
            (false, true, 1) => "1 argument".to_owned(),
            (false, true, _) => format!("{min} arguments"),
            (false, false, _) => format!("{min} to {max} arguments"),
        }
    }

    fn result_type(&self, types: &[DataType]) -> DataType {
        match self.returns {
            Returns::Text => DataType::Utf8View,
            Returns::Long => DataType::Int64,
            Returns::Double => DataType::Float64,
            Returns::Time => DataType::Timestamp(TimeUnit::Millisecond, None),
            Returns::Boolean => DataType::Boolean,
            Returns::TextList => DataType::List(Arc::new(Field::new_list_field(DataType::Utf8View, true))),
            Returns::By(decide) => {
                let types: Vec<DataType> =
                    types.iter().enumerate().map(|(i, given)| convert::target(self.kind(i), given)).collect();
                decide(&types)
            }
        }
    }

    fn run(&self, columns: Vec<Column>, rows: usize) -> Result<ArrayRef> {
        (self.kernel)(&Args::new(self.name, columns, rows))
    }
}

/// Kinds of arguments that values of other types become in a way that depends on the session's time zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ArgumentKind {
    /// A text.
    Text,
    /// An instant.
    Time,
}

/// What a function of this crate takes as its argument `at`, if it is one of these kinds.
pub fn argument_kind(function: &ScalarUDF, at: usize) -> Option<ArgumentKind> {
    match function.inner().downcast_ref::<DruidFunction>()?.spec.kind(at) {
        Kind::Text => Some(ArgumentKind::Text),
        Kind::Time => Some(ArgumentKind::Time),
        _ => None,
    }
}

#[derive(Debug)]
struct DruidFunction {
    spec: &'static Spec,
    name: String,
    aliases: Vec<String>,
    signature: Signature,
}

impl PartialEq for DruidFunction {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for DruidFunction {}

impl Hash for DruidFunction {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}

impl DruidFunction {
    /// A NULL row has no value in the dictionary, but may have a result: that of `NVL`, say.
    fn fill_null_rows(
        &self,
        args: &[ColumnarValue],
        keys: &dyn Array,
        results: ArrayRef,
    ) -> Result<ArrayRef> {
        if keys.null_count() == 0 {
            return Ok(results);
        }
        let columns = args
            .iter()
            .enumerate()
            .map(|(i, value)| match value {
                ColumnarValue::Scalar(value) => self.literal(i, value),
                ColumnarValue::Array(_) => self.literal(i, &ScalarValue::Null),
            })
            .collect::<Result<Vec<_>>>()?;
        let of_null = self.spec.run(columns, 1)?;
        if of_null.is_null(0) {
            return Ok(results);
        }
        Ok(zip(&is_null(keys)?, &Scalar::new(of_null), &results)?)
    }

    /// A literal that is written where a number belongs must be one; in a row it would count as NULL.
    fn sound_literal(&self, argument: usize, value: &ScalarValue) -> Result<Column> {
        let column = self.literal(argument, value)?;
        let is_number = matches!(self.spec.kind(argument), Kind::Long | Kind::Double | Kind::Number);
        match value.try_as_str() {
            Some(Some(text)) if is_number && column.array.is_null(0) => Err(FunctionError::ArgumentValue {
                function: self.spec.name.to_owned(),
                argument: argument + 1,
                reason: format!("{text:?} is not a number"),
            }
            .into()),
            _ => Ok(column),
        }
    }

    fn literal(&self, argument: usize, value: &ScalarValue) -> Result<Column> {
        let array = value.to_array()?;
        Ok(Column { array: convert::convert(self.spec.kind(argument), &array)?, literal: true })
    }
}

impl ScalarUDFImpl for DruidFunction {
    fn name(&self) -> &str {
        &self.name
    }

    fn aliases(&self) -> &[String] {
        &self.aliases
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        self.spec.check_types(types)?;
        Ok(types.to_vec())
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        self.spec.check_types(types)?;
        Ok(self.spec.result_type(types))
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs) -> Result<FieldRef> {
        let types: Vec<DataType> = args.arg_fields.iter().map(|field| field.data_type().clone()).collect();
        let result = self.return_type(&types)?;
        let columns = args
            .scalar_arguments
            .iter()
            .zip(&types)
            .enumerate()
            .map(|(i, (value, given))| match value {
                Some(value) => self.sound_literal(i, value),
                None => Ok(Column {
                    array: new_empty_array(&convert::target(self.spec.kind(i), given)),
                    literal: false,
                }),
            })
            .collect::<Result<Vec<_>>>()?;
        self.spec.run(columns, 0)?;
        Ok(Arc::new(Field::new(&self.name, result, true)))
    }

    fn simplify(&self, args: Vec<Expr>, info: &SimplifyContext) -> Result<ExprSimplifyResult> {
        Ok(match self.spec.simplify.and_then(|simplify| simplify(&args, info)) {
            Some(simple) => ExprSimplifyResult::Simplified(simple),
            None => ExprSimplifyResult::Original(args),
        })
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let mut varying = args.args.iter().enumerate().filter_map(|(i, value)| match value {
            ColumnarValue::Array(array) => Some((i, array)),
            ColumnarValue::Scalar(_) => None,
        });
        let (first, second) = (varying.next(), varying.next());
        // A dictionary that alone varies is worked on value by value, not row by row.
        let dictionary = match (first, second) {
            (Some((i, array)), None) => array.as_any_dictionary_opt().map(|dictionary| (i, dictionary)),
            _ => None,
        };
        let rows = match (first, dictionary) {
            (None, _) => 1,
            (_, Some((_, dictionary))) => dictionary.values().len(),
            _ => args.number_rows,
        };
        let mut columns = Vec::with_capacity(args.args.len());
        for (i, value) in args.args.iter().enumerate() {
            columns.push(match value {
                ColumnarValue::Scalar(value) => self.literal(i, value)?,
                ColumnarValue::Array(array) => {
                    let array =
                        dictionary.filter(|(at, _)| *at == i).map_or(array, |(_, found)| found.values());
                    Column { array: convert::convert(self.spec.kind(i), array)?, literal: false }
                }
            });
        }
        let result = self.spec.run(columns, rows)?;
        Ok(match (first, dictionary) {
            (None, _) => ColumnarValue::Scalar(ScalarValue::try_from_array(&result, 0)?),
            (_, Some((_, dictionary))) => {
                let taken = take(&result, dictionary.keys(), None)?;
                ColumnarValue::Array(self.fill_null_rows(&args.args, dictionary.keys(), taken)?)
            }
            _ => ColumnarValue::Array(result),
        })
    }
}
