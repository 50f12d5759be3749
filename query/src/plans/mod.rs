//! Plans remembered: a dashboard asks the same again and again, only about other times.
//!
//! ```text
//!  statement ─► Wording: tokens without the instants that `__time` is compared with ─► PlanCache ─► Template
//!                  └─ those instants ──────────────────────────────────────────────────────────────────┤
//!  snapshot of each datasource, as it is now ──────────────────────────────────────────────────────────┴─► plan
//! ```
//!
//! A [`Template`] is a physical plan without rows: its scans wait for a snapshot and for instants. It is made from the
//! plan of the first statement of its wording, if nothing in that plan follows from the rows it was made over or from
//! the values of the instants, which [`Template::of`] proves by looking at every node and every constant. What it
//! cannot prove is planned each time. What can be proved of a plan goes for its answer: see [`answers`].

mod answers;
mod template;
#[cfg(test)]
mod tests;
mod wording;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub(crate) use template::{Bound, Template, Work};
pub(crate) use wording::{Worded, Wording};

/// Templates by wording, shared by all statements.
#[derive(Debug)]
pub(crate) struct PlanCache {
    plans_max: usize,
    answer_bytes_max: usize,
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    templates: HashMap<Arc<Wording>, (Arc<Template>, u64)>,
    /// Counts accesses: what was used later has a greater number.
    clock: u64,
}

impl Known {
    /// The number of the next access.
    fn tick(&mut self) -> u64 {
        self.clock += 1;
        self.clock
    }
}

impl PlanCache {
    /// Keeps the `plans_max` templates that were used last, and answers of them in `answers_bytes_max`.
    pub(crate) fn new(plans_max: usize, answers_bytes_max: usize) -> Self {
        let answer_bytes_max = answers_bytes_max / plans_max.max(1);
        Self { plans_max, answer_bytes_max, known: Mutex::default() }
    }

    /// Larger answers are not kept.
    pub(crate) fn answer_bytes_max(&self) -> usize {
        self.answer_bytes_max
    }

    /// Whether any template is kept.
    pub(crate) fn is_used(&self) -> bool {
        self.plans_max > 0
    }

    /// The template of a wording.
    pub(crate) fn get(&self, wording: &Wording) -> Option<Arc<Template>> {
        let mut known = self.known();
        let now = known.tick();
        let (template, used) = known.templates.get_mut(wording)?;
        *used = now;
        Some(Arc::clone(template))
    }

    /// Remembers a template, in place of the one that was used longest ago if there are too many.
    pub(crate) fn put(&self, wording: Wording, template: Template) {
        let mut known = self.known();
        let now = known.tick();
        if known.templates.len() >= self.plans_max && !known.templates.contains_key(&wording) {
            let oldest = known.templates.iter().min_by_key(|(_, (_, used))| *used);
            if let Some(oldest) = oldest.map(|(wording, _)| Arc::clone(wording)) {
                known.templates.remove(&oldest);
            }
        }
        known.templates.insert(Arc::new(wording), (Arc::new(template), now));
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        // A panic in here can lose a template, and a lost one is made again.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
