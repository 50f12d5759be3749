//! The hold on a supervisor's thread.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

use super::board::Board;
use super::runner::{Runner, Stop};
use crate::error::IngestError;

/// A running thread. Dropped, it ends the run without publishing, as a crash would, and waits for the thread.
pub(crate) struct RunnerHandle {
    commands: Option<Sender<Stop>>,
    thread: Option<JoinHandle<Result<(), IngestError>>>,
    board: Arc<Board>,
    name: String,
}

impl RunnerHandle {
    /// Starts a run.
    pub(crate) fn start(
        id: &str,
        board: Arc<Board>,
        runner: impl FnOnce(Receiver<Stop>) -> Runner,
    ) -> Result<Self, IngestError> {
        let (commands, receiver) = channel();
        let runner = runner(receiver);
        let name = format!("ingest {id}");
        let thread = std::thread::Builder::new()
            .name(name.clone())
            .spawn(move || runner.run())
            .map_err(|error| IngestError::Thread { name: name.clone(), reason: error.to_string() })?;
        Ok(Self { commands: Some(commands), thread: Some(thread), board, name })
    }

    /// What the run shows.
    pub(crate) fn board(&self) -> Arc<Board> {
        Arc::clone(&self.board)
    }

    /// Whether the thread has not ended on its own, which only a panic makes it do.
    pub(crate) fn is_alive(&self) -> bool {
        self.thread.as_ref().is_some_and(|thread| !thread.is_finished())
    }

    /// Asks the run to end, and does not wait.
    pub(crate) fn ask_to_stop(&self, stop: Stop) {
        if let Some(commands) = &self.commands {
            // A thread that has ended already is met when it is waited for.
            let _ = commands.send(stop);
        }
    }

    /// Ends the run, and waits until it has.
    pub(crate) fn stop(mut self, stop: Stop) -> Result<(), IngestError> {
        self.ask_to_stop(stop);
        self.wait()
    }

    fn wait(&mut self) -> Result<(), IngestError> {
        let Some(thread) = self.thread.take() else { return Ok(()) };
        let panicked = |_| IngestError::Thread { name: self.name.clone(), reason: "it panicked".into() };
        thread.join().map_err(panicked)?
    }
}

impl Drop for RunnerHandle {
    fn drop(&mut self) {
        self.commands = None;
        if let Err(error) = self.wait() {
            tracing::warn!(thread = self.name, %error, "a supervisor ended with an error");
        }
    }
}
