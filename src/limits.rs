//! Limits: how much a client, a message or a query may ask for.
//!
//! They are settings like all others and stand together here, because together they say what a process can be made to
//! use. The crates below know their own limits and defaults; this module gives them names that people can set. The
//! table in ARCHITECTURE.md says what exceeding each gives; a test holds it to this list, to the defaults, and to
//! what a setting changes.

use std::time::Duration;

use anyhow::{Result, ensure};
use clap::Args;
use ovate_api::ApiOptions;
use ovate_ingest::IngestOptions;
use ovate_ingest::pipeline::Limits as MessageLimits;
use ovate_query::{EngineOptions, StatementLimits};
use ovate_storage::DecodedColumns;
use serde::{Deserialize, Serialize};

/// All limits. `None` means: the default.
#[derive(Debug, Clone, Default, Args, Serialize, Deserialize)]
#[serde(default)]
#[command(next_help_heading = "Limits")]
pub(crate) struct Limits {
    /// Memory for the queries that run at one time, in MiB; what does not fit is spilled to disk [default: 2048].
    #[arg(long, value_name = "MIB", env = "OVATE_QUERY_MEMORY_MIB")]
    pub query_memory_mib: Option<u64>,

    /// Memory for what queries found in published rows, to be used again by the same query, in MiB, and as much again for
    /// whole answers while no row comes; 0: nothing is kept [default: 64].
    #[arg(long, value_name = "MIB", env = "OVATE_QUERY_CACHE_MIB")]
    pub query_cache_mib: Option<u64>,

    /// Memory for columns of cold segments, decoded for one query and used again by the next, in MiB; what queries are at
    /// work on comes on top [default: 256].
    #[arg(long, value_name = "MIB", env = "OVATE_COLD_CACHE_MIB")]
    pub cold_cache_mib: Option<u64>,

    /// Disk space for what queries spill, in MiB [default: 10240].
    #[arg(long, value_name = "MIB", env = "OVATE_QUERY_SPILL_MIB")]
    pub query_spill_mib: Option<u64>,

    /// A query that runs longer is stopped, unless its context says otherwise [default: 300000].
    #[arg(long, value_name = "MS", env = "OVATE_QUERY_TIMEOUT_MS")]
    pub query_timeout_ms: Option<u64>,

    /// The longest time that a query's context may ask for [default: 3600000].
    #[arg(long, value_name = "MS", env = "OVATE_QUERY_TIMEOUT_MAX_MS")]
    pub query_timeout_max_ms: Option<u64>,

    /// Queries that run at the same time [default: four per core, at least 32].
    #[arg(long, value_name = "N", env = "OVATE_QUERIES_RUNNING_MAX")]
    pub queries_running_max: Option<u64>,

    /// Queries that wait for their turn; further ones are refused [default: 256].
    #[arg(long, value_name = "N", env = "OVATE_QUERIES_WAITING_MAX")]
    pub queries_waiting_max: Option<u64>,

    /// Rows of one answer [default: 50000000].
    #[arg(long, value_name = "N", env = "OVATE_RESULT_ROWS_MAX")]
    pub result_rows_max: Option<u64>,

    /// Bytes of one answer before compression, in MiB [default: 8192].
    #[arg(long, value_name = "MIB", env = "OVATE_RESULT_MIB_MAX")]
    pub result_mib_max: Option<u64>,

    /// Bytes of a statement's text [default: 262144].
    #[arg(long, value_name = "BYTES", env = "OVATE_STATEMENT_BYTES_MAX")]
    pub statement_bytes_max: Option<u64>,

    /// Tokens of a statement [default: 20000].
    #[arg(long, value_name = "N", env = "OVATE_STATEMENT_TOKENS_MAX")]
    pub statement_tokens_max: Option<u64>,

    /// Depth of a statement's parentheses, subqueries and expressions [default: 500]. At most 1000.
    #[arg(long, value_name = "N", env = "OVATE_STATEMENT_DEPTH_MAX")]
    pub statement_depth_max: Option<u64>,

    /// Tables, views and subqueries of a statement [default: 256].
    #[arg(long, value_name = "N", env = "OVATE_STATEMENT_RELATIONS_MAX")]
    pub statement_relations_max: Option<u64>,

    /// Connections that are open at one time; further ones wait [default: 1024].
    #[arg(long, value_name = "N", env = "OVATE_CONNECTIONS_MAX")]
    pub connections_max: Option<u64>,

