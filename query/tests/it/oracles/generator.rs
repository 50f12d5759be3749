//! Statements out of a seed: predicates, keys, aggregates, and queries made of them.

use super::table::{CITIES, TAGS};
use crate::table::{Dice, START_MS};

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// A constant that may stand in a text column.
fn text(dice: &mut Dice) -> String {
    match dice.roll(4) {
        0 => quoted(&format!("device-{}", dice.roll(70))),
        1 => quoted(dice.pick(&["Zurich", "b", "Z", "it's", "\\", "%", "é", "🗼"])),
        _ => quoted(dice.pick(&CITIES)),
    }
}

fn number(dice: &mut Dice) -> String {
    match dice.roll(4) {
        0 => format!("{}", dice.roll(8) as i64 - 3),
        1 => format!("{}", dice.roll(2_000)),
        2 => format!("{}", dice.roll(20) as f64 / 4.0 - 2.5),
        _ => format!("{}", dice.roll(1_000) as f64 / 2.0 - 250.0),
    }
}

fn instant(dice: &mut Dice) -> String {
    let minutes = dice.roll(3 * 24 * 60) as i64;
    format!("MILLIS_TO_TIMESTAMP({})", START_MS + minutes * 60_000)
}

fn text_value(dice: &mut Dice) -> String {
    let column = dice.pick(&["city", "device", "note"]);
    match dice.roll(9) {
        0 => format!("LOWER({column})"),
        1 => format!("SUBSTRING({column}, {}, {})", 1 + dice.roll(3), 1 + dice.roll(8)),
        2 => format!("COALESCE({column}, {})", text(dice)),
        3 => format!("CONCAT({column}, city)"),
        4 => format!("NULLIF({column}, {})", text(dice)),
        _ => column.to_owned(),
    }
}

fn number_value(dice: &mut Dice) -> String {
    let column = dice.pick(&["level", "serial", "ratio", "value"]);
    match dice.roll(9) {
        0 => format!("({column} + {})", number(dice)),
        1 => format!("ABS({column})"),
        2 => "CHAR_LENGTH(city)".to_owned(),
        3 => format!("COALESCE({column}, {})", number(dice)),
        4 => "EXTRACT(HOUR FROM __time)".to_owned(),
        _ => column.to_owned(),
    }
}

fn comparison(dice: &mut Dice) -> &'static str {
    dice.pick(&["=", "<>", "<", "<=", ">", ">="])
}

fn atom(dice: &mut Dice) -> String {
    match dice.roll(16) {
        0 | 1 => format!("{} {} {}", text_value(dice), comparison(dice), text(dice)),
        2 | 3 => format!("{} {} {}", number_value(dice), comparison(dice), number(dice)),
        4 => {
            let pattern = dice.pick(&["%e%", "B%", "device-1_", "%", "", "Z%ich", "%🗼", "_ern", "%-3%"]);
            format!("{} {}LIKE {}", text_value(dice), dice.pick(&["", "NOT "]), quoted(pattern))
        }
        5 => {
            let list: Vec<String> = (0..=dice.roll(5)).map(|_| text(dice)).collect();
            format!("{} {}IN ({})", text_value(dice), dice.pick(&["", "NOT "]), list.join(", "))
        }
        6 => {
            let list: Vec<String> = (0..=dice.roll(5)).map(|_| number(dice)).collect();
            format!("{} {}IN ({})", number_value(dice), dice.pick(&["", "NOT "]), list.join(", "))
        }
        7 => {
            let column = dice.pick(&["city", "device", "note", "level", "ratio", "value", "tags"]);
            format!("{column} IS {}NULL", dice.pick(&["", "NOT "]))
        }
        8 => format!("{} BETWEEN {} AND {}", number_value(dice), number(dice), number(dice)),
        9 => format!("{} BETWEEN {} AND {}", text_value(dice), text(dice), text(dice)),
        10 => format!("__time {} {}", comparison(dice), instant(dice)),
        11 => format!("__time BETWEEN {} AND {}", instant(dice), instant(dice)),
        12 => format!("REGEXP_LIKE(city, '{}')", dice.pick(&["^B", "e.n", "[a-z]+$", "ü", "^$"])),
        13 => format!("MV_CONTAINS(tags, {})", quoted(dice.pick(&TAGS))),
        14 => format!("MV_OVERLAP(tags, ARRAY[{}, {}])", quoted(dice.pick(&TAGS)), quoted(dice.pick(&TAGS))),
        _ => format!("{} {} {}", number_value(dice), comparison(dice), number_value(dice)),
    }
}

