//! What the store, the supervisors and their tasks look like in Druid's JSON.
//!
//! Functions from values to values: nothing here asks, waits or decides. The routes fetch, a view shows.

pub(crate) mod datasource;
pub(crate) mod segment;
pub(crate) mod supervisor;
pub(crate) mod worker;
