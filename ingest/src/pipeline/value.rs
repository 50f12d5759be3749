//! Values on their way from a message to a column: small, untyped, without an allocation each.
//!
//! ```text
//!  message text ──parse──► Row (one cell per field) ──push──► Staged (one per field, all rows) ──convert──► columns
//! ```
//!
//! A cell holds a number or the place of a text. Texts of a [`Row`] lie in the message itself or, where they had
//! escapes, in the row's scratch; texts of a [`Staged`] column lie in the column, so that it outlives the message.

/// What a cell holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Null,
    Bool,
    Long,
    Double,
    Text,
    /// An object, or a list inside a list, as JSON text.
    Json,
    List,
}

/// A value, or where it lies.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cell {
    pub(crate) kind: Kind,
    bits: u64,
}

/// Places are `start << 24 | length`; [`super::Limits`] keeps lengths below.
const LENGTH_BITS: u32 = 24;
/// The text buffer that a column keeps between batches, and the values.
const TEXT_KEPT_BYTES: usize = 8 << 20;
const CELLS_KEPT: usize = 64 << 10;
/// Set where a text of a row lies in its scratch.
const IN_SCRATCH: u64 = 1 << 63;

fn place(start: usize, length: usize) -> u64 {
    (start as u64) << LENGTH_BITS | length as u64
}

impl Cell {
    pub(crate) const NULL: Self = Self { kind: Kind::Null, bits: 0 };

    pub(crate) fn bool(value: bool) -> Self {
        Self { kind: Kind::Bool, bits: u64::from(value) }
    }

    pub(crate) fn long(value: i64) -> Self {
        Self { kind: Kind::Long, bits: value as u64 }
    }

    pub(crate) fn double(value: f64) -> Self {
        Self { kind: Kind::Double, bits: value.to_bits() }
    }

    /// The same value, where what it refers to begins so much later.
    fn moved(self, text_bytes: usize, items: usize) -> Self {
        let by = match self.kind {
            Kind::Text | Kind::Json => text_bytes,
            Kind::List => items,
            Kind::Null | Kind::Bool | Kind::Long | Kind::Double => return self,
        };
        Self { bits: self.bits + ((by as u64) << LENGTH_BITS), ..self }
    }

    fn range(self) -> std::ops::Range<usize> {
        let start = ((self.bits & !IN_SCRATCH) >> LENGTH_BITS) as usize;
        start..start + (self.bits & ((1 << LENGTH_BITS) - 1)) as usize
    }
}

