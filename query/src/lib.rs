//! Druid SQL over Ovate's segments and hot rows.
