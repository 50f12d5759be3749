//! `dataSchema` and `inputFormat`: what becomes of a message, typed.

use std::collections::HashSet;
use std::sync::Arc;

use ovate_storage::time::Granularity;
use ovate_storage::{ColumnSpec, ColumnType, TIME_COLUMN, TableSchema};
use serde_json::{Map, Value};

use super::io::{duration_ms, instant_ms};
use super::metric::{MetricInput, MetricSpec};
use super::names;
use super::normalise::join;
use super::path::{JsonPath, Step};
use super::timestamp::TimestampSpec;
use crate::error::SpecError;

/// What several values of one row become.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum MultiValueHandling {
    /// Sorted, repetitions kept.
    #[default]
    SortedArray,
    /// Sorted, repetitions removed.
    SortedSet,
    /// As they came.
    Array,
}

/// One declared dimension.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DimensionSpec {
    /// The column's name, and the input field's.
    pub name: String,
    /// The column's type; `None` where the first value decides it (`auto`).
    pub column_type: Option<ColumnType>,
    /// Strings only.
    pub multi_value: MultiValueHandling,
    /// Strings only: whether segments carry posting lists for it.
    pub bitmap_index: bool,
}

impl DimensionSpec {
    pub(crate) fn column(&self, column_type: ColumnType) -> ColumnSpec {
        let bitmap_index = self.bitmap_index && column_type == ColumnType::String;
        ColumnSpec { bitmap_index, ..ColumnSpec::dimension(&self.name, column_type) }
    }
}

/// What becomes of fields that the spec does not name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Discovery {
    /// They are skipped.
    Off,
    /// They become string dimensions.
    Strings,
    /// They become dimensions of the type of their first value.
    Typed,
}

/// A field that is taken from a place inside the message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FlattenField {
    /// The name under which dimensions, metrics and transforms know it.
    pub name: String,
    /// The place.
    pub path: JsonPath,
}

/// A transform: a field computed from the row, which may shadow an input field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransformSpec {
    /// The field's name.
    pub name: String,
    /// The expression, in Druid's expression language.
    pub expression: String,
    /// Where it stands in the spec, for messages.
    pub path: String,
}

/// Which rows are dropped for their time. Periods count from the moment at which a row is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Rejection {
    /// Rows older than this are dropped.
    pub late_ms: Option<i64>,
    /// Rows further in the future than this are dropped.
    pub early_ms: Option<i64>,
    /// Rows before this instant are dropped.
    pub late_before_ms: Option<i64>,
}

/// What becomes of a message: the input's shape, the datasource's, and the way between.
#[derive(Debug, Clone)]
pub struct IngestionSpec {
    /// The datasource.
    pub datasource: String,
    /// The time of a row.
    pub timestamp: TimestampSpec,
    /// Declared dimensions, in order.
    pub dimensions: Vec<DimensionSpec>,
    /// Fields that discovery passes over: those excluded, the time field, metrics and their inputs.
    pub exclusions: HashSet<String>,
    /// What becomes of other fields.
    pub discovery: Discovery,
    /// Whether discovery looks at the fields at the top of a message, or only at [`Self::flatten`].
    pub discover_root: bool,
    /// Metrics, in order.
    pub metrics: Vec<MetricSpec>,
    /// How time is cut into segments.
    pub segment_granularity: Granularity,
    /// What `__time` is floored to.
    pub query_granularity: Granularity,
    /// Whether rows with equal time and dimensions become one.
    pub rollup: bool,
    /// Computed fields.
    pub transforms: Vec<TransformSpec>,
    /// Druid's native filter; rows it does not match are dropped.
    pub filter: Option<Value>,
    /// Where the filter stands in the spec, for messages.
    pub filter_path: String,
    /// Fields from inside the message.
    pub flatten: Vec<FlattenField>,
    /// Whether every line of a message is a row of its own, so that a bad line does not hide the next.
    pub newline_delimited: bool,
    /// Which rows are dropped for their time.
    pub rejection: Rejection,
}

impl IngestionSpec {
    /// The datasource's columns as far as the spec alone tells; discovery adds to them.
    pub fn table_schema(&self) -> TableSchema {
        let dimensions = self.dimensions.iter().filter_map(|d| Some(d.column(d.column_type?)));
        TableSchema {
            columns: dimensions.chain(self.metrics.iter().map(MetricSpec::column)).collect(),
            segment_granularity: self.segment_granularity,
            query_granularity: self.query_granularity,
            rollup: self.rollup,
        }
    }

    /// [`Self::table_schema`], shared.
    pub fn shared_table_schema(&self) -> Arc<TableSchema> {
        Arc::new(self.table_schema())
    }

