//! A running store: everything that `serve` and `demo` start, and the order in which it starts and ends.
//!
//! ```text
//!  start:  listener bound ─► store opened ─► engine ─► supervisors resumed ─► care begun ─► requests served
//!  end:    no new requests ─► readers stopped, hot rows published ─► care ended ─► folder unlocked
//! ```

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use ovate_api::{ApiOptions, AppState, AuthOptions, Parts, User};
use ovate_ingest::{IngestOptions, OffsetPolicy, SupervisorManager};
use ovate_query::{Engine, EngineOptions, SystemTables};
use ovate_storage::{DecodedColumns, Store, StoreOptions};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::care::{Care, PERIOD};
use crate::settings::{DEFAULT_LISTEN, Settings};
use crate::system::System;

/// How often measurements are folded into their histograms.
const UPKEEP_PERIOD: Duration = Duration::from_secs(5);

/// A store that answers requests.
#[derive(Debug)]
pub(crate) struct Server {
    address: SocketAddr,
    supervisors: Arc<SupervisorManager>,
    care: Care,
    shutdown: CancellationToken,
    serving: JoinHandle<Result<(), ovate_api::ApiError>>,
}

impl Server {
    /// Starts everything on the data folder `data`.
    pub(crate) async fn start(settings: &Settings, data: &Path) -> Result<Self> {
        settings.limits.check()?;
        let listen = settings.listen.map_or_else(|| DEFAULT_LISTEN.to_owned(), |listen| listen.to_string());
        let listener =
            TcpListener::bind(&listen).await.with_context(|| format!("cannot listen on {listen}"))?;
        let address = listener.local_addr()?;
        let api = api_options(settings, address)?;
        // Before anything is read or written: a server that must not be reached starts nothing.
        api.auth.check_listener(address)?;

        let compaction = settings.compaction()?;
        let folder = data.to_path_buf();
        let decoded = DecodedColumns::new(settings.limits.cold_cache_bytes());
        let options = StoreOptions { decoded, ..StoreOptions::default() };
        let store = tokio::task::spawn_blocking(move || Store::open(&folder, options))
            .await
            .context("opening the store was interrupted")??;
        let metrics = PrometheusBuilder::new().install_recorder().context("cannot start the metrics")?;
        let upkeep = metrics.clone();
        let supervisors =
            SupervisorManager::start(Arc::clone(&store), ingest_options(settings, address)?).await?;
        let system: Arc<dyn SystemTables> =
            Arc::new(System::new(Arc::clone(&supervisors), Arc::clone(&store), address));
        let engine = Engine::new(Arc::clone(&store), Arc::clone(&system), engine_options(settings, data))?;
        let period = settings.care_period_ms.map_or(PERIOD, |ms| Duration::from_millis(ms.get()));
        let care = Care::start(Arc::clone(&store), period, compaction)?;
        let parts =
            Parts { engine, supervisors: Arc::clone(&supervisors), store, system, metrics: Some(metrics) };
        let state = AppState::new(parts, api)?;
        let shutdown = CancellationToken::new();
        tokio::spawn(shutdown.clone().run_until_cancelled_owned(keep_up(upkeep)));
        let serving = tokio::spawn(ovate_api::serve(listener, state, shutdown.clone()));
        tracing::info!(%address, data = %data.display(), "ready");
        Ok(Self { address, supervisors, care, shutdown, serving })
    }

    /// Where it listens.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The supervisors.
    pub(crate) fn supervisors(&self) -> &SupervisorManager {
        &self.supervisors
    }

    /// Serves until SIGINT or SIGTERM, or until serving fails; then publishes what is hot.
    pub(crate) async fn run_until_signal(mut self) -> Result<()> {
        let served = tokio::select! {
            ended = &mut self.serving => Some(ended),
            signal = signal() => {
                tracing::info!(signal = signal?, "stopping");
                None
            }
        };
        self.shutdown.cancel();
        let published = self.supervisors.shutdown().await;
        let care = self.care;
        tokio::task::spawn_blocking(|| care.stop()).await.context("the care for segments did not end")?;
        let served = match served {
            Some(ended) => ended,
            None => self.serving.await,
        };
        published.context("cannot publish the last rows; they will be read from Kafka again")?;
        served.context("serving was interrupted")??;
        Ok(())
    }
}

/// Folds what was measured into its histograms. Nothing else does while nobody asks for the metrics, and a measurement
/// takes memory until then.
async fn keep_up(metrics: PrometheusHandle) {
    let mut due = tokio::time::interval(UPKEEP_PERIOD);
    loop {
        due.tick().await;
        metrics.run_upkeep();
    }
}

/// Waits for a signal to stop; gives its name.
async fn signal() -> Result<&'static str> {
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())
        .context("cannot listen for SIGTERM")?;
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => {
            interrupted.context("cannot listen for SIGINT")?;
            Ok("SIGINT")
        }
        _ = terminate.recv() => Ok("SIGTERM"),
    }
}

fn ingest_options(settings: &Settings, address: SocketAddr) -> Result<IngestOptions> {
    Ok(IngestOptions {
        broker_map: settings.broker_pairs()?,
        offset_policy: settings.offset_policy.map_or_else(OffsetPolicy::default, Into::into),
        location: (address.ip().to_string(), address.port()),
        ..settings.limits.ingest(IngestOptions::default())
    })
}

fn engine_options(settings: &Settings, data: &Path) -> EngineOptions {
    let defaults = EngineOptions::default();
    let threads = settings.query_threads.unwrap_or(defaults.threads);
    let spill_folder = Some(data.join("spill"));
    settings.limits.engine(EngineOptions { threads, spill_folder, ..defaults })
}

fn api_options(settings: &Settings, address: SocketAddr) -> Result<ApiOptions> {
    let users = settings.users()?;
    let users = users.into_iter().map(|(name, password_hash)| User { name, password_hash }).collect();
    let options = settings.limits.api(ApiOptions::default());
    let backup_folder = settings.backup_folder.clone();
    Ok(ApiOptions { auth: AuthOptions { users }, advertised: address.to_string(), backup_folder, ..options })
}