    /// A connection on which no request's head arrives whole within this time is closed [default: 60000].
    #[arg(long, value_name = "MS", env = "OVATE_HEADER_TIMEOUT_MS")]
    pub header_timeout_ms: Option<u64>,

    /// Bytes of a request's head [default: 65536]. At most 409600.
    #[arg(long, value_name = "BYTES", env = "OVATE_HEADER_BYTES_MAX")]
    pub header_bytes_max: Option<u64>,

    /// A request's body has to be there this long after its head [default: 30000].
    #[arg(long, value_name = "MS", env = "OVATE_BODY_TIMEOUT_MS")]
    pub body_timeout_ms: Option<u64>,

    /// Bytes of a query's body: statement, parameters and context [default: 1048576].
    #[arg(long, value_name = "BYTES", env = "OVATE_REQUEST_BYTES_MAX")]
    pub request_bytes_max: Option<u64>,

    /// Bytes of a supervisor specification [default: 4194304].
    #[arg(long, value_name = "BYTES", env = "OVATE_SPEC_BYTES_MAX")]
    pub spec_bytes_max: Option<u64>,

    /// A client that takes nothing of its answer for so long is cut off [default: 60000].
    #[arg(long, value_name = "MS", env = "OVATE_WRITE_TIMEOUT_MS")]
    pub write_timeout_ms: Option<u64>,

    /// Rows that have arrived and are not published yet, and their dictionaries, may take this much memory per
    /// datasource, in MiB; at half of it they are published, at all of it reading waits [default: 1024].
    #[arg(long, value_name = "MIB", env = "OVATE_HOT_MEMORY_MIB")]
    pub hot_memory_mib: Option<u64>,

    /// Bytes of a message [default: 1048576]. At most 16777215.
    #[arg(long, value_name = "BYTES", env = "OVATE_MESSAGE_BYTES_MAX")]
    pub message_bytes_max: Option<u64>,

    /// Depth of a message's objects and lists [default: 64]. At most 120.
    #[arg(long, value_name = "N", env = "OVATE_MESSAGE_DEPTH_MAX")]
    pub message_depth_max: Option<u64>,

    /// Fields of one object of a message, those of nested objects included [default: 10000].
    #[arg(long, value_name = "N", env = "OVATE_MESSAGE_FIELDS_MAX")]
    pub message_fields_max: Option<u64>,

    /// Columns up to which schema discovery adds some to a datasource [default: 1000].
    #[arg(long, value_name = "N", env = "OVATE_COLUMNS_DISCOVERED_MAX")]
    pub columns_discovered_max: Option<u64>,
}

fn size(set: Option<u64>, default: usize) -> usize {
    set.map_or(default, |value| usize::try_from(value).unwrap_or(usize::MAX))
}

fn bytes(mib: Option<u64>, default: u64) -> u64 {
    mib.map_or(default, |mib| mib.saturating_mul(1 << 20))
}

fn time(ms: Option<u64>, default: Duration) -> Duration {
    ms.map_or(default, Duration::from_millis)
}

/// What a limit may be set to.
fn range(name: &str) -> (i64, i64) {
    match name {
        "queries_waiting_max" | "query_spill_mib" | "query_cache_mib" | "cold_cache_mib" => (0, i64::MAX),
        // Where the JSON parser stops.
        "message_depth_max" => (1, 120),
        // Spans of text carry their length in 24 bits.
        "message_bytes_max" => (1, (1 << 24) - 1),
        // What is counted one by one.
        "connections_max" | "queries_running_max" => (1, 1 << 32),
        // What is kept of a connection before it is answered.
        "header_bytes_max" => (1, 400 << 10),
        // What the stacks of query threads are made for.
        "statement_depth_max" => (1, 1000),
        _ => (1, i64::MAX),
    }
}

impl Limits {
    /// Refuses what no limit can be.
    pub(crate) fn check(&self) -> Result<()> {
        for (name, value) in toml::Table::try_from(self)? {
            let (least, most) = range(&name);
            let value = value.as_integer().unwrap_or_default();
            ensure!((least..=most).contains(&value), "{name}: {value} is not between {least} and {most}");
        }
        Ok(())
    }

    /// Memory for columns of cold segments.
    pub(crate) fn cold_cache_bytes(&self) -> usize {
        usize::try_from(bytes(self.cold_cache_mib, DecodedColumns::BYTES_MAX as u64)).unwrap_or(usize::MAX)
    }

