//! Merging, dropping and killing segments, with every call to the disk failing in turn, and cut off at every moment.
//!
//! Merging must not change what is seen. Dropping and killing take away one chunk, all of it or nothing.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use super::*;
use crate::disk::simulated::{Call, FaultKind, Random};
use crate::tests::compaction::EAGER;
use crate::time::Interval;
use crate::{Rule, RuleChange, Selection, StorageError};

const SEED: u64 = 0x0e7a_7e00_0000_0004;
const REORDERINGS: usize = 600;
const ROWS: i64 = PUBLISHED[2];

/// Three publishes, on a disk without history.
fn published() -> (World, SimulatedDisk) {
    let world = World::new();
    publish_all(&world);
    let disk = world.disk.fork();
    (world, disk)
}

/// Two steps of compaction, of the nine segments that there are.
fn merge(store: &Store, datasource: &Datasource) -> Result<()> {
    datasource.compact(&EAGER, 5)?;
    datasource.compact(&EAGER, 5)?;
    assert!(store.segment_records(None).unwrap().len() < 9, "nothing was merged");
    Ok(())
}

/// Drops the first chunk by a rule, then kills it.
fn drop_and_kill(store: &Store) -> Result<()> {
    let rules: Vec<Rule> = serde_json::from_str(
        r#"[{"type":"dropByInterval","interval":"1970-01-01T00/1970-01-01T01"},{"type":"loadForever"}]"#,
    )
    .unwrap();
    let [datasource, author, comment, ip] = ["ds", "", "", ""].map(str::to_owned);
    store.set_rules(&RuleChange { datasource, rules, author, comment, ip, time_ms: 0 })?;
    store.apply_rules(0)?;
    store.kill("ds", Interval::ETERNITY)?;
    Ok(())
}

fn all() -> Vec<i64> {
    (0..ROWS).collect()
}

/// What is left without the first chunk.
fn rest() -> Vec<i64> {
    (0..ROWS).filter(|row| row % 3 != 0).collect()
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Outcome {
    Unharmed,
    Retried,
    Poisoned,
}

/// Two steps of compaction with a fault at `call`; see `faults` for the same of a publish.
fn merge_with_fault(
    world: &World,
    disk: &SimulatedDisk,
    call: u64,
    kind: FaultKind,
) -> ControlFlow<(), Option<(Call, Outcome)>> {
    let image = world.on(disk.fork());
    let (store, datasource) = image.open().unwrap();
    let before = datasource.snapshot();
    let from = image.disk.calls();
    image.disk.fail(call, kind);
    let result = merge(&store, &datasource);
    let last = image.disk.calls() - from;
    let hit = image.disk.heal();
    let Some(hit) = hit else {
        return if call >= last { ControlFlow::Break(()) } else { ControlFlow::Continue(None) };
    };
    assert_eq!(ids(&datasource), all(), "rows are visible whatever happens");
    // A read that failed may have left a segment in quarantine for a snapshot only if its bytes are wrong; they are
    // right here.
    assert!(datasource.quarantined().is_empty());
    for part in &before.parts {
        ids_of(part).unwrap();
    }
    drop(before);
    let outcome = match (result, datasource.poisoned()) {
        (Ok(()), None) => Outcome::Unharmed,
        (Ok(()), Some(reason)) => panic!("poisoned after a success: {reason}"),
        (Err(_), None) => {
            merge(&store, &datasource).expect("an error that does not poison can be tried again");
            append(&datasource, ROWS..ROWS + 2);
            datasource.publish(6).unwrap();
            assert_eq!(ids(&datasource), (0..ROWS + 2).collect::<Vec<_>>());
            datasource.remove_leftovers().unwrap();
            assert_eq!(store.verify(|_| {}).unwrap().findings, []);
            Outcome::Retried
        }
        (Err(_), Some(_)) => {
            assert!(matches!(datasource.compact(&EAGER, 7), Err(StorageError::Poisoned { .. })));
            assert!(matches!(datasource.publish(7), Err(StorageError::Poisoned { .. })));
            assert_eq!(ids(&datasource), all(), "reads go on");
            Outcome::Poisoned
        }
    };
    let rows = if outcome == Outcome::Retried { ROWS + 2 } else { ROWS };
    drop((store, datasource));
    world.on(image.disk.fork()).check_and_go_on(rows, &[rows], rows + 3);
    let crash = image.disk.crash();
    let moment = crash.moments() - 1;
    if kind != FaultKind::Lying {
        world.on(crash.cut_off(moment)).check(rows, &[rows]);
        let mut random = Random(SEED ^ call);
        for _ in 0..2 {
            world.on(crash.reordered(moment, &mut random)).check(rows, &[rows]);
        }
    }
    ControlFlow::Continue(Some((hit, outcome)))
}

#[test]
fn a_compaction_survives_the_failure_of_any_call() {
    let (world, disk) = published();
    let mut outcomes: BTreeMap<String, BTreeMap<Outcome, u32>> = BTreeMap::new();
    let mut points = 0;
    for kind in FaultKind::ALL {
        for call in 0.. {
            let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                merge_with_fault(&world, &disk, call, kind)
            }));
            let result = result.unwrap_or_else(|_| panic!("seed {SEED:#x}, {kind:?} at call {call}"));
            let ControlFlow::Continue(result) = result else { break };
            let Some((hit, outcome)) = result else { continue };
            points += 1;
            if kind == FaultKind::Full || kind == FaultKind::LateFull {
                let expected = outcome != Outcome::Poisoned || hit == Call::Sync;
                assert!(expected, "{kind:?} at call {call} ({hit:?}) stopped ingestion");
            }
            *outcomes.entry(format!("{kind:?}")).or_default().entry(outcome).or_default() += 1;
        }
    }
    println!("faults in a compaction: {points} points, seed {SEED:#x}: {outcomes:?}");
}

