//! Tests of the API as a whole, in one binary.
