//! A topic's id: what tells a topic from another one of the same name. The only `unsafe` code of the crate.
//!
//! librdkafka tells topic ids through its admin call `DescribeTopics` alone, which the Rust crate does not wrap. Each
//! C object made here is owned by a guard that destroys it, in the reverse order of creation; none leaves this module.

use std::ffi::{CString, c_char};
use std::time::Duration;

use rdkafka::bindings as c;
use rdkafka::client::Client;
use rdkafka::consumer::ConsumerContext;

/// What the brokers say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Answer {
    Told(Option<String>),
    Silent,
}

/// A C object and the function that destroys it.
struct Owned<T> {
    pointer: *mut T,
    destroy: unsafe extern "C" fn(*mut T),
}

impl<T> Owned<T> {
    fn new(pointer: *mut T, destroy: unsafe extern "C" fn(*mut T)) -> Option<Self> {
        (!pointer.is_null()).then_some(Self { pointer, destroy })
    }
}

impl<T> Drop for Owned<T> {
    fn drop(&mut self) {
        // SAFETY: `pointer` is not null, was made by the function that `destroy` belongs to, and nobody else owns it.
        unsafe { (self.destroy)(self.pointer) }
    }
}

/// The id of a topic in hexadecimal digits; `Told(None)` where the brokers are too old to have topic ids (before Kafka
/// 2.8), `Silent` where they do not tell it in time.
///
/// The question goes to `broker`, one that is known to be there: by default it would wait for the controller.
pub(super) fn topic_id<C: ConsumerContext>(
    client: &Client<C>,
    broker: i32,
    topic: &str,
    timeout: Duration,
) -> Answer {
    ask(client, broker, topic, timeout).unwrap_or(Answer::Silent)
}

fn ask<C: ConsumerContext>(
    client: &Client<C>,
    broker: i32,
    topic: &str,
    timeout: Duration,
) -> Option<Answer> {
    let name = CString::new(topic).ok()?;
    let timeout_ms = i32::try_from(timeout.as_millis()).unwrap_or(i32::MAX);
    let handle = client.native_ptr();
    let mut names: [*const c_char; 1] = [name.as_ptr()];
    // SAFETY: the calls follow librdkafka's protocol for admin requests: `handle` lives as long as `client`, which is
    // borrowed; `names` points to one NUL-terminated text, which is copied; the options belong to `handle` and to this
    // request; the result, its topics and its id are borrowed from `event` and read while it lives; a null pointer is
    // checked wherever one may come back. Dropping the queue before the answer comes is allowed: the answer is dropped.
    unsafe {
        let topics = Owned::new(
            c::rd_kafka_TopicCollection_of_topic_names(names.as_mut_ptr(), names.len()),
            c::rd_kafka_TopicCollection_destroy,
        )?;
        let options = Owned::new(
            c::rd_kafka_AdminOptions_new(handle, c::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBETOPICS),
            c::rd_kafka_AdminOptions_destroy,
        )?;
        c::rd_kafka_AdminOptions_set_request_timeout(options.pointer, timeout_ms, std::ptr::null_mut(), 0);
        c::rd_kafka_AdminOptions_set_broker(options.pointer, broker, std::ptr::null_mut(), 0);
        let queue = Owned::new(c::rd_kafka_queue_new(handle), c::rd_kafka_queue_destroy)?;
        c::rd_kafka_DescribeTopics(handle, topics.pointer, options.pointer, queue.pointer);
        let event = Owned::new(c::rd_kafka_queue_poll(queue.pointer, timeout_ms), c::rd_kafka_event_destroy)?;
        if c::rd_kafka_event_error(event.pointer)
            == c::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR__UNSUPPORTED_FEATURE
        {
            return Some(Answer::Told(None));
        }
        let result = c::rd_kafka_event_DescribeTopics_result(event.pointer);
        if result.is_null() {
            return None;
        }
        let mut count = 0;
        let described = c::rd_kafka_DescribeTopics_result_topics(result, &raw mut count);
        if described.is_null() || count == 0 {
            return None;
        }
        let first = *described;
        let error = c::rd_kafka_TopicDescription_error(first);
        if !error.is_null()
            && c::rd_kafka_error_code(error) != c::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR
        {
            return None;
        }
        let id = c::rd_kafka_TopicDescription_topic_id(first);
        if id.is_null() {
            return None;
        }
        let (high, low) =
            (c::rd_kafka_Uuid_most_significant_bits(id), c::rd_kafka_Uuid_least_significant_bits(id));
        let id = (high != 0 || low != 0).then(|| format!("{high:016x}{low:016x}"));
        Some(Answer::Told(id))
    }
}
