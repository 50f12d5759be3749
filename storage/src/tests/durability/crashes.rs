//! The power goes, at any moment: what is left opens, with every acknowledged row, once.

use super::*;
use crate::disk::simulated::Random;

const SEED: u64 = 0x0e7a_7e00_0000_0001;

/// Every prefix of what the disk was told, killed and cut off, and sampled orders of what was not synced. `check` gets
/// what is left, what was acknowledged, and a number: going on from an image costs more than looking at it.
pub(super) fn every_crash(
    world: &World,
    disk: &SimulatedDisk,
    name: &str,
    reorderings: usize,
    check: impl Fn(&Opened<'_>, i64, usize),
) {
    let crash = disk.crash();
    let checked = |image: SimulatedDisk, moment: usize, how: &str, number: usize| {
        let acknowledged = crash.acknowledged(moment);
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            check(&world.on(image), acknowledged, number);
        }));
        assert!(result.is_ok(), "{name}: crash at moment {moment}, {how} {number}, seed {SEED:#x}");
    };
    for moment in 0..crash.moments() {
        checked(crash.killed(moment), moment, "killed", moment);
        checked(crash.cut_off(moment), moment, "cut off", moment);
    }
    let mut random = Random(SEED);
    for number in 0..reorderings {
        let moment = random.below(crash.moments() as u64) as usize;
        checked(crash.reordered(moment, &mut random), moment, "reordering", number);
    }
    println!(
        "crash images of {name}: {} moments, each killed and cut off, and {reorderings} reorderings, seed {SEED:#x}",
        crash.moments()
    );
}

#[test]
fn every_crash_leaves_the_acknowledged_rows_once_and_offsets_that_match() {
    let world = World::new();
    publish_all(&world);
    let possible = [0, PUBLISHED[0], PUBLISHED[1], PUBLISHED[2]];
    every_crash(&world, &world.disk, "three publishes", 2_000, |image, acknowledged, number| {
        if number % 8 == 0 {
            image.check_and_go_on(acknowledged, &possible, PUBLISHED[2] + 5);
        } else {
            image.check(acknowledged, &possible);
        }
    });
}
