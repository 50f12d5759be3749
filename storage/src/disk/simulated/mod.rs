//! A disk in memory that fails when it is told to, and remembers every call, so that it can be rebuilt as a crash
//! would have left it at any moment.
//!
//! Files and folders are inodes, as on a real disk: what becomes of a file's bytes and what becomes of its name are
//! two things. See [`crash`] for what a crash may keep.

mod crash;
mod fault;

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::io::{self, ErrorKind, Write};
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

use arrow::buffer::Buffer;

use super::{Disk, DiskFile, RandomAccessFile};
use fault::Outcome;

pub(crate) use crash::{Crash, Random};
pub(crate) use fault::{Call, FaultKind};

type Inode = u64;
const ROOT: Inode = 0;

/// See the module. Clones are handles to one disk.
#[derive(Debug, Clone, Default)]
pub(crate) struct SimulatedDisk(Arc<Mutex<State>>);

#[derive(Debug, Clone)]
enum Node {
    File(Vec<u8>),
    Folder(BTreeMap<OsString, Inode>),
}

/// One effect on one inode, or the moment from which earlier ones are durable.
#[derive(Debug, Clone)]
enum Effect {
    Write {
        file: Inode,
        offset: usize,
        bytes: Vec<u8>,
    },
    SetLen {
        file: Inode,
        bytes: usize,
    },
    Enter {
        folder: Inode,
        name: OsString,
        inode: Inode,
    },
    Leave {
        folder: Inode,
        name: OsString,
    },
    Move {
        from: (Inode, OsString),
        to: (Inode, OsString),
        inode: Inode,
    },
    Sync(Inode),
    /// Earlier effects are forgotten by the kernel: no later sync makes them durable.
    FailedSync(Inode),
    /// The test's own: what it has been told is safe from here on.
    Acknowledged(i64),
}

/// What the disk holds: the inodes, and whether each is a folder.
#[derive(Debug, Clone)]
struct Tree(BTreeMap<Inode, Node>);

#[derive(Debug, Default)]
struct State {
    tree: Tree,
    /// What the disk held when the log began.
    start: Tree,
    /// Kinds of the inodes made since: whether each is a folder.
    made: BTreeMap<Inode, bool>,
    log: Vec<Effect>,
    next: Inode,
    faults: fault::Faults,
}

impl Default for Tree {
    fn default() -> Self {
        Self(BTreeMap::from([(ROOT, Node::Folder(BTreeMap::new()))]))
    }
}

fn not_found() -> io::Error {
    ErrorKind::NotFound.into()
}

impl Tree {
    fn entries(&self, folder: Inode) -> io::Result<&BTreeMap<OsString, Inode>> {
        match self.0.get(&folder) {
            Some(Node::Folder(entries)) => Ok(entries),
            Some(Node::File(_)) => Err(ErrorKind::NotADirectory.into()),
            None => Err(not_found()),
        }
    }

    fn find(&self, path: &Path) -> io::Result<Inode> {
        let names = path.components().filter_map(|component| match component {
            Component::Normal(name) => Some(name),
            _ => None,
        });
        names
            .into_iter()
            .try_fold(ROOT, |folder, name| self.entries(folder)?.get(name).copied().ok_or_else(not_found))
    }

    /// The folder that a path lies in, and its name there.
    fn place(&self, path: &Path) -> io::Result<(Inode, OsString)> {
        let name = path.file_name().ok_or(ErrorKind::InvalidInput)?;
        Ok((self.find(path.parent().ok_or(ErrorKind::InvalidInput)?)?, name.to_owned()))
    }

    fn file(&self, inode: Inode) -> io::Result<&Vec<u8>> {
        match self.0.get(&inode) {
            Some(Node::File(bytes)) => Ok(bytes),
            Some(Node::Folder(_)) => Err(ErrorKind::IsADirectory.into()),
            None => Err(not_found()),
        }
    }

    fn apply(&mut self, effect: &Effect) {
        let enter = |tree: &mut Self, folder: &Inode, name: &OsStr, inode: Option<Inode>| {
            if let Some(Node::Folder(entries)) = tree.0.get_mut(folder) {
                match inode {
                    Some(inode) => entries.insert(name.to_owned(), inode),
                    None => entries.remove(name),
                };
            }
        };
        match effect {
            Effect::Write { file, offset, bytes } => {
                if let Some(Node::File(held)) = self.0.get_mut(file) {
                    let end = offset + bytes.len();
                    if held.len() < end {
                        held.resize(end, 0);
                    }
                    held[*offset..end].copy_from_slice(bytes);
                }
            }
            Effect::SetLen { file, bytes } => {
                if let Some(Node::File(held)) = self.0.get_mut(file) {
                    held.resize(*bytes, 0);
                }
            }
            Effect::Enter { folder, name, inode } => enter(self, folder, name, Some(*inode)),
            Effect::Leave { folder, name } => enter(self, folder, name, None),
            Effect::Move { from, to, inode } => {
                enter(self, &from.0, &from.1, None);
                enter(self, &to.0, &to.1, Some(*inode));
            }
            Effect::Sync(_) | Effect::FailedSync(_) | Effect::Acknowledged(_) => {}
        }
    }
}

