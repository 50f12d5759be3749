//! Bytes that change on the disk: what is damaged is refused by name, what is not goes on.

use super::*;
use crate::catalog::Catalog;
use crate::disk::simulated::Random;
use crate::{Finding, StorageError};

const SEED: u64 = 0x0e7a_7e00_0000_0003;
const MUTATIONS: usize = 1_600;

/// One change: a bit flipped, a sector torn, or the end cut off.
fn mutate(bytes: &mut Vec<u8>, random: &mut Random) -> String {
    let used: Vec<usize> =
        (0..bytes.len()).step_by(512).filter(|&at| bytes[at..][..512].iter().any(|&b| b != 0)).collect();
    let sector = used[random.below(used.len() as u64) as usize];
    match random.below(8) {
        0 => {
            bytes[sector..][..512].fill(0);
            format!("sector at {sector} lost")
        }
        1 => {
            let end = random.below(bytes.len() as u64) as usize;
            bytes.truncate(end);
            format!("cut off at {end}")
        }
        kind => {
            // The head decides over all else: it gets its share.
            let at = if kind == 2 { random.below(512) as usize } else { sector + random.below(512) as usize };
            let bit = random.below(8);
            bytes[at] ^= 1 << bit;
            format!("bit {bit} of byte {at} flipped")
        }
    }
}

#[test]
fn a_damaged_catalog_is_refused_by_name_or_holds_what_it_held() {
    let world = World::new();
    publish_all(&world);
    let crash = world.disk.crash();
    // As a clean end leaves it, and as a kill does.
    let killed = (0..crash.moments()).rev().find(|&m| crash.acknowledged(m) < PUBLISHED[2]).unwrap();
    let mut random = Random(SEED);
    let (mut refused, mut same) = (0, 0);
    for image in [world.disk.fork(), crash.killed(killed)] {
        let image = world.on(image);
        let disk: Arc<dyn Disk> = Arc::new(image.disk.fork());
        let expected = Catalog::open(&disk, &world.catalog()).unwrap().contents().unwrap();
        let whole = image.disk.bytes(&world.catalog());
        for number in 0..MUTATIONS / 2 {
            let mut bytes = whole.clone();
            let change = mutate(&mut bytes, &mut random);
            let disk = image.disk.fork();
            disk.damage(&world.catalog(), bytes);
            let disk: Arc<dyn Disk> = Arc::new(disk);
            let read = Catalog::open(&disk, &world.catalog()).and_then(|catalog| catalog.contents());
            match read {
                Ok(found) => {
                    assert!(found == expected, "seed {SEED:#x}, change {number}, {change}: other contents");
                    same += 1;
                }
                Err(error) => {
                    let text = error.to_string();
                    assert!(text.contains("catalog"), "seed {SEED:#x}, change {number}, {change}: {text}");
                    refused += 1;
                }
            }
        }
    }
    println!("damaged catalogs: {MUTATIONS} changes, seed {SEED:#x}: {refused} refused, {same} unharmed");
}

#[test]
fn a_store_without_its_catalog_does_not_take_its_segments_for_waste() {
    let world = World::new();
    publish_all(&world);
    let empty = world.disk.fork();
    empty.damage(&world.catalog(), Vec::new());
    let error = world.on(empty).store().unwrap_err();
    assert!(matches!(&error, StorageError::Damaged { path, .. } if *path == world.catalog()), "{error}");
    let gone = world.disk.fork();
    gone.remove(&world.catalog()).unwrap();
    let error = world.on(gone.clone()).store().unwrap_err();
    assert!(error.to_string().contains("it is missing, though there are segments"), "{error}");
    assert!(!gone.list(&world.folder.join("segments/ds")).unwrap().is_empty());
}

#[test]
fn a_damaged_segment_fails_by_name_and_leaves_the_others_alone() {
    let world = World::new();
    publish_all(&world);
    let folders = world.disk.list(&world.folder.join("segments/ds")).unwrap();
    for file in ["data.arrow", "index.ovate"] {
        let disk = world.disk.fork();
        let path = folders[1].join(file);
        let mut bytes = disk.bytes(&path);
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        disk.damage(&path, bytes);
        let store = world.on(disk).store().unwrap();
        let report = store.verify(|_| {}).unwrap();
        let [Finding::Damaged { segment, used: true, reason }] = report.findings.as_slice() else {
            panic!("{report:?}")
        };
        assert!(reason.contains(file), "{reason}");
        assert_eq!(report.segments, folders.len());
        for part in &store.datasource("ds").unwrap().snapshot().parts {
            match ids_of(part) {
                Ok(_) if file == "index.ovate" => {}
                Ok(_) => assert_ne!(part.id(), segment),
                Err(error) => assert!(part.id() == segment && error.to_string().contains(file), "{error}"),
            }
        }
    }
}

#[test]
fn segments_whose_folder_is_gone_are_missed_by_name() {
    let world = World::new();
    publish_all(&world);
    world.disk.remove(&world.folder.join("segments/ds")).unwrap();
    let store = world.on(world.disk.clone()).store().unwrap();
    for part in &store.datasource("ds").unwrap().snapshot().parts {
        let error = ids_of(part).unwrap_err().to_string();
        assert!(error.contains(part.id()) && error.contains("segments/ds"), "{error}");
    }
    let report = store.verify(|_| {}).unwrap();
    assert_eq!(report.findings.len(), report.segments);
}

#[test]
fn a_segment_that_could_not_be_opened_once_is_opened_by_the_next_query() {
    let world = World::new();
    publish_all(&world);
    let (_store, datasource) = world.open().unwrap();
    let snapshot = datasource.snapshot();
    world.disk.fail(0, crate::disk::simulated::FaultKind::Broken);
    assert!(ids_of(&snapshot.parts[0]).is_err());
    world.disk.heal();
    assert!(ids_of(&snapshot.parts[0]).is_ok());
}
