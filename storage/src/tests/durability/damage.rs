//! Bytes that change on the disk: what is damaged is refused by name, what is not goes on.

use super::*;
use crate::catalog::Catalog;
use crate::disk::simulated::Random;
use crate::names::segment_folder;
use crate::tests::compaction::EAGER;
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

#[test]
fn a_segment_found_to_be_damaged_is_in_quarantine_and_only_that() {
    let world = World::new();
    publish_all(&world);
    let folders = world.disk.list(&world.folder.join("segments/ds")).unwrap();
    for file in ["data.arrow", "index.ovate"] {
        let disk = world.disk.fork();
        let path = folders[1].join(file);
        let mut bytes = disk.bytes(&path);
        // Behind the head of a posting list, before the footer.
        let at = if file == "data.arrow" { bytes.len() / 2 } else { 64 };
        bytes[at] ^= 1;
        disk.damage(&path, bytes);
        let (store, datasource) = world.on(disk).open().unwrap();
        assert_eq!(datasource.quarantined(), []);
        let look = |part: &Part| -> Result<()> {
            if let Some(lists) = part.postings("name")? {
                lists.nulls()?;
            }
            ids_of(part).map(drop)
        };
        let snapshot = datasource.snapshot();
        let failed: Vec<&Part> = snapshot.parts.iter().filter(|part| look(part).is_err()).collect();
        assert_eq!(failed.len(), 1, "{file}");
        let first = look(failed[0]).unwrap_err().to_string();
        for named in [failed[0].id(), file, "checksum"] {
            assert!(first.contains(named), "{first}");
        }
        // Whatever is asked for from now on is refused in the same words, and by every later snapshot.
        let later = datasource.snapshot();
        let same = later.parts.iter().find(|part| part.id() == failed[0].id()).unwrap();
        assert_eq!(same.time().unwrap_err().to_string(), first);
        assert_eq!(same.blocks("id").unwrap_err().to_string(), first);
        let found = datasource.quarantined();
        assert_eq!((found.len(), found[0].record.id.as_str()), (1, failed[0].id()));
        assert!(first.contains(&found[0].reason), "{first}");
        // It is left out of a compaction, and found by name.
        while datasource.compact(&EAGER, 9).unwrap().is_some() {}
        assert!(store.segment_records(None).unwrap().iter().any(|record| record.id == failed[0].id()));
        // What was merged is still held by the snapshots of this test.
        let report = store.verify(|_| {}).unwrap();
        let damaged: Vec<&Finding> = report.findings.iter().filter(|finding| finding.is_damage()).collect();
        assert!(
            matches!(damaged.as_slice(), [Finding::Damaged { segment, .. }] if segment == failed[0].id())
        );
    }
}

#[test]
fn compacting_a_damaged_segment_changes_nothing_and_goes_on_without_it() {
    let world = World::new();
    publish_all(&world);
    let folders = world.disk.list(&world.folder.join("segments/ds")).unwrap();
    let path = folders[0].join("data.arrow");
    let mut bytes = world.disk.bytes(&path);
    bytes[100] ^= 1;
    world.disk.damage(&path, bytes);
    let (store, datasource) = world.open().unwrap();
    let before = store.segment_records(None).unwrap();
    let steps: Vec<_> = std::iter::repeat_with(|| datasource.compact(&EAGER, 9)).take(20).collect();
    let refused: Vec<String> =
        steps.iter().filter_map(|step| Some(step.as_ref().err()?.to_string())).collect();
    assert_eq!(refused.len(), 1, "{refused:?}");
    assert!(refused[0].contains(&before[0].id), "{refused:?}");
    assert!(steps.iter().any(|step| matches!(step, Ok(Some(_)))), "the others are merged");
    assert_eq!(datasource.poisoned(), None);
    let after = store.segment_records(None).unwrap();
    assert!(after.contains(&before[0]));
    assert_eq!(after.iter().map(|r| r.rows).sum::<u64>(), before.iter().map(|r| r.rows).sum::<u64>());
}

/// On the real disk, whose files are mapped.
#[test]
fn a_file_that_is_cut_off_while_it_is_served_fails_by_name_and_the_others_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let options = StoreOptions { segment_rows_max: 8, ..StoreOptions::default() };
    let store = Store::open(folder.path(), options).unwrap();
    let datasource = store.ensure_datasource("ds", schema()).unwrap();
    for rows in [0..7, 7..20, 20..33] {
        append(&datasource, rows);
        datasource.publish(0).unwrap();
    }
    assert_eq!(ids(&datasource), (0..33).collect::<Vec<_>>());
    let snapshot = datasource.snapshot();
    let cut = &snapshot.parts[1];
    let path = segment_folder(folder.path(), "ds", cut.id()).join("data.arrow");
    std::fs::File::options().write(true).open(&path).unwrap().set_len(0).unwrap();
    let mut named = Vec::new();
    for part in &snapshot.parts {
        // What was read before is read again where it is mapped.
        match ids_of(part).and_then(|_| part.all_read()) {
            Ok(()) => assert_ne!(part.id(), cut.id()),
            Err(error) => named.push(error.to_string()),
        }
    }
    assert_eq!(named.len(), 1, "{named:?}");
    assert!(named[0].contains(cut.id()) && named[0].contains("data.arrow"), "{named:?}");
    assert_eq!(datasource.quarantined().len(), 1);
    while datasource.compact(&EAGER, 9).unwrap().is_some() {}
    assert!(store.segment_records(None).unwrap().iter().any(|record| record.id == cut.id()));
    append(&datasource, 33..40);
    datasource.publish(1).unwrap();
    let verified = store.verify(|_| {}).unwrap();
    let damaged: Vec<&Finding> = verified.findings.iter().filter(|finding| finding.is_damage()).collect();
    assert!(matches!(damaged.as_slice(), [Finding::Damaged { segment, .. }] if segment == cut.id()));
}
