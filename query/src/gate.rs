//! Who may run: a number of statements at once, a queue for the next ones, refusal beyond that. And who is
//! running: the register that `cancel` looks in.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

use crate::error::QueryError;

/// The way into the engine.
#[derive(Debug)]
pub(crate) struct Gate {
    slots: Arc<Semaphore>,
    waiting: AtomicUsize,
    running_max: usize,
    waiting_max: usize,
}

impl Gate {
    pub(crate) fn new(running_max: usize, waiting_max: usize) -> Self {
        let running_max = running_max.max(1);
        Self {
            slots: Arc::new(Semaphore::new(running_max)),
            waiting: AtomicUsize::new(0),
            running_max,
            waiting_max,
        }
    }

    /// Waits for a slot. Refused at once when the queue is full. Dropping the permit frees the slot.
    pub(crate) async fn enter(&self) -> Result<OwnedSemaphorePermit, QueryError> {
        if let Ok(permit) = Arc::clone(&self.slots).try_acquire_owned() {
            return Ok(permit);
        }
        let refused =
            || QueryError::Capacity { running_max: self.running_max, waiting_max: self.waiting_max };
        if self.waiting.fetch_add(1, Ordering::Relaxed) >= self.waiting_max {
            self.waiting.fetch_sub(1, Ordering::Relaxed);
            return Err(refused());
        }
        let _place = Place(&self.waiting);
        Arc::clone(&self.slots).acquire_owned().await.map_err(|_| refused())
    }
}

/// A place in the queue, given up even when the waiting future is dropped.
struct Place<'a>(&'a AtomicUsize);

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The statements that run or wait, by their ids. Several may share one.
#[derive(Debug, Default)]
pub(crate) struct Register(Mutex<Entries>);

#[derive(Debug, Default)]
struct Entries {
    /// With the number of the entry that each is of.
    tokens: HashMap<String, Vec<(u64, CancellationToken)>>,
    last_serial: u64,
}

impl Register {
    /// Enters a statement; it leaves when the entry is dropped.
    pub(crate) fn enter(self: &Arc<Self>, sql_query_id: &str) -> Entry {
        let token = CancellationToken::new();
        let mut entries = self.lock();
        entries.last_serial += 1;
        let serial = entries.last_serial;
        entries.tokens.entry(sql_query_id.to_owned()).or_default().push((serial, token.clone()));
        Entry { register: Arc::clone(self), sql_query_id: sql_query_id.to_owned(), serial, token }
    }

    /// Cancels all statements of that id. Whether there were any.
    pub(crate) fn cancel(&self, sql_query_id: &str) -> bool {
        let tokens = self.lock().tokens.get(sql_query_id).cloned().unwrap_or_default();
        for (_, token) in &tokens {
            token.cancel();
        }
        !tokens.is_empty()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Entries> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A statement's place in the [`Register`].
#[derive(Debug)]
pub(crate) struct Entry {
    register: Arc<Register>,
    sql_query_id: String,
    serial: u64,
    token: CancellationToken,
}

impl Entry {
    /// What becomes cancelled with the statement.
    pub(crate) fn token(&self) -> CancellationToken {
        self.token.clone()
    }

    /// Returns when the statement is cancelled.
    pub(crate) async fn cancelled(&self) {
        self.token.cancelled().await;
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        let mut entries = self.register.lock();
        if let Some(tokens) = entries.tokens.get_mut(&self.sql_query_id) {
            tokens.retain(|(serial, _)| *serial != self.serial);
            if tokens.is_empty() {
                entries.tokens.remove(&self.sql_query_id);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn beyond_the_queue_statements_are_refused_at_once() {
        let gate = Arc::new(Gate::new(1, 1));
        let first = gate.enter().await.unwrap();
        let waiting = {
            let gate = Arc::clone(&gate);
            tokio::spawn(async move { gate.enter().await.is_ok() })
        };
        while gate.waiting.load(Ordering::Relaxed) == 0 {
            tokio::task::yield_now().await;
        }
        assert_eq!(gate.enter().await.unwrap_err().kind().status, 429);
        drop(first);
        assert!(waiting.await.unwrap());
        assert_eq!(gate.waiting.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn only_statements_that_are_there_can_be_cancelled() {
        let register = Arc::new(Register::default());
        assert!(!register.cancel("a"));
        let entry = register.enter("a");
        assert!(register.cancel("a"));
        assert!(entry.token.is_cancelled());
        drop(entry);
        assert!(!register.cancel("a"));
    }

    #[test]
    fn a_statement_can_be_cancelled_after_another_of_its_id_has_ended() {
        let register = Arc::new(Register::default());
        let (first, second) = (register.enter("a"), register.enter("a"));
        drop(first);
        assert!(register.cancel("a") && second.token.is_cancelled());
    }
}