impl State {
    fn do_(&mut self, effect: Effect) {
        self.tree.apply(&effect);
        self.log.push(effect);
    }

    fn make(&mut self, (folder, name): (Inode, OsString), is_folder: bool) -> io::Result<Inode> {
        if self.tree.entries(folder)?.contains_key(&name) {
            return Err(ErrorKind::AlreadyExists.into());
        }
        self.next += 1;
        let inode = self.next;
        self.made.insert(inode, is_folder);
        let node = if is_folder { Node::Folder(BTreeMap::new()) } else { Node::File(Vec::new()) };
        self.tree.0.insert(inode, node);
        self.do_(Effect::Enter { folder, name, inode });
        Ok(inode)
    }

    fn make_folders(&mut self, path: &Path) -> io::Result<()> {
        let mut above: Vec<&Path> = path.ancestors().filter(|path| path.file_name().is_some()).collect();
        above.reverse();
        for folder in above {
            match self.tree.find(folder) {
                Ok(inode) => drop(self.tree.entries(inode)?),
                Err(_) => drop(self.make(self.tree.place(folder)?, true)?),
            }
        }
        Ok(())
    }

    fn remove(&mut self, folder: Inode, name: &OsStr, inode: Inode) {
        if let Ok(entries) = self.tree.entries(inode) {
            for (name, child) in entries.clone() {
                self.remove(inode, &name, child);
            }
        }
        self.do_(Effect::Leave { folder, name: name.to_owned() });
    }
}

impl SimulatedDisk {
    /// An empty disk on which `folder` exists, durably.
    pub(crate) fn with_folder(folder: &Path) -> Self {
        let disk = Self::default();
        {
            let mut state = disk.state();
            state.make_folders(folder).unwrap();
            state.log.clear();
            state.made.clear();
            state.start = state.tree.clone();
        }
        disk
    }

    /// Another disk that holds the same, all of it durable, with an empty log.
    pub(crate) fn fork(&self) -> Self {
        let state = self.state();
        Self::holding(state.tree.clone(), state.next)
    }

    fn holding(tree: Tree, next: Inode) -> Self {
        Self(Arc::new(Mutex::new(State { start: tree.clone(), tree, next, ..State::default() })))
    }

    /// The n-th call from now on fails.
    pub(crate) fn fail(&self, call: u64, kind: FaultKind) {
        self.state().faults.arm(call, kind);
    }

    /// No further faults. Returns which call was hit, if any.
    pub(crate) fn heal(&self) -> Option<Call> {
        self.state().faults.disarm()
    }

    /// The number of calls so far.
    pub(crate) fn calls(&self) -> u64 {
        self.state().faults.calls()
    }

    /// Notes that the test relies on the first `rows` rows from here on.
    pub(crate) fn acknowledge(&self, rows: i64) {
        self.state().log.push(Effect::Acknowledged(rows));
    }

    /// A file's bytes.
    pub(crate) fn bytes(&self, path: &Path) -> Vec<u8> {
        let state = self.state();
        state.tree.file(state.tree.find(path).unwrap()).unwrap().clone()
    }

    /// Replaces a file's bytes behind everyone's back.
    pub(crate) fn damage(&self, path: &Path, bytes: Vec<u8>) {
        let mut state = self.state();
        let inode = state.tree.find(path).unwrap();
        state.tree.0.insert(inode, Node::File(bytes));
    }

