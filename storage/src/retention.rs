//! Retention rules, as Druid has them: which segments are kept, by their time.
//!
//! A datasource's own rules are asked first, then those of `_default`; the first that applies to a segment decides.
//! What a rule drops is marked unused, not removed: it can be marked used again, until it is killed. A segment that
//! no rule applies to is kept. In one process there is one tier and one copy, so that of `tieredReplicants` only
//! matters whether there is a copy at all.
//!
//! | | load, broadcast | drop |
//! |---|---|---|
//! | `Forever` | all | all |
//! | `ByInterval` | what overlaps it | what lies inside it |
//! | `ByPeriod` | what overlaps the period that ends now, or with `includeFuture` what ends after its start | what lies inside that period, or starts after its start |
//! | `BeforeByPeriod` | | what ends before the start of that period |

use std::collections::{BTreeMap, BTreeSet};

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value, json};

use crate::catalog::RuleChange;
use crate::datasource::Selection;
use crate::error::Result;
use crate::time::{Interval, Period, Zone};

/// The name under which the rules for all datasources are kept.
pub const DEFAULT_RULES: &str = "_default";

/// One rule: what happens to which segments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// What happens.
    pub effect: Effect,
    /// To which segments.
    pub scope: Scope,
}

/// What a rule does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Segments are kept. The tiers are only kept to be shown again; `None` stands for Druid's default.
    Load {
        /// Copies by tier.
        tiered_replicants: Option<BTreeMap<String, u64>>,
        /// Druid's `useDefaultTierForNull`.
        use_default_tier_for_null: bool,
    },
    /// Segments are kept on every server: on this one.
    Broadcast,
    /// Segments are marked unused.
    Drop,
}

/// Which segments a rule applies to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// All.
    Forever,
    /// By an interval.
    Interval(Interval),
    /// By a period that ends now.
    Period {
        /// How long it is.
        period: Period,
        /// Whether what lies in the future belongs to it.
        include_future: bool,
    },
    /// What ended before a period that ends now. Only to drop.
    BeforePeriod(Period),
}

/// Every type of rule, with what each does and to what.
const TYPES: [(&str, &str, &str); 10] = [
    ("loadForever", "load", "Forever"),
    ("loadByInterval", "load", "ByInterval"),
    ("loadByPeriod", "load", "ByPeriod"),
    ("dropForever", "drop", "Forever"),
    ("dropByInterval", "drop", "ByInterval"),
    ("dropByPeriod", "drop", "ByPeriod"),
    ("dropBeforeByPeriod", "drop", "BeforeByPeriod"),
    ("broadcastForever", "broadcast", "Forever"),
    ("broadcastByInterval", "broadcast", "ByInterval"),
    ("broadcastByPeriod", "broadcast", "ByPeriod"),
];

/// What is wrong with a rule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("rule {0}")]
pub struct RuleError(String);

impl Rule {
    /// Keeps everything: the rule that holds where none was set.
    pub fn load_forever() -> Self {
        let tiers = BTreeMap::from([("_default_tier".to_owned(), 1)]);
        let effect = Effect::Load { tiered_replicants: Some(tiers), use_default_tier_for_null: true };
        Self { effect, scope: Scope::Forever }
    }

    /// Whether the rule decides over a segment of `interval`.
    pub fn applies_to(&self, interval: Interval, now_ms: i64) -> bool {
        let drops = self.effect == Effect::Drop;
        let since = |period: &Period| period.add(now_ms, -1, Zone::UTC);
        match &self.scope {
            Scope::Forever => true,
            Scope::Interval(named) if drops => named.covers(interval),
            Scope::Interval(named) => named.overlaps(interval),
            Scope::Period { period, include_future: true } if drops => since(period) <= interval.start_ms,
            Scope::Period { period, include_future: true } => since(period) < interval.end_ms,
            Scope::Period { period, .. } if drops => Interval::new(since(period), now_ms).covers(interval),
            Scope::Period { period, .. } => Interval::new(since(period), now_ms).overlaps(interval),
            Scope::BeforePeriod(period) => interval.end_ms <= since(period),
        }
    }

    /// Reads a rule as Druid writes it.
    pub fn from_json(value: &Value) -> Result<Self, RuleError> {
        let fail = |reason: String| RuleError(reason);
        let fields = value.as_object().ok_or_else(|| fail("is not an object".to_owned()))?;
        let name =
            fields.get("type").and_then(Value::as_str).ok_or_else(|| fail("has no type".to_owned()))?;
        let Some((_, effect, scope)) = TYPES.into_iter().find(|(known, ..)| *known == name) else {
            let known: Vec<&str> = TYPES.iter().map(|(known, ..)| *known).collect();
            return Err(fail(format!("type [{name}] is not known; known are [{}]", known.join(", "))));
        };
        let mut allowed = BTreeSet::from(["type"]);
        allowed.extend(match scope {
            "ByInterval" => &["interval"][..],
            "ByPeriod" => &["period", "includeFuture"],
            "BeforeByPeriod" => &["period"],
            _ => &[],
        });
        if effect == "load" {
            allowed.extend(["tieredReplicants", "useDefaultTierForNull"]);
        }
        if let Some(other) = fields.keys().find(|key| !allowed.contains(key.as_str())) {
            return Err(fail(format!("{name} has no field [{other}]")));
        }
        let in_rule = |reason: String| fail(format!("{name}: {reason}"));
        Ok(Self {
            effect: effect_of(effect, fields).map_err(in_rule)?,
            scope: scope_of(scope, fields).map_err(in_rule)?,
        })
    }

