//! Recorded exchanges, and two ways to compare with them: byte for byte, and by shape.

use std::path::Path;

use serde::Deserialize;
use serde_json::ser::Formatter;
use serde_json::{Map, Serializer, Value};

/// A request and Druid's answer.
#[derive(Debug, Deserialize)]
pub(crate) struct Recorded {
    pub(crate) request: RecordedRequest,
    pub(crate) status: u16,
    pub(crate) headers: Map<String, Value>,
    pub(crate) body: String,
}

#[derive(Debug, Deserialize)]
pub(crate) struct RecordedRequest {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) headers: Map<String, Value>,
    body: Value,
}

impl RecordedRequest {
    /// The body as it was sent: by Python, with a space after commas and colons, which the places in messages count.
    pub(crate) fn body(&self) -> String {
        match &self.body {
            Value::Null => String::new(),
            Value::String(text) => text.clone(),
            json => {
                let mut out = Vec::new();
                let mut serializer = Serializer::with_formatter(&mut out, Spaced);
                serde::Serialize::serialize(json, &mut serializer).unwrap();
                String::from_utf8(out).unwrap()
            }
        }
    }
}

struct Spaced;

impl Formatter for Spaced {
    fn begin_array_value<W: ?Sized + std::io::Write>(
        &mut self,
        out: &mut W,
        first: bool,
    ) -> std::io::Result<()> {
        if first { Ok(()) } else { out.write_all(b", ") }
    }

    fn begin_object_key<W: ?Sized + std::io::Write>(
        &mut self,
        out: &mut W,
        first: bool,
    ) -> std::io::Result<()> {
        if first { Ok(()) } else { out.write_all(b", ") }
    }

    fn begin_object_value<W: ?Sized + std::io::Write>(&mut self, out: &mut W) -> std::io::Result<()> {
        out.write_all(b": ")
    }
}

/// Reads `tests/recorded/<name>.json`.
pub(crate) fn recorded(name: &str) -> Recorded {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recorded").join(format!("{name}.json"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// Says where two texts of JSON differ in shape: in keys, their order, or types of values. NULL is like anything, an
/// array is like another if their first elements are, and an empty one is like any.
pub(crate) fn shape_difference(ours: &str, druids: &str) -> Option<String> {
    match (serde_json::from_str(ours), serde_json::from_str(druids)) {
        (Ok(ours), Ok(druids)) => difference("$", &ours, &druids),
        _ if ours == druids => None,
        _ => Some(format!("not the same text: {ours}")),
    }
}

fn difference(at: &str, ours: &Value, druids: &Value) -> Option<String> {
    match (ours, druids) {
        (Value::Null, _) | (_, Value::Null) => None,
        (Value::Object(a), Value::Object(b)) => {
            let keys = |map: &Map<String, Value>| map.keys().cloned().collect::<Vec<_>>();
            if keys(a) != keys(b) {
                return Some(format!("{at}: keys {:?}, Druid has {:?}", keys(a), keys(b)));
            }
            a.iter().zip(b.values()).find_map(|((key, a), b)| difference(&format!("{at}.{key}"), a, b))
        }
        (Value::Array(a), Value::Array(b)) => difference(&format!("{at}[0]"), a.first()?, b.first()?),
        _ if std::mem::discriminant(ours) == std::mem::discriminant(druids) => None,
        _ => Some(format!("{at}: {ours}, Druid has {druids}")),
    }
}
