//! The shape of a tree: flat chains are balanced, what is still too deep is refused.
//!
//! `a OR b OR c …` parses into a tree as deep as the chain is long, and every later step recurses. A chain of `AND`
//! or `OR` may be regrouped without changing what it means, so it becomes a tree of logarithmic depth. Chains of
//! other operators may not (`+` rounds, `-` is not associative) and count as deep as they are.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    BinaryOperator, Expr, Query, SetExpr, TableFactor, Visit, VisitMut, Visitor, VisitorMut,
};

use super::statement::too_deep;
use super::tree::{binary, take};
use crate::error::QueryError;
use crate::options::StatementLimits;

/// Balances chains and checks the limits.
pub(crate) fn settle(query: &mut Query, limits: &StatementLimits) -> Result<(), QueryError> {
    let _ = VisitMut::visit(query, &mut Balance);
    let mut measure = Measure { depth: 0, relations: 0, limits };
    match Visit::visit(query, &mut measure) {
        ControlFlow::Break(error) => Err(error),
        ControlFlow::Continue(()) => Ok(()),
    }
}

struct Balance;

impl VisitorMut for Balance {
    type Break = ();

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        let Expr::BinaryOp { op, .. } = &*expr else { return ControlFlow::Continue(()) };
        if matches!(op, BinaryOperator::And | BinaryOperator::Or) && leans_left(expr) {
            let op = op.clone();
            *expr = balanced(operands(take(expr), &op), &op);
        }
        ControlFlow::Continue(())
    }
}

/// Whether the tree is so lopsided that regrouping is worth it.
fn leans_left(expr: &Expr) -> bool {
    let (mut at, mut depth) = (expr, 0);
    while let Expr::BinaryOp { left, .. } = at {
        (at, depth) = (left, depth + 1);
        if depth > 32 {
            return true;
        }
    }
    false
}

/// The operands of a chain of `op`, from left to right.
fn operands(expr: Expr, op: &BinaryOperator) -> Vec<Expr> {
    let (mut rest, mut found) = (vec![expr], Vec::new());
    while let Some(expr) = rest.pop() {
        match expr {
            Expr::BinaryOp { left, op: inner, right } if inner == *op => {
                rest.push(*right);
                rest.push(*left);
            }
            other => found.push(other),
        }
    }
    found
}

fn balanced(mut operands: Vec<Expr>, op: &BinaryOperator) -> Expr {
    while operands.len() > 1 {
        let mut pairs = Vec::with_capacity(operands.len().div_ceil(2));
        let mut operands_left = operands.into_iter();
        while let Some(left) = operands_left.next() {
            pairs.push(match operands_left.next() {
                Some(right) => binary(left, op.clone(), right),
                None => left,
            });
        }
        operands = pairs;
    }
    operands.pop().unwrap_or_else(super::tree::null)
}

struct Measure<'a> {
    depth: usize,
    relations: usize,
    limits: &'a StatementLimits,
}

impl Measure<'_> {
    fn enter(&mut self, levels: usize) -> ControlFlow<QueryError> {
        self.depth += levels;
        if self.depth > self.limits.depth_max {
            return ControlFlow::Break(too_deep(self.limits.depth_max));
        }
        ControlFlow::Continue(())
    }
}

impl Visitor for Measure<'_> {
    type Break = QueryError;

    fn pre_visit_expr(&mut self, _: &Expr) -> ControlFlow<QueryError> {
        self.enter(1)
    }

    fn post_visit_expr(&mut self, _: &Expr) -> ControlFlow<QueryError> {
        self.depth -= 1;
        ControlFlow::Continue(())
    }

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<QueryError> {
        self.enter(1 + set_depth(&query.body))
    }

    fn post_visit_query(&mut self, query: &Query) -> ControlFlow<QueryError> {
        self.depth -= 1 + set_depth(&query.body);
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, _: &TableFactor) -> ControlFlow<QueryError> {
        self.relations += 1;
        if self.relations > self.limits.relations_max {
            return ControlFlow::Break(QueryError::invalid(format!(
                "Statement names more relations than statement_relations_max ({})",
                self.limits.relations_max
            )));
        }
        ControlFlow::Continue(())
    }
}

/// How long the chain of `UNION`s is.
fn set_depth(body: &SetExpr) -> usize {
    let (mut at, mut depth) = (body, 0);
    while let SetExpr::SetOperation { left, .. } = at {
        (at, depth) = (left, depth + 1);
    }
    depth
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::statement;

    fn settled(sql: &str) -> Result<String, String> {
        let limits = StatementLimits::default();
        let mut query = statement::parse(sql, &limits).unwrap().query;
        settle(&mut query, &limits).map(|()| query.to_string()).map_err(|e| e.to_string())
    }

    fn chain(op: &str, length: usize) -> String {
        let terms: Vec<String> = (0..length).map(|i| format!("x = {i}")).collect();
        format!("SELECT 1 FROM t WHERE {}", terms.join(op))
    }

    /// Deep trees are only ever handled on threads with large stacks.
    fn with_large_stack<T: Send>(f: impl FnOnce() -> T + Send) -> T {
        std::thread::scope(|scope| {
            std::thread::Builder::new().stack_size(256 << 20).spawn_scoped(scope, f).unwrap().join().unwrap()
        })
    }

    #[test]
    fn a_chain_of_five_thousand_conditions_is_flat_and_keeps_its_order() {
        with_large_stack(|| {
            let sql = chain(" OR ", 4000);
            assert_eq!(settled(&sql).unwrap(), sql);
        });
    }

    #[test]
    fn a_chain_that_cannot_be_regrouped_is_refused_when_it_is_too_long() {
        with_large_stack(|| {
            let sum = format!("SELECT {}", vec!["1"; 600].join(" + "));
            assert!(settled(&sum).unwrap_err().contains("depth_max (500)"));
            assert!(settled(&format!("SELECT {}", vec!["1"; 400].join(" + "))).is_ok());
            let unions = vec!["SELECT 1"; 600].join(" UNION ALL ");
            assert!(settled(&unions).unwrap_err().contains("depth_max (500)"));
        });
    }

    #[test]
    fn relations_are_limited() {
        let sql = format!("SELECT 1 FROM {}", vec!["t"; 300].join(", "));
        assert!(settled(&sql).unwrap_err().contains("relations_max (256)"));
    }
}
