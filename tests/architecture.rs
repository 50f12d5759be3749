//! The direction of dependencies, held by a test: see ARCHITECTURE.md.

use std::collections::BTreeMap;
use std::process::Command;

/// What each crate of this workspace may depend on, among the crates of this workspace and the heavy libraries whose
/// absence is a promise.
const ALLOWED: [(&str, &[&str]); 6] = [
    ("ovate-storage", &["arrow"]),
    ("ovate-functions", &["ovate-storage", "arrow", "datafusion"]),
    ("ovate-ingest", &["ovate-storage", "ovate-functions", "arrow", "datafusion", "rdkafka", "tokio"]),
    ("ovate-query", &["ovate-storage", "ovate-functions", "arrow", "datafusion", "tokio"]),
    ("ovate-api", &["ovate-storage", "ovate-query", "ovate-ingest", "arrow", "tokio", "axum"]),
    (
        "ovate",
        &[
            "ovate-storage",
            "ovate-functions",
            "ovate-query",
            "ovate-ingest",
            "ovate-api",
            "arrow",
            "datafusion",
            "rdkafka",
            "tokio",
            "axum",
        ],
    ),
];
const WATCHED: [&str; 5] = ["arrow", "datafusion", "rdkafka", "tokio", "axum"];

#[test]
fn crates_depend_only_downwards() {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo metadata runs");
    let metadata: serde_json::Value =
        serde_json::from_slice(&output.stdout).expect("cargo metadata prints JSON");
    let packages: BTreeMap<&str, Vec<&str>> = metadata["packages"]
        .as_array()
        .expect("packages")
        .iter()
        .map(|package| {
            let normal = package["dependencies"].as_array().expect("dependencies").iter();
            let names = normal.filter(|d| d["kind"].is_null()).filter_map(|d| d["name"].as_str()).collect();
            (package["name"].as_str().expect("name"), names)
        })
        .collect();
    assert_eq!(packages.len(), ALLOWED.len(), "a new crate needs a line here: {:?}", packages.keys());
    for (name, allowed) in ALLOWED {
        let dependencies = packages.get(name).unwrap_or_else(|| panic!("crate {name} is gone"));
        for dependency in dependencies {
            let watched = dependency.starts_with("ovate") || WATCHED.contains(dependency);
            assert!(!watched || allowed.contains(dependency), "{name} must not depend on {dependency}");
        }
    }
}
