//! Ovate.
