//! Disks that fail: what becomes of rows that cannot be published.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use arrow::buffer::Buffer;
use ovate_storage::disk::{Disk, DiskFile, RandomAccessFile, RealDisk};
use ovate_storage::{Store, StoreOptions};
use serde_json::json;

use crate::setup::{
    Kafka, manager, numbers, payload, rows, run, sealed_rows, spec, store, until, until_rows,
};

const GOOD: u8 = 0;
const FULL: u8 = 1;
const LYING: u8 = 2;

/// The real disk, until it is told to be full (no file can be made) or not to sync.
#[derive(Debug, Default)]
struct MoodyDisk(AtomicU8);

impl MoodyDisk {
    fn is(&self, mood: u8) {
        self.0.store(mood, Ordering::SeqCst);
    }
}

impl Disk for MoodyDisk {
    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        match self.0.load(Ordering::SeqCst) {
            FULL => Err(io::ErrorKind::StorageFull.into()),
            _ => RealDisk.create(path),
        }
    }

    fn open_random_access(&self, path: &Path) -> io::Result<Box<dyn RandomAccessFile>> {
        RealDisk.open_random_access(path)
    }

    fn link(&self, from: &Path, to: &Path) -> io::Result<()> {
        RealDisk.link(from, to)
    }

    fn create_folder(&self, path: &Path) -> io::Result<()> {
        RealDisk.create_folder(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        RealDisk.rename(from, to)
    }

    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        match self.0.load(Ordering::SeqCst) {
            LYING => Err(io::Error::other("input/output error")),
            _ => RealDisk.sync_folder(path),
        }
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        RealDisk.remove(path)
    }

    fn list(&self, path: &Path) -> io::Result<Vec<PathBuf>> {
        RealDisk.list(path)
    }

    fn map(&self, path: &Path) -> io::Result<Buffer> {
        RealDisk.map(path)
    }
}

fn store_on(disk: &Arc<MoodyDisk>, folder: &Path) -> Arc<Store> {
    let disk: Arc<dyn Disk> = Arc::<MoodyDisk>::clone(disk);
    Store::open(folder, StoreOptions { disk, ..StoreOptions::default() }).unwrap()
}

#[test]
fn a_full_disk_keeps_rows_visible_and_publishes_them_when_there_is_room() {
    run(async {
        let (kafka, folder, disk) =
            (Kafka::start(), tempfile::tempdir().unwrap(), Arc::<MoodyDisk>::default());
        kafka.create("F", 1);
        kafka.produce_rows("F", 0, 0..20);
        let store = store_on(&disk, folder.path());
        let manager = manager(&store).await;
        manager.post(spec("F", &kafka.servers())).await.unwrap();
        until_rows(&store, "F", 20).await;

        disk.is(FULL);
        assert!(manager.suspend("F").await.is_err());
        assert_eq!((rows(&store, "F"), sealed_rows(&store, "F")), (20, 0));
        manager.resume("F").await.unwrap();
        kafka.produce_rows("F", 0, 20..30);
        until_rows(&store, "F", 30).await;

        disk.is(GOOD);
        manager.suspend("F").await.unwrap();
        assert_eq!(sealed_rows(&store, "F"), 30);
        assert_eq!(numbers(&store, "F"), (0..30).collect::<Vec<_>>());
    });
}

#[test]
fn a_failed_sync_ends_reading_and_the_next_process_loses_and_doubles_nothing() {
    run(async {
        let (kafka, folder, disk) =
            (Kafka::start(), tempfile::tempdir().unwrap(), Arc::<MoodyDisk>::default());
        kafka.create("Y", 1);
        kafka.produce_rows("Y", 0, 0..20);
        {
            let store = store_on(&disk, folder.path());
            let manager = manager(&store).await;
            let mut small = spec("Y", &kafka.servers());
            small["spec"]["tuningConfig"]["maxRowsPerSegment"] = json!(100);
            manager.post(small).await.unwrap();
            until_rows(&store, "Y", 20).await;
            disk.is(LYING);
            kafka.produce_rows("Y", 0, 20..120);
            until("it stops", || payload(&manager, "Y")["detailedState"] == "PUBLISH_FAILED").await;
            let status = payload(&manager, "Y");
            assert_eq!(status["healthy"], false);
            assert!(status["recentErrors"].to_string().contains("input/output error"), "{status}");
            kafka.produce_rows("Y", 0, 120..130);
            assert_eq!(sealed_rows(&store, "Y"), 0);
            assert!(rows(&store, "Y") >= 100, "rows stay visible");
            disk.is(GOOD);
            assert!(manager.shutdown().await.is_err(), "what is on disk is not known any more");
        }
        let store = store(folder.path());
        let manager = manager(&store).await;
        until_rows(&store, "Y", 130).await;
        manager.shutdown().await.unwrap();
        assert_eq!(numbers(&store, "Y"), (0..130).collect::<Vec<_>>());
    });
}

#[test]
fn offsets_are_not_set_while_rows_wait_for_room_on_the_disk() {
    run(async {
        let (kafka, folder, disk) =
            (Kafka::start(), tempfile::tempdir().unwrap(), Arc::<MoodyDisk>::default());
        kafka.create("O", 2);
        kafka.produce_rows("O", 0, 0..20);
        kafka.produce_rows("O", 1, 20..40);
        let store = store_on(&disk, folder.path());
        let manager = manager(&store).await;
        manager.post(spec("O", &kafka.servers())).await.unwrap();
        until_rows(&store, "O", 40).await;

        disk.is(FULL);
        let request = json!({"partitions": {"stream": "O", "partitionOffsetMap": {"0": 0}}});
        for _ in 0..2 {
            assert!(manager.reset_offsets("O", &request).await.is_err());
            assert_eq!(rows(&store, "O"), 40);
        }
        kafka.produce_rows("O", 1, 40..50);
        until_rows(&store, "O", 50).await;

        disk.is(GOOD);
        manager.reset_offsets("O", &request).await.unwrap();
        until_rows(&store, "O", 70).await;
        let again = (0..20).flat_map(|number| [number, number]);
        assert_eq!(numbers(&store, "O"), again.chain(20..50).collect::<Vec<_>>());
    });
}
