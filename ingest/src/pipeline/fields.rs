//! Which places of a message are wanted: a tree of keys, known before the first message arrives.
//!
//! ```text
//!  $.deviceId            ──► slot 0        root ─┬─ "deviceId" ──► slot 0
//!  $.payload.loc         ──► slot 1              └─ "payload" ──── "loc" ──► slot 1
//! ```
//!
//! Producers write the keys of an object in the same order again and again, so each node remembers the order of the
//! last message and compares with the key that it expects; only when that fails is a key looked up.

use std::collections::HashMap;

use crate::spec::{JsonPath, Step};

/// The node of the document itself.
pub(crate) const ROOT: usize = 0;
/// Orders longer than this are not remembered: objects that wide are maps with changing keys.
const ORDER_MAX: usize = 256;

/// What to do with the value of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Target {
    /// Nobody wants it.
    Skip,
    /// It is the place of this node.
    Node(usize),
    /// Nobody asked for it, and discovery is on.
    Discover,
}

#[derive(Debug, Clone)]
struct Expected {
    key: String,
    target: Target,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Node {
    keys: HashMap<Box<str>, usize>,
    elements: Vec<(usize, usize)>,
    /// Where the value of this place goes.
    pub(crate) slot: Option<usize>,
    /// The slots of all places below.
    pub(crate) below: Vec<usize>,
    order: Vec<Expected>,
}

impl Node {
    pub(crate) fn has_elements(&self) -> bool {
        !self.elements.is_empty()
    }

    pub(crate) fn is_leaf(&self) -> bool {
        self.keys.is_empty() && self.elements.is_empty()
    }

    pub(crate) fn element(&self, index: usize) -> Option<usize> {
        self.elements.iter().find(|(at, _)| *at == index).map(|(_, node)| *node)
    }

    pub(crate) fn key(&self, key: &str) -> Option<usize> {
        self.keys.get(key).copied()
    }
}

/// The tree.
#[derive(Debug, Clone)]
pub(crate) struct Fields {
    pub(crate) nodes: Vec<Node>,
    slots: usize,
}

impl Fields {
    pub(crate) fn new() -> Self {
        Self { nodes: vec![Node::default()], slots: 0 }
    }

    /// The number of slots.
    pub(crate) fn slots(&self) -> usize {
        self.slots
    }

    /// The names of the fields at the top that have a slot.
    pub(crate) fn root_slots(&self) -> Vec<String> {
        let mut names: Vec<_> = self.nodes[ROOT]
            .keys
            .iter()
            .filter_map(|(key, node)| Some((self.nodes[*node].slot?, key.to_string())))
            .collect();
        names.sort_unstable();
        names.into_iter().map(|(_, name)| name).collect()
    }

    /// The slot of a place: a new one, or the one that it has.
    pub(crate) fn slot_of(&mut self, path: &JsonPath) -> usize {
        let mut node = ROOT;
        let mut way = vec![ROOT];
        for step in &path.0 {
            let known = match step {
                Step::Key(key) => self.nodes[node].key(key),
                Step::Index(index) => self.nodes[node].element(*index),
            };
            let next = known.unwrap_or_else(|| {
                let next = self.nodes.len();
                self.nodes.push(Node::default());
                // What was remembered of this object's keys no longer holds.
                self.nodes[node].order.clear();
                match step {
                    Step::Key(key) => {
                        self.nodes[node].keys.insert(key.as_str().into(), next);
                    }
                    Step::Index(index) => self.nodes[node].elements.push((*index, next)),
                }
                next
            });
            node = next;
            way.push(node);
        }
        if let Some(slot) = self.nodes[node].slot {
            return slot;
        }
        let slot = self.slots;
        self.slots += 1;
        self.nodes[node].slot = Some(slot);
        way.pop();
        for above in way {
            self.nodes[above].below.push(slot);
        }
        slot
    }

    /// What to do with the value of `key`, found at `position` of an object at `node`; keys that are not known are
    /// looked at by `unknown`.
    #[inline]
    pub(crate) fn target(
        &mut self,
        node: usize,
        position: usize,
        key: &str,
        unknown: impl FnOnce(&str) -> Target,
    ) -> Target {
        match self.nodes[node].order.get(position) {
            Some(expected) if expected.key == key => expected.target,
            _ => self.look_up(node, position, key, unknown),
        }
    }

    #[cold]
    fn look_up(
        &mut self,
        node: usize,
        position: usize,
        key: &str,
        unknown: impl FnOnce(&str) -> Target,
    ) -> Target {
        let node = &mut self.nodes[node];
        let target = node.key(key).map_or_else(|| unknown(key), Target::Node);
        let length = node.order.len();
        match node.order.get_mut(position) {
            Some(expected) => {
                expected.key.clear();
                expected.key.push_str(key);
                expected.target = target;
            }
            None if position == length && position < ORDER_MAX => {
                node.order.push(Expected { key: key.to_owned(), target });
            }
            None => {}
        }
        target
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(fields: &mut Fields, position: usize, key: &str) -> Target {
        fields.target(ROOT, position, key, |_| Target::Skip)
    }

    #[test]
    fn one_place_has_one_slot() {
        let mut fields = Fields::new();
        let path = |text: &str| JsonPath::parse(text, "").unwrap();
        assert_eq!(fields.slot_of(&path("$.a.b")), 0);
        assert_eq!(fields.slot_of(&path("$['a']['b']")), 0);
        assert_eq!(fields.slot_of(&path("$.a")), 1);
        assert_eq!(fields.slot_of(&path("$.a[3]")), 2);
        assert_eq!(fields.slots(), 3);
        assert_eq!(fields.nodes[ROOT].below, [0, 1, 2]);
    }

    #[test]
    fn keys_are_found_in_any_order() {
        let mut fields = Fields::new();
        for name in ["a", "b", "c"] {
            fields.slot_of(&JsonPath::root(name));
        }
        let orders = [["a", "b", "c"], ["c", "a", "b"], ["a", "x", "c"], ["a", "b", "c"]];
        for order in orders {
            for (position, key) in order.iter().enumerate() {
                let expected = fields.nodes[ROOT].key(key).map_or(Target::Skip, Target::Node);
                assert_eq!(target(&mut fields, position, key), expected, "{key} at {position}");
            }
        }
    }

    #[test]
    fn a_place_added_later_is_found_though_its_key_was_skipped_before() {
        let mut fields = Fields::new();
        fields.slot_of(&JsonPath::root("a"));
        assert_eq!(target(&mut fields, 1, "b"), Target::Skip);
        fields.slot_of(&JsonPath::root("b"));
        assert!(matches!(target(&mut fields, 1, "b"), Target::Node(_)));
    }
}
