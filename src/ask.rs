//! `ovate query`: asks a running store over HTTP, and prints the answer.

use std::io::{ErrorKind, Read, Write};
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use arrow::array::RecordBatch;
use arrow::compute::cast;
use arrow::datatypes::{DataType, Schema, SchemaRef};
use arrow::ipc::reader::StreamReader;
use arrow::util::pretty::pretty_format_batches;
use serde_json::{Value, json};

use crate::cli::{Format, Query};

const SQL: &str = "/druid/v2/sql";
const ARROW_STREAM: &str = "application/vnd.apache.arrow.stream";
const CUT_OFF: &str = "the answer was cut off";

/// Runs the command.
pub(crate) fn run(query: &Query) -> Result<()> {
    let sql = if query.sql == "-" {
        let mut sql = String::new();
        std::io::stdin().read_to_string(&mut sql).context("cannot read the statement")?;
        sql
    } else {
        query.sql.clone()
    };
    let answer = match query.format {
        Format::Arrow => post(&query.url, SQL, ARROW_STREAM, &json!({ "query": sql }))?,
        Format::Box => boxed(&post(&query.url, SQL, ARROW_STREAM, &json!({ "query": sql }))?)?,
        Format::Csv => lines(&query.url, &json!({ "query": sql, "resultFormat": "csv", "header": true }))?,
        Format::Json => lines(&query.url, &json!({ "query": sql, "resultFormat": "objectLines" }))?,
    };
    match std::io::stdout().lock().write_all(&answer) {
        // Whoever has stopped reading, as `head` does, has got what was wanted.
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error).context("cannot print the answer"),
        _ => Ok(()),
    }
}

/// An answer in one of the formats of lines, without the empty line that says that it is whole.
fn lines(url: &str, body: &Value) -> Result<Vec<u8>> {
    let mut answer = post(url, SQL, "*/*", body)?;
    if answer != b"\n" && !answer.ends_with(b"\n\n") {
        bail!(CUT_OFF);
    }
    answer.pop();
    Ok(answer)
}

/// An Arrow stream as a table to look at.
fn boxed(answer: &[u8]) -> Result<Vec<u8>> {
    let reader = StreamReader::try_new(answer, None).context("the answer is not an Arrow stream")?;
    let schema = in_utc(&reader.schema());
    let batches = reader
        .map(|batch| {
            let batch = batch?;
            let columns = batch.columns().iter().zip(schema.fields());
            let columns = columns.map(|(column, field)| cast(column, field.data_type()));
            let columns = columns.collect::<Result<_, _>>()?;
            RecordBatch::try_new(SchemaRef::clone(&schema), columns)
        })
        .collect::<Result<Vec<RecordBatch>, _>>()
        .context(CUT_OFF)?;
    let batches = if batches.is_empty() { vec![RecordBatch::new_empty(schema)] } else { batches };
    Ok(format!("{}\n", pretty_format_batches(&batches)?).into_bytes())
}

/// The same columns with times that say which zone they are shown in. (Druid's clients expect times without.)
fn in_utc(schema: &Schema) -> SchemaRef {
    let fields = schema.fields().iter().map(|field| match field.data_type() {
        DataType::Timestamp(unit, None) => {
            let zoned = DataType::Timestamp(*unit, Some("+00:00".into()));
            field.as_ref().clone().with_data_type(zoned)
        }
        _ => field.as_ref().clone(),
    });
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

/// Posts a body to a running store; gives the bytes of the answer, or the store's own words on what is wrong.
pub(crate) fn post(url: &str, path: &str, accept: &str, body: &Value) -> Result<Vec<u8>> {
    let (url, credentials) = split_credentials(url)?;
    let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
    let mut request = agent.post(format!("{url}{path}")).header("Accept", accept);
    if let Some(credentials) = credentials {
        request = request.header("Authorization", format!("Basic {credentials}"));
    }
    let mut response = request
        .header("Content-Type", "application/json")
        .send(body.to_string())
        .with_context(|| format!("cannot reach {url}; is `ovate serve` running?"))?;
    let status = response.status();
    let body = response.body_mut().with_config().limit(u64::MAX).read_to_vec().context(CUT_OFF)?;
    if status.is_success() {
        return Ok(body);
    }
    let error: Value = serde_json::from_slice(&body).unwrap_or_default();
    match error["errorMessage"].as_str() {
        Some(message) => bail!("{message}"),
        None => bail!("{url} answers {status}: {}", String::from_utf8_lossy(&body)),
    }
}

/// `http://user:password@host` as `http://host` and the Basic credentials.
fn split_credentials(url: &str) -> Result<(String, Option<String>)> {
    let url = url.trim_end_matches('/');
    let (scheme, rest) = url.split_once("://").context("the URL has no scheme; write http://host:port")?;
    Ok(match rest.rsplit_once('@') {
        Some((credentials, host)) => {
            (format!("{scheme}://{host}"), Some(ovate_api::basic_credentials(credentials)))
        }
        None => (url.to_owned(), None),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_in_the_url_become_a_header() {
        let (url, credentials) = split_credentials("http://a:b@127.0.0.1:8888/").unwrap();
        assert_eq!(url, "http://127.0.0.1:8888");
        assert_eq!(credentials.as_deref(), Some("YTpi"));
        assert!(split_credentials("127.0.0.1:8888").is_err());
    }
}
