//! Druid SQL over Ovate's segments and hot rows.
//!
//! ```text
//! SqlRequest ─► Engine ─► sql: text → tree, Druid's spellings ─► plan: tree → physical plan ─► scan ─► SqlResult
//!                                                                   │
//!                                                     catalog: datasources, INFORMATION_SCHEMA, sys
//! ```
//!
//! * [`Engine`] is the door: it queues, plans, runs, times out and cancels statements on threads of its own.
//! * `sql` works on tokens and syntax trees and knows no table; `plan` knows tables and types.
//! * [`scan`] reads snapshots: pruning, bitmaps, late materialisation.
//! * [`SystemTables`] is implemented outside, for what only the running process knows.
//!
//! The crate knows neither Kafka nor HTTP. To follow a statement, start at [`Engine::sql`].

#![deny(unsafe_code)]

mod aggregate;
mod catalog;
mod engine;
mod error;
mod gate;
mod interrupt;
mod options;
mod plan;
mod planner;
mod plans;
mod request;
pub mod scan;
mod search;
mod session;
mod sources;
mod sql;
mod statistics;
mod system;
mod union;

pub use engine::Engine;
pub use error::{ErrorKind, Position, QueryError};
pub use options::{EngineOptions, StatementLimits};
pub use request::{ResultColumn, SqlParameter, SqlRequest, SqlResult};
pub use system::{NoSystem, ServerRow, SupervisorRow, SystemTables, TaskRow};
