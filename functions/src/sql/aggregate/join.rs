//! `STRING_AGG`, `LISTAGG`, `GROUP_CONCAT`: the texts of a group, joined.
//!
//! NULLs are left out; nothing to join is NULL. With DISTINCT every text stands once and they are sorted, which is
//! how Druid's sets are; without, they stand as they were read.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, StringViewArray};
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::ScalarValue;
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::format_state_name;
use datafusion::logical_expr::{Accumulator, AggregateUDF, AggregateUDFImpl, Signature, Volatility};

use super::literal;
use crate::native::library::text::MADE_MAX;
use crate::sql::convert::{self, Kind};
use crate::sql::error::FunctionError;

const NAME: &str = "string_agg";

pub(super) fn function() -> AggregateUDF {
    AggregateUDF::new_from_impl(StringAgg {
        signature: Signature::user_defined(Volatility::Immutable),
        aliases: vec!["listagg".to_owned(), "group_concat".to_owned()],
    })
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct StringAgg {
    signature: Signature,
    aliases: Vec<String>,
}

impl AggregateUDFImpl for StringAgg {
    fn name(&self) -> &str {
        NAME
    }

    fn aliases(&self) -> &[String] {
        &self.aliases
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        if types.is_empty() || types.len() > 3 {
            return Err(FunctionError::ArgumentCount {
                function: "STRING_AGG".to_owned(),
                expected: "1 to 3 arguments".to_owned(),
                given: types.len(),
            }
            .into());
        }
        Ok(types.to_vec())
    }

    fn return_type(&self, _types: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8View)
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        let texts = Field::new_list_field(DataType::Utf8View, true);
        Ok(vec![Arc::new(Field::new_list(format_state_name(args.name, "texts"), texts, true))])
    }

    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        let separator = literal::text(NAME, &args, 1)?.unwrap_or_default();
        let bytes_max =
            literal::whole(NAME, &args, 2, 1..=i64::from(i32::MAX))?.unwrap_or(MADE_MAX as i64) as usize;
        let texts = if args.is_distinct { Texts::Distinct(BTreeSet::new()) } else { Texts::All(Vec::new()) };
        Ok(Box::new(Joined { separator, bytes_max, bytes: 0, texts }))
    }
}

#[derive(Debug)]
enum Texts {
    All(Vec<String>),
    Distinct(BTreeSet<String>),
}

#[derive(Debug)]
struct Joined {
    separator: String,
    bytes_max: usize,
    bytes: usize,
    texts: Texts,
}

impl Joined {
    fn take(&mut self, texts: &StringViewArray) -> Result<()> {
        for text in texts.iter().flatten() {
            let added = match &mut self.texts {
                Texts::All(texts) => {
                    texts.push(text.to_owned());
                    true
                }
                Texts::Distinct(texts) => !texts.contains(text) && texts.insert(text.to_owned()),
            };
            if added {
                self.bytes += text.len() + self.separator.len();
            }
            if self.bytes.saturating_sub(self.separator.len()) > self.bytes_max {
                let function = NAME.to_ascii_uppercase();
                return Err(FunctionError::TooLong { function, bytes_max: self.bytes_max }.into());
            }
        }
        Ok(())
    }

    fn list(&self) -> Vec<&str> {
        match &self.texts {
            Texts::All(texts) => texts.iter().map(String::as_str).collect(),
            Texts::Distinct(texts) => texts.iter().map(String::as_str).collect(),
        }
    }
}

impl Accumulator for Joined {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let Some(values) = values.first() else {
            return Err(DataFusionError::Internal("an aggregate got no argument".to_owned()));
        };
        if matches!(values.data_type(), DataType::List(_)) {
            let lists = convert::convert(Kind::TextList, values)?;
            return lists
                .as_list::<i32>()
                .iter()
                .flatten()
                .try_for_each(|texts| self.take(texts.as_string_view()));
        }
        self.take(convert::convert(Kind::Text, values)?.as_string_view())
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let texts = self.list();
        Ok(ScalarValue::Utf8View((!texts.is_empty()).then(|| texts.join(&self.separator))))
    }

    fn size(&self) -> usize {
        size_of::<Self>() + self.bytes + self.list().len() * size_of::<String>()
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let texts: Vec<ScalarValue> =
            self.list().into_iter().map(|text| ScalarValue::Utf8View(Some(text.to_owned()))).collect();
        Ok(vec![ScalarValue::List(ScalarValue::new_list(&texts, &DataType::Utf8View, true))])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let Some(states) = states.first() else { return Ok(()) };
        states.as_list::<i32>().iter().flatten().try_for_each(|texts| self.take(texts.as_string_view()))
    }
}
