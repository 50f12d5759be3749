//! Druid's HTTP API, and a page to look at.
//!
//! ```text
//!  request ─► layers ─► routes ─┬─► sql ─────► Engine ─► formats ─► bytes, as they are computed
//!                               ├─► supervisors ─► SupervisorManager
//!                               ├─► coordinator, datasources ─► Store
//!                               └─► page
//! ```
//!
//! The reference is what Apache Druid 33 says on the wire: paths, statuses, bodies, the bytes of results. Stock
//! Druid clients work against it unchanged.
//!
//! * [`formats`]: results as Druid writes them, from columns.
//! * `sql`: statements. `routes`: every path. `views`: the store in Druid's JSON.
//! * `refusal`: errors in Druid's shapes. `auth`: users. `layers`: what happens to every request.
//! * `server`: connections and shutdown.
//!
//! The crate knows how things are said, not how they are computed. To follow a query, start at `sql::post`.

#![deny(unsafe_code)]

mod auth;
mod body;
mod clock;
mod error;
pub mod formats;
mod framing;
mod layers;
mod percent;
mod refusal;
mod routes;
mod server;
mod sql;
mod stall;
mod state;
mod views;

pub use auth::{AuthOptions, User, basic_credentials, hash_password};
pub use error::ApiError;
pub use server::serve;
pub use state::{ApiOptions, AppState, Parts};

/// The whole API as one service. [`serve`] puts it behind a listener.
pub fn router(state: AppState) -> axum::Router {
    layers::around(routes::all(), &state).with_state(state)
}
