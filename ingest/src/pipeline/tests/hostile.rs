//! Messages that are broken, of another kind, too large or too deep: each is counted by its reason and sampled, and
//! costs its neighbours nothing.

use std::fmt::Write as _;

use super::*;
use crate::corpus::{Case, cases};

/// The specifications that the corpus names.
fn spec_named(name: &str) -> SupervisorSpec {
    let dimensions = json!([
        "s",
        {"type": "long", "name": "l"},
        {"type": "float", "name": "f"},
        {"type": "double", "name": "d"},
        "q",
    ]);
    let format = match name {
        "pattern" => "yyyy-MM-dd HH:mm:ss",
        "newline" => "auto",
        other => other,
    };
    let data = json!({
        "timestampSpec": {"column": "t", "format": format},
        "dimensionsSpec": {"dimensions": dimensions},
    });
    let fields = json!([{"type": "path", "name": "q", "expr": "$.p.q"}]);
    let input = json!({
        "type": "json",
        "flattenSpec": {"useFieldDiscovery": true, "fields": fields},
        "assumeNewlineDelimited": name == "newline",
    });
    spec(data, json!({"inputFormat": input}))
}

fn good(spec: &str) -> &'static [u8] {
    match spec {
        "pattern" => br#"{"t":"2024-01-01 00:00:00","s":"good","l":1,"f":1.5,"d":2.5}"#,
        "iso" => br#"{"t":"2024-01-01T00:00:00Z","s":"good","l":1,"f":1.5,"d":2.5}"#,
        "posix" => br#"{"t":1704067200,"s":"good","l":1,"f":1.5,"d":2.5}"#,
        _ => br#"{"t":1704067200000,"s":"good","l":1,"f":1.5,"d":2.5}"#,
    }
}

/// What is wrong with how a case was treated, if anything is.
fn fault(case: &Case, bench: &mut Bench) -> Option<String> {
    let [_, spec, reason, detail] = &case.columns[..] else { panic!("line {}: four columns", case.line) };
    let message = case.bytes();
    let good = good(spec);
    let (rows, decoded) = bench.feed(&[good, &message, good], DAY);
    let kept = rows.iter().filter(|row| row["s"] == "good").count();
    if kept < 2 {
        return Some(format!("{kept} of 2 good neighbours were kept"));
    }
    let counted: Vec<(&str, u64)> = RejectReason::ALL
        .iter()
        .map(|reason| (reason.name(), decoded.counts.of(*reason)))
        .filter(|(_, count)| *count > 0)
        .collect();
    if !counted.iter().any(|(name, _)| name == reason) {
        return Some(format!("counted as {counted:?}, {} rows", rows.len()));
    }
    let sampled: Vec<&Rejected> = decoded.rejected.iter().filter(|r| r.offset == 1).collect();
    let told = sampled.iter().any(|r| r.reason.name() == reason && r.detail.contains(detail.as_str()));
    if !told || detail.is_empty() {
        let details: Vec<&str> = sampled.iter().map(|r| r.detail.as_str()).collect();
        return Some(format!("sampled as {details:?}"));
    }
    let long = Limits::default().sample_bytes_max + "…".len();
    sampled.iter().find(|r| r.input.len() > long).map(|r| format!("a sample of {} bytes", r.input.len()))
}

#[test]
fn every_bad_message_is_counted_and_sampled_and_its_neighbours_are_kept() {
    let cases = cases(include_str!("../../../../tests/corpus/rows.jsonl"));
    let mut benches = HashMap::new();
    let mut wrong = String::new();
    for case in &cases {
        let bench = benches
            .entry(case.columns[1].clone())
            .or_insert_with_key(|name| Bench::new(&spec_named(name), Limits::default()));
        if let Some(fault) = fault(case, bench) {
            let shown: String = case.input.to_string().chars().take(100).collect();
            writeln!(wrong, "{}\t{}\t{shown}\t{fault}", case.line, case.columns[0]).unwrap();
        }
    }
    println!("bad messages: {} counted and sampled", cases.len());
    assert!(cases.len() >= 500);
    assert!(wrong.is_empty(), "line, what, message, what happened:\n{wrong}");
}

#[test]
fn a_bad_line_costs_the_other_lines_of_its_message_nothing() {
    let spec = spec_named("newline");
    let mut bench = Bench::new(&spec, Limits::default());
    let good = std::str::from_utf8(good("newline")).unwrap();
    let deep = "[".repeat(70);
    let wide = format!("{{{}}}", vec!["\"a\":1"; 10_001].join(","));
    for (bad, reason) in [
        (deep.as_str(), RejectReason::TooDeep),
        (&wide, RejectReason::TooManyFields),
        ("{\"t\":1,\"s\":\"open", RejectReason::UnparseableJson),
        ("[]", RejectReason::NotAnObject),
    ] {
        let message = format!("{good}\n{bad}\n{good}");
        let (rows, decoded) = bench.feed(&[message.as_bytes()], DAY);
        assert_eq!((rows.len(), decoded.counts.of(reason)), (2, 1), "{reason}");
    }
}
