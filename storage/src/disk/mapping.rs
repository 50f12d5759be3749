//! Mapped files, and what becomes of a read from one whose bytes are gone.
//!
//! Where somebody has cut a mapped file off, or where the disk cannot give a page of it, reading does not return an
//! error: it raises SIGBUS, which ends the process. A file that is bad must not end what the other files are served
//! by, so the signal is answered here:
//!
//! ```text
//!  read ─► page fault ─► SIGBUS ─► in a mapping of ours?
//!                                    yes ─► from this page on it is zeros, and marked as lost; the read goes on
//!                                    no  ─► whoever handled the signal before
//! ```
//!
//! The read that met it sees zeros. So whoever reads asks [`is_lost`] after it has read and before anything it has
//! made of that is believed; [`losses`] says cheaply whether there is any reason to ask. Java's machine, which Druid
//! maps its segments in, does the same and throws an `InternalError`.
//!
//! Invariants: the handler does nothing but look at atomics and call `mmap`, since it may interrupt anything; a slot
//! is never freed, only used again, so that it can be looked at from there.

#![allow(unsafe_code)]

use std::fs::File;
use std::io;
use std::ptr::{self, null_mut};
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

use arrow::buffer::Buffer;
use libc::{c_int, c_void, siginfo_t};

/// Where a mapping is. A list that only grows.
#[derive(Debug)]
struct Slot {
    /// 0 while it is not in use.
    start: AtomicUsize,
    end: AtomicUsize,
    is_lost: AtomicBool,
    next: AtomicPtr<Self>,
}

static SLOTS: AtomicPtr<Slot> = AtomicPtr::new(null_mut());
/// Slots that are not in use. Held while the list grows.
static FREE: Mutex<Vec<&'static Slot>> = Mutex::new(Vec::new());
static LOSSES: AtomicU64 = AtomicU64::new(0);

/// A mapping and its slot.
struct Mapping {
    map: memmap2::Mmap,
    slot: &'static Slot,
}

impl AsRef<[u8]> for Mapping {
    fn as_ref(&self) -> &[u8] {
        &self.map
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // Before it is unmapped: the address may be another mapping's at once.
        self.slot.start.store(0, Ordering::Release);
        FREE.lock().unwrap_or_else(PoisonError::into_inner).push(self.slot);
    }
}

/// Maps a file that has at least one byte. It is unmapped with the last slice of the buffer.
pub(super) fn map(file: &File) -> io::Result<Buffer> {
    install()?;
    // SAFETY: a published file is immutable: it is only ever unlinked, never cut off or rewritten, and the data folder
    // is locked against a second process. An unlinked file stays whole while it is mapped. Whoever breaks these rules
    // from outside meets the handler below.
    let map = unsafe { memmap2::Mmap::map(file)? };
    let slot = enter(map.as_ptr() as usize, map.len());
    Ok(Buffer::from(bytes::Bytes::from_owner(Mapping { map, slot })))
}

/// Asks for `bytes` of a mapping to be read now, all of them and nothing around them; returns at once.
///
/// Without it a page that is not in memory is read when it is touched, with whatever the kernel's read-ahead finds
/// around it: of a file of many columns mostly columns that nobody has asked for.
pub(crate) fn read_ahead(bytes: &[u8]) {
    let Some(installed) = INSTALLED.get() else { return };
    let start = bytes.as_ptr() as usize & !(installed.page_bytes - 1);
    let len = bytes.as_ptr() as usize + bytes.len() - start;
    // SAFETY: this advice changes nothing that can be read, wherever it points. It may fail, which costs time only.
    unsafe { libc::madvise(start as *mut c_void, len, libc::MADV_WILLNEED) };
}

/// Whether bytes of the mapping that `bytes` lies in could not be read. They read as zeros.
pub(crate) fn is_lost(bytes: &Buffer) -> bool {
    losses() > 0 && find(bytes.as_ptr() as usize).is_some_and(|slot| slot.is_lost.load(Ordering::Acquire))
}

/// How many times this process has met bytes that could not be read.
pub fn losses() -> u64 {
    LOSSES.load(Ordering::Acquire)
}

fn enter(start: usize, len: usize) -> &'static Slot {
    let mut free = FREE.lock().unwrap_or_else(PoisonError::into_inner);
    let slot = free.pop().unwrap_or_else(|| {
        let slot = Box::leak(Box::new(Slot {
            start: AtomicUsize::new(0),
            end: AtomicUsize::new(0),
            is_lost: AtomicBool::new(false),
            next: AtomicPtr::new(SLOTS.load(Ordering::Acquire)),
        }));
        SLOTS.store(slot, Ordering::Release);
        slot
    });
    slot.is_lost.store(false, Ordering::Relaxed);
    slot.end.store(start + len, Ordering::Release);
    slot.start.store(start, Ordering::Release);
    slot
}

/// The slot of the mapping that an address lies in. Called by the handler.
fn find(address: usize) -> Option<&'static Slot> {
    let mut next = SLOTS.load(Ordering::Acquire);
    // SAFETY: slots are never freed, and `next` is never changed.
    while let Some(slot) = unsafe { next.as_ref() } {
        let start = slot.start.load(Ordering::Acquire);
        let end = slot.end.load(Ordering::Acquire);
        // Between the two the slot may have become that of another mapping.
        let is_one = start != 0 && slot.start.load(Ordering::Acquire) == start;
        if is_one && (start..end).contains(&address) {
            return Some(slot);
        }
        next = slot.next.load(Ordering::Relaxed);
    }
    None
}

type Handler = extern "C" fn(c_int, *mut siginfo_t, *mut c_void);

/// What the handler needs.
struct Installed {
    previous: libc::sigaction,
    page_bytes: usize,
}