/// A condition of at most `depth` levels above comparisons.
pub(super) fn predicate(dice: &mut Dice, depth: u64) -> String {
    if depth == 0 {
        return atom(dice);
    }
    let inner = |dice: &mut Dice| predicate(dice, depth - 1);
    match dice.roll(9) {
        0 | 1 => format!("({} AND {})", inner(dice), inner(dice)),
        2 | 3 => format!("({} OR {})", inner(dice), inner(dice)),
        4 => format!("NOT ({})", inner(dice)),
        5 => format!("({}) IS {}", inner(dice), dice.pick(&["TRUE", "NOT TRUE", "FALSE", "NOT FALSE"])),
        6 => format!("CASE WHEN {} THEN {} ELSE {} END", inner(dice), inner(dice), inner(dice)),
        _ => atom(dice),
    }
}

fn aggregate(dice: &mut Dice) -> String {
    let number = dice.pick(&["level", "serial", "ratio", "value"]);
    let any = dice.pick(&["city", "device", "note", "level", "ratio", "value"]);
    let plain = match dice.roll(9) {
        0 => "COUNT(*)".to_owned(),
        1 => format!("COUNT({any})"),
        2 => format!("COUNT(DISTINCT {any})"),
        3 => format!("MIN({number})"),
        4 => format!("MAX({number})"),
        5 => format!("AVG({number})"),
        6 => format!("LATEST({number})"),
        7 => format!("EARLIEST({number})"),
        _ => format!("SUM({number})"),
    };
    // Exact distinct counts take no filter together with others everywhere; the rest does.
    if dice.roll(5) == 0 && !plain.contains("DISTINCT") {
        return format!("{plain} FILTER (WHERE {})", predicate(dice, 1));
    }
    plain
}

fn key(dice: &mut Dice) -> String {
    match dice.roll(9) {
        0 | 1 => "city".to_owned(),
        2 => "device".to_owned(),
        3 => "level".to_owned(),
        4 => format!("TIME_FLOOR(__time, '{}')", dice.pick(&["PT1H", "PT6H", "P1D", "PT37M"])),
        5 => "tags".to_owned(),
        6 => "ratio".to_owned(),
        7 => format!("CASE WHEN {} THEN 'yes' ELSE 'no' END", predicate(dice, 1)),
        _ => text_value(dice),
    }
}

fn numbers(from: usize, count: usize) -> String {
    (from..from + count).map(|n| n.to_string()).collect::<Vec<_>>().join(", ")
}

/// A query whose rows do not depend on how it is run; their order may.
pub(super) fn query(dice: &mut Dice) -> String {
    let filter = if dice.roll(4) == 0 {
        String::new()
    } else {
        let depth = dice.roll(3);
        format!(" WHERE {}", predicate(dice, depth))
    };
    match dice.roll(10) {
        0 => format!("SELECT __time, city, device, tags, level, ratio, value FROM t{filter}"),
        1 => {
            let order = dice.pick(&["", " DESC"]);
            format!("SELECT serial, city FROM t{filter} ORDER BY __time{order} LIMIT {}", dice.roll(50))
        }
        2 => format!("SELECT DISTINCT {}, {} FROM t{filter}", key(dice), key(dice)),
        3 => {
            let aggregates: Vec<String> = (0..=dice.roll(4)).map(|_| aggregate(dice)).collect();
            format!("SELECT {} FROM t{filter}", aggregates.join(", "))
        }
        4 => format!(
            "SELECT COUNT(*), SUM(serial) FROM t WHERE device IN (SELECT device FROM t{filter}) AND {}",
            predicate(dice, 1)
        ),
        5 => format!(
            "SELECT a.city, COUNT(*) FROM t AS a JOIN (SELECT serial FROM t{filter}) AS b ON a.serial = b.serial \
             GROUP BY 1"
        ),
        6 => {
            let key = key(dice);
            format!(
                "SELECT {key}, {} FROM t{filter} GROUP BY 1 ORDER BY COUNT(*) DESC, 1 LIMIT {}",
                aggregate(dice),
                1 + dice.roll(6)
            )
        }
        _ => {
            let keys: Vec<String> = (0..=dice.roll(2)).map(|_| key(dice)).collect();
            let aggregates: Vec<String> = (0..=dice.roll(3)).map(|_| aggregate(dice)).collect();
            let having = if dice.roll(4) == 0 {
                format!(" HAVING COUNT(*) > {}", dice.roll(40))
            } else {
                String::new()
            };
            format!(
                "SELECT {}, {} FROM t{filter} GROUP BY {}{having}",
                keys.join(", "),
                aggregates.join(", "),
                numbers(1, keys.len())
            )
        }
    }
}
