//! The catalog's file: redb over a [`Disk`], and what becomes of it when a call fails.
//!
//! * The file is made under another name and renamed when it is whole, so that a crash while it is made leaves
//!   nothing that could be taken for a catalog. A file that is empty or missing though there are segments is
//!   refused: taking it for a new store would throw the segments away.
//! * Opening verifies the checksum of every page: without that, redb may panic on a damaged file. What panics all
//!   the same is caught and reported as damage.
//! * Commits are two-phase. The page that a commit ends with is then never written before everything it refers to
//!   is durable, so a page that does not match its checksum is damage, never a commit that was cut short, and is
//!   refused instead of being answered with the state before it.
//! * redb takes no further calls after one of its writes has failed. If the disk was full the file is opened again,
//!   as after a crash, by the next call: no sync has failed, so what can be read back can be relied on. Whether
//!   the transaction took effect is for the caller to look up. After any other failure, above all of a sync, every
//!   call is refused until the process starts anew.

use std::any::Any;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use redb::{Database, StorageBackend};

use crate::disk::{Disk, RandomAccessFile, is_full, remove_if_there};
use crate::error::{Result, StorageError};

/// Memory for pages of the catalog. It is small and its readers are few.
const CACHE_BYTES: usize = 32 << 20;

#[derive(Debug)]
pub(super) struct CatalogFile {
    disk: Arc<dyn Disk>,
    path: PathBuf,
    /// `None` after the disk was full, until the file can be opened again.
    open: RwLock<Option<Open>>,
}

#[derive(Debug)]
struct Open {
    database: Database,
    health: Arc<Health>,
}

/// The worst that a call to the disk has met.
#[derive(Debug, Default)]
struct Health(AtomicU8);

const SOUND: u8 = 0;
const FULL: u8 = 1;
const BROKEN: u8 = 2;

impl Health {
    fn get(&self) -> u8 {
        self.0.load(Ordering::SeqCst)
    }

    fn note(&self, state: u8) {
        self.0.fetch_max(state, Ordering::SeqCst);
    }
}

impl CatalogFile {
    /// Opens the file. If there is none it is made, and `fill` is its first transaction.
    pub(super) fn open(
        disk: &Arc<dyn Disk>,
        path: &Path,
        fill: impl FnOnce(&Database) -> Result<()>,
    ) -> Result<Self> {
        if !exists(&**disk, path)? {
            make(&**disk, path, fill)?;
        }
        let open = open(&**disk, path)?;
        Ok(Self { disk: Arc::clone(disk), path: path.to_path_buf(), open: RwLock::new(Some(open)) })
    }

    /// Lends the database to `call`.
    pub(super) fn with<T>(
        &self,
        action: &'static str,
        call: impl FnOnce(&Database) -> Result<T>,
    ) -> Result<T> {
        let mut guard = self.open.read().unwrap_or_else(PoisonError::into_inner);
        if guard.is_none() {
            drop(guard);
            self.reopen()?;
            guard = self.open.read().unwrap_or_else(PoisonError::into_inner);
        }
        let Some(Open { database, health }) = guard.as_ref() else { return Err(full(&self.path)) };
        if health.get() == BROKEN {
            return Err(StorageError::Catalog { action, source: Box::new(redb::Error::PreviousIo) });
        }
        let result = catch_unwind(AssertUnwindSafe(|| call(database))).unwrap_or_else(|panic| {
            health.note(BROKEN);
            let source = Box::new(redb::Error::Corrupted(text_of(&*panic)));
            Err(StorageError::Catalog { action, source })
        });
        if result.is_err() && health.get() == FULL {
            drop(guard);
            self.close();
            return Err(full(&self.path));
        }
        result
    }

    fn reopen(&self) -> Result<()> {
        let mut guard = self.open.write().unwrap_or_else(PoisonError::into_inner);
        if guard.is_none() {
            *guard = Some(open(&*self.disk, &self.path)?);
        }
        Ok(())
    }

