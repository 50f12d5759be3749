//! From text to a syntax tree that DataFusion's planner understands as Druid means it.
//!
//! ```text
//! text ─► statement: size, tokens, EXPLAIN, SET, ; ─► parser ─► shape: flat chains, depth
//!      ─► parameters and rewrite: Druid's spellings as plain function calls ─► names: EXPR$0, duplicates
//! ```
//!
//! Everything here works on tokens and trees, never on text, and knows no table: what depends on types happens in
//! [`crate::plan`].

pub(crate) mod dialect;
pub(crate) mod hints;
pub(crate) mod interval;
pub(crate) mod like;
pub(crate) mod names;
pub(crate) mod parameters;
pub(crate) mod positions;
pub(crate) mod rewrite;
pub(crate) mod shape;
pub(crate) mod statement;
pub(crate) mod tree;