#[test]
fn dropping_and_killing_survive_the_failure_of_any_call() {
    let (world, disk) = published();
    let mut points = 0;
    for kind in FaultKind::ALL {
        for call in 0.. {
            let image = world.on(disk.fork());
            let (store, datasource) = image.open().unwrap();
            let from = image.disk.calls();
            image.disk.fail(call, kind);
            let result = drop_and_kill(&store);
            let last = image.disk.calls() - from;
            if image.disk.heal().is_none() {
                assert!(result.is_ok());
                if call >= last {
                    break;
                }
                continue;
            }
            points += 1;
            let seen = ids(&datasource);
            assert!(seen == all() || seen == rest(), "{kind:?} at call {call}");
            if result.is_ok() {
                assert_eq!(seen, rest(), "{kind:?} at call {call}");
            }
            drop((store, datasource));
            let crash = image.disk.crash();
            let mut images = vec![image.disk.fork()];
            if kind != FaultKind::Lying {
                images.push(crash.cut_off(crash.moments() - 1));
            }
            for left in images {
                let (store, datasource) = world.on(left).open().unwrap();
                let seen = ids(&datasource);
                assert!(seen == all() || seen == rest(), "{kind:?} at call {call}");
                assert!(
                    seen == rest() || result.is_err(),
                    "{kind:?} at call {call}: what was dropped is back"
                );
                assert_eq!(store.verify(|_| {}).unwrap().findings, [], "{kind:?} at call {call}");
                drop_and_kill(&store).unwrap();
                assert_eq!(ids(&datasource), rest());
                assert!(store.segment_records(None).unwrap().iter().all(|record| record.used));
            }
        }
    }
    println!("faults in a drop and a kill: {points} points");
}

/// Every prefix of what the disk was told, killed and cut off, and sampled orders of what was not synced.
fn every_crash(world: &World, disk: &SimulatedDisk, name: &str, check: impl Fn(&Opened<'_>, i64)) {
    let crash = disk.crash();
    let checked = |image: SimulatedDisk, moment: usize, how: &str| {
        let acknowledged = crash.acknowledged(moment);
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            check(&world.on(image), acknowledged);
        }));
        assert!(result.is_ok(), "{name}: crash at moment {moment}, {how}, seed {SEED:#x}");
    };
    for moment in 0..crash.moments() {
        checked(crash.killed(moment), moment, "killed");
        checked(crash.cut_off(moment), moment, "cut off");
    }
    let mut random = Random(SEED);
    for number in 0..REORDERINGS {
        let moment = random.below(crash.moments() as u64) as usize;
        checked(crash.reordered(moment, &mut random), moment, &format!("reordering {number}"));
    }
    println!(
        "crash images of {name}: {} moments, each killed and cut off, and {REORDERINGS} reorderings, seed {SEED:#x}",
        crash.moments()
    );
}

#[test]
fn every_crash_in_a_compaction_leaves_all_rows_once() {
    let (world, disk) = published();
    {
        let (store, datasource) = world.on(disk.clone()).open().unwrap();
        merge(&store, &datasource).unwrap();
        append(&datasource, ROWS..ROWS + 4);
        datasource.publish(7).unwrap();
        disk.acknowledge(ROWS + 4);
        datasource.compact(&EAGER, 8).unwrap();
    }
    every_crash(&world, &disk, "a compaction", |image, acknowledged| {
        image.check(acknowledged.max(ROWS), &[ROWS, ROWS + 4]);
    });
}

#[test]
fn every_crash_in_a_drop_and_a_kill_takes_a_chunk_or_leaves_it() {
    let (world, disk) = published();
    {
        let (store, _datasource) = world.on(disk.clone()).open().unwrap();
        store.mark_unused("ds", &Selection::Inside(Interval::new(0, HOUR))).unwrap();
        disk.acknowledge(1);
        store.mark_used("ds", &Selection::All).unwrap();
        disk.acknowledge(2);
        drop_and_kill(&store).unwrap();
        disk.acknowledge(3);
    }
    every_crash(&world, &disk, "a drop and a kill", |image, acknowledged| {
        let (store, datasource) = image.open().unwrap();
        let seen = ids(&datasource);
        assert!(seen == all() || seen == rest());
        if acknowledged == 3 {
            assert_eq!(seen, rest());
        }
        assert_eq!(store.verify(|_| {}).unwrap().findings, []);
    });
}
