//! Supervisors: who reads which stream into which datasource, how far, and what goes wrong.
//!
//! ```text
//!  SupervisorManager ─► registry (what is stored, what runs)
//!                          │ start / stop              ▲ board (what can be seen)
//!                          ▼                           │
//!                       runner: connecting ─► reading ─┴─► publishing
//! ```
//!
//! Invariants: one supervisor per datasource and one run per supervisor; a run starts exactly where the rows of the
//! store end; offsets are committed with the rows they cover and never ahead of them; a stop with publishing returns
//! after the commit.
//!
//! Left out: what HTTP makes of all this, and what a specification may say ([`crate::spec`]).

mod board;
mod clock;
mod connecting;
mod gap;
mod handle;
mod manager;
mod meters;
mod options;
mod parse_errors;
mod publishing;
mod reading;
mod registry;
mod reset;
mod runner;
mod start;
mod state;
mod stats;
mod status;
mod task;

pub use gap::{GapAction, GapCause, OffsetGap};
pub use manager::SupervisorManager;
pub use options::{IngestOptions, OffsetPolicy};
pub use parse_errors::ParseError;
pub use state::{DetailedState, RecentError};
pub use stats::{MovingAverages, RowRates, RowTotals};
pub use status::{ActiveTask, HistoryEntry, Offsets, StatusPayload, SupervisorStatus, SupervisorSummary};
pub use task::{TaskLocation, TaskStatus};
