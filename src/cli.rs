//! The command line of `ovate`.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use ovate_storage::time::Period;

use crate::settings::Settings;

/// An embedded columnar time-series store that speaks Apache Druid.
#[derive(Debug, Parser)]
#[command(version, arg_required_else_help = true)]
pub(crate) struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Runs the store: Kafka in, Druid's HTTP API out.
    #[command(after_help = "\
Examples:
  ovate serve --data /var/lib/ovate
  ovate serve --data ./data --listen 127.0.0.1:8888 --broker-map kafka_broker:29092=127.0.0.1:9092
  OVATE_DATA=./data ovate serve --config ovate.toml

Then POST a supervisor specification to http://127.0.0.1:8888/druid/indexer/v1/supervisor.")]
    Serve(Serve),

    /// Shows it all on one machine: doors in Zürich, their events, live alerts. Needs nothing else.
    #[command(after_help = "\
Examples:
  ovate demo
  ovate demo --listen 127.0.0.1:9999 --rate 1000
  ovate demo --data ./demo-data --no-disruption")]
    Demo(Demo),

    /// Asks a running store.
    #[command(after_help = "\
Examples:
  ovate query 'SELECT COUNT(*) FROM EVENTS_GEO'
  ovate query --format csv --url http://user:password@127.0.0.1:8888 'SELECT * FROM DEVICES LIMIT 10'
  echo 'SELECT 1' | ovate query -")]
    Query(Query),

    /// Lists the segments in a data folder that no process has open.
    #[command(after_help = "Example:\n  ovate segments --data ./data")]
    Segments(Folder),

    /// Reads every file of a data folder and checks it against its checksums and the catalog.
    #[command(after_help = "Example:\n  ovate verify --data ./data")]
    Verify(Folder),

    /// Copies a store as one commit left it, segments and offsets alike: a data folder that no process has open into
    /// an empty folder, or a running store into the server's folder for backups.
    #[command(after_help = "\
Examples:
  ovate backup --data ./data --to /mnt/backups/monday
  ovate backup --url http://127.0.0.1:8888 --name monday")]
    Backup(Backup),

    /// Lists the places at which `OVATE_FAIL_POINT` can end the process. Tests read it.
    #[cfg(debug_assertions)]
    #[command(hide = true)]
    FailPoints,

    /// Makes a data folder from a backup, and reads every byte of both.
    #[command(after_help = "Example:\n  ovate restore --from /mnt/backups/monday --data ./data")]
    Restore(Restore),

    /// Merges the small segments of a data folder that no process has open, and makes cold ones Parquet. A running store
    /// does so by itself.
    #[command(
        after_help = "Examples:\n  ovate compact --data ./data\n  ovate compact --data ./data --cold-after P30D"
    )]
    Compact(Compact),

    /// Writes the published rows of a data folder that no process has open as Parquet files, one for each segment. A backup
    /// is such a folder.
    #[command(after_help = "\
Examples:
  ovate export --data ./data --to ./parquet
  ovate export --data /mnt/backups/monday --datasource EVENTS_GEO --to ./parquet")]
    Export(Export),

    /// Reads a password from standard input and prints its hash, for the setting `user`.
    #[command(after_help = "Example:\n  ovate hash-password < password.txt")]
    HashPassword,
}

/// `ovate serve`.
#[derive(Debug, Args)]
pub(crate) struct Serve {
    /// A TOML file with any of the settings below; flags and variables win over it.
    #[arg(long, value_name = "FILE", env = "OVATE_CONFIG")]
    pub config: Option<PathBuf>,
    /// Settings.
    #[command(flatten)]
    pub settings: Settings,
}

/// `ovate demo`.
#[derive(Debug, Args)]
pub(crate) struct Demo {
    /// Events a second.
    #[arg(long, value_name = "N", default_value_t = 250)]
    pub rate: u32,
    /// Doors in the city.
    #[arg(long, value_name = "N", default_value_t = 1000)]
    pub devices: usize,
    /// The city's seed: the same seed gives the same doors.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// No doors that reject almost everyone, so no alerts.
    #[arg(long)]
    pub no_disruption: bool,
    /// Settings. A data folder must be new; without one, a temporary one is used and removed at the end.
    #[command(flatten)]
    pub settings: Settings,
}

/// `ovate query`.
#[derive(Debug, Args)]
pub(crate) struct Query {
    /// The store, with user and password where it asks for them.
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8888", env = "OVATE_URL")]
    pub url: String,
    /// How to print the answer.
    #[arg(long, value_enum, default_value_t = Format::Box)]
    pub format: Format,
    /// The statement; `-` reads it from standard input.
    pub sql: String,
}

/// How `ovate query` prints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// A table drawn with lines.
    Box,
    /// One JSON object a line.
    Json,
    /// Comma-separated values with a header.
    Csv,
    /// An Arrow IPC stream.
    Arrow,
}

/// Commands that read a data folder.
#[derive(Debug, Args)]
pub(crate) struct Folder {
    /// The data folder.
    #[arg(long, value_name = "DIR", env = "OVATE_DATA")]
    pub data: PathBuf,
}

/// `ovate compact`.
#[derive(Debug, Args)]
pub(crate) struct Compact {
    /// The data folder.
    #[command(flatten)]
    pub folder: Folder,
    /// How long after the end of its time chunk a segment is cold [default: never].
    #[arg(long, value_name = "PERIOD", env = "OVATE_COLD_AFTER", value_parser = Period::parse)]
    pub cold_after: Option<Period>,
}

/// `ovate backup`.
#[derive(Debug, Args)]
#[group(skip)]
pub(crate) struct Backup {
    /// The data folder.
    #[arg(long, value_name = "DIR", env = "OVATE_DATA", requires = "to", required_unless_present = "url")]
    pub data: Option<PathBuf>,
    /// Where to: an empty folder, or one that does not exist. On the same file system it takes no room.
    #[arg(long, value_name = "DIR", conflicts_with = "url")]
    pub to: Option<PathBuf>,
    /// A running store, with user and password where it asks for them.
    #[arg(long, value_name = "URL", requires = "name")]
    pub url: Option<String>,
    /// What the backup of a running store is called, in the folder that its server makes backups in.
    #[arg(long, value_name = "NAME", requires = "url")]
    pub name: Option<String>,
}

/// `ovate export`.
#[derive(Debug, Args)]
pub(crate) struct Export {
    /// The data folder.
    #[command(flatten)]
    pub folder: Folder,
    /// The datasource [default: all of them].
    #[arg(long, value_name = "NAME")]
    pub datasource: Option<String>,
    /// Where to: an empty folder, or one that does not exist. Each datasource gets a folder in it.
    #[arg(long, value_name = "DIR")]
    pub to: PathBuf,
}

/// `ovate restore`.
#[derive(Debug, Args)]
pub(crate) struct Restore {
    /// The backup.
    #[arg(long, value_name = "DIR")]
    pub from: PathBuf,
    /// The data folder to be: empty, or one that does not exist.
    #[arg(long, value_name = "DIR", env = "OVATE_DATA")]
    pub data: PathBuf,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_backup_is_of_a_folder_or_of_a_running_store() {
        let parses = |line: &str| Cli::try_parse_from(line.split(' ')).is_ok();
        assert!(parses("ovate backup --data d --to b") && parses("ovate backup --url http://h:1 --name n"));
        assert!(!parses("ovate backup --data d") && !parses("ovate backup --url http://h:1"));
        assert!(!parses("ovate backup --url http://h:1 --name n --to b") && !parses("ovate backup --to b"));
    }
}
