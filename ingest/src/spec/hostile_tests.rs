//! Specifications that are broken, misspelt, malicious or of another kind: each is refused, and the refusal names the
//! place.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::SupervisorSpec;
use super::tests::minimal;
use crate::corpus::cases;
use crate::pipeline::Pipeline;

fn usual() -> Value {
    let mut spec = minimal();
    spec["spec"]["tuningConfig"] = json!({"type": "kafka"});
    spec
}

/// The usual specification with each value put at its place.
fn changed(changes: &Value) -> Value {
    let mut spec = usual();
    for (pointer, value) in changes.as_object().unwrap() {
        let Some((parent, key)) = pointer.rsplit_once('/') else {
            spec = value.clone();
            continue;
        };
        let parent = spec.pointer_mut(parent).unwrap().as_object_mut().unwrap();
        parent.insert(key.to_owned(), value.clone());
    }
    spec
}

#[test]
fn every_bad_specification_is_refused_with_its_reason() {
    SupervisorSpec::parse(&usual()).unwrap();
    let cases = cases(include_str!("../../../tests/corpus/specs.jsonl"));
    let mut wrong = String::new();
    for case in &cases {
        let [what, reason] = &case.columns[..] else { panic!("line {}: two columns", case.line) };
        let outcome = SupervisorSpec::parse(&changed(&case.input))
            .and_then(|spec| Pipeline::new(&spec.ingestion).map(|_| ()));
        let outcome = match outcome {
            Ok(()) => "taken".to_owned(),
            Err(error) if !reason.is_empty() && error.to_string().contains(reason.as_str()) => continue,
            Err(error) => error.to_string(),
        };
        let shown: String = case.input.to_string().chars().take(120).collect();
        writeln!(wrong, "{}\t{what}\t{shown}\t{outcome:?}", case.line).unwrap();
    }
    println!("bad specifications: {} refused", cases.len());
    assert!(cases.len() >= 200);
    assert!(wrong.is_empty(), "line, what, change, outcome:\n{wrong}");
}
