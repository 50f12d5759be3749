//! The listener: connections in, requests served, and an end that loses no answer.
//!
//! At most `connections_max` connections are open; further ones wait in the system's queue. A connection that does
//! not send its headers in time, or does not take its answer, is closed. At shutdown no new connection is taken, idle ones are closed, and
//! requests that are being answered have `drain_timeout` to come to their end.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::error::ApiError;
use crate::stall::Stall;
use crate::state::{ApiOptions, AppState};

/// After a failed `accept`, which is nearly always a lack of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

/// Serves the API until `shutdown` is cancelled.
///
/// # Errors
/// [`ApiError::OpenListener`] if there are no users and the listener can be reached from other machines.
pub async fn serve(
    listener: TcpListener,
    state: AppState,
    shutdown: CancellationToken,
) -> Result<(), ApiError> {
    state.options.auth.check_listener(listener.local_addr()?)?;
    let server = Server {
        router: crate::router(state.clone()),
        options: Arc::clone(&state.options),
        shutdown: shutdown.clone(),
    };
    let places = Arc::new(Semaphore::new(state.options.connections_max));
    let mut connections = JoinSet::new();
    while let Some((stream, place)) = next_connection(&listener, &places, &shutdown).await {
        connections.spawn(server.clone().connection(stream, place));
        while connections.try_join_next().is_some() {}
    }
    drop(listener);
    let drained = async { while connections.join_next().await.is_some() {} };
    if timeout(state.options.drain_timeout, drained).await.is_err() {
        tracing::warn!(open = connections.len(), "requests did not end in time and are cut off");
    }
    Ok(())
}

/// The next connection and its place among the open ones; `None` at shutdown.
async fn next_connection(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
    shutdown: &CancellationToken,
) -> Option<(TcpStream, OwnedSemaphorePermit)> {
    let next = async {
        let place = Arc::clone(places).acquire_owned().await.ok()?;
        loop {
            match listener.accept().await {
                Ok((stream, _)) => return Some((stream, place)),
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection");
                    sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    };
    tokio::select! {
        next = next => next,
        () = shutdown.cancelled() => None,
    }
}

#[derive(Clone)]
struct Server {
    router: Router,
    options: Arc<ApiOptions>,
    shutdown: CancellationToken,
}

impl Server {
    async fn connection(self, stream: TcpStream, _place: OwnedSemaphorePermit) {
        // Small answers are the rule; they must not wait for more bytes to share a packet with.
        let _ = stream.set_nodelay(true);
        let stream = Stall::new(stream, self.options.write_timeout);
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(self.options.header_timeout)
            .max_header_size(self.options.header_bytes_max)
            .serve_connection(TokioIo::new(stream), TowerToHyperService::new(self.router));
        let mut connection = std::pin::pin!(connection);
        let ended = tokio::select! {
            ended = connection.as_mut() => ended,
            () = self.shutdown.cancelled() => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if let Err(error) = ended {
            tracing::debug!(%error, "a connection ended early");
        }
    }
}
