//! `APPROX_COUNT_DISTINCT` and its sketches by name: about how many distinct values a column has.
//!
//! NULL is no value; an empty input has 0 values. A row of a multi-value column counts for each of its values.

use std::hash::Hash;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BinaryBuilder, BooleanArray, Int64Array};
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::ScalarValue;
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::format_state_name;
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, EmitTo, GroupsAccumulator, Signature, Volatility,
};

use super::hyperloglog::HyperLogLog;
use super::theta::Theta;
use super::{hash, literal};
use crate::sql::error::FunctionError;

/// The precision of a plain `APPROX_COUNT_DISTINCT`: a standard error of 0.8 %.
const PRECISION: i64 = 14;
/// What Druid's `lgK` is unless given.
const LG_K: i64 = 12;
/// What Druid's `size` is unless given.
const SIZE: i64 = 16_384;

pub(super) fn functions() -> Vec<AggregateUDF> {
    let function = |kind, name: &'static str, aliases: &[&str], arguments_max| {
        AggregateUDF::new_from_impl(CountDistinct {
            kind,
            name,
            aliases: aliases.iter().map(|&alias| alias.to_owned()).collect(),
            arguments_max,
            signature: Signature::user_defined(Volatility::Immutable),
        })
    };
    vec![
        function(
            Kind::Default,
            "approx_count_distinct",
            &["approx_count_distinct_builtin", "approx_distinct"],
            1,
        ),
        function(
            Kind::HyperLogLog,
            "approx_count_distinct_ds_hll",
            &["approx_count_distinct_ds_hll_utf8"],
            3,
        ),
        function(Kind::Theta, "approx_count_distinct_ds_theta", &[], 2),
    ]
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Kind {
    Default,
    HyperLogLog,
    Theta,
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct CountDistinct {
    kind: Kind,
    name: &'static str,
    aliases: Vec<String>,
    arguments_max: usize,
    signature: Signature,
}

impl CountDistinct {
    /// An empty sketch with the parameters of a call.
    fn sketch(&self, args: &AccumulatorArgs) -> Result<Sketch> {
        Ok(match self.kind {
            Kind::Default => Sketch::HyperLogLog(HyperLogLog::new(PRECISION as u32), PRECISION as u32),
            Kind::HyperLogLog => {
                let precision = literal::whole(self.name, args, 1, 4..=21)?.unwrap_or(LG_K) as u32;
                Sketch::HyperLogLog(HyperLogLog::new(precision), precision)
            }
            Kind::Theta => {
                let size = literal::whole(self.name, args, 1, 16..=1 << 26)?.unwrap_or(SIZE) as usize;
                Sketch::Theta(Theta::new(size), size)
            }
        })
    }
}

impl AggregateUDFImpl for CountDistinct {
    fn name(&self) -> &str {
        self.name
    }

    fn aliases(&self) -> &[String] {
        &self.aliases
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        if types.is_empty() || types.len() > self.arguments_max {
            return Err(FunctionError::ArgumentCount {
                function: self.name.to_ascii_uppercase(),
                expected: format!("1 to {} arguments", self.arguments_max),
                given: types.len(),
            }
            .into());
        }
        Ok(types.to_vec())
    }

    fn return_type(&self, _types: &[DataType]) -> Result<DataType> {
        Ok(DataType::Int64)
    }

    fn is_nullable(&self) -> bool {
        false
    }

    fn default_value(&self, _data_type: &DataType) -> Result<ScalarValue> {
        Ok(ScalarValue::Int64(Some(0)))
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        Ok(vec![Arc::new(Field::new(format_state_name(args.name, "sketch"), DataType::Binary, true))])
    }

    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        Ok(Box::new(self.sketch(&args)?))
    }

    fn groups_accumulator_supported(&self, _args: AccumulatorArgs) -> bool {
        true
    }

    fn create_groups_accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn GroupsAccumulator>> {
        Ok(Box::new(Groups { empty: self.sketch(&args)?, sketches: Vec::new() }))
    }
}

/// A sketch and the parameter with which its bytes are read.
#[derive(Debug, Clone)]
enum Sketch {
    HyperLogLog(HyperLogLog, u32),
    Theta(Theta, usize),
}

impl Sketch {
    fn add(&mut self, hash: u64) {
        match self {
            Self::HyperLogLog(sketch, _) => sketch.add(hash),
            Self::Theta(sketch, _) => sketch.add(hash),
        }
    }

