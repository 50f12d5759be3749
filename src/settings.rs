//! Settings: flags, `OVATE_…` variables and a TOML file say the same things under the same names.
//!
//! [`Settings`] is both the set of flags and the shape of the file, so the three cannot drift apart. A flag wins over
//! a variable, a variable over the file. A key that does not exist is refused with the nearest one that does. Limits
//! are settings too; they stand in [`crate::limits`].

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::net::SocketAddr;
use std::num::NonZeroU64;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::{Args, Command, ValueEnum};
use ovate_ingest::OffsetPolicy;
use ovate_storage::time::Period;
use serde::{Deserialize, Serialize};

use crate::care::Compaction;
use crate::limits::Limits;

/// How the names of all variables begin.
const PREFIX: &str = "OVATE_";

/// Where a store listens unless told otherwise: the port on which Druid's router is expected.
pub(crate) const DEFAULT_LISTEN: &str = "127.0.0.1:8888";

/// Everything that can be set for `serve` and `demo`. `None` means: the default.
#[derive(Debug, Clone, Default, Args, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Settings {
    /// The data folder. It is made if it does not exist.
    #[arg(long, value_name = "DIR", env = "OVATE_DATA")]
    pub data: Option<PathBuf>,

    /// The address to listen on [default: 127.0.0.1:8888]. Others than loopback require at least one user.
    #[arg(long, value_name = "ADDRESS:PORT", env = "OVATE_LISTEN")]
    pub listen: Option<SocketAddr>,

    /// Reads `B` where a specification names the Kafka bootstrap server `A`. May be repeated.
    #[arg(long, value_name = "A=B", env = "OVATE_BROKER_MAP", value_delimiter = ',')]
    pub broker_map: Option<Vec<String>>,

    /// A user and the hash of the password, as `ovate hash-password` prints it. May be repeated.
    #[arg(long, value_name = "NAME=HASH", env = "OVATE_USER", value_delimiter = ';')]
    pub user: Option<Vec<String>>,

    /// Threads that run queries [default: one per core].
    #[arg(long, value_name = "N", env = "OVATE_QUERY_THREADS")]
    pub query_threads: Option<usize>,

    /// What to do where Kafka does not have the offset to read next [default: fail]. A specification with
    /// `resetOffsetAutomatically` decides for itself.
    #[arg(long, value_enum, value_name = "POLICY", env = "OVATE_OFFSET_POLICY")]
    pub offset_policy: Option<Policy>,

    /// Whether small segments are merged while the store runs [default: true].
    #[arg(long, value_name = "BOOL", env = "OVATE_COMPACTION")]
    pub compaction: Option<bool>,

    /// How long after the end of its time chunk a segment is cold, as an ISO 8601 period: `P30D`. Cold segments become
    /// Parquet files, which take less room and longer to read [default: never].
    #[arg(long, value_name = "PERIOD", env = "OVATE_COLD_AFTER", value_parser = Period::parse)]
    pub cold_after: Option<Period>,

    /// How often the store looks for segments to merge, to drop and to remove [default: 10000].
    #[arg(long, value_name = "MS", env = "OVATE_CARE_PERIOD_MS")]
    pub care_period_ms: Option<NonZeroU64>,

    /// Where backups of the running store are made [default: backups in the data folder].
    #[arg(long, value_name = "DIR", env = "OVATE_BACKUP_FOLDER")]
    pub backup_folder: Option<PathBuf>,

    /// What to log: a level, or `module=level` pairs [default: info].
    #[arg(long, value_name = "FILTER", env = "OVATE_LOG")]
    pub log: Option<String>,

    /// Log one JSON object a line.
    #[arg(long, env = "OVATE_LOG_JSON", num_args = 0..=1, default_missing_value = "true")]
    pub log_json: Option<bool>,

    /// How much clients, messages and queries may ask for.
    #[command(flatten)]
    #[serde(flatten)]
    pub limits: Limits,
}

