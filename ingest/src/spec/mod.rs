//! Druid's Kafka supervisor specification: checked, typed, and given back as Druid gives it back.
//!
//! ```text
//!  JSON ──► normalise (tables in `keys`) ──► SupervisorSpec ──► pipeline (rows), kafka (consumer), storage (schema)
//!                       └──► the answer to GET
//! ```
//!
//! Every key is known by name: it is supported, accepted without effect, or refused with what to do instead
//! ([`documented`] lists them all). A key that nobody knows is an error that names the nearest known one, because
//! a misspelt key that is silently dropped is the costliest kind of typing error.
//!
//! Left out: reading the environment for passwords (the caller resolves them), and talking to Kafka.

mod consumer;
mod data;
mod io;
mod keys;
mod metric;
mod names;
mod normalise;
mod path;
mod shape;
mod timestamp;
mod tuning;

use serde_json::{Map, Value, json};

pub use consumer::{ConsumerProperties, PropertyValue};
pub use data::{
    DimensionSpec, Discovery, FlattenField, IngestionSpec, MultiValueHandling, Rejection, TransformSpec,
};
pub use io::{IdleConfig, KafkaIoConfig};
pub use keys::documented;
pub use metric::{MetricInput, MetricSpec};
pub use path::{JsonPath, Step};
pub use shape::Standing;
pub use timestamp::{TimestampFormat, TimestampSpec};
pub use tuning::TuningConfig;

use crate::error::SpecError;

/// A Kafka supervisor's specification.
#[derive(Debug, Clone)]
pub struct SupervisorSpec {
    /// What becomes of a message: the part that the pipeline and the store need.
    pub ingestion: IngestionSpec,
    /// Where messages come from.
    pub io: KafkaIoConfig,
    /// When rows are published, and what is remembered of bad ones.
    pub tuning: TuningConfig,
    /// Whether the supervisor is to be idle until it is resumed.
    pub suspended: bool,
    json: Value,
}

impl SupervisorSpec {
    /// Reads a specification in any form that Druid takes: with `spec`, or with the three parts at the top.
    pub fn parse(posted: &Value) -> Result<Self, SpecError> {
        let Value::Object(root) = posted else {
            return Err(normalise::wrong_type("supervisor spec", "an object", posted));
        };
        check_type(root)?;
        let parts = parts(root)?;
        let mut data = section(&keys::DATA_SCHEMA, &parts, "dataSchema")?;
        let mut io = section(&keys::IO, &parts, "ioConfig")?;
        let tuning = section(&keys::TUNING, &parts, "tuningConfig")?;
        let rest = rest(root)?;

        let path = |name: &str| normalise::join(parts.path, name);
        let io_config = KafkaIoConfig::read(&mut io, &path("ioConfig"))?;
        let ingestion = IngestionSpec::read(&mut data, &io, &path("dataSchema"), &path("ioConfig"))?;
        let tuning_config = TuningConfig::read(&tuning, &path("tuningConfig"))?;
        if let Some(Value::String(id)) = rest.get("id")
            && *id != ingestion.datasource
        {
            return Err(SpecError::Unsupported {
                path: "id".into(),
                what: format!("{id:?}, another name than the datasource's,"),
                instead: format!("leave it out, or write {:?}", ingestion.datasource),
            });
        }
        consumer::mask(&mut io);
        let suspended = rest.get("suspended") == Some(&Value::Bool(true));
        let json = json!({
            "type": "kafka",
            "spec": {"dataSchema": data, "ioConfig": io, "tuningConfig": tuning},
            "dataSchema": data,
            "tuningConfig": tuning,
            "ioConfig": io,
            "context": rest.get("context"),
            "suspended": suspended,
        });
        Ok(Self { ingestion, io: io_config, tuning: tuning_config, suspended, json })
    }

    /// The supervisor's id: the name of its datasource.
    pub fn id(&self) -> &str {
        &self.ingestion.datasource
    }

    /// The datasource that a specification names, whether or not it is one that can be taken.
    pub fn datasource_of(posted: &Value) -> Option<&str> {
        ["/spec/dataSchema/dataSource", "/dataSchema/dataSource"]
            .iter()
            .find_map(|place| posted.pointer(place)?.as_str())
    }

    /// The specification as Druid gives it back: every default filled in, passwords masked.
    pub fn to_json(&self) -> &Value {
        &self.json
    }

    /// Takes masked passwords of a specification that was fetched, edited and posted again from the one that is
    /// stored.
    pub fn restore_secrets(posted: &mut Value, stored: &Value) {
        consumer::restore(posted, stored);
    }
}

fn check_type(root: &Map<String, Value>) -> Result<(), SpecError> {
    match root.get("type") {
        Some(Value::String(name)) if name == "kafka" => Ok(()),
        Some(Value::String(name)) => Err(SpecError::Unsupported {
            path: "type".into(),
            what: format!("supervisor type {name:?}"),
            instead: "supported: kafka".into(),
        }),
        None | Some(Value::Null) => {
            Err(SpecError::Missing { path: "type".into(), expected: "\"kafka\"".into() })
        }
        Some(other) => Err(normalise::wrong_type("type", "a text", other)),
    }
}

/// Where the three parts lie.
struct Parts<'a> {
    path: &'static str,
    of: &'a Map<String, Value>,
}

fn parts(root: &Map<String, Value>) -> Result<Parts<'_>, SpecError> {
    match root.get("spec") {
        None | Some(Value::Null) => Ok(Parts { path: "", of: root }),
        Some(Value::Object(spec)) => {
            let known = keys::SPEC.keys.iter().map(|key| key.name);
            match spec.keys().find(|key| !known.clone().any(|name| name == *key)) {
                Some(key) => Err(SpecError::UnknownKey {
                    path: normalise::join("spec", key),
                    nearest: normalise::nearest(key, known),
                }),
                None => Ok(Parts { path: "spec", of: spec }),
            }
        }
        Some(other) => Err(normalise::wrong_type("spec", "an object", other)),
    }
}

fn section(section: &shape::Section, parts: &Parts<'_>, name: &str) -> Result<Map<String, Value>, SpecError> {
    let path = normalise::join(parts.path, name);
    match parts.of.get(name) {
        None | Some(Value::Null) if name == "tuningConfig" => normalise::section(section, &path, &json!({})),
        None | Some(Value::Null) => Err(SpecError::Missing { path, expected: "an object".into() }),
        Some(value) => normalise::section(section, &path, value),
    }
}

/// The keys beside the three parts. Druid's answer to GET repeats the parts at the top; where there is a `spec`,
/// the copies do not count.
fn rest(root: &Map<String, Value>) -> Result<Map<String, Value>, SpecError> {
    let mut others = root.clone();
    for part in ["spec", "dataSchema", "ioConfig", "tuningConfig"] {
        others.remove(part);
    }
    normalise::section(&keys::ROOT, "", &Value::Object(others))
}

#[cfg(test)]
mod documented_tests;
#[cfg(test)]
mod hostile_tests;
#[cfg(test)]
mod tests;
