//! Supervisors, Kafka, JSON decoding and transforms.
