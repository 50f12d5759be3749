//! Merging, dropping and killing segments, with every call to the disk failing in turn, and cut off at every moment.
//!
//! Merging must not change what is seen. Dropping and killing take away one chunk, all of it or nothing.

use std::ops::ControlFlow;

use super::crashes::every_crash;
use super::faults::{Outcome, every_fault};
use super::*;
use crate::disk::simulated::{FaultKind, Random};
use crate::tests::compaction::{COLD, EAGER};
use crate::time::Interval;
use crate::{CompactionOptions, Rule, RuleChange, Selection, StorageError};

const SEED: u64 = 0x0e7a_7e00_0000_0004;
const REORDERINGS: usize = 600;
const ROWS: i64 = PUBLISHED[2];

const COMPACTIONS: [(&str, CompactionOptions); 2] =
    [("a compaction", EAGER), ("a compaction of cold chunks", COLD)];

/// Three publishes, on a disk without history.
fn published() -> (World, SimulatedDisk) {
    let world = World::new();
    publish_all(&world);
    let disk = world.disk.fork();
    (world, disk)
}

/// Two steps of compaction, of the nine segments that there are.
fn merge(store: &Store, datasource: &Datasource, options: &CompactionOptions) -> Result<()> {
    datasource.compact(options, 5)?;
    datasource.compact(options, 5)?;
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

/// Two steps of compaction with a fault at `call`; see `faults` for the same of a publish.
fn merge_with_fault(
    options: &CompactionOptions,
    world: &World,
    disk: &SimulatedDisk,
    call: u64,
    kind: FaultKind,
) -> ControlFlow<(), Option<Outcome>> {
    let image = world.on(disk.fork());
    let (store, datasource) = image.open().unwrap();
    let before = datasource.snapshot();
    let from = image.disk.calls();
    image.disk.fail(call, kind);
    let result = merge(&store, &datasource, options);
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
            merge(&store, &datasource, options).expect("an error that does not poison can be tried again");
            append(&datasource, ROWS..ROWS + 2);
            datasource.publish(6).unwrap();
            assert_eq!(ids(&datasource), (0..ROWS + 2).collect::<Vec<_>>());
            datasource.remove_leftovers().unwrap();
            assert_eq!(store.verify(|_| {}).unwrap().findings, []);
            Outcome::Retried
        }
        (Err(_), Some(_)) => {
            assert!(matches!(datasource.compact(options, 7), Err(StorageError::Poisoned { .. })));
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
    ControlFlow::Continue(Some(outcome.after(hit, kind)))
}

#[test]
fn a_compaction_survives_the_failure_of_any_call() {
    let (world, disk) = published();
    for (what, options) in COMPACTIONS {
        every_fault(what, SEED, |call, kind| merge_with_fault(&options, &world, &disk, call, kind));
    }
}

/// A drop and a kill with a fault at `call`. Whether it was reported to have been done.
fn drop_with_fault(
    world: &World,
    disk: &SimulatedDisk,
    call: u64,
    kind: FaultKind,
) -> ControlFlow<(), Option<&'static str>> {
    let image = world.on(disk.fork());
    let (store, datasource) = image.open().unwrap();
    let from = image.disk.calls();
    image.disk.fail(call, kind);
    let result = drop_and_kill(&store);
    let last = image.disk.calls() - from;
    if image.disk.heal().is_none() {
        assert!(result.is_ok());
        return if call >= last { ControlFlow::Break(()) } else { ControlFlow::Continue(None) };
    }
    let check = |seen: &[i64]| {
        assert!(seen == all() || seen == rest());
        assert!(seen == rest() || result.is_err(), "what was dropped is back");
    };
    check(&ids(&datasource));
    drop((store, datasource));
    let crash = image.disk.crash();
    let mut images = vec![image.disk.fork()];
    if kind != FaultKind::Lying {
        images.push(crash.cut_off(crash.moments() - 1));
    }
    for left in images {
        let (store, datasource) = world.on(left).open().unwrap();
        check(&ids(&datasource));
        assert_eq!(store.verify(|_| {}).unwrap().findings, []);
        drop_and_kill(&store).unwrap();
        assert_eq!(ids(&datasource), rest());
        assert!(store.segment_records(None).unwrap().iter().all(|record| record.used));
    }
    ControlFlow::Continue(Some(if result.is_ok() { "done" } else { "refused" }))
}

#[test]
fn dropping_and_killing_survive_the_failure_of_any_call() {
    let (world, disk) = published();
    every_fault("a drop and a kill", SEED, |call, kind| drop_with_fault(&world, &disk, call, kind));
}

#[test]
fn every_crash_in_a_compaction_leaves_all_rows_once() {
    for (what, options) in COMPACTIONS {
        crash_in_a_compaction(what, &options);
    }
}

fn crash_in_a_compaction(what: &str, options: &CompactionOptions) {
    let (world, disk) = published();
    {
        let (store, datasource) = world.on(disk.clone()).open().unwrap();
        merge(&store, &datasource, options).unwrap();
        append(&datasource, ROWS..ROWS + 4);
        datasource.publish(7).unwrap();
        disk.acknowledge(ROWS + 4);
        datasource.compact(options, 8).unwrap();
    }
    every_crash(&world, &disk, what, REORDERINGS, |image, acknowledged, _| {
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
    every_crash(&world, &disk, "a drop and a kill", REORDERINGS, |image, acknowledged, _| {
        let (store, datasource) = image.open().unwrap();
        let seen = ids(&datasource);
        assert!(seen == all() || seen == rest());
        if acknowledged == 3 {
            assert_eq!(seen, rest());
        }
        assert_eq!(store.verify(|_| {}).unwrap().findings, []);
    });
}
