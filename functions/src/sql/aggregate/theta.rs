//! Theta sketch: the smallest hashes, from whose density the number of all follows.
//!
//! Up to `2 × size` distinct values the count is exact. Beyond, only hashes below a threshold are kept, at least
//! `size` of them; the standard error is about 1 / √size.

use super::hash::HashSet;

/// The sketch.
#[derive(Debug, Clone)]
pub(super) struct Theta {
    size: usize,
    threshold: u64,
    hashes: HashSet,
}

impl Theta {
    pub(super) fn new(size: usize) -> Self {
        Self { size, threshold: u64::MAX, hashes: HashSet::default() }
    }

    pub(super) fn add(&mut self, hash: u64) {
        if hash < self.threshold && self.hashes.insert(hash) && self.hashes.len() > 2 * self.size {
            self.shrink();
        }
    }

    fn shrink(&mut self) {
        let mut hashes: Vec<u64> = self.hashes.iter().copied().collect();
        let (_, threshold, _) = hashes.select_nth_unstable(self.size);
        self.threshold = *threshold;
        let threshold = self.threshold;
        self.hashes.retain(|hash| *hash < threshold);
    }

    pub(super) fn merge(&mut self, other: &Self) {
        if other.threshold < self.threshold {
            self.threshold = other.threshold;
            let threshold = self.threshold;
            self.hashes.retain(|hash| *hash < threshold);
        }
        other.hashes.iter().for_each(|hash| self.add(*hash));
    }

    pub(super) fn estimate(&self) -> f64 {
        if self.threshold == u64::MAX {
            return self.hashes.len() as f64;
        }
        self.hashes.len() as f64 * (u64::MAX as f64 / self.threshold as f64)
    }

    /// The threshold and the hashes.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let numbers = std::iter::once(&self.threshold).chain(&self.hashes);
        numbers.flat_map(|number| number.to_le_bytes()).collect()
    }

    /// `None` for bytes that [`Self::to_bytes`] did not make.
    pub(super) fn from_bytes(size: usize, bytes: &[u8]) -> Option<Self> {
        let (numbers, rest) = bytes.as_chunks::<8>();
        let (threshold, hashes) = numbers.split_first()?;
        rest.is_empty().then(|| Self {
            size,
            threshold: u64::from_le_bytes(*threshold),
            hashes: hashes.iter().map(|hash| u64::from_le_bytes(*hash)).collect(),
        })
    }

    pub(super) fn bytes(&self) -> usize {
        self.hashes.capacity() * 9
    }
}

#[cfg(test)]
mod tests {
    use xxhash_rust::xxh3::xxh3_64;

    use super::*;

    fn of(values: std::ops::Range<u64>, size: usize) -> Theta {
        let mut sketch = Theta::new(size);
        values.for_each(|value| sketch.add(xxh3_64(&value.to_le_bytes())));
        sketch
    }

    #[test]
    fn as_many_values_as_the_sketch_keeps_are_counted_exactly() {
        assert_eq!(of(0..16_384, 16_384).estimate(), 16_384.0);
        assert_eq!(of(0..0, 16).estimate(), 0.0);
    }

    #[test]
    fn many_values_are_estimated_within_three_standard_errors() {
        for size in [1 << 8, 1 << 12, 1 << 14] {
            for n in [40_000, 400_000] {
                let error = of(0..n, size).estimate() / n as f64 - 1.0;
                assert!(error.abs() < 3.0 / (size as f64).sqrt(), "size {size}, n {n}: {error}");
            }
        }
    }

    #[test]
    fn merging_estimates_the_union() {
        let mut merged = of(0..60_000, 4_096);
        merged.merge(&Theta::from_bytes(4_096, &of(50_000..100_000, 4_096).to_bytes()).unwrap());
        assert!((merged.estimate() / 100_000.0 - 1.0).abs() < 3.0 / 64.0);
        assert!(Theta::from_bytes(16, &[1, 2]).is_none());
    }
}
