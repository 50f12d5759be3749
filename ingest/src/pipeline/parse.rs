//! One pass over a message: wanted fields into the slots of a row, everything else skipped.
//!
//! The pass is a `serde` visitor that walks the document and the tree of [`super::fields`] side by side. Where one
//! place is wanted both as a whole and in parts (`$.a` and `$.a.b`), and for objects that become text, a document
//! tree is built for that place alone.
//!
//! A key that occurs twice in an object counts as it stands the last time.

use std::collections::HashSet;
use std::fmt;

use ovate_storage::schema::COMPANION_PREFIX;
use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{
    Deserialize, DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor,
};
use serde_json::Value as Tree;

use super::fields::{Fields, ROOT, Target};
use super::value::{Cell, Row};
use crate::spec::JsonPath;

/// Fields that the spec does not name, and what becomes of them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Unknown {
    /// Whether they are looked at.
    pub(crate) wanted: bool,
    /// Names that are never discovered.
    pub(crate) excluded: HashSet<String>,
    /// What was found, with its slot.
    pub(crate) found: Vec<(String, usize)>,
    /// How many may be found in one call.
    pub(crate) found_max: usize,
    /// Fields passed over because there are enough.
    pub(crate) skipped: u64,
    /// The key whose value is looked at.
    pub(crate) key: String,
}

/// What a pass works on.
pub(crate) struct Parser<'p> {
    pub(crate) fields: &'p mut Fields,
    pub(crate) unknown: &'p mut Unknown,
    pub(crate) row: &'p mut Row,
    /// Items of the list at hand.
    pub(crate) items: &'p mut Vec<Cell>,
    /// The address at which the message begins: texts are kept as distances from it.
    pub(crate) base: usize,
}

/// The message at the top was JSON, but not an object: what it was.
pub(crate) const NOT_AN_OBJECT: &str = "expected an object, found ";

impl Parser<'_> {
    /// Reads one value, which has to be an object.
    pub(crate) fn read<'de, D: Deserializer<'de>>(&mut self, deserializer: D) -> Result<(), D::Error> {
        self.row.clear(self.fields.slots());
        deserializer.deserialize_any(Object { parser: self })
    }

    #[inline]
    fn set(&mut self, node: usize, cell: Cell) {
        let node = &self.fields.nodes[node];
        if let Some(slot) = node.slot {
            self.row.cells[slot] = cell;
        }
    }

    #[inline]
    fn borrowed(&self, text: &str) -> Cell {
        Row::borrowed(text.as_ptr() as usize - self.base, text.len())
    }

    /// Forgets what an earlier value of the same key has put into the places below.
    #[inline]
    fn forget_below(&mut self, node: usize) {
        for slot in &self.fields.nodes[node].below {
            self.row.cells[*slot] = Cell::NULL;
        }
    }

    /// The fields of an object at `node`.
    fn fields_of<'de, A: MapAccess<'de>>(&mut self, node: usize, mut map: A) -> Result<(), A::Error> {
        let mut position = 0;
        while let Some(target) = map.next_key_seed(Key { parser: self, node, position })? {
            match target {
                Target::Skip => drop(map.next_value::<IgnoredAny>()?),
                Target::Node(child) => map.next_value_seed(At { parser: self, node: child })?,
                Target::Discover => map.next_value_seed(Discovered { parser: self })?,
            }
            position += 1;
        }
        Ok(())
    }

    /// A part of a document that was built as a tree.
    fn tree(&mut self, node: usize, tree: &Tree) {
        self.forget_below(node);
        let cell = self.tree_cell(tree);
        self.set(node, cell);
        match tree {
            Tree::Object(map) => {
                for (key, value) in map {
                    if let Some(child) = self.fields.nodes[node].key(key) {
                        self.tree(child, value);
                    }
                }
            }
            Tree::Array(values) => {
                for (index, value) in values.iter().enumerate() {
                    if let Some(child) = self.fields.nodes[node].element(index) {
                        self.tree(child, value);
                    }
                }
            }
            _ => {}
        }
    }

    fn tree_cell(&mut self, tree: &Tree) -> Cell {
        match tree {
            Tree::Array(values) => {
                let items: Vec<Cell> = values.iter().map(|value| self.item(value)).collect();
                self.row.list(&items)
            }
            other => self.item(other),
        }
    }

    /// A value inside a list: lists inside lists are JSON text.
    fn item(&mut self, tree: &Tree) -> Cell {
        match tree {
            Tree::Null => Cell::NULL,
            Tree::Bool(value) => Cell::bool(*value),
            Tree::Number(number) => match number.as_i64() {
                Some(value) => Cell::long(value),
                None => Cell::double(number.as_f64().unwrap_or(f64::NAN)),
            },
            Tree::String(text) => self.row.copied(text),
            Tree::Array(_) | Tree::Object(_) => self.row.json(&tree.to_string()),
        }
    }

    /// The items of a list, into [`Self::items`].
    fn items_of<'de, A: SeqAccess<'de>>(&mut self, mut list: A) -> Result<(), A::Error> {
        self.items.clear();
        while let Some(cell) = list.next_element_seed(Item { parser: self })? {
            self.items.push(cell);
        }
        Ok(())
    }

    fn list_cell(&mut self) -> Cell {
        let items = std::mem::take(self.items);
        let cell = self.row.list(&items);
        *self.items = items;
        cell
    }
}