    /// Reads `dataSchema` and the parts of `ioConfig` that concern rows; completes `dimensionExclusions` as Druid
    /// does.
    pub(super) fn read(
        data: &mut Map<String, Value>,
        io: &Map<String, Value>,
        path: &str,
        io_path: &str,
    ) -> Result<Self, SpecError> {
        let datasource = text(data, "dataSource");
        names::check_datasource(&join(path, "dataSource"), &datasource)?;
        let timestamp = TimestampSpec::read(object(data, "timestampSpec"), &join(path, "timestampSpec"))?;

        let metrics_path = join(path, "metricsSpec");
        let metrics = maps(data, "metricsSpec")
            .enumerate()
            .map(|(i, metric)| MetricSpec::read(metric, &format!("{metrics_path}[{i}]")))
            .collect::<Result<Vec<_>, _>>()?;
        distinct(metrics.iter().map(|m| m.name.as_str()), &metrics_path)?;

        let dimensions_path = join(path, "dimensionsSpec");
        let spec = object(data, "dimensionsSpec");
        let dimensions = read_dimensions(spec, &dimensions_path, &metrics)?;
        let exclusions = read_exclusions(spec, &dimensions_path, &timestamp, &dimensions, &metrics)?;
        let discovery = match (truth(spec, "useSchemaDiscovery"), truth(spec, "includeAllDimensions")) {
            (true, _) => Discovery::Typed,
            (false, true) => Discovery::Strings,
            (false, false) if dimensions.is_empty() => Discovery::Strings,
            (false, false) => Discovery::Off,
        };
        let all = exclusions.iter().map(|name| Value::from(name.as_str())).collect();
        if let Some(Value::Object(spec)) = data.get_mut("dimensionsSpec") {
            spec.insert("dimensionExclusions".into(), Value::Array(all));
        }

        let transforms_path = join(path, "transformSpec");
        let transforms = read_transforms(object(data, "transformSpec"), &transforms_path)?;
        let granularity = object(data, "granularitySpec");
        let input = object(io, "inputFormat");
        let input_path = join(io_path, "inputFormat");
        let (flatten, discover_root) = read_flatten(input, &input_path)?;
        Ok(Self {
            datasource,
            timestamp,
            dimensions,
            exclusions: exclusions.into_iter().collect(),
            discovery,
            discover_root,
            metrics,
            segment_granularity: read_granularity(granularity, "segmentGranularity", path)?,
            query_granularity: read_granularity(granularity, "queryGranularity", path)?,
            rollup: truth(granularity, "rollup"),
            transforms,
            filter: object(data, "transformSpec").get("filter").filter(|filter| !filter.is_null()).cloned(),
            filter_path: join(&transforms_path, "filter"),
            flatten,
            newline_delimited: truth(input, "assumeNewlineDelimited"),
            rejection: read_rejection(io, io_path)?,
        })
    }
}

fn read_dimensions(
    spec: &Map<String, Value>,
    path: &str,
    metrics: &[MetricSpec],
) -> Result<Vec<DimensionSpec>, SpecError> {
    let path = join(path, "dimensions");
    let mut dimensions = Vec::new();
    for (i, dimension) in maps(spec, "dimensions").enumerate() {
        let name = text(dimension, "name");
        let at = format!("{path}[{i}].name");
        names::check_column(&at, &name)?;
        if metrics.iter().any(|metric| metric.name == name) {
            return Err(SpecError::invalid(at, format!("{name:?} is the name of a metric as well")));
        }
        let type_name = match text(dimension, "type").as_str() {
            "auto" => text(dimension, "castToType").to_lowercase(),
            given => given.to_owned(),
        };
        let column_type = match type_name.as_str() {
            "string" => Some(ColumnType::String),
            "long" => Some(ColumnType::Long),
            "float" => Some(ColumnType::Float),
            "double" => Some(ColumnType::Double),
            _ => None,
        };
        let multi_value = match text(dimension, "multiValueHandling").as_str() {
            "SORTED_SET" => MultiValueHandling::SortedSet,
            "ARRAY" => MultiValueHandling::Array,
            _ => MultiValueHandling::SortedArray,
        };
        let bitmap_index = truth(dimension, "createBitmapIndex");
        dimensions.push(DimensionSpec { name, column_type, multi_value, bitmap_index });
    }
    distinct(dimensions.iter().map(|d| d.name.as_str()), &path)?;
    Ok(dimensions)
}

/// The exclusions as given, then those that Druid adds: the time column and field, metrics and what they read.
fn read_exclusions(
    spec: &Map<String, Value>,
    path: &str,
    timestamp: &TimestampSpec,
    dimensions: &[DimensionSpec],
    metrics: &[MetricSpec],
) -> Result<Vec<String>, SpecError> {
    let declared = |name: &str| dimensions.iter().any(|dimension| dimension.name == name);
    let mut exclusions = Vec::new();
    let empty = Vec::new();
    let given = spec.get("dimensionExclusions").and_then(Value::as_array).unwrap_or(&empty);
    for (i, name) in given.iter().filter_map(Value::as_str).enumerate() {
        if declared(name) {
            let reason = format!("{name:?} is declared as a dimension as well");
            return Err(SpecError::invalid(format!("{path}.dimensionExclusions[{i}]"), reason));
        }
        exclusions.push(name.to_owned());
    }
    let mut derived = vec![TIME_COLUMN, &timestamp.column];
    for metric in metrics {
        derived.push(&metric.name);
        if let MetricInput::Field(field) = &metric.input {
            derived.push(field);
        }
    }
    for name in derived {
        if !declared(name) && !exclusions.iter().any(|known| known == name) {
            exclusions.push(name.to_owned());
        }
    }
    Ok(exclusions)
}

