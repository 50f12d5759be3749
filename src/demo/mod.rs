//! `ovate demo`: the whole case study on one machine, with nothing to install.
//!
//! ```text
//!  feed ──► EVENTS, DEVICES            librdkafka's mock cluster, in this process;
//!    ├─ enrichment ──► EVENTS_GEO      real clients can connect to it
//!    └─ alert windows ► ALERTS ──► supervisors (the three unmodified specifications) ──► SQL, the page at /
//! ```
//!
//! The feed stands for the producers and for the two stream-processing jobs; what it computes is held against
//! real output of those jobs in the tests. The mock cluster keeps little and hides no aborted transaction: it is
//! a broker for a demonstration, nothing more.

mod alerts;
mod city;
mod enrich;
mod feed;

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use rdkafka::mocking::MockCluster;
use tokio_util::sync::CancellationToken;

use crate::cli::Demo;
use crate::server::Server;
use feed::{Feed, FeedOptions};

/// The case study's specifications, as they are published: topic, partitions, text.
const SPECS: [(&str, i32, &str); 3] = [
    ("DEVICES", 1, include_str!("specs/devices_ingestion.json")),
    ("EVENTS_GEO", 4, include_str!("specs/events_geo_ingestion.json")),
    ("ALERTS", 1, include_str!("specs/alerts_ingestion.json")),
];
/// The broker that the specifications name.
const SPEC_BROKER: &str = "kafka_broker:29092";

/// Runs the demonstration until it is interrupted.
pub(crate) async fn run(options: Demo) -> Result<()> {
    let cluster = MockCluster::new(1).context("cannot start the broker")?;
    cluster.create_topic("EVENTS", 4, 1).context("cannot create topic EVENTS")?;
    for (topic, partitions, _) in SPECS {
        cluster.create_topic(topic, partitions, 1).with_context(|| format!("cannot create topic {topic}"))?;
    }
    let bootstrap = cluster.bootstrap_servers();

    let mut settings = options.settings.clone();
    settings.broker_map.get_or_insert_default().push(format!("{SPEC_BROKER}={bootstrap}"));
    let folder = DataFolder::new(settings.data.clone())?;
    let server = Server::start(&settings, &folder.path).await?;
    for (name, _, spec) in SPECS {
        let spec = serde_json::from_str(spec).with_context(|| format!("specification {name}"))?;
        server.supervisors().post(spec).await.with_context(|| format!("specification {name}"))?;
    }

    let feed = Feed::new(
        &bootstrap,
        FeedOptions {
            rate: options.rate,
            devices: options.devices,
            seed: options.seed,
            disruption: !options.no_disruption,
        },
    )?;
    let stop = CancellationToken::new();
    let feeding = tokio::task::spawn_blocking({
        let stop = stop.clone();
        move || feed.run(&stop)
    });
    println!("{}", greeting(&server, &bootstrap, &options));
    let result = server.run_until_signal().await;
    stop.cancel();
    feeding.await.context("the feed stopped")??;
    result
}

fn greeting(server: &Server, bootstrap: &str, options: &Demo) -> String {
    let url = server.url();
    format!(
        "\
Ovate is running: {} doors in Zürich, {} events a second.

  the map      {url}/
  SQL          {url}/druid/v2/sql
  SQLAlchemy   druid://{}/druid/v2/sql
  Kafka        {bootstrap}   (topics DEVICES, EVENTS, EVENTS_GEO, ALERTS)

Three things to try:
  1. Open {url}/ and watch the doors near 47.37, 8.52.
  2. ovate query --url {url} \"SELECT TIME_FLOOR(__time, 'PT1M') AS \\\"minute\\\", eventNotificationName, COUNT(*) AS n
       FROM EVENTS_GEO GROUP BY 1, 2 ORDER BY 1 DESC, 2 LIMIT 10\"
  3. curl -s {url}/druid/v2/sql -H 'Content-Type: application/json' \\
       -d '{{\"query\": \"SELECT * FROM ALERTS ORDER BY __time DESC LIMIT 5\"}}'

Ctrl+C ends it.",
        options.devices,
        options.rate,
        url.trim_start_matches("http://"),
    )
}

