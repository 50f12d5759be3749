use super::{refused, rows};

#[test]
fn distinct_values_of_every_type_are_counted() {
    let columns = ["__time", "city", "plain", "code", "n", "f"];
    let counts = ["5", "2", "4", "3", "4", "4"];
    for function in [
        "APPROX_COUNT_DISTINCT",
        "APPROX_COUNT_DISTINCT_BUILTIN",
        "APPROX_DISTINCT",
        "APPROX_COUNT_DISTINCT_DS_HLL",
        "APPROX_COUNT_DISTINCT_DS_THETA",
    ] {
        let calls: Vec<String> = columns.iter().map(|column| format!("{function}({column})")).collect();
        assert_eq!(rows(&format!("SELECT {} FROM t", calls.join(", "))), [counts.join("|")], "{function}");
    }
    assert_eq!(rows("SELECT APPROX_COUNT_DISTINCT(n) FROM t WHERE n > 99"), ["0"]);
}

#[test]
fn distinct_values_are_counted_for_each_group_and_filter() {
    assert_eq!(
        rows(
            "SELECT city, APPROX_COUNT_DISTINCT(code), APPROX_COUNT_DISTINCT_DS_THETA(n) FILTER (WHERE n > 0) FROM t GROUP BY 1 ORDER BY 1 NULLS FIRST"
        ),
        ["null|1|0", "Bern|2|1", "Zürich|1|1"]
    );
}

#[test]
fn sketches_take_their_parameters() {
    assert_eq!(
        rows(
            "SELECT APPROX_COUNT_DISTINCT_DS_HLL(n, 12, 'HLL_8'), APPROX_COUNT_DISTINCT_DS_THETA(n, 4096) FROM t"
        ),
        ["4|4"]
    );
    assert!(refused("APPROX_COUNT_DISTINCT_DS_HLL(n, 99)").contains("from 4 to 21"));
    assert!(refused("APPROX_COUNT_DISTINCT_DS_HLL(n, n)").contains("literal"));
}

#[test]
fn many_distinct_values_over_several_threads_are_estimated() {
    let numbers = "generate_series(1, 40000)";
    let counts = rows(&format!(
        "SELECT APPROX_COUNT_DISTINCT(value), APPROX_COUNT_DISTINCT_DS_HLL(value) FROM {numbers}"
    ));
    for count in counts[0].split('|') {
        let error = count.parse::<f64>().unwrap() / 40_000.0 - 1.0;
        assert!(error.abs() < 0.05, "{count}");
    }
}

#[test]
fn the_earliest_and_the_latest_value_go_by_time() {
    assert_eq!(
        rows(
            "SELECT EARLIEST_BY(city, __time), LATEST_BY(city, __time), EARLIEST_BY(n, __time), LATEST_BY(f, __time, 64) FROM t"
        ),
        ["Zürich|Bern|5|8.5"]
    );
    assert_eq!(
        rows("SELECT LATEST_BY(city, __time, 1), LATEST_BY(n, MILLIS_TO_TIMESTAMP(n)) FROM t"),
        ["B|7"]
    );
    assert_eq!(
        rows("SELECT code, LATEST_BY(n, __time) FROM t GROUP BY 1 ORDER BY 1 NULLS FIRST"),
        ["null|null", "1.5|7", "a|-3", "b|0"]
    );
    assert_eq!(rows("SELECT LATEST_BY(city, __time) FROM t WHERE n > 99"), ["null"]);
}

#[test]
fn a_latest_row_without_a_value_gives_null() {
    assert_eq!(rows("SELECT LATEST_BY(city, __time) FROM t WHERE n = 0"), ["null"]);
}

#[test]
fn any_value_prefers_one() {
    assert_eq!(rows("SELECT ANY_VALUE(city, 1024, FALSE) FROM t WHERE n = 0 OR n = 7"), ["Bern"]);
    assert_eq!(rows("SELECT ANY_VALUE(n) FROM t WHERE n IS NULL OR n = 7"), ["7"]);
    assert_eq!(rows("SELECT ANY_VALUE(city) FROM t WHERE n = 0"), ["null"]);
}

#[test]
fn texts_of_a_group_are_joined() {
    assert_eq!(
        rows(
            "SELECT STRING_AGG(plain, ';' ORDER BY n DESC), STRING_AGG(plain, ';' ORDER BY n) FROM t WHERE n = 5 OR n = -3"
        ),
        ["12;x|x;12"]
    );
    assert_eq!(
        rows("SELECT LISTAGG(DISTINCT city, ','), GROUP_CONCAT(DISTINCT code) FROM t"),
        ["Bern,Zürich|1.5ab"]
    );
    assert_eq!(rows("SELECT STRING_AGG(city, ',') FROM t WHERE city IS NULL"), ["null"]);
    assert_eq!(
        rows("SELECT STRING_AGG(STRING_TO_MV(plain, 'x'), '/' ORDER BY n) FROM t WHERE n = 5 OR n = -7"),
        ["12"]
    );
    assert_eq!(
        rows("SELECT city, STRING_AGG(n, ',' ORDER BY n DESC) FROM t GROUP BY 1 ORDER BY 1 NULLS FIRST"),
        ["null|0", "Bern|7,-3", "Zürich|5"]
    );
    assert!(refused("STRING_AGG(city, ',', 3)").contains("more than 3 bytes"));
}

#[test]
fn quantiles_are_doubles() {
    assert_eq!(
        rows(
            "SELECT APPROX_QUANTILE_DS(n, 0.0), APPROX_QUANTILE(f, 1), APPROX_QUANTILE_DS(n, 0.5, 128) FROM t WHERE n = 5"
        ),
        ["5.0|47.5|5.0"]
    );
}