    /// Gives up a database whose disk was full.
    fn close(&self) {
        let mut guard = self.open.write().unwrap_or_else(PoisonError::into_inner);
        if guard.as_ref().is_some_and(|open| open.health.get() == FULL) {
            let open = guard.take();
            // redb tidies up when it is dropped, and cannot.
            let _ = catch_unwind(AssertUnwindSafe(|| drop(open)));
        }
    }
}

fn exists(disk: &dyn Disk, path: &Path) -> Result<bool> {
    let folder = folder_of(path);
    Ok(disk.list(folder).map_err(StorageError::io("list", folder))?.iter().any(|entry| entry == path))
}

fn folder_of(path: &Path) -> &Path {
    path.parent().unwrap_or(path)
}

fn make(disk: &dyn Disk, path: &Path, fill: impl FnOnce(&Database) -> Result<()>) -> Result<()> {
    let unfinished = path.with_extension("redb.new");
    remove_if_there(disk, &unfinished).map_err(StorageError::io("remove", &unfinished))?;
    let Open { database, health } = open_with(disk, &unfinished)?;
    fill(&database)?;
    // redb writes once more when it is closed, and does not say if that failed.
    drop(database);
    if health.get() != SOUND {
        return Err(StorageError::Io {
            action: "write",
            path: unfinished,
            source: io::Error::other("the catalog could not be closed"),
        });
    }
    crate::fail_point!("catalog.written");
    disk.rename(&unfinished, path).map_err(StorageError::io("rename", &unfinished))?;
    crate::fail_point!("catalog.in_place");
    disk.sync_folder(folder_of(path)).map_err(StorageError::io("sync", folder_of(path)))
}

/// Opens a file that is there.
fn open(disk: &dyn Disk, path: &Path) -> Result<Open> {
    let length = disk.open_random_access(path).and_then(|file| file.len());
    if length.map_err(StorageError::io("open", path))? == 0 {
        return Err(StorageError::damaged(path, "it is empty"));
    }
    open_with(disk, path)
}

fn open_with(disk: &dyn Disk, path: &Path) -> Result<Open> {
    let health = Arc::new(Health::default());
    let file = disk.open_random_access(path).map_err(StorageError::io("open", path))?;
    let backend = Backend { file, health: Arc::clone(&health) };
    let opened = catch_unwind(AssertUnwindSafe(|| {
        Database::builder()
            .set_cache_size(CACHE_BYTES)
            .set_check_integrity_on_open(true)
            .create_with_backend(backend)
    }));
    match opened {
        Ok(Ok(database)) => Ok(Open { database, health }),
        Ok(Err(_)) if health.get() == FULL => Err(full(path)),
        Ok(Err(error)) => Err(match redb::Error::from(error) {
            redb::Error::Io(source) if source.kind() != io::ErrorKind::InvalidData => {
                StorageError::Io { action: "open", path: path.to_path_buf(), source }
            }
            error => StorageError::damaged(path, error.to_string()),
        }),
        Err(panic) => Err(StorageError::damaged(path, text_of(&*panic))),
    }
}

fn full(path: &Path) -> StorageError {
    StorageError::Io { action: "write", path: path.to_path_buf(), source: io::ErrorKind::StorageFull.into() }
}

/// What a panic said.
fn text_of(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("for an unknown reason");
    format!("reading it stopped: {text}")
}

/// A file as redb asks for it. It has no locks of its own: the data folder is locked as a whole.
#[derive(Debug)]
struct Backend {
    file: Box<dyn RandomAccessFile>,
    health: Arc<Health>,
}

impl Backend {
    fn noted<T>(&self, may_be_full: bool, result: io::Result<T>) -> io::Result<T> {
        if let Err(error) = &result {
            self.health.note(if may_be_full && is_full(error) { FULL } else { BROKEN });
        }
        result
    }
}

impl StorageBackend for Backend {
    fn len(&self) -> io::Result<u64> {
        self.noted(false, self.file.len())
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.noted(false, self.file.read_at(offset, out))
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.noted(true, self.file.set_len(len))
    }

    fn sync_data(&self) -> io::Result<()> {
        self.noted(false, self.file.sync())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.noted(true, self.file.write_at(offset, data))
    }
}