/// A value as it is read.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Value<'a> {
    Null,
    Bool(bool),
    Long(i64),
    Double(f64),
    Text(&'a str),
    Json(&'a str),
    List(List<'a>),
}

/// Values of one row of a [`Staged`] column or of a [`Row`].
#[derive(Debug, Clone, Copy)]
pub(crate) struct List<'a> {
    cells: &'a [Cell],
    texts: Texts<'a>,
}

impl<'a> List<'a> {
    pub(crate) fn len(&self) -> usize {
        self.cells.len()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = Value<'a>> + use<'a> {
        let texts = self.texts;
        self.cells.iter().map(move |cell| texts.value(*cell, &[]))
    }
}

/// Where the texts of cells lie.
#[derive(Debug, Clone, Copy)]
struct Texts<'a> {
    message: &'a str,
    scratch: &'a str,
}

impl<'a> Texts<'a> {
    fn text(self, cell: Cell) -> &'a str {
        let of = if cell.bits & IN_SCRATCH == 0 { self.message } else { self.scratch };
        of.get(cell.range()).unwrap_or_default()
    }

    fn value(self, cell: Cell, items: &'a [Cell]) -> Value<'a> {
        match cell.kind {
            Kind::Null => Value::Null,
            Kind::Bool => Value::Bool(cell.bits != 0),
            Kind::Long => Value::Long(cell.bits as i64),
            Kind::Double => Value::Double(f64::from_bits(cell.bits)),
            Kind::Text => Value::Text(self.text(cell)),
            Kind::Json => Value::Json(self.text(cell)),
            Kind::List => {
                Value::List(List { cells: items.get(cell.range()).unwrap_or_default(), texts: self })
            }
        }
    }
}

/// The fields of one row, by slot.
#[derive(Debug, Clone, Default)]
pub(crate) struct Row {
    pub(crate) cells: Vec<Cell>,
    scratch: String,
    items: Vec<Cell>,
}

impl Row {
    /// Empties the row, for `slots` fields.
    pub(crate) fn clear(&mut self, slots: usize) {
        self.cells.clear();
        self.cells.resize(slots, Cell::NULL);
        self.scratch.clear();
        self.items.clear();
    }

    /// A text that lies in the message.
    pub(crate) fn borrowed(start: usize, length: usize) -> Cell {
        Cell { kind: Kind::Text, bits: place(start, length) }
    }

    /// A text that does not lie in the message as it is.
    pub(crate) fn copied(&mut self, text: &str) -> Cell {
        let start = self.scratch.len();
        self.scratch.push_str(text);
        Cell { kind: Kind::Text, bits: place(start, text.len()) | IN_SCRATCH }
    }

    pub(crate) fn json(&mut self, text: &str) -> Cell {
        Cell { kind: Kind::Json, ..self.copied(text) }
    }

    /// A list. Its items must be whole before the next list begins.
    pub(crate) fn list(&mut self, items: &[Cell]) -> Cell {
        let start = self.items.len();
        self.items.extend_from_slice(items);
        Cell { kind: Kind::List, bits: place(start, items.len()) }
    }

    pub(crate) fn value<'a>(&'a self, slot: usize, message: &'a str) -> Value<'a> {
        let texts = Texts { message, scratch: &self.scratch };
        self.cells.get(slot).map_or(Value::Null, |cell| texts.value(*cell, &self.items))
    }
}

/// One field of many rows.
#[derive(Debug, Default, Clone)]
pub(crate) struct Staged {
    cells: Vec<Cell>,
    text: String,
    items: Vec<Cell>,
}

impl Staged {
    pub(crate) fn clear(&mut self) {
        self.cells.clear();
        self.items.clear();
        self.text.clear();
        // One batch of huge messages should not hold its memory for good.
        self.text.shrink_to(TEXT_KEPT_BYTES);
        self.cells.shrink_to(CELLS_KEPT);
        self.items.shrink_to(CELLS_KEPT);
    }

    pub(crate) fn len(&self) -> usize {
        self.cells.len()
    }

    pub(crate) fn kind(&self, row: usize) -> Kind {
        self.cells.get(row).map_or(Kind::Null, |cell| cell.kind)
    }

    /// The value of a row; NULL beyond the end, as fields that were discovered late have fewer rows.
    pub(crate) fn value(&self, row: usize) -> Value<'_> {
        let texts = Texts { message: &self.text, scratch: "" };
        self.cells.get(row).map_or(Value::Null, |cell| texts.value(*cell, &self.items))
    }

    /// Fills up with NULL to `rows`.
    pub(crate) fn pad(&mut self, rows: usize) {
        self.cells.resize(rows, Cell::NULL);
    }

    pub(crate) fn push(&mut self, value: Value<'_>) {
        let cell = self.cell(value);
        self.cells.push(cell);
    }

    /// Adds the rows of another column.
    pub(crate) fn append(&mut self, other: &Self) {
        let (text_bytes, items) = (self.text.len(), self.items.len());
        self.text.push_str(&other.text);
        self.items.extend(other.items.iter().map(|item| item.moved(text_bytes, items)));
        self.cells.extend(other.cells.iter().map(|cell| cell.moved(text_bytes, items)));
    }

    /// Puts `value` in place of the NULL of a row.
    pub(crate) fn set(&mut self, row: usize, value: Value<'_>) {
        let cell = self.cell(value);
        if let Some(at) = self.cells.get_mut(row) {
            *at = cell;
        }
    }

    fn cell(&mut self, value: Value<'_>) -> Cell {
        match value {
            Value::Null => Cell::NULL,
            Value::Bool(value) => Cell::bool(value),
            Value::Long(value) => Cell::long(value),
            Value::Double(value) => Cell::double(value),
            Value::Text(text) => self.keep(Kind::Text, text),
            Value::Json(text) => self.keep(Kind::Json, text),
            Value::List(list) => {
                // Lists inside lists are JSON by now, so the items of one list stay together.
                let start = self.items.len();
                for item in list.iter() {
                    let cell = match item {
                        Value::List(_) => Cell::NULL,
                        item => self.cell(item),
                    };
                    self.items.push(cell);
                }
                Cell { kind: Kind::List, bits: place(start, list.len()) }
            }
        }
    }

    fn keep(&mut self, kind: Kind, text: &str) -> Cell {
        let start = self.text.len();
        self.text.push_str(text);
        Cell { kind, bits: place(start, text.len()) }
    }
}
