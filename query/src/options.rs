//! What the engine may use, and how much a single statement may ask for.

use std::path::PathBuf;
use std::time::Duration;

use crate::scan::PostingsUse;

/// The engine's resources and limits.
#[derive(Debug, Clone)]
pub struct EngineOptions {
    /// Threads that plan and run statements.
    pub threads: usize,
    /// Memory that all running statements share for sorting, grouping and joining.
    pub memory_bytes_max: usize,
    /// Memory for groups that are remembered from one statement to the next, and as much for whole answers; 0: none are.
    pub cache_bytes_max: usize,
    /// Plans that are remembered for statements that come again; 0: none are.
    pub plans_max: usize,
    /// Where statements put what does not fit in memory: a folder of the engine's own, which it empties when it
    /// starts. `None`: they fail instead.
    pub spill_folder: Option<PathBuf>,
    /// Disk space for it.
    pub spill_bytes_max: u64,
    /// Rows in a batch.
    pub batch_rows: usize,
    /// A statement over fewer rows runs on one thread: spreading it would cost more than it saves.
    pub rows_per_thread_min: usize,
    /// How long a statement may take that does not say `timeout` in its context.
    pub timeout_default: Duration,
    /// The longest `timeout` that a statement may ask for.
    pub timeout_max: Duration,
    /// Statements that run at the same time.
    pub running_max: usize,
    /// Statements that wait for their turn; further ones are refused.
    pub waiting_max: usize,
    /// Rows of one answer.
    pub result_rows_max: u64,
    /// When posting lists are used. Answers do not depend on it.
    pub postings: PostingsUse,
    /// What a statement may look like.
    pub statement: StatementLimits,
}

/// The size a statement may have. Checked before anything expensive is done with it.
#[derive(Debug, Clone, Copy)]
pub struct StatementLimits {
    /// Bytes of text.
    pub statement_bytes_max: usize,
    /// Tokens, without white space and comments.
    pub tokens_max: usize,
    /// Depth of parentheses, subqueries and expressions. Chains of `AND` and `OR` of any length count as flat.
    pub depth_max: usize,
    /// Tables, views and subqueries named in `FROM`.
    pub relations_max: usize,
}

impl Default for StatementLimits {
    fn default() -> Self {
        Self { statement_bytes_max: 256 * 1024, tokens_max: 20_000, depth_max: 500, relations_max: 256 }
    }
}

impl Default for EngineOptions {
    fn default() -> Self {
        let threads = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
        Self {
            threads,
            memory_bytes_max: 2 << 30,
            cache_bytes_max: 64 << 20,
            plans_max: 256,
            spill_folder: None,
            spill_bytes_max: 10 << 30,
            batch_rows: 8192,
            rows_per_thread_min: 200_000,
            timeout_default: Duration::from_mins(5),
            timeout_max: Duration::from_hours(1),
            running_max: 4 * threads.max(8),
            waiting_max: 256,
            result_rows_max: 50_000_000,
            postings: PostingsUse::Auto,
            statement: StatementLimits::default(),
        }
    }
}
