//! The operating system's file system.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use arrow::buffer::Buffer;

use super::{Disk, DiskFile, RandomAccessFile, mapping};

/// The operating system's file system.
#[derive(Debug, Clone, Copy, Default)]
pub struct RealDisk;

impl DiskFile for File {
    fn sync(&mut self) -> io::Result<()> {
        self.sync_all()
    }
}

impl RandomAccessFile for File {
    fn len(&self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }

    fn set_len(&self, bytes: u64) -> io::Result<()> {
        Self::set_len(self, bytes)
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.read_exact_at(buffer, offset)
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.write_all_at(bytes, offset)
    }

    fn sync(&self) -> io::Result<()> {
        self.sync_data()
    }
}

impl Disk for RealDisk {
    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        Ok(Box::new(File::options().write(true).create_new(true).open(path)?))
    }

    fn open_random_access(&self, path: &Path) -> io::Result<Box<dyn RandomAccessFile>> {
        let mut options = File::options();
        Ok(Box::new(options.read(true).write(true).create(true).truncate(false).open(path)?))
    }

    fn link(&self, from: &Path, to: &Path) -> io::Result<()> {
        match std::fs::hard_link(from, to) {
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => return Err(e),
            Ok(()) => return Ok(()),
            // Another file system, or one without hard links.
            Err(_) => {}
        }
        // A new file, whatever happens: one that is there may be another name of `from`.
        let mut copy = File::options().write(true).create_new(true).open(to)?;
        io::copy(&mut File::open(from)?, &mut copy)?;
        copy.sync_all()
    }

    fn create_folder(&self, path: &Path) -> io::Result<()> {
        std::fs::create_dir_all(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        std::fs::rename(from, to)
    }

    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        File::open(path)?.sync_all()
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        if path.is_dir() { std::fs::remove_dir_all(path) } else { std::fs::remove_file(path) }
    }

    fn list(&self, path: &Path) -> io::Result<Vec<PathBuf>> {
        let entries = match std::fs::read_dir(path) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            other => other?,
        };
        let mut paths = entries.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>()?;
        paths.sort();
        Ok(paths)
    }

    fn map(&self, path: &Path) -> io::Result<Buffer> {
        let file = File::open(path)?;
        if file.metadata()?.len() == 0 {
            return Ok(Buffer::from(Vec::<u8>::new()));
        }
        mapping::map(&file)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn linking_over_a_link_of_the_same_file_leaves_its_bytes() {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (folder.path().join("a"), folder.path().join("b"));
        std::fs::write(&from, "bytes").unwrap();
        RealDisk.link(&from, &to).unwrap();
        assert_eq!(RealDisk.link(&from, &to).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(std::fs::read(&from).unwrap(), b"bytes");
    }
}
