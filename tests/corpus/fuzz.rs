//! Inputs that nobody thought of: kept ones, changed at random, the same for the same seed.
//!
//! A target takes bytes, must not panic, and asserts what it can. `OVATE_FUZZ_SECONDS` goes on for so long,
//! `OVATE_TEST_SEED` begins elsewhere; what makes it panic is printed. The targets stand in `fuzz/targets`.

#![allow(unreachable_pub, dead_code)] // Tests and libFuzzer's entry points share it, and each needs a part.

use std::time::{Duration, Instant};

/// SplitMix64.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((mixed ^ (mixed >> 31)) % end.max(1) as u64) as usize
    }
}

/// Prints the input that a target was given when it panicked.
struct Shown<'a> {
    name: &'a str,
    seed: u64,
    iteration: u64,
    input: &'a [u8],
}

impl Drop for Shown<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let Self { name, seed, iteration, input } = self;
            println!("{name}: seed {seed:#x}, iteration {iteration}: {:?}", String::from_utf8_lossy(input));
        }
    }
}

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().expect("a number"))
}

/// What is given inputs: by [`fuzz`] here, by libFuzzer in the folder `fuzz`.
pub trait Target {
    /// What it is called.
    const NAME: &'static str;
    /// Pieces of inputs that it knows.
    const WORDS: &'static [&'static str];
    /// Inputs to begin with.
    fn kept() -> Vec<Vec<u8>>;
    /// Whatever is needed for all inputs.
    fn new() -> Self;
    /// Takes an input. Panics if it does what it must not.
    fn run(&mut self, input: &[u8]);
}

/// Gives a target its kept inputs, and then `changed_min` changed ones or more.
pub fn fuzz<T: Target>(changed_min: u64) -> T {
    let (name, kept, mut target) = (T::NAME, T::kept(), T::new());
    let seed = setting("OVATE_TEST_SEED", 0x0f02_2026);
    let (begun, time) = (Instant::now(), Duration::from_secs(setting("OVATE_FUZZ_SECONDS", 0)));
    let inputs_min = kept.len() as u64 + changed_min;
    let mut random = Random(seed);
    let mut iteration = 0;
    while iteration < inputs_min || begun.elapsed() < time {
        let input = match kept.get(iteration as usize) {
            Some(input) => input.clone(),
            None => changed(&kept, T::WORDS, &mut random),
        };
        let shown = Shown { name, seed, iteration, input: &input };
        target.run(&input);
        drop(shown);
        iteration += 1;
    }
    let (kept, seconds) = (kept.len(), begun.elapsed().as_secs());
    let changed = iteration - kept as u64;
    println!("fuzz {name}: {kept} kept inputs, {changed} changed ones, seed {seed:#x}, {seconds} s");
    target
}

fn changed(kept: &[Vec<u8>], words: &[&str], random: &mut Random) -> Vec<u8> {
    const ODD: [&[u8]; 12] = [
        b"\0",
        b"\xff",
        b"\"",
        b"'",
        b"\\",
        b"(",
        b"[",
        b"{",
        b"-",
        b"99999999999999999999",
        b"\xc3\xa9",
        b"\x7f",
    ];
    let mut bytes = kept[random.below(kept.len())].clone();
    for _ in 0..=random.below(4) {
        let at = random.below(bytes.len() + 1);
        let end = (at + random.below(12)).min(bytes.len());
        match random.below(7) {
            0 if at < bytes.len() => bytes[at] ^= 1 << random.below(8),
            1 => drop(bytes.drain(at..end)),
            2 => drop(bytes.splice(at..at, ODD[random.below(ODD.len())].iter().copied())),
            3 if !words.is_empty() => {
                let word = words[random.below(words.len())].as_bytes();
                drop(bytes.splice(at..end, word.iter().copied()));
            }
            4 => {
                let piece = bytes[at..end].to_vec();
                let times = 1 + random.below(20);
                drop(bytes.splice(at..at, piece.repeat(times)));
            }
            5 => {
                let other = &kept[random.below(kept.len())];
                let from = random.below(other.len() + 1);
                let to = (from + random.below(40)).min(other.len());
                drop(bytes.splice(at..end, other[from..to].iter().copied()));
            }
            _ => bytes.truncate(at.max(1)),
        }
    }
    bytes
}
