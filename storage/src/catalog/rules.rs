//! Retention rules in the catalog, and who changed them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Catalog, RULE_HISTORY, RULES, add_history, history, insert};
use crate::error::Result;
use crate::retention::Rule;

/// One change of the rules of a datasource.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RuleChange {
    /// The datasource, or `_default`.
    pub datasource: String,
    /// The rules from then on.
    pub rules: Vec<Rule>,
    /// Who, as the request said.
    pub author: String,
    /// Why, as the request said.
    pub comment: String,
    /// Where the request came from.
    pub ip: String,
    /// When.
    pub time_ms: i64,
}

impl Catalog {
    /// The rules that were set, by datasource; `_default` holds for all datasources, after their own.
    pub fn rules(&self) -> Result<BTreeMap<String, Vec<Rule>>> {
        self.all(RULES)
    }

    /// Replaces the rules of a datasource.
    pub fn set_rules(&self, change: &RuleChange) -> Result<()> {
        self.write("set rules", |transaction| {
            insert(transaction, RULES, &change.datasource, &change.rules)?;
            add_history(transaction, RULE_HISTORY, &change.datasource, change).map(drop)
        })
    }

    /// What has been changed, newest first; of one datasource or of all.
    pub fn rule_history(&self, datasource: Option<&str>) -> Result<Vec<RuleChange>> {
        let mut changes: Vec<RuleChange> =
            self.read("read rule history", |transaction| history(transaction, RULE_HISTORY, datasource))?;
        changes.sort_by_key(|change| std::cmp::Reverse(change.time_ms));
        Ok(changes)
    }
}