    /// The rule as Druid writes it.
    pub fn to_json(&self) -> Value {
        let mut fields = Map::new();
        let scope = match &self.scope {
            Scope::Forever => "Forever",
            Scope::Interval(interval) => {
                fields.insert("interval".to_owned(), json!(interval.to_string()));
                "ByInterval"
            }
            Scope::Period { period, include_future } => {
                fields.insert("period".to_owned(), json!(period));
                fields.insert("includeFuture".to_owned(), json!(include_future));
                "ByPeriod"
            }
            Scope::BeforePeriod(period) => {
                fields.insert("period".to_owned(), json!(period));
                "BeforeByPeriod"
            }
        };
        let effect = match &self.effect {
            Effect::Load { tiered_replicants, use_default_tier_for_null } => {
                let tiers = tiered_replicants.clone();
                let tiers = tiers.unwrap_or_else(|| BTreeMap::from([("_default_tier".to_owned(), 2)]));
                fields.insert("tieredReplicants".to_owned(), json!(tiers));
                fields.insert("useDefaultTierForNull".to_owned(), json!(use_default_tier_for_null));
                "load"
            }
            Effect::Broadcast => "broadcast",
            Effect::Drop => "drop",
        };
        fields.insert("type".to_owned(), json!(format!("{effect}{scope}")));
        Value::Object(fields)
    }
}

fn effect_of(effect: &str, fields: &Map<String, Value>) -> Result<Effect, String> {
    match effect {
        "drop" => return Ok(Effect::Drop),
        "broadcast" => return Ok(Effect::Broadcast),
        _ => {}
    }
    let tiered_replicants = match fields.get("tieredReplicants") {
        None | Some(Value::Null) => None,
        Some(tiers) => {
            let read: Result<BTreeMap<String, u64>, _> = serde_json::from_value(tiers.clone());
            Some(read.map_err(|_| format!("tieredReplicants {tiers} is not a number of copies by tier"))?)
        }
    };
    let use_default_tier_for_null = flag(fields, "useDefaultTierForNull")?.unwrap_or(true);
    let has_copies =
        tiered_replicants.as_ref().map_or(use_default_tier_for_null, |tiers| tiers.values().any(|n| *n > 0));
    if !has_copies {
        return Err("segments that are kept without a copy to ask are not supported; drop them".to_owned());
    }
    Ok(Effect::Load { tiered_replicants, use_default_tier_for_null })
}

fn scope_of(scope: &str, fields: &Map<String, Value>) -> Result<Scope, String> {
    let text = |name: &str| {
        let text = fields.get(name).and_then(Value::as_str);
        text.ok_or_else(|| format!("{name} is missing, or is not a text"))
    };
    let period = || Period::parse(text("period")?).map_err(|error| error.to_string());
    Ok(match scope {
        "ByInterval" => {
            let interval = Interval::parse(text("interval")?, Zone::UTC);
            Scope::Interval(interval.map_err(|error| error.to_string())?)
        }
        "ByPeriod" => Scope::Period {
            period: period()?,
            include_future: flag(fields, "includeFuture")?.unwrap_or(true),
        },
        "BeforeByPeriod" => Scope::BeforePeriod(period()?),
        _ => Scope::Forever,
    })
}

fn flag(fields: &Map<String, Value>, name: &str) -> Result<Option<bool>, String> {
    match fields.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Bool(value)) => Ok(Some(*value)),
        Some(other) => Err(format!("{name} {other} is not true or false")),
    }
}

impl Serialize for Rule {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.to_json().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Rule {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::from_json(&Value::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

/// What rules have taken out of use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dropped {
    /// The datasource.
    pub datasource: String,
    /// The ids of its segments.
    pub segments: Vec<String>,
}

impl crate::Store {
    /// The rules of all datasources that have some, `_default` always among them: it keeps everything until it is set.
    pub fn rules(&self) -> Result<BTreeMap<String, Vec<Rule>>> {
        let mut rules = self.catalog().rules()?;
        rules.entry(DEFAULT_RULES.to_owned()).or_insert_with(|| vec![Rule::load_forever()]);
        Ok(rules)
    }

    /// Replaces the rules of a datasource, or those of [`DEFAULT_RULES`]. They take effect with the next call of
    /// [`Self::apply_rules`].
    pub fn set_rules(&self, change: &RuleChange) -> Result<()> {
        self.catalog().set_rules(change)?;
        crate::fail_point!("rules.stored");
        Ok(())
    }

