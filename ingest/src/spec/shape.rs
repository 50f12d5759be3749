//! The language in which the tables of [`super::keys`] are written: what a key takes, what it defaults to, and how
//! it stands.
//!
//! A table row is data, so one place says everything about a key: the checker reads it, the answer to GET is made
//! from it, and the documentation lists it.

/// How a key stands in this release.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It does what Druid's documentation says.
    Supported,
    /// It is accepted and has no effect, for this reason.
    WithoutEffect(&'static str),
    /// It is refused unless it is empty or false; the text says what to do instead.
    Refused(&'static str),
}

/// When a key is part of the answer to GET.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Shown {
    /// Always, with this JSON where the spec does not say.
    Always(&'static str),
    /// Only where it differs from this JSON.
    UnlessDefault(&'static str),
    /// Only where the spec gives it.
    IfGiven,
    /// Never, as newer Druids have dropped it.
    Never,
    /// The spec has to give it.
    Required,
}

/// What a key takes.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Kind {
    Bool,
    /// An integer not below the bound.
    Long(i64),
    Number,
    Text,
    /// One of these words, in any case; given back as written here.
    Choice(&'static [&'static str]),
    /// An ISO period of fixed length; given back in seconds, as Joda prints a duration.
    Duration,
    /// An ISO period, given back as written.
    Period,
    /// An ISO date and time, or milliseconds.
    Instant,
    Granularity,
    Object(&'static Section),
    Tagged(&'static Tagged),
    List(&'static Kind),
    /// An object with keys of the user's choice.
    Map,
    /// Checked elsewhere, or not at all.
    Free,
}

/// One row of a table.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Key {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    pub(crate) shown: Shown,
    pub(crate) standing: Standing,
}

impl Key {
    pub(crate) const fn new(name: &'static str, kind: Kind, shown: Shown) -> Self {
        Self { name, kind, shown, standing: Standing::Supported }
    }

    pub(crate) const fn required(name: &'static str, kind: Kind) -> Self {
        Self::new(name, kind, Shown::Required)
    }

    /// Always shown, with a default.
    pub(crate) const fn or(name: &'static str, kind: Kind, default: &'static str) -> Self {
        Self::new(name, kind, Shown::Always(default))
    }

    pub(crate) const fn ignored(
        name: &'static str,
        kind: Kind,
        default: &'static str,
        reason: &'static str,
    ) -> Self {
        Self { name, kind, shown: Shown::Always(default), standing: Standing::WithoutEffect(reason) }
    }

    pub(crate) const fn dropped(name: &'static str, kind: Kind, reason: &'static str) -> Self {
        Self { name, kind, shown: Shown::Never, standing: Standing::WithoutEffect(reason) }
    }

    pub(crate) const fn refused(name: &'static str, instead: &'static str) -> Self {
        Self { name, kind: Kind::Free, shown: Shown::Never, standing: Standing::Refused(instead) }
    }

    pub(crate) const fn shown(mut self, shown: Shown) -> Self {
        self.shown = shown;
        self
    }
}

/// The keys of one JSON object, in the order in which Druid gives them back.
#[derive(Debug)]
pub(crate) struct Section {
    pub(crate) keys: &'static [Key],
}

/// An object whose `type` decides which keys it has.
#[derive(Debug)]
pub(crate) struct Tagged {
    /// What the object is, for messages: `dimension`, `metric`.
    pub(crate) what: &'static str,
    /// The type when the object names none.
    pub(crate) default: Option<&'static str>,
    /// A text in place of the object: the type it means, and the keys that take the text.
    pub(crate) shorthand: Option<(&'static str, &'static [&'static str])>,
    pub(crate) variants: &'static [(&'static str, Variant)],
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Variant {
    Of(&'static Section),
    /// Druid has it; this says what to do instead.
    Refused(&'static str),
}

impl Tagged {
    /// The types that are supported, for messages.
    pub(crate) fn supported(&self) -> String {
        let names: Vec<&str> = self
            .variants
            .iter()
            .filter(|(_, variant)| matches!(variant, Variant::Of(_)))
            .map(|(name, _)| *name)
            .collect();
        names.join(", ")
    }
}
