//! A result as the body of a response: batches in, chunks of bytes out.
//!
//! Rows are encoded while the client reads: a chunk is written when the connection asks for it, so a slow client
//! slows the statement down instead of filling memory, and a client that goes away drops the stream, which cancels
//! the statement.
//!
//! An error after the first byte cannot become a status any more. The stream then ends in an error, the connection
//! is closed in the middle of the body, and the end mark of the format is missing: a client cannot take the part
//! for the whole.

use axum::body::{Body, Bytes};
use futures::stream::BoxStream;
use futures::{StreamExt, stream};
use ovate_query::QueryError;

use arrow::array::RecordBatch;

use crate::formats::arrow_stream::ArrowWriter;
use crate::formats::{PreparedBatch, ResultWriter};

/// About how long a chunk is. Long enough for the cost of sending it to vanish, short enough to be held twice.
const CHUNK_BYTES: usize = 64 * 1024;
/// Rows between two looks at the length of the chunk.
const STRIDE_ROWS: usize = 64;

/// The batches of a running statement.
pub(crate) type Batches = BoxStream<'static, Result<RecordBatch, QueryError>>;

/// Why a stream broke off.
#[derive(Debug, thiserror::Error)]
enum Broken {
    #[error(transparent)]
    Query(#[from] QueryError),
    #[error("a column cannot be written: {0}")]
    Encode(#[from] arrow::error::ArrowError),
    #[error("it is longer than {0} bytes (result_mib_max)")]
    TooLong(u64),
}

/// What turns batches into bytes.
pub(crate) enum Encoder {
    /// One of Druid's formats.
    Text(Box<ResultWriter>),
    /// The Arrow stream.
    Arrow(Box<ArrowWriter>),
}

/// The body that carries a whole result of at most `bytes_max` bytes.
pub(crate) fn body(sql_query_id: String, batches: Batches, encoder: Encoder, bytes_max: u64) -> Body {
    let state = State { sql_query_id, batches, encoder, begun: false, ended: false, batch: None };
    let state = (state, bytes_max);
    let chunks = stream::unfold(Some(state), move |state| async move {
        let (mut state, bytes_left) = state?;
        let chunk = state.chunk().await.and_then(|chunk| {
            let Some(bytes) = chunk else { return Ok(None) };
            let left = bytes_left.checked_sub(bytes.len() as u64).ok_or(Broken::TooLong(bytes_max))?;
            Ok(Some((bytes, left)))
        });
        match chunk {
            Ok(None) => None,
            Ok(Some((bytes, left))) => Some((Ok(Bytes::from(bytes)), Some((state, left)))),
            Err(error) => {
                tracing::warn!(sql_query_id = %state.sql_query_id, %error, "the result breaks off");
                metrics::counter!("ovate_sql_truncated_total").increment(1);
                Some((Err(error), None))
            }
        }
    });
    // Compression asks once more after the end.
    Body::from_stream(chunks.fuse())
}

struct State {
    sql_query_id: String,
    batches: Batches,
    encoder: Encoder,
    begun: bool,
    ended: bool,
    /// The batch that is being written, and its next row.
    batch: Option<(PreparedBatch, usize)>,
}

impl State {
    /// The next chunk; `None` when everything has been written.
    async fn chunk(&mut self) -> Result<Option<Vec<u8>>, Broken> {
        if self.ended {
            return Ok(None);
        }
        match &mut self.encoder {
            Encoder::Text(_) => self.text_chunk().await.map(Some),
            Encoder::Arrow(writer) => {
                let batch = self.batches.next().await.transpose()?;
                self.ended = batch.is_none();
                let bytes = if let Some(batch) = batch { writer.batch(&batch) } else { writer.end() };
                Ok(Some(bytes?))
            }
        }
    }

    async fn text_chunk(&mut self) -> Result<Vec<u8>, Broken> {
        let Encoder::Text(writer) = &mut self.encoder else { return Ok(Vec::new()) };
        let mut out = Vec::with_capacity(CHUNK_BYTES / 4);
        if !std::mem::replace(&mut self.begun, true) {
            writer.begin(&mut out);
        }
        while out.len() < CHUNK_BYTES {
            if let Some((batch, from)) = &mut self.batch {
                let to = batch.rows().min(*from + STRIDE_ROWS);
                writer.rows(&mut out, batch, *from..to);
                *from = to;
                if to == batch.rows() {
                    self.batch = None;
                }
            } else if let Some(batch) = self.batches.next().await {
                self.batch = Some((writer.prepare(&batch?)?, 0));
            } else {
                writer.end(&mut out);
                self.ended = true;
                break;
            }
        }
        Ok(out)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, Int64Array};
    use ovate_query::ResultColumn;
    use ovate_storage::time::Zone;

    use super::*;
    use crate::formats::ResultStyle;

    fn column() -> ResultColumn {
        ResultColumn { name: "a".to_owned(), druid_type: "LONG".to_owned(), sql_type: "BIGINT".to_owned() }
    }

    fn batch(values: std::ops::Range<i64>) -> RecordBatch {
        let array: ArrayRef = Arc::new(values.collect::<Int64Array>());
        RecordBatch::try_from_iter([("a", array)]).unwrap()
    }

    async fn sent(batches: Vec<Result<RecordBatch, QueryError>>) -> (Vec<Bytes>, bool) {
        sent_within(u64::MAX, batches).await
    }

    async fn sent_within(
        bytes_max: u64,
        batches: Vec<Result<RecordBatch, QueryError>>,
    ) -> (Vec<Bytes>, bool) {
        let writer = ResultWriter::new(ResultStyle::default(), vec![column()], Zone::UTC);
        let encoder = Encoder::Text(Box::new(writer));
        let batches = stream::iter(batches).boxed();
        let mut stream = body("id".to_owned(), batches, encoder, bytes_max).into_data_stream();
        let mut chunks = Vec::new();
        while let Some(chunk) = stream.next().await {
            match chunk {
                Ok(bytes) => chunks.push(bytes),
                Err(_) => return (chunks, true),
            }
        }
        (chunks, false)
    }

    #[tokio::test]
    async fn a_long_result_comes_in_chunks_and_is_whole() {
        let (chunks, broken) =
            sent(vec![Ok(batch(0..30_000)), Ok(batch(30_000..30_001)), Ok(batch(0..0))]).await;
        assert!(!broken && chunks.len() > 3);
        assert!(chunks.iter().all(|chunk| chunk.len() < 2 * CHUNK_BYTES));
        let rows: Vec<serde_json::Value> = serde_json::from_slice(&chunks.concat()).unwrap();
        assert_eq!((rows.len(), rows[30_000]["a"].as_i64()), (30_001, Some(30_000)));
    }

    #[tokio::test]
    async fn a_result_that_fails_in_the_middle_has_no_end_mark() {
        let error = QueryError::Cancelled("id".to_owned());
        let (chunks, broken) = sent(vec![Ok(batch(0..30_000)), Err(error)]).await;
        assert!(broken && !chunks.is_empty());
        assert!(!chunks.concat().ends_with(b"]\n"));
    }

    #[tokio::test]
    async fn a_result_that_is_too_long_has_no_end_mark() {
        let whole = sent(vec![Ok(batch(0..30_000))]).await.0.concat().len() as u64;
        assert!(!sent_within(whole, vec![Ok(batch(0..30_000))]).await.1);
        let (chunks, broken) = sent_within(whole - 1, vec![Ok(batch(0..30_000))]).await;
        assert!(broken && !chunks.concat().ends_with(b"]\n"));
    }

    #[tokio::test]
    async fn a_result_without_batches_is_complete() {
        assert_eq!(sent(Vec::new()).await, (vec![Bytes::from_static(b"[]\n")], false));
    }
}