    /// Marks unused what the rules drop at `now_ms`. Rows that are not published yet are not touched.
    pub fn apply_rules(&self, now_ms: i64) -> Result<Vec<Dropped>> {
        let rules = self.rules()?;
        let none = Vec::new();
        let default = rules.get(DEFAULT_RULES).unwrap_or(&none);
        let mut dropped = Vec::new();
        for datasource in self.datasources() {
            let own = rules.get(&datasource).unwrap_or(&none);
            if !own.iter().chain(default).any(|rule| rule.effect == Effect::Drop) {
                continue;
            }
            let is_dropped = |interval: Interval| {
                let mut all = own.iter().chain(default);
                let first = all.find(|rule| rule.applies_to(interval, now_ms));
                first.is_some_and(|rule| rule.effect == Effect::Drop)
            };
            let records = self.segment_records(Some(&datasource))?;
            let ids: Vec<String> = records
                .into_iter()
                .filter(|record| record.used && is_dropped(record.interval))
                .map(|record| record.id)
                .collect();
            if ids.is_empty() {
                continue;
            }
            crate::fail_point!("retention.due");
            if self.mark_unused(&datasource, &Selection::Ids(ids.clone()))? > 0 {
                crate::fail_point!("retention.dropped");
                dropped.push(Dropped { datasource, segments: ids });
            }
        }
        Ok(dropped)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 86_400_000;

    fn rule(json: Value) -> Rule {
        Rule::from_json(&json).unwrap()
    }

    fn days(from: i64, to: i64) -> Interval {
        Interval::new(from * DAY, to * DAY)
    }

    #[test]
    fn every_type_of_rule_comes_back_as_druid_writes_it() {
        for text in [
            r#"{"tieredReplicants":{"_default_tier":2},"useDefaultTierForNull":true,"type":"loadForever"}"#,
            r#"{"interval":"2023-01-01T00:00:00.000Z/2023-02-01T00:00:00.000Z","tieredReplicants":{"a":1},"useDefaultTierForNull":true,"type":"loadByInterval"}"#,
            r#"{"period":"P1M","includeFuture":false,"tieredReplicants":{"a":1},"useDefaultTierForNull":true,"type":"loadByPeriod"}"#,
            r#"{"type":"dropForever"}"#,
            r#"{"interval":"2023-01-01T00:00:00.000Z/2023-02-01T00:00:00.000Z","type":"dropByInterval"}"#,
            r#"{"period":"P1M","includeFuture":true,"type":"dropByPeriod"}"#,
            r#"{"period":"P1M","type":"dropBeforeByPeriod"}"#,
            r#"{"type":"broadcastForever"}"#,
        ] {
            assert_eq!(rule(serde_json::from_str(text).unwrap()).to_json().to_string(), text);
        }
        let short = rule(json!({"type": "loadByPeriod", "period": "P1D"})).to_json();
        assert_eq!(
            (&short["includeFuture"], &short["tieredReplicants"]["_default_tier"]),
            (&json!(true), &json!(2))
        );
    }

    #[test]
    fn what_a_rule_cannot_mean_is_refused_by_name() {
        let refused = |json: Value| Rule::from_json(&json).unwrap_err().to_string();
        assert!(
            refused(json!({"type": "keepForever"}))
                .contains("type [keepForever] is not known; known are [loadForever")
        );
        assert!(refused(json!({"type": "dropByPeriod", "period": "1M"})).starts_with("rule dropByPeriod: "));
        assert!(refused(json!({"type": "dropForever", "period": "P1M"})).contains("no field [period]"));
        assert!(
            refused(json!({"type": "loadForever", "tieredReplicants": {"a": 0}})).contains("without a copy")
        );
        assert!(refused(json!({"type": "loadByInterval"})).contains("interval is missing"));
        assert!(refused(json!([])).contains("not an object"));
    }

    #[test]
    fn rules_apply_as_druids_do() {
        let now = 100 * DAY;
        let applies = |json: Value, interval| rule(json).applies_to(interval, now);
        // The period that ends now is days 90 to 100.
        let load = |future: bool| json!({"type": "loadByPeriod", "period": "P10D", "includeFuture": future});
        assert!(applies(load(true), days(89, 91)) && !applies(load(true), days(89, 90)));
        assert!(applies(load(true), days(200, 201)) && !applies(load(false), days(200, 201)));
        let drop = |future: bool| json!({"type": "dropByPeriod", "period": "P10D", "includeFuture": future});
        assert!(!applies(drop(true), days(89, 91)) && applies(drop(true), days(90, 91)));
        assert!(applies(drop(true), days(99, 101)) && !applies(drop(false), days(99, 101)));
        let before = json!({"type": "dropBeforeByPeriod", "period": "P10D"});
        assert!(applies(before.clone(), days(89, 90)) && !applies(before, days(89, 91)));
        let interval = "1970-01-11/1970-01-21";
        assert!(applies(json!({"type": "loadByInterval", "interval": interval}), days(9, 11)));
        assert!(!applies(json!({"type": "dropByInterval", "interval": interval}), days(9, 11)));
        assert!(applies(json!({"type": "dropByInterval", "interval": interval}), days(10, 20)));
    }
}
