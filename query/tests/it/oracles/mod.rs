//! Oracles: statements whose right answer nobody wrote down, checked against other statements that must agree.
//!
//! * *Ternary logic* (TLP): rows where `p` is true, false and NULL are together all rows.
//! * *Without pushdown* (NoREC): a condition counted as a filter and as a value gives the same.
//! * *Other ways*: sealed, compacted or hot, with bitmaps or without, on one thread or eight, rows are the same.
//!
//! Statements come from a seed, which is printed. `OVATE_TEST_SEED` takes another one, and
//! `OVATE_TEST_STATEMENTS` more or fewer statements.

mod generator;
mod table;

use std::sync::{Arc, OnceLock};

use ovate_query::Engine;
use serde_json::Value;

use self::generator::{predicate, query};
use self::table::Worlds;
use crate::answers::{request, run};
use crate::table::Dice;

const SEED: u64 = 0x0a7e_2026;
/// Statements of all oracles together.
const STATEMENTS: u64 = 600;

fn setting(name: &str, default: u64) -> u64 {
    match std::env::var(name) {
        Ok(text) => text.parse().unwrap_or_else(|e| panic!("{name}={text}: {e}")),
        Err(_) => default,
    }
}

fn worlds() -> &'static Worlds {
    static WORLDS: OnceLock<Worlds> = OnceLock::new();
    WORLDS.get_or_init(Worlds::new)
}

/// The statements of one oracle, and what became of them.
struct Session {
    name: &'static str,
    seed: u64,
    dice: Dice,
    wanted: u64,
    asked: u64,
    /// Statements that were refused or failed; both sides of an oracle have to fail then.
    failed: u64,
}

type Rows = Result<Vec<String>, String>;

impl Session {
    /// A session that asks `share` of ten statements.
    fn new(name: &'static str, share: u64) -> Self {
        let seed = setting("OVATE_TEST_SEED", SEED);
        let wanted = setting("OVATE_TEST_STATEMENTS", STATEMENTS) * share / 10;
        // Oracles do not repeat each other's statements.
        Self { name, seed, dice: Dice(seed ^ (share << 32)), wanted, asked: 0, failed: 0 }
    }

    fn goes_on(&self) -> bool {
        self.asked < self.wanted
    }

    /// The rows, sorted; or the kind of failure.
    async fn ask(&mut self, engine: &Arc<Engine>, sql: &str) -> Rows {
        self.asked += 1;
        match run(engine, request(sql)).await {
            Ok(answer) => {
                let mut rows: Vec<String> =
                    answer.rows.into_iter().map(|row| Value::Array(row).to_string()).collect();
                rows.sort();
                Ok(rows)
            }
            Err(error) => {
                self.failed += 1;
                let kind = error.kind();
                assert!(kind.category != "DEFENSIVE", "{}: {sql}: {error}", self.place());
                Err(format!("{} {error}", kind.category))
            }
        }
    }

    fn place(&self) -> String {
        format!("{}, seed {:#x}, statement {}", self.name, self.seed, self.asked)
    }

    fn report(&self) {
        println!("{}: {} statements, seed {:#x}, {} failed", self.name, self.asked, self.seed, self.failed);
        assert!(self.failed * 20 <= self.asked, "statements are meant to be answered");
    }
}

#[tokio::test]
async fn rows_where_a_condition_is_true_false_and_null_are_all_rows() {
    const SELECTS: [&str; 3] = [
        "SELECT serial, city, tags, ratio FROM t",
        "SELECT device, level, note FROM t",
        "SELECT TIME_FLOOR(__time, 'PT1H'), value, serial FROM t",
    ];
    let mut session = Session::new("ternary logic", 3);
    let engines = &worlds().engines;
    let mut whole = Vec::new();
    for select in SELECTS {
        whole.push(session.ask(&engines[0].1, select).await.unwrap());
    }
    while session.goes_on() {
        let depth = session.dice.roll(4);
        let p = predicate(&mut session.dice, depth);
        let select = session.dice.roll(3) as usize;
        let (world, engine) = &engines[session.dice.roll(engines.len() as u64) as usize];
        let mut found = Vec::new();
        let mut failures = 0;
        for condition in [format!("({p})"), format!("NOT ({p})"), format!("({p}) IS NULL")] {
            match session.ask(engine, &format!("{} WHERE {condition}", SELECTS[select])).await {
                Ok(rows) => found.extend(rows),
                Err(_) => failures += 1,
            }
        }
        if failures > 0 {
            assert_eq!(failures, 3, "{}, {world}: only some fail: {p}", session.place());
            continue;
        }
        found.sort();
        assert!(found == whole[select], "{}, {world}: rows are lost or doubled by {p}", session.place());
    }
    session.report();
}

#[tokio::test]
async fn a_condition_counts_the_same_as_a_filter_and_as_a_value() {
    let mut session = Session::new("without pushdown", 3);
    let engines = &worlds().engines;
    while session.goes_on() {
        let depth = session.dice.roll(4);
        let p = predicate(&mut session.dice, depth);
        let (world, engine) = &engines[session.dice.roll(engines.len() as u64) as usize];
        let filter = format!("SELECT COUNT(*) FROM t WHERE {p}");
        let value = format!("SELECT SUM(CASE WHEN {p} THEN 1 ELSE 0 END) FROM t");
        let (filtered, counted) = (session.ask(engine, &filter).await, session.ask(engine, &value).await);
        assert_eq!(filtered.is_err(), counted.is_err(), "{}, {world}: {p}", session.place());
        if let (Ok(filtered), Ok(counted)) = (filtered, counted) {
            assert_eq!(filtered, counted, "{}, {world}: {p}", session.place());
        }
    }
    session.report();
}

#[tokio::test]
async fn rows_do_not_depend_on_where_they_are_and_how_they_are_found() {
    let mut session = Session::new("other ways", 4);
    let engines = &worlds().engines;
    while session.goes_on() {
        let sql = query(&mut session.dice);
        let expected = session.ask(&engines[0].1, &sql).await;
        for (world, engine) in &engines[1..] {
            let found = session.ask(engine, &sql).await;
            assert!(
                found == expected,
                "{}, {world}: {sql}\nexpected {expected:?}\nfound {found:?}",
                session.place()
            );
        }
    }
    session.report();
}
