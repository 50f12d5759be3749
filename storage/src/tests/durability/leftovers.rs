//! What is left over by work that was interrupted, and what must not be.

use super::*;
use crate::disk::simulated::{Call, FaultKind};
use crate::time::Interval;
use crate::{Finding, Selection, StorageError};

const KINDS: [FaultKind; 4] =
    [FaultKind::Broken, FaultKind::LateBroken, FaultKind::Full, FaultKind::LateFull];

/// The segment folders there are.
fn folders(image: &Opened<'_>) -> usize {
    image.disk.list(&image.world.folder.join("segments/ds")).unwrap().len()
}

#[test]
fn a_kill_that_is_interrupted_anywhere_leaves_nothing_after_the_next_start() {
    let world = World::new();
    publish_all(&world);
    for kind in KINDS {
        for call in 0.. {
            let image = world.on(world.disk.fork());
            {
                let (store, datasource) = image.open().unwrap();
                store.mark_unused("ds", &Selection::Inside(Interval::new(0, HOUR))).unwrap();
                image.disk.fail(call, kind);
                let killed = store.kill("ds", Interval::ETERNITY);
                let hit = image.disk.heal();
                if hit.is_none() {
                    assert!(killed.unwrap() > 0);
                    break;
                }
                assert_eq!(ids(&datasource).len(), 22, "{kind:?} at call {call}");
            }
            let store = image.store().unwrap();
            let records = store.segment_records(None).unwrap();
            assert_eq!(folders(&image), records.len(), "{kind:?} at call {call}");
            assert_eq!(store.verify(|_| {}).unwrap().findings, [], "{kind:?} at call {call}");
            store.kill("ds", Interval::ETERNITY).unwrap();
            assert_eq!(ids(&store.datasource("ds").unwrap()).len(), 22);
        }
    }
}

#[test]
fn killed_segments_do_not_come_back_into_use() {
    let world = World::new();
    publish_all(&world);
    let (store, datasource) = world.open().unwrap();
    assert!(store.mark_unused("ds", &Selection::All).unwrap() > 0);
    assert!(store.kill("ds", Interval::ETERNITY).unwrap() > 0);
    assert_eq!(store.mark_used("ds", &Selection::All).unwrap(), 0);
    assert_eq!(ids(&datasource), [0; 0]);
    // Ids are free again, and so are the places of their files.
    append(&datasource, 33..40);
    datasource.publish(0).unwrap();
    assert_eq!(ids(&datasource), (33..40).collect::<Vec<_>>());
    assert_eq!(store.verify(|_| {}).unwrap().findings, []);
}

#[test]
fn a_first_publish_that_was_interrupted_is_durable_once_it_is_repeated() {
    for kind in [FaultKind::LateBroken, FaultKind::LateFull, FaultKind::Full] {
        for call in 0.. {
            let world = World::new();
            {
                let (_store, datasource) = world.open().unwrap();
                append(&datasource, 0..3);
                world.disk.fail(call, kind);
                let _ = datasource.publish(0);
            }
            // The process starts anew, the machine does not: what was not synced is still there to be seen.
            let hit = world.disk.heal();
            if kind == FaultKind::Full && hit == Some(Call::Sync) {
                // What the kernel has forgotten no later sync brings back; that takes another machine start.
                continue;
            }
            {
                let (store, datasource) = world.open().unwrap();
                append(&datasource, committed(&store)..3);
                datasource.publish(1).unwrap();
            }
            let crash = world.disk.crash();
            world.on(crash.cut_off(crash.moments() - 1)).check(3, &[3]);
            if hit.is_none() {
                break;
            }
        }
    }
}

#[test]
fn rows_left_by_a_full_disk_are_published_together_with_those_that_came_later() {
    let world = World::new();
    let (store, datasource) = world.open().unwrap();
    append(&datasource, 0..9);
    world.disk.fail(4, FaultKind::Full);
    assert!(datasource.publish(0).is_err());
    append(&datasource, 9..12);
    assert!(datasource.publish(0).is_err());
    assert_eq!(store.verify(|_| {}).unwrap().findings, [], "a full disk is not filled further");
    world.disk.heal();
    let published = datasource.publish(0).unwrap();
    assert_eq!((published.rows, datasource.writer().hot_rows()), (12, 0));
    assert_eq!(committed(&store), 12);
}

#[test]
fn a_poisoned_datasource_does_not_stop_the_others() {
    let world = World::new();
    let (store, datasource) = world.open().unwrap();
    let other = store.ensure_datasource("other", schema()).unwrap();
    append(&datasource, 0..3);
    append(&other, 0..3);
    // The first file's sync: after its folder and two files are made and it is written.
    for call in 0.. {
        world.disk.fail(call, FaultKind::Broken);
        let failed = datasource.publish(0).is_err();
        world.disk.heal();
        if datasource.poisoned().is_some() {
            assert!(failed);
            break;
        }
    }
    assert!(matches!(datasource.publish(0), Err(StorageError::Poisoned { .. })));
    other.publish(0).unwrap();
    assert_eq!(ids(&other), [0, 1, 2]);
    assert_eq!(ids(&datasource), [0, 1, 2]);
}

#[test]
fn what_is_only_looked_at_is_not_tidied() {
    let world = World::new();
    publish_all(&world);
    let orphan = world.folder.join("segments/ds/ds_orphan");
    world.disk.create_folder(&orphan).unwrap();
    let disk: Arc<dyn Disk> = Arc::new(world.disk.clone());
    let options = StoreOptions { disk, remove_orphans: false, ..StoreOptions::default() };
    let report = Store::open(&world.folder, options).unwrap().verify(|_| {}).unwrap();
    assert_eq!(report.findings, [Finding::Orphan { path: orphan.clone() }]);
    assert!(report.is_sound());
    drop(world.on(world.disk.clone()).store().unwrap());
    assert!(!world.disk.list(&world.folder.join("segments/ds")).unwrap().contains(&orphan));
}
