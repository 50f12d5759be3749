//! `APPROX_QUANTILE` and `APPROX_QUANTILE_DS`: a quantile of a column of numbers, by DataFusion's t-digest.
//!
//! A third argument, Druid's `k`, is the number of centroids.

use arrow::datatypes::{DataType, FieldRef};
use datafusion::error::Result;
use datafusion::functions_aggregate::approx_percentile_cont::ApproxPercentileCont;
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::{Accumulator, AggregateUDF, AggregateUDFImpl, Signature, Volatility};

use super::literal;
use crate::sql::error::FunctionError;

/// Druid's greatest `k`.
const CENTROIDS_MAX: i64 = 32_768;

pub(super) fn function() -> AggregateUDF {
    AggregateUDF::new_from_impl(Quantile {
        digest: ApproxPercentileCont::new(),
        signature: Signature::user_defined(Volatility::Immutable),
        aliases: vec!["approx_quantile_ds".to_owned()],
    })
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Quantile {
    digest: ApproxPercentileCont,
    signature: Signature,
    aliases: Vec<String>,
}

impl AggregateUDFImpl for Quantile {
    fn name(&self) -> &'static str {
        "approx_quantile"
    }

    fn aliases(&self) -> &[String] {
        &self.aliases
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let wanted = [DataType::Float64, DataType::Float64, DataType::Int64];
        if !(2..=3).contains(&types.len()) {
            return Err(FunctionError::ArgumentCount {
                function: "APPROX_QUANTILE".to_owned(),
                expected: "2 to 3 arguments".to_owned(),
                given: types.len(),
            }
            .into());
        }
        Ok(wanted.into_iter().take(types.len()).collect())
    }

    fn return_type(&self, _types: &[DataType]) -> Result<DataType> {
        Ok(DataType::Float64)
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        self.digest.state_fields(args)
    }

    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        // Memory is taken for all of them at once.
        literal::whole("approx_quantile", &args, 2, 2..=CENTROIDS_MAX)?;
        self.digest.accumulator(args)
    }
}
