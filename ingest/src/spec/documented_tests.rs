//! LIMITATIONS.md lists every key that is accepted without effect or refused. This holds it to the table of keys.

use std::fmt::Write;

use super::{Standing, documented};

const BEGIN: &str = "<!-- specification keys: begin -->\n";
const END: &str = "<!-- specification keys: end -->";

/// The list as it stands in LIMITATIONS.md. A key below a listed key is not listed again.
fn table() -> String {
    let mut table = String::from("| key | stands | why, or what to do instead |\n|---|---|---|\n");
    let mut listed: Option<String> = None;
    for (path, standing) in documented() {
        let (stands, reason) = match standing {
            Standing::Supported => continue,
            Standing::WithoutEffect(reason) => ("accepted, no effect", reason),
            Standing::Refused(reason) => ("refused", reason),
        };
        if listed.as_ref().is_some_and(|above| path.starts_with(&format!("{above}."))) {
            continue;
        }
        let _ = writeln!(table, "| `{path}` | {stands} | {reason} |");
        listed = Some(path);
    }
    table
}

#[test]
fn limitations_list_every_key_that_does_nothing_or_is_refused() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../LIMITATIONS.md");
    let text = std::fs::read_to_string(path).expect("LIMITATIONS.md is there");
    let (_, rest) = text.split_once(BEGIN).expect("the list has a beginning");
    let (list, _) = rest.split_once(END).expect("the list has an end");
    assert!(list == table(), "LIMITATIONS.md should list:\n{}", table());
}
