//! The n-th call to the disk fails, for every n of a publish and every kind of failure.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::ops::ControlFlow;

use super::*;
use crate::StorageError;
use crate::disk::simulated::{Call, FaultKind, Random};

const SEED: u64 = 0x0e7a_7e00_0000_0002;

/// A store with [`PUBLISHED`]'s first rows, on a disk without history.
fn prepared() -> (World, SimulatedDisk) {
    let world = World::new();
    {
        let (_store, datasource) = world.open().unwrap();
        append(&datasource, 0..PUBLISHED[0]);
        datasource.publish(0).unwrap();
    }
    let disk = world.disk.fork();
    (world, disk)
}

/// What a call that failed has led to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Outcome {
    Unharmed,
    Retried,
    Poisoned,
}

impl Outcome {
    /// Passes it on, unless it is one that a lack of room must not have.
    pub(super) fn after(self, hit: Call, kind: FaultKind) -> Self {
        let is_full = matches!(kind, FaultKind::Full | FaultKind::LateFull);
        let is_allowed = self != Self::Poisoned || hit == Call::Sync || !is_full;
        assert!(is_allowed, "a lack of room at {hit:?} stopped ingestion");
        self
    }
}

/// Every kind of fault at every call of a piece of work. `work` does it with one fault and says what came of it; it
/// breaks off where there are no so many calls, and gives `None` where the fault does not fit the call.
pub(super) fn every_fault<T: Debug + Ord>(
    name: &str,
    seed: u64,
    work: impl Fn(u64, FaultKind) -> ControlFlow<(), Option<T>>,
) {
    let mut outcomes: BTreeMap<String, BTreeMap<T, u32>> = BTreeMap::new();
    let mut points = 0;
    for kind in FaultKind::ALL {
        for call in 0.. {
            let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| work(call, kind)));
            let result = result.unwrap_or_else(|_| panic!("{name}: seed {seed:#x}, {kind:?} at call {call}"));
            let ControlFlow::Continue(outcome) = result else { break };
            let Some(outcome) = outcome else { continue };
            points += 1;
            *outcomes.entry(format!("{kind:?}")).or_default().entry(outcome).or_default() += 1;
        }
    }
    println!("faults in {name}: {points} points, seed {seed:#x}: {outcomes:?}");
}

/// One publish of late rows into three chunks with a fault at `call`. `Break` if it has fewer calls, `None` if the
/// fault does not fit the call.
fn publish_with_fault(
    world: &World,
    disk: &SimulatedDisk,
    call: u64,
    kind: FaultKind,
) -> ControlFlow<(), Option<Outcome>> {
    let (before, rows) = (PUBLISHED[0], PUBLISHED[2]);
    let image = world.on(disk.fork());
    let (store, datasource) = image.open().unwrap();
    let from = image.disk.calls();
    append(&datasource, before..PUBLISHED[1]);
    image.disk.fail(call, kind);
    let result = datasource.publish(1);
    // Rows go on arriving while the trouble lasts.
    append(&datasource, PUBLISHED[1]..rows);
    let last = image.disk.calls() - from;
    let hit = image.disk.heal();
    assert_eq!(ids(&datasource), (0..rows).collect::<Vec<_>>(), "rows are visible whatever happens");
    let Some(hit) = hit else {
        return if call >= last { ControlFlow::Break(()) } else { ControlFlow::Continue(None) };
    };
    let (outcome, acknowledged, possible) = match (result, datasource.poisoned()) {
        (Ok(_), None) => (Outcome::Unharmed, PUBLISHED[1], vec![PUBLISHED[1]]),
        (Ok(_), Some(reason)) => panic!("poisoned after a success: {reason}"),
        (Err(_), None) => {
            datasource.publish(2).expect("an error that does not poison can be tried again");
            assert_eq!(ids(&datasource), (0..rows).collect::<Vec<_>>());
            assert!(datasource.snapshot().parts.iter().all(|part| matches!(part, Part::Segment(_))));
            let published = store.segment_records(Some("ds")).unwrap().iter().map(|r| r.rows).sum::<u64>();
            assert_eq!(published, rows as u64);
            (Outcome::Retried, rows, vec![rows])
        }
        (Err(_), Some(_)) => {
            assert!(matches!(datasource.publish(2), Err(StorageError::Poisoned { .. })));
            assert_eq!(ids(&datasource), (0..rows).collect::<Vec<_>>(), "reads go on");
            (Outcome::Poisoned, before, vec![before, PUBLISHED[1]])
        }
    };
    drop((store, datasource));
    world.on(image.disk.fork()).check_and_go_on(acknowledged, &possible, rows + 3);
    let crash = image.disk.crash();
    let moment = crash.moments() - 1;
    if kind == FaultKind::Lying {
        check_after_lie(&world.on(crash.cut_off(moment)), before, &possible);
    } else {
        world.on(crash.cut_off(moment)).check(acknowledged, &possible);
        let mut random = Random(SEED ^ call);
        for _ in 0..2 {
            world.on(crash.reordered(moment, &mut random)).check(acknowledged, &possible);
        }
    }
    ControlFlow::Continue(Some(outcome.after(hit, kind)))
}

/// No store can keep what a disk says it has kept and has not. But what is missing is missed by name: every row
/// before the offset is there, or the segment that should have it is damaged.
fn check_after_lie(image: &Opened<'_>, before: i64, possible: &[i64]) {
    let store = match image.store() {
        Err(error) => {
            assert!(error.to_string().contains("catalog.redb"), "{error}");
            return;
        }
        Ok(store) => store,
    };
    let committed = committed(&store);
    assert!(committed == before || possible.contains(&committed));
    let (mut found, mut damaged) = (Vec::new(), 0);
    for part in &store.datasource("ds").expect("ds").snapshot().parts {
        match ids_of(part) {
            Ok(ids) => found.extend(ids),
            Err(error) => {
                assert!(error.to_string().contains(part.id()), "{error}");
                damaged += part.rows();
            }
        }
    }
    found.sort_unstable();
    found.dedup();
    assert_eq!(found.len() + damaged, committed as usize);
    let report = store.verify(|_| {}).unwrap();
    assert_eq!(report.is_sound(), damaged == 0, "{report:?}");
}

#[test]
fn a_publish_survives_the_failure_of_any_call() {
    let (world, disk) = prepared();
    every_fault("a publish", SEED, |call, kind| publish_with_fault(&world, &disk, call, kind));
}

#[test]
fn opening_survives_the_failure_of_any_call() {
    let (world, disk) = prepared();
    let empty = SimulatedDisk::with_folder(world.folder.parent().unwrap());
    for (name, start, rows) in [("making a store", empty, 0), ("opening one", disk, PUBLISHED[0])] {
        every_fault(name, SEED, |call, kind| {
            let image = world.on(start.fork());
            image.disk.fail(call, kind);
            let opened = image.open();
            let is_refused = opened.is_err();
            if image.disk.heal().is_none() && image.disk.calls() <= call {
                return ControlFlow::Break(());
            }
            if let Err(error) = &opened {
                assert!(error.to_string().contains('/'), "the error names its file: {error}");
            }
            drop(opened);
            image.check(rows, &[rows]);
            let crash = image.disk.crash();
            if kind != FaultKind::Lying {
                world.on(crash.cut_off(crash.moments() - 1)).check(rows, &[rows]);
            }
            ControlFlow::Continue(Some(if is_refused { "refused" } else { "opened" }))
        });
    }
}