    /// What a crash may leave.
    pub(crate) fn crash(&self) -> Crash {
        let state = self.state();
        Crash::new(state.start.clone(), state.made.clone(), state.log.clone(), state.next)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    /// Runs one call, unless it is the one that fails.
    fn run<T>(&self, call: Call, act: impl FnOnce(&mut State) -> io::Result<T>) -> io::Result<T> {
        let mut state = self.state();
        match state.faults.next(call) {
            Outcome::Done | Outcome::Half(None) | Outcome::Lies => act(&mut state),
            Outcome::Fails(error) | Outcome::Half(Some(error)) => Err(error),
            Outcome::DoneYetFails(error) => act(&mut state).and(Err(error)),
        }
    }

    fn write(&self, file: Inode, offset: Option<usize>, bytes: &[u8]) -> io::Result<usize> {
        let mut state = self.state();
        let outcome = state.faults.next(Call::Write);
        let offset = match offset {
            Some(offset) => offset,
            None => state.tree.file(file)?.len(),
        };
        let (written, error) = match outcome {
            Outcome::Half(error) => (bytes.len() / 2, error),
            Outcome::Fails(error) => (0, Some(error)),
            Outcome::DoneYetFails(error) => (bytes.len(), Some(error)),
            Outcome::Done | Outcome::Lies => (bytes.len(), None),
        };
        if written > 0 {
            state.do_(Effect::Write { file, offset, bytes: bytes[..written].to_vec() });
        }
        error.map_or(Ok(written), Err)
    }

    fn sync(&self, inode: Inode) -> io::Result<()> {
        let mut state = self.state();
        match state.faults.next(Call::Sync) {
            Outcome::Lies => Ok(()),
            Outcome::Done | Outcome::Half(None) => {
                state.log.push(Effect::Sync(inode));
                Ok(())
            }
            Outcome::Fails(error) | Outcome::Half(Some(error)) => {
                state.log.push(Effect::FailedSync(inode));
                Err(error)
            }
            Outcome::DoneYetFails(error) => {
                state.log.push(Effect::Sync(inode));
                Err(error)
            }
        }
    }
}

/// An open file: by its inode, so that it outlives its name.
#[derive(Debug)]
struct OpenFile(SimulatedDisk, Inode);

impl Write for OpenFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(self.1, None, bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl DiskFile for OpenFile {
    fn sync(&mut self) -> io::Result<()> {
        self.0.sync(self.1)
    }
}

impl RandomAccessFile for OpenFile {
    fn len(&self) -> io::Result<u64> {
        self.0.run(Call::Read, |state| Ok(state.tree.file(self.1)?.len() as u64))
    }

    fn set_len(&self, bytes: u64) -> io::Result<()> {
        let effect = Effect::SetLen { file: self.1, bytes: bytes as usize };
        self.0.run(Call::SetLen, |state| {
            state.do_(effect);
            Ok(())
        })
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.0.run(Call::Read, |state| {
            let bytes = state.tree.file(self.1)?;
            let found = bytes.get(offset as usize..offset as usize + buffer.len());
            buffer.copy_from_slice(found.ok_or(ErrorKind::UnexpectedEof)?);
            Ok(())
        })
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        match self.0.write(self.1, Some(offset as usize), bytes)? {
            written if written < bytes.len() => {
                // What is left is written by another call, as the real file does it.
                self.write_at(offset + written as u64, &bytes[written..])
            }
            _ => Ok(()),
        }
    }

    fn sync(&self) -> io::Result<()> {
        self.0.sync(self.1)
    }
}

impl Disk for SimulatedDisk {
    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let inode = self.run(Call::Create, |state| state.make(state.tree.place(path)?, false))?;
        Ok(Box::new(OpenFile(self.clone(), inode)))
    }

    fn open_random_access(&self, path: &Path) -> io::Result<Box<dyn RandomAccessFile>> {
        let inode = self.run(Call::Create, |state| match state.tree.find(path) {
            Ok(inode) => Ok(inode),
            Err(_) => state.make(state.tree.place(path)?, false),
        })?;
        Ok(Box::new(OpenFile(self.clone(), inode)))
    }

    fn link(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.run(Call::Create, |state| {
            let inode = state.tree.find(from)?;
            let (folder, name) = state.tree.place(to)?;
            state.do_(Effect::Enter { folder, name, inode });
            Ok(())
        })
    }

    fn create_folder(&self, path: &Path) -> io::Result<()> {
        self.run(Call::Create, |state| state.make_folders(path))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.run(Call::Rename, |state| {
            let inode = state.tree.find(from)?;
            if let Ok(taken) = state.tree.find(to)
                && state.tree.entries(taken).is_ok_and(|entries| !entries.is_empty())
            {
                return Err(ErrorKind::DirectoryNotEmpty.into());
            }
            let (from, to) = (state.tree.place(from)?, state.tree.place(to)?);
            state.do_(Effect::Move { from, to, inode });
            Ok(())
        })
    }

    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        let inode = self.state().tree.find(path)?;
        self.sync(inode)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.run(Call::Remove, |state| {
            let inode = state.tree.find(path)?;
            let (folder, name) = state.tree.place(path)?;
            state.remove(folder, &name, inode);
            Ok(())
        })
    }

    fn list(&self, path: &Path) -> io::Result<Vec<PathBuf>> {
        self.run(Call::Read, |state| match state.tree.find(path) {
            Ok(inode) => Ok(state.tree.entries(inode)?.keys().map(|name| path.join(name)).collect()),
            Err(e) if e.kind() == ErrorKind::NotFound => Ok(Vec::new()),
            Err(e) => Err(e),
        })
    }

    fn map(&self, path: &Path) -> io::Result<Buffer> {
        self.run(Call::Read, |state| Ok(Buffer::from(state.tree.file(state.tree.find(path)?)?.as_slice())))
    }
}
