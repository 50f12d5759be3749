//! Backups, taken while rows arrive, and what becomes of a store that is restored from one.

use std::sync::atomic::{AtomicBool, Ordering};

use super::crashes::every_crash;
use super::*;
use crate::disk::RealDisk;
use crate::disk::simulated::FaultKind;
use crate::time::Interval;
use crate::{Selection, StorageError};

#[test]
fn a_backup_under_load_is_one_state_from_which_work_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let (data, stop) = (folder.path().join("data"), AtomicBool::new(false));
    let options =
        || StoreOptions { disk: Arc::new(RealDisk), segment_rows_max: 50, ..StoreOptions::default() };
    let store = Store::open(&data, options()).unwrap();
    let datasource = store.ensure_datasource("ds", schema()).unwrap();
    // Where files come and go.
    let other = store.ensure_datasource("other", schema()).unwrap();
    let targets: Vec<PathBuf> =
        (0..3).map(|number| folder.path().join(format!("above/backup {number}"))).collect();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut rows = 0;
            while !stop.load(Ordering::SeqCst) {
                append(&datasource, rows..rows + 5);
                rows += 5;
                datasource.publish(rows).unwrap();
                append(&other, 0..3);
                other.publish(rows).unwrap();
                store.mark_unused("other", &Selection::All).unwrap();
                store.kill("other", Interval::ETERNITY).unwrap();
            }
        });
        for target in &targets {
            let mut steps = 0;
            let report = store.backup(target, |_| steps += 1).unwrap();
            assert_eq!(report.segments, steps);
        }
        stop.store(true, Ordering::SeqCst);
    });
    let error = store.backup(&targets[0], |_| {}).unwrap_err();
    assert!(matches!(error, StorageError::NotEmpty { .. }), "{error}");
    drop((store, datasource, other));
    for target in &targets {
        let store = Store::open(target, options()).unwrap();
        let report = store.verify(|_| {}).unwrap();
        assert_eq!(report.findings, [], "{}", target.display());
        let committed = committed(&store);
        let datasource = store.ensure_datasource("ds", schema()).unwrap();
        assert_eq!(ids(&datasource), (0..committed).collect::<Vec<_>>());
        append(&datasource, committed..committed + 4);
        datasource.publish(0).unwrap();
        assert_eq!(ids(&datasource), (0..committed + 4).collect::<Vec<_>>());
    }
}

#[test]
fn a_backup_that_is_interrupted_anywhere_is_whole_or_none() {
    let world = World::new();
    publish_all(&world);
    let target = world.folder.parent().unwrap().join("backup");
    // Only the lock is a real file.
    std::fs::create_dir(&target).unwrap();
    let mut points = 0;
    for call in 0.. {
        let image = world.on(world.disk.fork());
        let store = image.store().unwrap();
        image.disk.fail(call, FaultKind::LateBroken);
        let result = store.backup(&target, |_| {});
        drop(store);
        let hit = image.disk.heal();
        let crash = image.disk.crash();
        let left = crash.cut_off(crash.moments() - 1);
        let made = left.list(&target).unwrap().contains(&target.join("catalog.redb"));
        assert!(made || result.is_err(), "a backup that was reported is there after a crash");
        if made {
            let store = store_on(&left, &target).unwrap();
            assert_eq!(ids(&store.datasource("ds").unwrap()), (0..PUBLISHED[2]).collect::<Vec<_>>());
            assert!(store.verify(|_| {}).unwrap().is_sound());
        }
        if hit.is_none() {
            break;
        }
        points += 1;
    }
    println!("faults in a backup: {points} points");
}

#[test]
fn every_crash_in_a_restore_leaves_the_backup_whole_and_a_store_that_is_whole_or_none() {
    let world = World::new();
    publish_all(&world);
    let [backup, restored] = ["backup", "restored"].map(|name| world.folder.parent().unwrap().join(name));
    // Only the locks are real files.
    for folder in [&backup, &restored] {
        std::fs::create_dir(folder).unwrap();
    }
    world.open().unwrap().0.backup(&backup, |_| {}).unwrap();
    let disk = world.disk.fork();
    store_on(&disk, &backup).unwrap().backup(&restored, |_| {}).unwrap();
    disk.acknowledge(1);
    every_crash(&world, &disk, "a restore", 600, |image, acknowledged, number| {
        let is_made = image.disk.list(&restored).unwrap().contains(&restored.join("catalog.redb"));
        assert!(is_made || acknowledged == 0, "what was reported to be restored is there");
        let rows = PUBLISHED[2];
        for folder in std::iter::once(&backup).chain(is_made.then_some(&restored)) {
            let store = store_on(&image.disk, folder).unwrap();
            assert!(store.verify(|_| {}).unwrap().is_sound());
            assert_eq!(committed(&store), rows);
            let datasource = store.ensure_datasource("ds", schema()).unwrap();
            assert_eq!(ids(&datasource), (0..rows).collect::<Vec<_>>());
            if number % 16 == 0 {
                append(&datasource, rows..rows + 4);
                datasource.publish(9).unwrap();
                assert_eq!(ids(&datasource), (0..rows + 4).collect::<Vec<_>>());
            }
        }
    });
}
