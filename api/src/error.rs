//! Why the API could not be set up or served. What a request is refused with is in [`crate::refusal`].

use std::net::SocketAddr;

/// An error of the API as a whole.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ApiError {
    /// Without users everybody who reaches the port may do everything, so only this machine may reach it.
    #[error(
        "refusing to listen on {0} without users: anyone who reaches it could read and delete everything; \
         configure a user, or listen on 127.0.0.1"
    )]
    OpenListener(SocketAddr),
    /// A user that cannot be one.
    #[error("user {name:?}: {reason}")]
    BadUser {
        /// The name as configured.
        name: String,
        /// What is wrong.
        reason: String,
    },
    /// A password that cannot be hashed.
    #[error("password: {0}")]
    BadPassword(String),
    /// The random number generator of the system failed.
    #[error("no random numbers from the system: {0}")]
    Random(String),
    /// The listener failed.
    #[error("cannot serve on the listener: {0}")]
    Listener(#[from] std::io::Error),
}
