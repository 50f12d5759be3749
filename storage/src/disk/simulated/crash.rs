//! What a crash may leave of a disk.
//!
//! At any moment an effect is durable if a later sync of its inode has returned: of the file for its bytes and its
//! length, of the folder for an entry (of the folder it comes into, for a rename, which is atomic). All others may
//! or may not be there, each by itself, and a write may be there in part: any of its sectors. That is more than
//! most file systems would do, and no more than they promise.

use std::collections::BTreeMap;

use super::{Effect, Inode, Node, SimulatedDisk, Tree};

const SECTOR_BYTES: usize = 512;

/// The calls of a disk, from which it can be rebuilt.
#[derive(Debug)]
pub(crate) struct Crash {
    start: Tree,
    made: BTreeMap<Inode, bool>,
    log: Vec<Effect>,
    /// Per effect, the position of the sync that made it durable; `usize::MAX` if none did.
    durable_from: Vec<usize>,
    next: Inode,
}

impl Crash {
    pub(super) fn new(start: Tree, made: BTreeMap<Inode, bool>, log: Vec<Effect>, next: Inode) -> Self {
        let mut durable_from = vec![usize::MAX; log.len()];
        let mut waiting: BTreeMap<Inode, Vec<usize>> = BTreeMap::new();
        for (at, effect) in log.iter().enumerate() {
            match effect {
                Effect::Write { file: inode, .. }
                | Effect::SetLen { file: inode, .. }
                | Effect::Enter { folder: inode, .. }
                | Effect::Leave { folder: inode, .. }
                | Effect::Move { to: (inode, _), .. } => waiting.entry(*inode).or_default().push(at),
                Effect::Sync(inode) => {
                    for done in waiting.remove(inode).unwrap_or_default() {
                        durable_from[done] = at;
                    }
                }
                Effect::FailedSync(inode) => drop(waiting.remove(inode)),
                Effect::Acknowledged(_) => {}
            }
        }
        Self { start, made, log, durable_from, next }
    }

    /// The number of moments at which the crash may happen, from before the first call to after the last.
    pub(crate) fn moments(&self) -> usize {
        self.log.len() + 1
    }

    /// The rows acknowledged before the crash.
    pub(crate) fn acknowledged(&self, moment: usize) -> i64 {
        let acknowledged = |effect: &Effect| match effect {
            Effect::Acknowledged(rows) => Some(*rows),
            _ => None,
        };
        self.log[..moment].iter().filter_map(acknowledged).max().unwrap_or(0)
    }

    /// The process dies, the machine lives: all calls took effect.
    pub(crate) fn killed(&self, moment: usize) -> SimulatedDisk {
        self.rebuild(moment, |_, effect| Some(effect.clone()))
    }

    /// The power goes, and nothing is left but what was synced.
    pub(crate) fn cut_off(&self, moment: usize) -> SimulatedDisk {
        self.rebuild(moment, |durable, effect| durable.then(|| effect.clone()))
    }

    /// The power goes, and of what was not synced some is there, in whatever order it was written.
    pub(crate) fn reordered(&self, moment: usize, random: &mut Random) -> SimulatedDisk {
        // Some crashes keep almost all, some almost nothing.
        let keep = random.below(5) * 25;
        self.rebuild(moment, |durable, effect| {
            if durable {
                return Some(effect.clone());
            }
            match effect {
                Effect::Write { file, offset, bytes } if random.below(3) == 0 => {
                    // Sectors that are not there read as they did before; here, as zeros if they are new.
                    let mut torn = bytes.clone();
                    let end = random.below(bytes.len() as u64 / SECTOR_BYTES as u64 + 1) as usize;
                    torn.truncate(end * SECTOR_BYTES);
                    (!torn.is_empty()).then_some(Effect::Write { file: *file, offset: *offset, bytes: torn })
                }
                effect => (random.below(100) < keep).then(|| effect.clone()),
            }
        })
    }

    fn rebuild(&self, moment: usize, mut keep: impl FnMut(bool, &Effect) -> Option<Effect>) -> SimulatedDisk {
        let mut tree = self.start.clone();
        for (&inode, &is_folder) in &self.made {
            let node = if is_folder { Node::Folder(BTreeMap::new()) } else { Node::File(Vec::new()) };
            tree.0.insert(inode, node);
        }
        for (at, effect) in self.log[..moment].iter().enumerate() {
            if let Some(effect) = keep(self.durable_from[at] < moment, effect) {
                tree.apply(&effect);
            }
        }
        SimulatedDisk::holding(tree, self.next)
    }
}

/// SplitMix64: the same numbers for the same seed.
#[derive(Debug, Clone)]
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound.max(1)
    }
}