    /// `options` within these limits.
    pub(crate) fn engine(&self, options: EngineOptions) -> EngineOptions {
        let memory = bytes(self.query_memory_mib, options.memory_bytes_max as u64);
        let cache = bytes(self.query_cache_mib, options.cache_bytes_max as u64);
        let statement = options.statement;
        EngineOptions {
            cache_bytes_max: usize::try_from(cache).unwrap_or(usize::MAX),
            memory_bytes_max: usize::try_from(memory).unwrap_or(usize::MAX),
            spill_bytes_max: bytes(self.query_spill_mib, options.spill_bytes_max),
            timeout_default: time(self.query_timeout_ms, options.timeout_default),
            timeout_max: time(self.query_timeout_max_ms, options.timeout_max),
            running_max: size(self.queries_running_max, options.running_max),
            waiting_max: size(self.queries_waiting_max, options.waiting_max),
            result_rows_max: self.result_rows_max.unwrap_or(options.result_rows_max),
            statement: StatementLimits {
                statement_bytes_max: size(self.statement_bytes_max, statement.statement_bytes_max),
                tokens_max: size(self.statement_tokens_max, statement.tokens_max),
                depth_max: size(self.statement_depth_max, statement.depth_max),
                relations_max: size(self.statement_relations_max, statement.relations_max),
            },
            ..options
        }
    }

    /// `options` within these limits.
    pub(crate) fn ingest(&self, options: IngestOptions) -> IngestOptions {
        let hot = bytes(self.hot_memory_mib, options.hot_bytes_max as u64);
        let limits = options.limits;
        IngestOptions {
            hot_bytes_max: usize::try_from(hot).unwrap_or(usize::MAX),
            limits: MessageLimits {
                message_bytes_max: size(self.message_bytes_max, limits.message_bytes_max),
                depth_max: size(self.message_depth_max, limits.depth_max),
                fields_max: size(self.message_fields_max, limits.fields_max),
                columns_max: size(self.columns_discovered_max, limits.columns_max),
                ..limits
            },
            ..options
        }
    }

