//! The disk as the publish protocol sees it: the few calls whose order decides what survives a crash.
//!
//! [`RealDisk`] is the operating system. Tests put another disk in its place that fails the n-th call or rebuilds
//! what a power cut would leave, so everything that reads or writes durable data goes through [`Disk`]: segments,
//! and the catalog as well. Only the lock of the data folder does not, which is not data.

mod mapping;
mod real;
#[cfg(test)]
pub(crate) mod simulated;

use std::fmt::Debug;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use arrow::buffer::Buffer;

pub use mapping::losses;
pub(crate) use mapping::{is_lost, read_ahead};
pub use real::RealDisk;

/// A file being written, before anyone may read it.
pub trait DiskFile: Write + Send {
    /// Returns when the bytes written so far are durable. After an error nothing may be assumed about the file.
    fn sync(&mut self) -> io::Result<()>;
}

/// A file that is read and written in place: the catalog.
#[allow(clippy::len_without_is_empty)]
pub trait RandomAccessFile: Debug + Send + Sync {
    /// The length in bytes.
    fn len(&self) -> io::Result<u64>;
    /// Cuts the file off, or fills it up with zeros.
    fn set_len(&self, bytes: u64) -> io::Result<()>;
    /// Fills `buffer` with the bytes at `offset`; an error if there are fewer.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()>;
    /// Writes all of `bytes` at `offset`.
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()>;
    /// Returns when everything written and the length are durable. After an error nothing may be assumed.
    fn sync(&self) -> io::Result<()>;
}

/// The calls of the publish protocol.
pub trait Disk: Debug + Send + Sync {
    /// Creates a file that must not exist yet.
    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>>;
    /// Opens a file to be read and written in place; makes it if it does not exist.
    fn open_random_access(&self, path: &Path) -> io::Result<Box<dyn RandomAccessFile>>;
    /// Gives a finished, synced file a second name, or copies it where there can be none. The bytes are durable
    /// on return, the name after [`Self::sync_folder`].
    fn link(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Creates a folder and its missing parents.
    fn create_folder(&self, path: &Path) -> io::Result<()>;
    /// Renames a file or folder; atomic within one file system.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Makes the entries of a folder durable.
    fn sync_folder(&self, path: &Path) -> io::Result<()>;
    /// Removes a file, or a folder with all it holds.
    fn remove(&self, path: &Path) -> io::Result<()>;
    /// The entries of a folder, sorted; empty if there is no such folder.
    fn list(&self, path: &Path) -> io::Result<Vec<PathBuf>>;
    /// Maps a whole file for reading. The file must never be changed while the buffer lives: what is cut off it
    /// reads as zeros from then on, see [`losses`].
    fn map(&self, path: &Path) -> io::Result<Buffer>;
}

/// Removes a file or folder if there is one.
pub(crate) fn remove_if_there(disk: &dyn Disk, path: &Path) -> io::Result<()> {
    match disk.remove(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

/// Whether a call failed because there is no room left, which time or an operator can mend.
pub(crate) fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}