fn read_transforms(spec: &Map<String, Value>, path: &str) -> Result<Vec<TransformSpec>, SpecError> {
    let path = join(path, "transforms");
    let transforms: Vec<_> = maps(spec, "transforms")
        .enumerate()
        .map(|(i, transform)| TransformSpec {
            name: text(transform, "name"),
            expression: text(transform, "expression"),
            path: format!("{path}[{i}].expression"),
        })
        .collect();
    distinct(transforms.iter().map(|t| t.name.as_str()), &path)?;
    Ok(transforms)
}

/// The fields of the flattenSpec, and whether fields at the top are discovered; fills in `keepNullColumns`.
fn read_flatten(input: &Map<String, Value>, path: &str) -> Result<(Vec<FlattenField>, bool), SpecError> {
    let Some(spec) = input.get("flattenSpec").and_then(Value::as_object) else {
        return Ok((Vec::new(), true));
    };
    let path = format!("{path}.flattenSpec.fields");
    let mut fields = Vec::new();
    for (i, field) in maps(spec, "fields").enumerate() {
        let name = text(field, "name");
        let at = format!("{path}[{i}]");
        names::check_column(&format!("{at}.name"), &name).or_else(|error| {
            // A field may well be the time of the row.
            if name == TIME_COLUMN { Ok(()) } else { Err(error) }
        })?;
        let place = match text(field, "type").as_str() {
            "path" => JsonPath::parse(&text(field, "expr"), &format!("{at}.expr"))?,
            "tree" => {
                let nodes = field.get("nodes").and_then(Value::as_array);
                let steps =
                    nodes.into_iter().flatten().filter_map(Value::as_str).map(|n| Step::Key(n.to_owned()));
                JsonPath(steps.collect())
            }
            _ => JsonPath::root(field.get("expr").and_then(Value::as_str).unwrap_or(&name)),
        };
        fields.push(FlattenField { name, path: place });
    }
    distinct(fields.iter().map(|f| f.name.as_str()), &path)?;
    Ok((fields, truth(spec, "useFieldDiscovery")))
}

fn read_rejection(io: &Map<String, Value>, path: &str) -> Result<Rejection, SpecError> {
    let rejection = Rejection {
        late_ms: duration_ms(io, "lateMessageRejectionPeriod"),
        early_ms: duration_ms(io, "earlyMessageRejectionPeriod"),
        late_before_ms: instant_ms(io, "lateMessageRejectionStartDateTime"),
    };
    if rejection.late_ms.is_some() && rejection.late_before_ms.is_some() {
        let reason = "lateMessageRejectionStartDateTime is given as well; give one of the two";
        return Err(SpecError::invalid(join(path, "lateMessageRejectionPeriod"), reason));
    }
    Ok(rejection)
}

fn read_granularity(spec: &Map<String, Value>, key: &str, path: &str) -> Result<Granularity, SpecError> {
    let value = spec.get(key).cloned().unwrap_or_default();
    serde_json::from_value(value)
        .map_err(|error| SpecError::invalid(format!("{path}.granularitySpec.{key}"), error.to_string()))
}

fn distinct<'a>(names: impl Iterator<Item = &'a str>, path: &str) -> Result<(), SpecError> {
    let mut seen = HashSet::new();
    for (i, name) in names.enumerate() {
        if !seen.insert(name) {
            return Err(SpecError::invalid(format!("{path}[{i}].name"), format!("{name:?} occurs twice")));
        }
    }
    Ok(())
}

// Readers of normalised JSON: its keys are there and of their type, so what cannot be read is empty.

pub(super) fn text(map: &Map<String, Value>, key: &str) -> String {
    map.get(key).and_then(Value::as_str).unwrap_or_default().to_owned()
}

pub(super) fn truth(map: &Map<String, Value>, key: &str) -> bool {
    map.get(key).and_then(Value::as_bool).unwrap_or_default()
}

pub(super) fn long(map: &Map<String, Value>, key: &str) -> i64 {
    optional_long(map, key).unwrap_or_default()
}

pub(super) fn optional_long(map: &Map<String, Value>, key: &str) -> Option<i64> {
    map.get(key).and_then(Value::as_i64)
}

fn maps<'a>(map: &'a Map<String, Value>, key: &str) -> impl Iterator<Item = &'a Map<String, Value>> {
    map.get(key).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_object)
}

fn object<'a>(map: &'a Map<String, Value>, key: &str) -> &'a Map<String, Value> {
    static EMPTY: std::sync::LazyLock<Map<String, Value>> = std::sync::LazyLock::new(Map::new);
    map.get(key).and_then(Value::as_object).unwrap_or(&EMPTY)
}
