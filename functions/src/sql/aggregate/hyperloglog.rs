//! HyperLogLog: the number of distinct values from the longest run of leading zeros in each of 2^p classes of hashes.
//!
//! A sketch starts as the set of hashes itself, exact, and becomes registers when those are smaller. The estimate
//! is Ertl's, which needs neither tables nor a correction for small numbers ("New cardinality estimation
//! algorithms for HyperLogLog sketches", 2017). Its standard error is about 1.04 / √2^p.

use super::hash::HashSet;

/// The sketch.
#[derive(Debug, Clone)]
pub(super) struct HyperLogLog {
    precision: u32,
    state: State,
}

#[derive(Debug, Clone)]
enum State {
    Exact(HashSet),
    Registers(Vec<u8>),
}

impl HyperLogLog {
    pub(super) fn new(precision: u32) -> Self {
        Self { precision, state: State::Exact(HashSet::default()) }
    }

    /// As many hashes as take the memory of the registers, two bytes of table to each of hash included.
    fn exact_max(&self) -> usize {
        ((1_usize << self.precision) / 16).max(16)
    }

    pub(super) fn add(&mut self, hash: u64) {
        match &mut self.state {
            State::Exact(hashes) => {
                hashes.insert(hash);
                if hashes.len() > self.exact_max() {
                    self.spill();
                }
            }
            State::Registers(registers) => add(registers, self.precision, hash),
        }
    }

    /// From hashes to registers.
    fn spill(&mut self) {
        if let State::Exact(hashes) = &self.state {
            let mut registers = vec![0; 1 << self.precision];
            for hash in hashes {
                add(&mut registers, self.precision, *hash);
            }
            self.state = State::Registers(registers);
        }
    }

    pub(super) fn merge(&mut self, other: &Self) {
        match &other.state {
            State::Exact(hashes) => hashes.iter().for_each(|hash| self.add(*hash)),
            State::Registers(theirs) => {
                self.spill();
                if let State::Registers(ours) = &mut self.state {
                    ours.iter_mut().zip(theirs).for_each(|(ours, theirs)| *ours = (*ours).max(*theirs));
                }
            }
        }
    }

    pub(super) fn estimate(&self) -> f64 {
        let registers = match &self.state {
            State::Exact(hashes) => return hashes.len() as f64,
            State::Registers(registers) => registers,
        };
        let classes = registers.len() as f64;
        let rank_max = 64 - self.precision as usize + 1;
        let mut counts = vec![0_f64; rank_max + 1];
        for rank in registers {
            if let Some(count) = counts.get_mut(usize::from(*rank)) {
                *count += 1.0;
            }
        }
        let count = |rank: usize| counts.get(rank).copied().unwrap_or(0.0);
        let mut z = classes * tau(1.0 - count(rank_max) / classes);
        for rank in (1..rank_max).rev() {
            z = 0.5 * (z + count(rank));
        }
        z += classes * sigma(count(0) / classes);
        classes * classes / (2.0 * std::f64::consts::LN_2 * z)
    }

    /// `0` and the hashes, or `1` and the registers.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        match &self.state {
            State::Exact(hashes) => {
                std::iter::once(0).chain(hashes.iter().flat_map(|hash| hash.to_le_bytes())).collect()
            }
            State::Registers(registers) => std::iter::once(1).chain(registers.iter().copied()).collect(),
        }
    }

    /// `None` for bytes that [`Self::to_bytes`] did not make at this precision.
    pub(super) fn from_bytes(precision: u32, bytes: &[u8]) -> Option<Self> {
        let (kind, rest) = bytes.split_first()?;
        let state = match kind {
            0 => {
                let (hashes, rest) = rest.as_chunks::<8>();
                if !rest.is_empty() {
                    return None;
                }
                State::Exact(hashes.iter().map(|hash| u64::from_le_bytes(*hash)).collect())
            }
            1 if rest.len() == 1 << precision => State::Registers(rest.to_vec()),
            _ => return None,
        };
        Some(Self { precision, state })
    }

    pub(super) fn bytes(&self) -> usize {
        match &self.state {
            State::Exact(hashes) => hashes.capacity() * 9,
            State::Registers(registers) => registers.capacity(),
        }
    }
}

fn add(registers: &mut [u8], precision: u32, hash: u64) {
    let class = (hash >> (64 - precision)) as usize;
    // The bit set below bounds the run of zeros.
    let rank = ((hash << precision) | (1 << (precision - 1))).leading_zeros() as u8 + 1;
    if let Some(register) = registers.get_mut(class) {
        *register = (*register).max(rank);
    }
}

fn sigma(mut x: f64) -> f64 {
    if x >= 1.0 {
        return f64::INFINITY;
    }
    let (mut y, mut z) = (1.0, x);
    loop {
        x *= x;
        let before = z;
        z += x * y;
        y += y;
        if z == before {
            return z;
        }
    }
}

fn tau(mut x: f64) -> f64 {
    if x <= 0.0 || x >= 1.0 {
        return 0.0;
    }
    let (mut y, mut z) = (1.0, 1.0 - x);
    loop {
        x = x.sqrt();
        let before = z;
        y *= 0.5;
        z -= (1.0 - x).powi(2) * y;
        if z == before {
            return z / 3.0;
        }
    }
}

#[cfg(test)]
mod tests {
    use xxhash_rust::xxh3::xxh3_64;

    use super::*;

    fn of(values: std::ops::Range<u64>, precision: u32) -> HyperLogLog {
        let mut sketch = HyperLogLog::new(precision);
        values.for_each(|value| sketch.add(xxh3_64(&value.to_le_bytes())));
        sketch
    }

    #[test]
    fn few_values_are_counted_exactly() {
        for n in [0, 1, 20, 1_000] {
            assert_eq!(of(0..n, 14).estimate(), n as f64);
        }
    }

    #[test]
    fn many_values_are_estimated_within_three_standard_errors() {
        for precision in [4, 8, 11, 12, 14, 18] {
            for n in [2_000, 30_000, 400_000] {
                let error = of(0..n, precision).estimate() / n as f64 - 1.0;
                let standard_error = 1.04 / f64::from(1 << precision).sqrt();
                assert!(error.abs() < 3.0 * standard_error, "p {precision}, n {n}: {error}");
            }
        }
    }

    #[test]
    fn merging_is_the_same_as_seeing_all() {
        for (left, right) in
            [(0..10, 5..15), (0..10, 0..50_000), (0..50_000, 20..30), (0..40_000, 30_000..90_000)]
        {
            let mut merged = of(left.clone(), 12);
            merged.merge(&HyperLogLog::from_bytes(12, &of(right.clone(), 12).to_bytes()).unwrap());
            assert_eq!(
                merged.estimate(),
                of(left.start.min(right.start)..left.end.max(right.end), 12).estimate()
            );
        }
    }

    #[test]
    fn foreign_bytes_are_refused() {
        for bytes in [&[][..], &[2], &[0, 1, 2], &[1, 1, 2]] {
            assert!(HyperLogLog::from_bytes(12, bytes).is_none());
        }
    }
}
