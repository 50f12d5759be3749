//! The names of a spec: which input field each leads to, and which fields may be discovered.

use std::collections::HashSet;

use ovate_storage::TIME_COLUMN;
use ovate_storage::schema::COMPANION_PREFIX;

use super::expression::Source;
use super::fields::Fields;
use crate::spec::{Discovery, IngestionSpec, JsonPath};

/// Which slot an input field has.
pub(super) struct Names<'a> {
    pub(super) fields: &'a mut Fields,
    pub(super) spec: &'a IngestionSpec,
}

impl Names<'_> {
    /// A field of the flattenSpec leads inside the message, any other name to the field at its top.
    pub(super) fn slot(&mut self, name: &str) -> usize {
        let flattened = self.spec.flatten.iter().find(|field| field.name == name);
        match flattened {
            Some(field) => self.fields.slot_of(&field.path),
            None => self.fields.slot_of(&JsonPath::root(name)),
        }
    }

    /// An input of a transform: transforms see the fields of the message, never each other.
    pub(super) fn input(&mut self, name: &str) -> Source {
        if name == TIME_COLUMN { Source::Time } else { Source::Slot(self.slot(name)) }
    }

    /// Fields that have a place of their own already and become columns once they have a value: dimensions without a
    /// type, and with discovery, fields of the flattenSpec and inputs of transforms.
    pub(super) fn candidates(&mut self) -> Vec<(String, usize)> {
        let spec = self.spec;
        let untyped = spec.dimensions.iter().filter(|d| d.column_type.is_none()).map(|d| d.name.clone());
        let mut names: Vec<String> = untyped.collect();
        if spec.discovery != Discovery::Off {
            let flattened = spec.flatten.iter().map(|field| field.name.clone());
            let known =
                flattened.chain(if spec.discover_root { self.fields.root_slots() } else { Vec::new() });
            for name in known {
                let declared = spec.dimensions.iter().any(|dimension| dimension.name == name);
                if !declared && is_discoverable(spec, &name) && !names.contains(&name) {
                    names.push(name);
                }
            }
        }
        names.into_iter().map(|name| (name.clone(), self.slot(&name))).collect()
    }
}

/// Names that discovery passes over without a look at their values.
pub(super) fn never_discovered(spec: &IngestionSpec) -> HashSet<String> {
    let flattened = spec.flatten.iter().map(|field| field.name.clone());
    spec.exclusions.iter().cloned().chain(flattened).chain([String::new(), TIME_COLUMN.to_owned()]).collect()
}

fn is_discoverable(spec: &IngestionSpec, name: &str) -> bool {
    !name.is_empty()
        && name != TIME_COLUMN
        && !name.starts_with(COMPANION_PREFIX)
        && !spec.exclusions.contains(name)
}
