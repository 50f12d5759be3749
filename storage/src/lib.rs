//! Segments, hot index, timeline and catalog of the Ovate store.