/// The value at the top.
struct Object<'a, 'p> {
    parser: &'a mut Parser<'p>,
}

impl<'de> Visitor<'de> for Object<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<(), A::Error> {
        if self.parser.fields.nodes[ROOT].slot.is_some() {
            let tree = Tree::deserialize(MapAccessDeserializer::new(map))?;
            self.parser.tree(ROOT, &tree);
            return Ok(());
        }
        self.parser.fields_of(ROOT, map)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        // Read to its end, so that the next object of the message is found.
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Err(A::Error::custom(format_args!("{NOT_AN_OBJECT}a list")))
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<(), E> {
        Err(E::custom(format_args!("{NOT_AN_OBJECT}a boolean")))
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<(), E> {
        Err(E::custom(format_args!("{NOT_AN_OBJECT}a number")))
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<(), E> {
        Err(E::custom(format_args!("{NOT_AN_OBJECT}a number")))
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<(), E> {
        Err(E::custom(format_args!("{NOT_AN_OBJECT}a number")))
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<(), E> {
        Err(E::custom(format_args!("{NOT_AN_OBJECT}a text")))
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        Err(E::custom(format_args!("{NOT_AN_OBJECT}null")))
    }
}

/// A key: what is to become of its value.
struct Key<'a, 'p> {
    parser: &'a mut Parser<'p>,
    node: usize,
    position: usize,
}

impl<'de> DeserializeSeed<'de> for Key<'_, '_> {
    type Value = Target;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Target, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Key<'_, '_> {
    type Value = Target;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    #[inline]
    fn visit_str<E: Error>(self, key: &str) -> Result<Target, E> {
        let Self { parser, node, position } = self;
        let Parser { fields, unknown, .. } = parser;
        let look = node == ROOT && unknown.wanted;
        let target = fields.target(node, position, key, |key| {
            if look && !key.starts_with(COMPANION_PREFIX) && !unknown.excluded.contains(key) {
                Target::Discover
            } else {
                Target::Skip
            }
        });
        if target == Target::Discover {
            unknown.key.clear();
            unknown.key.push_str(key);
        }
        Ok(target)
    }
}

/// A value at a place that somebody wants, or that has such places below it.
struct At<'a, 'p> {
    parser: &'a mut Parser<'p>,
    node: usize,
}

impl<'de> DeserializeSeed<'de> for At<'_, '_> {
    type Value = ();

    #[inline]
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        if !self.parser.fields.nodes[self.node].is_leaf() {
            self.parser.forget_below(self.node);
        }
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for At<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<(), E> {
        self.parser.set(self.node, Cell::bool(value));
        Ok(())
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<(), E> {
        self.parser.set(self.node, Cell::long(value));
        Ok(())
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<(), E> {
        self.parser.set(self.node, unsigned(value));
        Ok(())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<(), E> {
        self.parser.set(self.node, Cell::double(value));
        Ok(())
    }

    #[inline]
    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<(), E> {
        let cell = self.parser.borrowed(text);
        self.parser.set(self.node, cell);
        Ok(())
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<(), E> {
        let cell = self.parser.row.copied(text);
        self.parser.set(self.node, cell);
        Ok(())
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        self.parser.set(self.node, Cell::NULL);
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<(), A::Error> {
        if self.parser.fields.nodes[self.node].slot.is_none() {
            return self.parser.fields_of(self.node, map);
        }
        let tree = Tree::deserialize(MapAccessDeserializer::new(map))?;
        self.parser.tree(self.node, &tree);
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        let Self { parser, node } = self;
        let (wanted, parts) =
            (parser.fields.nodes[node].slot.is_some(), parser.fields.nodes[node].has_elements());
        if wanted && parts {
            let tree = Tree::deserialize(SeqAccessDeserializer::new(list))?;
            parser.tree(node, &tree);
        } else if wanted {
            parser.items_of(list)?;
            let cell = parser.list_cell();
            parser.set(node, cell);
        } else {
            let mut index = 0;
            loop {
                let more = match parser.fields.nodes[node].element(index) {
                    Some(child) => {
                        list.next_element_seed(At { parser: &mut *parser, node: child })?.is_some()
                    }
                    None => list.next_element::<IgnoredAny>()?.is_some(),
                };
                if !more {
                    break;
                }
                index += 1;
            }
        }
        Ok(())
    }
}

/// A value inside a list.
struct Item<'a, 'p> {
    parser: &'a mut Parser<'p>,
}

impl<'de> DeserializeSeed<'de> for Item<'_, '_> {
    type Value = Cell;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Cell, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Item<'_, '_> {
    type Value = Cell;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Cell, E> {
        Ok(Cell::bool(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Cell, E> {
        Ok(Cell::long(value))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Cell, E> {
        Ok(unsigned(value))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Cell, E> {
        Ok(Cell::double(value))
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Cell, E> {
        Ok(self.parser.borrowed(text))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Cell, E> {
        Ok(self.parser.row.copied(text))
    }

    fn visit_unit<E: Error>(self) -> Result<Cell, E> {
        Ok(Cell::NULL)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Cell, A::Error> {
        let tree = Tree::deserialize(MapAccessDeserializer::new(map))?;
        Ok(self.parser.item(&tree))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Cell, A::Error> {
        let tree = Tree::deserialize(SeqAccessDeserializer::new(list))?;
        Ok(self.parser.item(&tree))
    }
}

/// A value of a field at the top that nobody asked for. NULL, objects and lists of lists tell nothing.
struct Discovered<'a, 'p> {
    parser: &'a mut Parser<'p>,
}

impl Discovered<'_, '_> {
    fn take(self, cell: Cell) {
        let Parser { fields, unknown, row, .. } = self.parser;
        let path = JsonPath::root(unknown.key.as_str());
        let slot = match fields.nodes[ROOT].key(&unknown.key).and_then(|node| fields.nodes[node].slot) {
            Some(slot) => slot,
            None if unknown.found.len() >= unknown.found_max => {
                unknown.skipped += 1;
                return;
            }
            None => {
                let slot = fields.slot_of(&path);
                unknown.found.push((unknown.key.clone(), slot));
                slot
            }
        };
        if row.cells.len() <= slot {
            row.cells.resize(slot + 1, Cell::NULL);
        }
        row.cells[slot] = cell;
    }
}

impl<'de> DeserializeSeed<'de> for Discovered<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Discovered<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<(), E> {
        self.take(Cell::bool(value));
        Ok(())
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<(), E> {
        self.take(Cell::long(value));
        Ok(())
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<(), E> {
        self.take(unsigned(value));
        Ok(())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<(), E> {
        self.take(Cell::double(value));
        Ok(())
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<(), E> {
        let cell = self.parser.row.copied(text);
        self.take(cell);
        Ok(())
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<(), A::Error> {
        self.parser.items_of(list)?;
        let flat = self.parser.items.iter().all(|cell| cell.kind != super::value::Kind::Json);
        if flat && !self.parser.items.is_empty() {
            let cell = self.parser.list_cell();
            self.take(cell);
        }
        Ok(())
    }
}

/// Integers beyond 64 signed bits become doubles, as Druid has it.
fn unsigned(value: u64) -> Cell {
    i64::try_from(value).map_or_else(|_| Cell::double(value as f64), Cell::long)
}
