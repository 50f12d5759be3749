//! The power goes, at any moment: what is left opens, with every acknowledged row, once.

use super::*;
use crate::disk::simulated::Random;

const SEED: u64 = 0x0e7a_7e00_0000_0001;
const REORDERINGS: usize = 2_000;

#[test]
fn every_crash_leaves_the_acknowledged_rows_once_and_offsets_that_match() {
    let world = World::new();
    publish_all(&world);
    let crash = world.disk.crash();
    let possible = [0, PUBLISHED[0], PUBLISHED[1], PUBLISHED[2]];
    let rows = PUBLISHED[2] + 5;
    for moment in 0..crash.moments() {
        let acknowledged = crash.acknowledged(moment);
        for (image, name) in [(crash.killed(moment), "killed"), (crash.cut_off(moment), "cut off")] {
            let image = world.on(image);
            let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                // Going on costs more than looking.
                if moment % 8 == 0 {
                    image.check_and_go_on(acknowledged, &possible, rows);
                } else {
                    image.check(acknowledged, &possible);
                }
            }));
            assert!(result.is_ok(), "crash at moment {moment}, {name}");
        }
    }
    println!("crash images: {} moments, each killed and cut off", crash.moments());
}

#[test]
fn every_legal_order_of_writes_leaves_the_acknowledged_rows_once() {
    let world = World::new();
    publish_all(&world);
    let crash = world.disk.crash();
    let possible = [0, PUBLISHED[0], PUBLISHED[1], PUBLISHED[2]];
    let mut found = std::collections::BTreeMap::new();
    let mut random = Random(SEED);
    for number in 0..REORDERINGS {
        let moment = random.below(crash.moments() as u64) as usize;
        let image = world.on(crash.reordered(moment, &mut random));
        let acknowledged = crash.acknowledged(moment);
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            if number % 16 == 0 {
                image.check_and_go_on(acknowledged, &possible, PUBLISHED[2] + 5);
                acknowledged
            } else {
                image.check(acknowledged, &possible)
            }
        }));
        let rows = result.unwrap_or_else(|_| panic!("seed {SEED:#x}, image {number}, moment {moment}"));
        *found.entry(rows).or_insert(0) += 1;
    }
    println!("crash images: {REORDERINGS} reorderings, seed {SEED:#x}, images by rows left: {found:?}");
}