/// Where the demonstration keeps its data: where it was told to, or a temporary folder that it removes.
struct DataFolder {
    path: PathBuf,
    temporary: bool,
}

impl DataFolder {
    fn new(given: Option<PathBuf>) -> Result<Self> {
        if let Some(path) = given {
            // Its offsets are those of a broker that is gone, so nothing would be read.
            ensure!(
                !path.join("catalog.redb").exists(),
                "{} holds data already; a demonstration needs a new folder, as its broker lives no longer than it does. \
                 `ovate serve --data {0}` shows what is there",
                path.display()
            );
            return Ok(Self { path, temporary: false });
        }
        let path = std::env::temp_dir().join(format!("ovate-demo-{}", std::process::id()));
        std::fs::create_dir(&path).with_context(|| format!("cannot create {}", path.display()))?;
        Ok(Self { path, temporary: true })
    }
}

impl Drop for DataFolder {
    fn drop(&mut self) {
        if self.temporary
            && let Err(error) = std::fs::remove_dir_all(&self.path)
        {
            tracing::warn!(folder = %self.path.display(), %error, "cannot remove the demonstration's data");
        }
    }
}

#[cfg(test)]
mod tests {
    //! The feed's two jobs against one run of the real ones, and where data may go.

    use std::collections::HashMap;
    use std::io::Read;

    use super::DataFolder;
    use super::alerts::{Alert, AlertWindows};
    use super::city::Device;
    use super::enrich::{Event, EventGeo, enrich};

    fn lines(name: &str) -> Vec<String> {
        let path = format!("{}/tests/data/{name}.jsonl.gz", env!("CARGO_MANIFEST_DIR"));
        let mut text = String::new();
        flate2::read::GzDecoder::new(std::fs::File::open(path).unwrap()).read_to_string(&mut text).unwrap();
        text.lines().map(str::to_owned).collect()
    }

    fn devices() -> HashMap<String, Device> {
        let path = format!("{}/tests/data/devices_zurich.json", env!("CARGO_MANIFEST_DIR"));
        let devices: Vec<Device> = serde_json::from_reader(std::fs::File::open(path).unwrap()).unwrap();
        devices.into_iter().map(|device| (device.device_id.clone(), device)).collect()
    }

    #[test]
    fn a_folder_of_an_earlier_demonstration_is_refused_and_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("data");
        assert!(DataFolder::new(Some(path.clone())).is_ok());
        drop(ovate_storage::Store::open(&path, ovate_storage::StoreOptions::default()).unwrap());
        let error = DataFolder::new(Some(path.clone())).err().unwrap().to_string();
        assert!(error.contains("holds data already") && error.contains("ovate serve --data"), "{error}");
        assert!(path.join("catalog.redb").exists());
    }

    #[test]
    fn enrichment_gives_the_rows_of_the_real_job() {
        let devices = devices();
        let mut ours: Vec<String> = lines("EVENTS")
            .iter()
            .map(|line| serde_json::from_str::<Event>(line).unwrap())
            .filter_map(|event| enrich(event, &devices))
            .map(|row| serde_json::to_string(&row).unwrap())
            .collect();
        let mut theirs = lines("EVENTS_GEO");
        ours.sort_unstable();
        theirs.sort_unstable();
        assert_eq!(ours.len(), 49_000);
        assert!(ours == theirs, "first difference: {:?}", ours.iter().zip(&theirs).find(|(a, b)| a != b));
    }

    #[test]
    fn alert_windows_give_the_alerts_of_the_real_job() {
        let devices = devices();
        let mut windows = AlertWindows::default();
        let mut ours: Vec<Alert> = lines("EVENTS")
            .iter()
            .map(|line| serde_json::from_str::<Event>(line).unwrap())
            .filter_map(|event| enrich(event, &devices))
            .flat_map(|row: EventGeo| windows.add(&row))
            .collect();
        let mut theirs: Vec<Alert> =
            lines("ALERTS").iter().map(|line| serde_json::from_str(line).unwrap()).collect();
        ours.sort();
        theirs.sort();
        assert_eq!(theirs.len(), 20);
        assert_eq!(ours, theirs);
    }
}
