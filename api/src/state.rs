//! What every route shares: the engine, the supervisors, the store, and who may use them.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use metrics_exporter_prometheus::PrometheusHandle;
use ovate_ingest::SupervisorManager;
use ovate_query::{Engine, SystemTables};
use ovate_storage::Store;

use crate::auth::{AuthOptions, Authenticator};
use crate::error::ApiError;

/// How the API is served.
#[derive(Debug, Clone)]
pub struct ApiOptions {
    /// Who may use it.
    pub auth: AuthOptions,
    /// The address that clients reach this server at, `host:port`: what leader and server lists name.
    pub advertised: String,
    /// Where backups are made; `backups` in the data folder, if `None`.
    pub backup_folder: Option<PathBuf>,
    /// Connections that may be open at once; further ones wait.
    pub connections_max: usize,
    /// A connection that has not sent a request's headers for so long is closed.
    pub header_timeout: Duration,
    /// Bytes of a request's head: the first line and the headers.
    pub header_bytes_max: usize,
    /// A request's body has to be there this long after its head.
    pub body_timeout: Duration,
    /// Bytes of the body of a query.
    pub request_bytes_max: usize,
    /// Bytes of a supervisor specification.
    pub spec_bytes_max: usize,
    /// A client that takes nothing of its answer for so long is cut off.
    pub write_timeout: Duration,
    /// Bytes of one result, before compression.
    pub result_bytes_max: u64,
    /// At shutdown, requests that are being answered get this long.
    pub drain_timeout: Duration,
}

impl Default for ApiOptions {
    fn default() -> Self {
        Self {
            auth: AuthOptions::default(),
            advertised: "127.0.0.1:8888".to_owned(),
            backup_folder: None,
            connections_max: 1024,
            header_timeout: Duration::from_mins(1),
            header_bytes_max: 64 << 10,
            body_timeout: Duration::from_secs(30),
            request_bytes_max: 1 << 20,
            spec_bytes_max: 4 << 20,
            write_timeout: Duration::from_mins(1),
            result_bytes_max: 8 << 30,
            drain_timeout: Duration::from_secs(5),
        }
    }
}

/// The parts that the API shows. All of them belong to the caller.
#[derive(Clone)]
pub struct Parts {
    /// Answers statements.
    pub engine: Arc<Engine>,
    /// Reads streams.
    pub supervisors: Arc<SupervisorManager>,
    /// Holds rows.
    pub store: Arc<Store>,
    /// Servers, as `sys` shows them.
    pub system: Arc<dyn SystemTables>,
    /// The recorder behind `/metrics`; `None`: there is no such page.
    pub metrics: Option<PrometheusHandle>,
}

impl fmt::Debug for Parts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Parts").field("system", &self.system).finish_non_exhaustive()
    }
}

/// The state of the API. Cheap to clone.
#[derive(Clone)]
pub struct AppState {
    pub(crate) engine: Arc<Engine>,
    pub(crate) supervisors: Arc<SupervisorManager>,
    pub(crate) store: Arc<Store>,
    pub(crate) system: Arc<dyn SystemTables>,
    pub(crate) metrics: Option<PrometheusHandle>,
    pub(crate) authenticator: Arc<Authenticator>,
    pub(crate) options: Arc<ApiOptions>,
}

impl AppState {
    /// Puts the parts together. Checks the users.
    pub fn new(parts: Parts, options: ApiOptions) -> Result<Self, ApiError> {
        let Parts { engine, supervisors, store, system, metrics } = parts;
        let authenticator = Arc::new(Authenticator::new(&options.auth)?);
        Ok(Self { engine, supervisors, store, system, metrics, authenticator, options: Arc::new(options) })
    }
}

impl fmt::Debug for AppState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AppState").field("options", &self.options).finish_non_exhaustive()
    }
}