/// The offset policies by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Policy {
    /// Stop reading until somebody decides.
    Fail,
    /// Go on at the earliest message there is, and count the gap.
    Earliest,
    /// Go on at the end, and count the gap.
    Latest,
}

impl From<Policy> for OffsetPolicy {
    fn from(policy: Policy) -> Self {
        match policy {
            Policy::Fail => Self::Fail,
            Policy::Earliest => Self::Earliest,
            Policy::Latest => Self::Latest,
        }
    }
}

impl Settings {
    /// These settings, completed from `file` if one is given.
    pub(crate) fn with_file(self, file: Option<&Path>) -> Result<Self> {
        let Some(path) = file else { return Ok(self) };
        let text =
            std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        self.over(&text).with_context(|| format!("in {}", path.display()))
    }

    /// These settings, completed from a file's text.
    fn over(self, text: &str) -> Result<Self> {
        let mut table = toml::Table::new();
        for (key, value) in toml::from_str::<toml::Table>(text)? {
            let name = key.replace('-', "_");
            Self::check_key(&key, &name)?;
            table.insert(name, value);
        }
        table.extend(toml::Table::try_from(&self)?);
        Ok(table.try_into()?)
    }

    fn check_key(key: &str, name: &str) -> Result<()> {
        let known = Self::keys();
        if known.iter().any(|known| known == name) {
            return Ok(());
        }
        let nearest = known
            .iter()
            .max_by(|a, b| strsim::jaro_winkler(a, name).total_cmp(&strsim::jaro_winkler(b, name)));
        match nearest {
            Some(nearest) => bail!("unknown key {key:?}; did you mean {nearest:?}?"),
            None => bail!("unknown key {key:?}"),
        }
    }

    /// The names of all settings, as clap knows them.
    fn keys() -> Vec<String> {
        let command = Self::augment_args(Command::new("keys"));
        command.get_arguments().map(|argument| argument.get_id().to_string()).collect()
    }

    /// The broker map as pairs.
    pub(crate) fn broker_pairs(&self) -> Result<Vec<(String, String)>> {
        pairs(self.broker_map.as_deref(), "broker_map", "kafka_broker:29092=127.0.0.1:9092")
    }

    /// What the store does for its segments; `None`: it leaves them as they were published.
    pub(crate) fn compaction(&self) -> Result<Option<Compaction>> {
        let cold_after = self.cold_after;
        match (self.compaction.unwrap_or(true), cold_after) {
            (_, Some(period)) if !period.is_positive() => bail!("cold_after: {period} is no time"),
            (false, Some(_)) => bail!("cold_after needs compaction: it is what makes segments cold"),
            (merges, _) => Ok(merges.then(|| Compaction { cold_after, ..Compaction::default() })),
        }
    }

    /// Users and password hashes.
    pub(crate) fn users(&self) -> Result<Vec<(String, String)>> {
        pairs(self.user.as_deref(), "user", "alice=$argon2id$…")
    }
}

/// How alike two names are, from 0 to 1, from which on one is taken for a slip of the pen for the other.
const ALIKE: f64 = 0.9;

/// The variables named `OVATE_…` that no argument of `command` has. An error if one is nearly the name of one that has:
/// what was meant to be set would not be. Scripts around the program have variables of their own.
pub(crate) fn unknown_variables(
    command: &Command,
    variables: impl Iterator<Item = (OsString, OsString)>,
) -> Result<Vec<String>> {
    let arguments = command.get_subcommands().flat_map(Command::get_arguments);
    let known: BTreeSet<&str> =
        arguments.filter_map(|argument| argument.get_env().and_then(OsStr::to_str)).collect();
    let mut unknown = Vec::new();
    for (name, _) in variables {
        let Some(name) = name.to_str().filter(|name| name.starts_with(PREFIX) && !known.contains(name))
        else {
            continue;
        };
        let likeness = |known: &str| strsim::jaro_winkler(&known[PREFIX.len()..], &name[PREFIX.len()..]);
        let nearest = known.iter().max_by(|a, b| likeness(a).total_cmp(&likeness(b)));
        if let Some(nearest) = nearest.filter(|nearest| likeness(nearest) >= ALIKE) {
            bail!("unknown variable {name}; did you mean {nearest}?");
        }
        unknown.push(name.to_owned());
    }
    Ok(unknown)
}