// SAFETY: `sigaction` holds the address of a function and masks, which any thread may read.
unsafe impl Send for Installed {}
// SAFETY: as above.
unsafe impl Sync for Installed {}

static INSTALLED: OnceLock<Installed> = OnceLock::new();
static INSTALLING: Mutex<()> = Mutex::new(());

/// Has this process answer SIGBUS, once.
fn install() -> io::Result<()> {
    if INSTALLED.get().is_some() {
        return Ok(());
    }
    let _one_at_a_time = INSTALLING.lock().unwrap_or_else(PoisonError::into_inner);
    if INSTALLED.get().is_some() {
        return Ok(());
    }
    // SAFETY: all arguments are valid; an all-zero `sigaction` is one, without flags and with an empty mask. The
    // handler finds what it needs in place before it can be called.
    unsafe {
        let page_bytes = usize::try_from(libc::sysconf(libc::_SC_PAGESIZE)).map_err(io::Error::other)?;
        let mut previous: libc::sigaction = std::mem::zeroed();
        if libc::sigaction(libc::SIGBUS, ptr::null(), &raw mut previous) != 0 {
            return Err(io::Error::last_os_error());
        }
        INSTALLED.get_or_init(|| Installed { previous, page_bytes });
        let mut ours: libc::sigaction = std::mem::zeroed();
        ours.sa_sigaction = on_bus_error as Handler as usize;
        ours.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
        if libc::sigaction(libc::SIGBUS, &raw const ours, null_mut()) != 0 {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(())
}

extern "C" fn on_bus_error(signal: c_int, info: *mut siginfo_t, context: *mut c_void) {
    let Some(installed) = INSTALLED.get() else { return };
    // SAFETY: the kernel gives a valid `siginfo_t` to a handler with SA_SIGINFO, with an address for SIGBUS.
    let address = unsafe { (*info).si_addr() } as usize;
    if let Some(slot) = find(address) {
        // Before there are zeros: another thread may read one at once, and ask.
        slot.is_lost.store(true, Ordering::Release);
        LOSSES.fetch_add(1, Ordering::AcqRel);
        if replace(slot, address, installed.page_bytes) {
            return;
        }
    }
    // SAFETY: what was in place before is called as it asked to be called.
    unsafe { hand_on(&installed.previous, signal, info, context) }
}

/// Puts zeros in place of a mapping, from the page of `address` to its end.
fn replace(slot: &Slot, address: usize, page_bytes: usize) -> bool {
    let page = address - address % page_bytes;
    let bytes = slot.end.load(Ordering::Relaxed) - page;
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_FIXED | libc::MAP_NORESERVE;
    // SAFETY: the pages belong to a mapping of ours that somebody is reading, so it is not unmapped meanwhile. `mmap`
    // is a bare system call.
    let mapped = unsafe { libc::mmap(page as *mut c_void, bytes, libc::PROT_READ, flags, -1, 0) };
    mapped != libc::MAP_FAILED
}

/// Leaves a signal to `previous`.
unsafe fn hand_on(previous: &libc::sigaction, signal: c_int, info: *mut siginfo_t, context: *mut c_void) {
    match previous.sa_sigaction {
        libc::SIG_DFL | libc::SIG_IGN => {
            // The instruction is run again and ends the process, as without us.
            // SAFETY: an all-zero `sigaction` is the default.
            unsafe {
                let default: libc::sigaction = std::mem::zeroed();
                libc::sigaction(signal, &raw const default, null_mut());
            }
        }
        handler if previous.sa_flags & libc::SA_SIGINFO != 0 => {
            // SAFETY: with this flag it is a function of this type.
            let handler = unsafe { std::mem::transmute::<usize, Handler>(handler) };
            handler(signal, info, context);
        }
        handler => {
            // SAFETY: without the flag it is a function of this type.
            let handler = unsafe { std::mem::transmute::<usize, extern "C" fn(c_int)>(handler) };
            handler(signal);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(folder: &tempfile::TempDir, name: &str) -> File {
        let path = folder.path().join(name);
        std::fs::write(&path, vec![7; 1 << 20]).unwrap();
        File::options().read(true).write(true).open(path).unwrap()
    }

    #[test]
    fn what_is_cut_off_a_mapped_file_reads_as_zeros_and_is_known_to_be_lost() {
        let folder = tempfile::tempdir().unwrap();
        let (cut, whole) = (file(&folder, "cut"), file(&folder, "whole"));
        let (bytes, other) = (map(&cut).unwrap(), map(&whole).unwrap());
        assert_eq!((bytes[0], bytes[bytes.len() - 1]), (7, 7));
        cut.set_len(64 << 10).unwrap();
        assert!(!is_lost(&bytes), "nobody has noticed yet");
        assert_eq!(bytes[bytes.len() - 1], 0);
        assert!(is_lost(&bytes) && is_lost(&bytes.slice(100)) && losses() > 0);
        assert_eq!((bytes[0], bytes[100 << 10]), (7, 0));
        assert!(!is_lost(&other) && other.iter().all(|&byte| byte == 7));
        drop(bytes);
        assert!(!is_lost(&map(&whole).unwrap()), "a slot that is used again says nothing of what it was");
    }

    #[test]
    fn every_thread_that_reads_what_is_lost_goes_on() {
        let folder = tempfile::tempdir().unwrap();
        let cut = file(&folder, "cut");
        let bytes = map(&cut).unwrap();
        cut.set_len(0).unwrap();
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| assert_eq!(bytes.iter().map(|&byte| u64::from(byte)).sum::<u64>(), 0));
            }
        });
        assert!(is_lost(&bytes));
    }
}