    /// `options` within these limits.
    pub(crate) fn api(&self, options: ApiOptions) -> ApiOptions {
        ApiOptions {
            connections_max: size(self.connections_max, options.connections_max),
            header_timeout: time(self.header_timeout_ms, options.header_timeout),
            header_bytes_max: size(self.header_bytes_max, options.header_bytes_max),
            body_timeout: time(self.body_timeout_ms, options.body_timeout),
            request_bytes_max: size(self.request_bytes_max, options.request_bytes_max),
            spec_bytes_max: size(self.spec_bytes_max, options.spec_bytes_max),
            write_timeout: time(self.write_timeout_ms, options.write_timeout),
            result_bytes_max: bytes(self.result_mib_max, options.result_bytes_max),
            ..options
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use clap::{ArgMatches, Command, FromArgMatches};

    use super::*;

    /// What each limit comes to, in the unit of its setting.
    fn effective(limits: &Limits) -> BTreeMap<&'static str, u64> {
        let engine = limits.engine(EngineOptions::default());
        let ingest = limits.ingest(IngestOptions::default());
        let api = limits.api(ApiOptions::default());
        let ms = |time: Duration| u64::try_from(time.as_millis()).unwrap();
        BTreeMap::from([
            ("query_memory_mib", engine.memory_bytes_max as u64 >> 20),
            ("query_cache_mib", engine.cache_bytes_max as u64 >> 20),
            ("cold_cache_mib", limits.cold_cache_bytes() as u64 >> 20),
            ("query_spill_mib", engine.spill_bytes_max >> 20),
            ("query_timeout_ms", ms(engine.timeout_default)),
            ("query_timeout_max_ms", ms(engine.timeout_max)),
            ("queries_running_max", engine.running_max as u64),
            ("queries_waiting_max", engine.waiting_max as u64),
            ("result_rows_max", engine.result_rows_max),
            ("result_mib_max", api.result_bytes_max >> 20),
            ("statement_bytes_max", engine.statement.statement_bytes_max as u64),
            ("statement_tokens_max", engine.statement.tokens_max as u64),
            ("statement_depth_max", engine.statement.depth_max as u64),
            ("statement_relations_max", engine.statement.relations_max as u64),
            ("connections_max", api.connections_max as u64),
            ("header_timeout_ms", ms(api.header_timeout)),
            ("header_bytes_max", api.header_bytes_max as u64),
            ("body_timeout_ms", ms(api.body_timeout)),
            ("request_bytes_max", api.request_bytes_max as u64),
            ("spec_bytes_max", api.spec_bytes_max as u64),
            ("write_timeout_ms", ms(api.write_timeout)),
            ("hot_memory_mib", ingest.hot_bytes_max as u64 >> 20),
            ("message_bytes_max", ingest.limits.message_bytes_max as u64),
            ("message_depth_max", ingest.limits.depth_max as u64),
            ("message_fields_max", ingest.limits.fields_max as u64),
            ("columns_discovered_max", ingest.limits.columns_max as u64),
        ])
    }

    fn command() -> Command {
        Limits::augment_args(Command::new("limits"))
    }

    fn from_flag(name: &str, value: u64) -> Limits {
        let flag = format!("--{}", name.replace('_', "-"));
        let matches: ArgMatches =
            command().try_get_matches_from(["limits".to_owned(), flag, value.to_string()]).unwrap();
        Limits::from_arg_matches(&matches).unwrap()
    }

    /// The documented table: name, default, unit, what is limited, what exceeding it gives.
    fn documented() -> BTreeMap<String, Vec<String>> {
        let text = include_str!("../ARCHITECTURE.md");
        let (_, rest) = text.split_once("<!-- limits: begin -->").unwrap();
        let (table, _) = rest.split_once("<!-- limits: end -->").unwrap();
        let rows = table.trim().lines().skip(2);
        rows.map(|row| {
            let cells: Vec<String> = row.trim_matches('|').split('|').map(|c| c.trim().to_owned()).collect();
            (cells[0].trim_matches('`').to_owned(), cells[1..].to_vec())
        })
        .collect()
    }

    #[test]
    fn every_limit_is_documented_with_its_default() {
        let defaults = effective(&Limits::default());
        let documented = documented();
        let names: Vec<&str> = documented.keys().map(String::as_str).collect();
        assert_eq!(names, defaults.keys().copied().collect::<Vec<_>>());
        let mut flags: Vec<String> = command().get_arguments().map(|a| a.get_id().to_string()).collect();
        flags.sort();
        assert_eq!(flags, names);
        for (name, cells) in &documented {
            assert_eq!(cells.len(), 4, "{name}");
            assert!(cells.iter().all(|cell| !cell.is_empty()), "{name}");
            if name == "queries_running_max" {
                // Depends on the machine.
                continue;
            }
            let expected = defaults[name.as_str()].to_string();
            assert_eq!(cells[0].replace(',', ""), expected, "{name}");
            let command = command();
            let argument = command.get_arguments().find(|a| a.get_id() == name.as_str()).unwrap();
            let help = argument.get_help().unwrap().to_string();
            assert!(help.contains(&format!("[default: {expected}]")), "{name}: {help}");
        }
    }

    #[test]
    fn a_flag_a_variable_and_a_key_have_one_name_and_change_one_limit() {
        let defaults = effective(&Limits::default());
        for (name, default) in &defaults {
            let limits = from_flag(name, 7);
            let changed = effective(&limits);
            for (other, value) in &changed {
                let expected = if other == name { 7 } else { defaults[other] };
                assert_eq!(*value, expected, "{name} = 7 (default {default}): {other}");
            }
            let from_file: Limits = toml::from_str(&format!("{name} = 7")).unwrap();
            assert_eq!(effective(&from_file), changed, "{name}");
            let command = command();
            let argument = command.get_arguments().find(|a| a.get_id() == *name).unwrap();
            let variable = argument.get_env().unwrap().to_str().unwrap().to_owned();
            assert_eq!(variable, format!("OVATE_{}", name.to_uppercase()));
        }
    }

    #[test]
    fn what_no_limit_can_be_is_refused_by_name() {
        for (name, value) in [
            ("message_depth_max", 121),
            ("message_bytes_max", 1 << 24),
            ("statement_depth_max", 1001),
            ("connections_max", 0),
        ] {
            let error = from_flag(name, value).check().unwrap_err().to_string();
            assert!(error.starts_with(&format!("{name}: {value} is not between")), "{error}");
        }
        assert!(from_flag("queries_waiting_max", 0).check().is_ok());
        assert!(Limits::default().check().is_ok());
    }
}
