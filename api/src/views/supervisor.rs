//! Supervisors, as the overlord lists them.

use ovate_ingest::supervisor::SupervisorSummary;
use serde_json::{Map, Value, json};

/// How much a list shows of each supervisor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Detail {
    /// The id alone.
    Id,
    /// `?state=true`
    State,
    /// `?full`
    Full,
    /// `?system`: the specification as text.
    System,
}

/// An entry of a list.
pub(crate) fn entry(detail: Detail, supervisor: &SupervisorSummary) -> Value {
    if detail == Detail::Id {
        return json!(supervisor.id);
    }
    let mut entry = Map::new();
    entry.insert("id".to_owned(), json!(supervisor.id));
    entry.insert("state".to_owned(), json!(supervisor.state));
    entry.insert("detailedState".to_owned(), json!(supervisor.detailed_state));
    entry.insert("healthy".to_owned(), json!(supervisor.healthy));
    match detail {
        Detail::Full => {
            entry.insert("spec".to_owned(), supervisor.spec.clone());
        }
        Detail::System => {
            entry.insert("specString".to_owned(), json!(supervisor.spec.to_string()));
            entry.insert("type".to_owned(), json!(supervisor.supervisor_type));
            entry.insert("source".to_owned(), json!(supervisor.source));
        }
        Detail::Id | Detail::State => {}
    }
    entry.insert("suspended".to_owned(), json!(supervisor.suspended));
    Value::Object(entry)
}

#[cfg(test)]
mod tests {
    use ovate_ingest::supervisor::DetailedState;

    use super::*;

    #[test]
    fn lists_have_druids_fields_in_druids_order() {
        let supervisor = SupervisorSummary {
            id: "A".to_owned(),
            state: "RUNNING",
            detailed_state: DetailedState::Running,
            healthy: true,
            suspended: false,
            supervisor_type: "kafka",
            source: "T".to_owned(),
            spec: json!({ "type": "kafka" }),
        };
        let shown = |detail| entry(detail, &supervisor).to_string();
        assert_eq!(shown(Detail::Id), r#""A""#);
        assert_eq!(
            shown(Detail::State),
            r#"{"id":"A","state":"RUNNING","detailedState":"RUNNING","healthy":true,"suspended":false}"#
        );
        assert_eq!(
            shown(Detail::Full),
            r#"{"id":"A","state":"RUNNING","detailedState":"RUNNING","healthy":true,"spec":{"type":"kafka"},"suspended":false}"#
        );
        assert_eq!(
            shown(Detail::System),
            r#"{"id":"A","state":"RUNNING","detailedState":"RUNNING","healthy":true,"specString":"{\"type\":\"kafka\"}","type":"kafka","source":"T","suspended":false}"#
        );
    }
}
