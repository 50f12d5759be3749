//! Which call fails, and how.

use std::io::{self, ErrorKind};

/// How a call fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FaultKind {
    /// An input/output error, once. A write leaves half of its bytes, a sync makes the kernel forget.
    Broken,
    /// No room, from this call on until the disk is healed. A write leaves half of its bytes.
    Full,
    /// A write takes half of its bytes and says so.
    Short,
    /// A sync does nothing and reports success.
    Lying,
    /// The call takes effect and reports an input/output error.
    LateBroken,
    /// The call takes effect and reports that there was no room, once.
    LateFull,
}

impl FaultKind {
    pub(crate) const ALL: [Self; 6] =
        [Self::Broken, Self::Full, Self::Short, Self::Lying, Self::LateBroken, Self::LateFull];
}

/// What kind of call it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Call {
    /// Anything that takes nothing and changes nothing.
    Read,
    Write,
    SetLen,
    Create,
    Rename,
    Remove,
    Sync,
}

/// What becomes of a call.
pub(super) enum Outcome {
    Done,
    Lies,
    Half(Option<io::Error>),
    Fails(io::Error),
    DoneYetFails(io::Error),
}

#[derive(Debug, Default)]
pub(super) struct Faults {
    calls: u64,
    armed: Option<(u64, FaultKind)>,
    hit: Option<Call>,
}

impl Faults {
    pub(super) fn arm(&mut self, call: u64, kind: FaultKind) {
        self.armed = Some((self.calls + call, kind));
        self.hit = None;
    }

    pub(super) fn disarm(&mut self) -> Option<Call> {
        self.armed = None;
        self.hit.take()
    }

    pub(super) fn calls(&self) -> u64 {
        self.calls
    }

    pub(super) fn next(&mut self, call: Call) -> Outcome {
        let number = self.calls;
        self.calls += 1;
        let Some((at, kind)) = self.armed else { return Outcome::Done };
        let due = number == at || (kind == FaultKind::Full && number > at);
        let fits = match kind {
            FaultKind::Broken | FaultKind::LateBroken => true,
            FaultKind::Full | FaultKind::LateFull => !matches!(call, Call::Read | Call::Remove),
            FaultKind::Short => call == Call::Write,
            FaultKind::Lying => call == Call::Sync,
        };
        if !(due && fits) {
            return Outcome::Done;
        }
        self.hit.get_or_insert(call);
        let broken = || io::Error::other("input/output error");
        let full = || io::Error::from(ErrorKind::StorageFull);
        match kind {
            FaultKind::Broken if call == Call::Write => Outcome::Half(Some(broken())),
            FaultKind::Broken => Outcome::Fails(broken()),
            FaultKind::Full if call == Call::Write => Outcome::Half(Some(full())),
            FaultKind::Full => Outcome::Fails(full()),
            FaultKind::Short => Outcome::Half(None),
            FaultKind::Lying => Outcome::Lies,
            FaultKind::LateBroken => Outcome::DoneYetFails(broken()),
            FaultKind::LateFull => Outcome::DoneYetFails(full()),
        }
    }
}
