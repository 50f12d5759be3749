//! Counts of rows and their moving averages, as Druid's row ingestion meters give them.
//!
//! The averages are those of Unix load, per second over 1, 5 and 15 minutes, moved on every five seconds: the same
//! arithmetic as the meters Druid uses, so that figures can be compared.

use serde::Serialize;

/// Rows by what became of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RowTotals {
    /// Rows that were taken in full.
    pub processed: u64,
    /// Bytes of all messages.
    pub processed_bytes: u64,
    /// Rows that were taken although a value of theirs could not be.
    pub processed_with_error: u64,
    /// Rows that a filter or a time limit dropped.
    pub thrown_away: u64,
    /// Messages or rows that could not be read.
    pub unparseable: u64,
}

impl RowTotals {
    /// Adds a batch.
    pub(crate) fn add(&mut self, other: Self) {
        self.processed += other.processed;
        self.processed_bytes += other.processed_bytes;
        self.processed_with_error += other.processed_with_error;
        self.thrown_away += other.thrown_away;
        self.unparseable += other.unparseable;
    }

    fn values(self) -> [u64; 5] {
        [self.processed, self.processed_bytes, self.unparseable, self.thrown_away, self.processed_with_error]
    }
}

/// Rows a second.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs)]
pub struct RowRates {
    pub processed: f64,
    pub processed_bytes: f64,
    pub unparseable: f64,
    pub thrown_away: f64,
    pub processed_with_error: f64,
}

/// Rates over three spans.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
#[allow(missing_docs)]
pub struct MovingAverages {
    #[serde(rename = "5m")]
    pub five_minutes: RowRates,
    #[serde(rename = "15m")]
    pub fifteen_minutes: RowRates,
    #[serde(rename = "1m")]
    pub one_minute: RowRates,
}

const TICK_MS: i64 = 5_000;
const SPANS_MINUTES: [f64; 3] = [1.0, 5.0, 15.0];

/// Totals since the start, and rates.
#[derive(Debug, Clone)]
pub(crate) struct Meter {
    totals: RowTotals,
    ticked: RowTotals,
    next_tick_ms: i64,
    /// Per span, per value; `None` before the first tick, whose rate is the first average.
    rates: Option<[[f64; 5]; 3]>,
}

impl Meter {
    pub(crate) fn new(now_ms: i64) -> Self {
        Self {
            totals: RowTotals::default(),
            ticked: RowTotals::default(),
            next_tick_ms: now_ms + TICK_MS,
            rates: None,
        }
    }

    pub(crate) fn add(&mut self, batch: RowTotals, now_ms: i64) {
        self.tick(now_ms);
        self.totals.add(batch);
    }

    pub(crate) fn totals(&self) -> RowTotals {
        self.totals
    }

    /// The averages as of now.
    pub(crate) fn averages(&mut self, now_ms: i64) -> MovingAverages {
        self.tick(now_ms);
        let [one, five, fifteen] = self.rates.unwrap_or_default().map(|rate| RowRates {
            processed: rate[0],
            processed_bytes: rate[1],
            unparseable: rate[2],
            thrown_away: rate[3],
            processed_with_error: rate[4],
        });
        MovingAverages { five_minutes: five, fifteen_minutes: fifteen, one_minute: one }
    }

    fn tick(&mut self, now_ms: i64) {
        let due = (now_ms - self.next_tick_ms).div_euclid(TICK_MS) + 1;
        // Beyond an hour of silence every average has faded away.
        for _ in 0..due.clamp(0, 3_600_000 / TICK_MS) {
            let (now, before) = (self.totals.values(), self.ticked.values());
            let seconds = TICK_MS as f64 / 1000.0;
            let instant: [f64; 5] = std::array::from_fn(|i| (now[i] - before[i]) as f64 / seconds);
            self.rates = Some(match self.rates {
                None => [instant; 3],
                Some(rates) => std::array::from_fn(|span| {
                    let alpha = 1.0 - (-seconds / 60.0 / SPANS_MINUTES[span]).exp();
                    std::array::from_fn(|i| rates[span][i] + alpha * (instant[i] - rates[span][i]))
                }),
            });
            self.ticked = self.totals;
        }
        self.next_tick_ms += due.max(0) * TICK_MS;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(processed: u64) -> RowTotals {
        RowTotals { processed, processed_bytes: processed * 100, ..RowTotals::default() }
    }

    #[test]
    fn a_burst_fades_as_druids_meters_let_it_fade() {
        // 200 rows at once, read 156 seconds later by a real Druid: 3.28, 24.26 and 33.86 rows a second.
        let mut meter = Meter::new(0);
        meter.add(rows(200), 1_000);
        let averages = meter.averages(154_999);
        assert!((averages.one_minute.processed - 3.283_4).abs() < 0.3, "{averages:?}");
        assert!((averages.five_minutes.processed - 24.261).abs() < 0.5, "{averages:?}");
        assert!((averages.fifteen_minutes.processed - 33.859).abs() < 0.5, "{averages:?}");
    }

    #[test]
    fn a_steady_flow_is_its_own_average() {
        let mut meter = Meter::new(0);
        for second in 1..=600 {
            meter.add(rows(10), second * 1_000 - 1);
        }
        let averages = meter.averages(600_000);
        assert!((averages.one_minute.processed - 10.0).abs() < 1e-6, "{averages:?}");
        assert!((averages.fifteen_minutes.processed_bytes - 1000.0).abs() < 1e-6, "{averages:?}");
        assert_eq!(meter.totals().processed, 6_000);
    }

    #[test]
    fn a_clock_that_jumps_does_not_stop_the_meter() {
        let mut meter = Meter::new(0);
        meter.add(rows(10), 1 << 60);
        meter.add(rows(10), 5);
        assert_eq!(meter.totals().processed, 20);
        meter.averages(i64::MAX / 2);
    }
}