    fn merge(&mut self, bytes: &[u8]) -> Result<()> {
        let foreign = || DataFusionError::Internal("a sketch has a state that it did not make".to_owned());
        match self {
            Self::HyperLogLog(sketch, precision) => {
                sketch.merge(&HyperLogLog::from_bytes(*precision, bytes).ok_or_else(foreign)?);
            }
            Self::Theta(sketch, size) => sketch.merge(&Theta::from_bytes(*size, bytes).ok_or_else(foreign)?),
        }
        Ok(())
    }

    fn count(&self) -> i64 {
        match self {
            Self::HyperLogLog(sketch, _) => sketch.estimate(),
            Self::Theta(sketch, _) => sketch.estimate(),
        }
        .round() as i64
    }

    fn to_bytes(&self) -> Vec<u8> {
        match self {
            Self::HyperLogLog(sketch, _) => sketch.to_bytes(),
            Self::Theta(sketch, _) => sketch.to_bytes(),
        }
    }

    fn bytes(&self) -> usize {
        size_of::<Self>()
            + match self {
                Self::HyperLogLog(sketch, _) => sketch.bytes(),
                Self::Theta(sketch, _) => sketch.bytes(),
            }
    }
}

fn first(values: &[ArrayRef]) -> Result<&ArrayRef> {
    values.first().ok_or_else(|| DataFusionError::Internal("an aggregate got no argument".to_owned()))
}

impl Accumulator for Sketch {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        hash::for_each(first(values)?, &mut |_, hash| self.add(hash))
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        Ok(ScalarValue::Int64(Some(self.count())))
    }

    fn size(&self) -> usize {
        self.bytes()
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        Ok(vec![ScalarValue::Binary(Some(self.to_bytes()))])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        first(states)?.as_binary::<i32>().iter().flatten().try_for_each(|bytes| self.merge(bytes))
    }
}

/// One sketch for each group.
#[derive(Debug)]
struct Groups {
    empty: Sketch,
    sketches: Vec<Sketch>,
}

impl GroupsAccumulator for Groups {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        group_indices: &[usize],
        opt_filter: Option<&BooleanArray>,
        total_num_groups: usize,
    ) -> Result<()> {
        self.sketches.resize(total_num_groups, self.empty.clone());
        let sketches = &mut self.sketches;
        let passes = |row| opt_filter.is_none_or(|filter| filter.is_valid(row) && filter.value(row));
        hash::for_each(first(values)?, &mut |row, hash| {
            if passes(row)
                && let Some(sketch) = group_indices.get(row).and_then(|group| sketches.get_mut(*group))
            {
                sketch.add(hash);
            }
        })
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        let counts = emit_to.take_needed(&mut self.sketches).iter().map(Sketch::count).collect::<Vec<_>>();
        Ok(Arc::new(Int64Array::from(counts)))
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        let mut states = BinaryBuilder::new();
        for sketch in emit_to.take_needed(&mut self.sketches) {
            states.append_value(sketch.to_bytes());
        }
        Ok(vec![Arc::new(states.finish())])
    }

    fn merge_batch(
        &mut self,
        values: &[ArrayRef],
        group_indices: &[usize],
        total_num_groups: usize,
    ) -> Result<()> {
        self.sketches.resize(total_num_groups, self.empty.clone());
        for (bytes, group) in first(values)?.as_binary::<i32>().iter().zip(group_indices) {
            if let (Some(bytes), Some(sketch)) = (bytes, self.sketches.get_mut(*group)) {
                sketch.merge(bytes)?;
            }
        }
        Ok(())
    }

    fn convert_to_state(
        &self,
        values: &[ArrayRef],
        opt_filter: Option<&BooleanArray>,
    ) -> Result<Vec<ArrayRef>> {
        let values = first(values)?;
        let mut sketches = vec![self.empty.clone(); values.len()];
        hash::for_each(values, &mut |row, hash| {
            if let Some(sketch) = sketches.get_mut(row) {
                sketch.add(hash);
            }
        })?;
        let mut states = BinaryBuilder::new();
        for (row, sketch) in sketches.iter().enumerate() {
            let passes = opt_filter.is_none_or(|filter| filter.is_valid(row) && filter.value(row));
            states.append_option(passes.then(|| sketch.to_bytes()));
        }
        Ok(vec![Arc::new(states.finish())])
    }

    fn size(&self) -> usize {
        self.sketches.iter().map(Sketch::bytes).sum()
    }
}