fn pairs(values: Option<&[String]>, key: &str, example: &str) -> Result<Vec<(String, String)>> {
    values
        .unwrap_or_default()
        .iter()
        .map(|value| match value.split_once('=') {
            Some((left, right)) if !left.trim().is_empty() && !right.trim().is_empty() => {
                Ok((left.trim().to_owned(), right.trim().to_owned()))
            }
            _ => bail!("{key}: {value:?} is not of the form {example}"),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;
    use crate::cli::Cli;

    #[test]
    fn a_variable_that_is_nearly_a_settings_is_refused_and_others_are_named() {
        let unknown = |names: &[&str]| {
            let variables = names.iter().map(|name| ((*name).into(), "1".into()));
            unknown_variables(&Cli::command(), variables).map_err(|error| error.to_string())
        };
        assert_eq!(
            unknown(&["OVATE_LISTN"]),
            Err("unknown variable OVATE_LISTN; did you mean OVATE_LISTEN?".into())
        );
        let names =
            ["OVATE_DATA", "OVATE_URL", "OVATE_QUERY_CACHE_MIB", "PATH", "OVATE_BIN", "OVATE_TEST_SEED"];
        assert_eq!(unknown(&names), Ok(vec!["OVATE_BIN".into(), "OVATE_TEST_SEED".into()]));
    }

    #[test]
    fn an_unknown_key_names_the_nearest_one() {
        let error = Settings::default().over("lisen = \"127.0.0.1:1\"").unwrap_err().to_string();
        assert_eq!(error, "unknown key \"lisen\"; did you mean \"listen\"?");
    }

    #[test]
    fn a_flag_wins_over_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ovate.toml");
        std::fs::write(&path, "log = \"warn\"\nquery-threads = 3\nbroker_map = [\"a:1=b:2\"]\n").unwrap();
        let flags = Settings { log: Some("debug".into()), ..Settings::default() };
        let settings = flags.with_file(Some(&path)).unwrap();
        assert_eq!(settings.log.as_deref(), Some("debug"));
        assert_eq!(settings.query_threads, Some(3));
        assert_eq!(settings.broker_pairs().unwrap(), [("a:1".to_owned(), "b:2".to_owned())]);
    }

    #[test]
    fn a_file_names_the_offset_policy_as_the_flag_does() {
        assert_eq!(
            Settings::default().over("offset_policy = \"latest\"").unwrap().offset_policy,
            Some(Policy::Latest)
        );
        assert!(Settings::default().over("offset_policy = \"newest\"").is_err());
    }

    #[test]
    fn when_segments_are_cold_is_a_period_and_needs_compaction() {
        let settings = |text: &str| Settings::default().over(text);
        let cold = settings("cold_after = \"P30D\"").unwrap().compaction().unwrap().unwrap();
        assert_eq!(cold.at(30 * 86_400_000 + 7).cold_before_ms, Some(7));
        assert_eq!(Settings::default().compaction().unwrap().unwrap().at(7).cold_before_ms, None);
        assert!(settings("cold_after = \"30 days\"").is_err());
        let refused = |text| settings(text).unwrap().compaction().unwrap_err().to_string();
        assert!(refused("cold_after = \"PT0S\"").contains("is no time"));
        assert!(refused("cold_after = \"P1D\"\ncompaction = false").contains("needs compaction"));
    }

    #[test]
    fn a_broker_map_that_maps_nothing_is_refused() {
        let settings = Settings { broker_map: Some(vec!["a:1".into()]), ..Settings::default() };
        assert!(settings.broker_pairs().unwrap_err().to_string().contains("broker_map"));
    }
}
