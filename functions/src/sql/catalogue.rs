//! The functions that queries can call, as `INFORMATION_SCHEMA.ROUTINES` lists them.
//!
//! Names and signatures are written as Druid writes them, operators and syntax included. What this engine has not
//! (sketches as values, JSON, lookups) is not listed; what it has beyond Druid stands at the end of its part.

/// One routine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RoutineInfo {
    /// The name, as queries write it; also `+`, `CASE` and the like.
    pub name: &'static str,
    /// Whether it makes one value of many rows.
    pub is_aggregator: bool,
    /// How it is called, one form a line; syntax that has no such form has none.
    pub signatures: Option<&'static str>,
}

/// Every routine: aggregates first, each part by name.
pub fn catalogue() -> &'static [RoutineInfo] {
    &ROUTINES
}

const fn aggregate(name: &'static str, signatures: Option<&'static str>) -> RoutineInfo {
    RoutineInfo { name, is_aggregator: true, signatures }
}

const fn scalar(name: &'static str, signatures: Option<&'static str>) -> RoutineInfo {
    RoutineInfo { name, is_aggregator: false, signatures }
}

#[rustfmt::skip]
static ROUTINES: [RoutineInfo; 160] = [
    aggregate("ANY_VALUE", Some("'ANY_VALUE(<expr>, [<maxBytesPerStringInt>, [<aggregateMultipleValuesBoolean>]])'")),
    aggregate("APPROX_COUNT_DISTINCT", Some("'APPROX_COUNT_DISTINCT(<STRING>)'\n'APPROX_COUNT_DISTINCT(<NUMERIC>)'\n'APPROX_COUNT_DISTINCT'(COMPLEX<hyperUnique>)")),
    aggregate("APPROX_COUNT_DISTINCT_BUILTIN", Some("'APPROX_COUNT_DISTINCT_BUILTIN(<STRING>)'\n'APPROX_COUNT_DISTINCT_BUILTIN(<NUMERIC>)'\n'APPROX_COUNT_DISTINCT_BUILTIN'(COMPLEX<hyperUnique>)")),
    aggregate("APPROX_COUNT_DISTINCT_DS_HLL", Some("'APPROX_COUNT_DISTINCT_DS_HLL(<STRING>)'\n'APPROX_COUNT_DISTINCT_DS_HLL(<NUMERIC>)'\n'APPROX_COUNT_DISTINCT_DS_HLL'(COMPLEX<HLLSketch>)\n'APPROX_COUNT_DISTINCT_DS_HLL'(COMPLEX<HLLSketch>)\n'APPROX_COUNT_DISTINCT_DS_HLL(column, lgk)'\n'APPROX_COUNT_DISTINCT_DS_HLL(column, lgk, tgtHllType)'")),
    aggregate("APPROX_COUNT_DISTINCT_DS_HLL_UTF8", Some("'APPROX_COUNT_DISTINCT_DS_HLL_UTF8(<column>, [<lgK>, [<tgtHllType>]])'")),
    aggregate("APPROX_COUNT_DISTINCT_DS_THETA", Some("'APPROX_COUNT_DISTINCT_DS_THETA(<STRING>)'\n'APPROX_COUNT_DISTINCT_DS_THETA(<NUMERIC>)'\n'APPROX_COUNT_DISTINCT_DS_THETA'(COMPLEX<thetaSketch>)\n'APPROX_COUNT_DISTINCT_DS_THETA(expr, size)'")),
    aggregate("APPROX_QUANTILE", Some("'APPROX_QUANTILE(<column>, <probability>, [<k>])'")),
    aggregate("APPROX_QUANTILE_DS", Some("'APPROX_QUANTILE_DS(<column>, <probability>, [<k>])'")),
    aggregate("ARRAY_AGG", Some("'ARRAY_AGG(<ANY>)'\n'ARRAY_AGG(expr, maxSizeBytes)'")),
    aggregate("AVG", Some("'AVG(<NUMERIC>)'")),
    aggregate("BIT_AND", Some("'BIT_AND(<INTEGER>)'\n'BIT_AND(<BINARY>)'")),
    aggregate("BIT_OR", Some("'BIT_OR(<INTEGER>)'\n'BIT_OR(<BINARY>)'")),
    aggregate("BIT_XOR", Some("'BIT_XOR(<INTEGER>)'\n'BIT_XOR(<BINARY>)'")),
    aggregate("COUNT", Some("COUNT(...)")),
    aggregate("CUME_DIST", Some("'CUME_DIST()'")),
    aggregate("DENSE_RANK", Some("'DENSE_RANK()'")),
    aggregate("EARLIEST", Some("'EARLIEST(<expr>, [<maxBytesPerStringInt>, [<aggregateMultipleValuesBoolean>]])'")),
    aggregate("EARLIEST_BY", Some("'EARLIEST_BY(<expr>, <timeColumn>, [<maxBytesPerString>])'")),
    aggregate("FIRST_VALUE", Some("'FIRST_VALUE(<ANY>)'")),
    aggregate("GROUPING", Some("GROUPING(...)")),
    aggregate("LAG", Some("'LAG(<ANY>)'\n'LAG(<ANY>, <NUMERIC>)'\n'LAG(<ANY>, <NUMERIC>, <ANY>)'")),
    aggregate("LAST_VALUE", Some("'LAST_VALUE(<ANY>)'")),
    aggregate("LATEST", Some("'LATEST(<expr>, [<maxBytesPerStringInt>, [<aggregateMultipleValuesBoolean>]])'")),
    aggregate("LATEST_BY", Some("'LATEST_BY(<expr>, <timeColumn>, [<maxBytesPerString>])'")),
    aggregate("LEAD", Some("'LEAD(<ANY>)'\n'LEAD(<ANY>, <NUMERIC>)'\n'LEAD(<ANY>, <NUMERIC>, <ANY>)'")),
    aggregate("LISTAGG", Some("'LISTAGG(expr, separator)'\n'LISTAGG(expr, separator, maxSizeBytes)'")),
    aggregate("MAX", Some("'MAX(<COMPARABLE_TYPE>)'")),
    aggregate("MIN", Some("'MIN(<COMPARABLE_TYPE>)'")),
    aggregate("NTILE", Some("'NTILE(<INTEGER>)'")),
    aggregate("PERCENT_RANK", Some("'PERCENT_RANK()'")),
    aggregate("RANK", Some("'RANK()'")),
    aggregate("ROW_NUMBER", Some("'ROW_NUMBER()'")),
    aggregate("STDDEV", Some("'STDDEV(<NUMERIC>)'")),
    aggregate("STDDEV_POP", Some("'STDDEV_POP(<NUMERIC>)'")),
    aggregate("STDDEV_SAMP", Some("'STDDEV_SAMP(<NUMERIC>)'")),
    aggregate("STRING_AGG", Some("'STRING_AGG(expr, separator)'\n'STRING_AGG(expr, separator, maxSizeBytes)'")),
    aggregate("SUM", Some("'SUM(<NUMERIC>)'")),
    aggregate("VARIANCE", Some("'VARIANCE(<NUMERIC>)'")),
    aggregate("VAR_POP", Some("'VAR_POP(<NUMERIC>)'")),
    aggregate("VAR_SAMP", Some("'VAR_SAMP(<NUMERIC>)'")),
    scalar("+", Some("'+(<DATETIME>, <DATETIME>, <DATETIME_INTERVAL>)'")),
    scalar("-", Some("'-(<DATETIME>, <DATETIME>, <DATETIME_INTERVAL>)'")),
    scalar("ABS", Some("'ABS(<NUMERIC>)'\n'ABS(<DATETIME_INTERVAL>)'")),
    scalar("ACOS", Some("'ACOS(<NUMERIC>)'")),
    scalar("ARRAY", Some("ARRAY(...)")),
    scalar("ARRAY_APPEND", Some("'ARRAY_APPEND(array, expr)'")),
    scalar("ARRAY_CONCAT", Some("'ARRAY_CONCAT(array, array)'")),
    scalar("ARRAY_LENGTH", Some("'ARRAY_LENGTH(<ARRAY>)'\n'ARRAY_LENGTH(<STRING>)'")),
    scalar("ARRAY_PREPEND", Some("'ARRAY_PREPEND(expr, array)'")),
    scalar("ARRAY_TO_MV", Some("'ARRAY_TO_MV(<STRING>)'\n'ARRAY_TO_MV(<ARRAY>)'")),
    scalar("ARRAY_TO_STRING", Some("'ARRAY_TO_STRING(array, expr)'")),
    scalar("ASIN", Some("'ASIN(<NUMERIC>)'")),
    scalar("ATAN", Some("'ATAN(<NUMERIC>)'")),
    scalar("ATAN2", Some("'ATAN2(<NUMERIC>, <NUMERIC>)'")),
    scalar("BETWEEN ASYMMETRIC", Some("'<COMPARABLE_TYPE> BETWEEN <COMPARABLE_TYPE> AND <COMPARABLE_TYPE>'")),
    scalar("BITWISE_AND", Some("'BITWISE_AND(<NUMERIC>, <NUMERIC>)'")),
    scalar("BITWISE_COMPLEMENT", Some("'BITWISE_COMPLEMENT(<NUMERIC>)'")),
    scalar("BITWISE_CONVERT_DOUBLE_TO_LONG_BITS", Some("'BITWISE_CONVERT_DOUBLE_TO_LONG_BITS(<NUMERIC>)'")),
    scalar("BITWISE_CONVERT_LONG_BITS_TO_DOUBLE", Some("'BITWISE_CONVERT_LONG_BITS_TO_DOUBLE(<NUMERIC>)'")),
    scalar("BITWISE_OR", Some("'BITWISE_OR(<NUMERIC>, <NUMERIC>)'")),
    scalar("BITWISE_SHIFT_LEFT", Some("'BITWISE_SHIFT_LEFT(<NUMERIC>, <NUMERIC>)'")),
    scalar("BITWISE_SHIFT_RIGHT", Some("'BITWISE_SHIFT_RIGHT(<NUMERIC>, <NUMERIC>)'")),
    scalar("BITWISE_XOR", Some("'BITWISE_XOR(<NUMERIC>, <NUMERIC>)'")),
    scalar("BTRIM", Some("'BTRIM(<CHARACTER>, [<CHARACTER>])'")),
    scalar("CASE", None),
    scalar("CAST", None),
    scalar("CEIL", Some("'CEIL(<NUMERIC>)'\n'CEIL(<DATETIME_INTERVAL>)'\n'CEIL(<DATE> TO <TIME_UNIT>)'\n'CEIL(<TIME> TO <TIME_UNIT>)'\n'CEIL(<TIMESTAMP> TO <TIME_UNIT>)'")),
    scalar("CHARACTER_LENGTH", Some("'CHARACTER_LENGTH(<CHARACTER>)'")),
    scalar("CHAR_LENGTH", Some("'CHAR_LENGTH(<CHARACTER>)'")),
    scalar("COALESCE", Some("'COALESCE(<EQUIVALENT_TYPE>, <EQUIVALENT_TYPE>, <...>)'")),
    scalar("CONCAT", Some("'CONCAT(<EQUIVALENT_TYPE>, <EQUIVALENT_TYPE>, <...>)'")),
    scalar("CONTAINS_STRING", Some("'CONTAINS_STRING(<CHARACTER>, <CHARACTER>)'")),
    scalar("COS", Some("'COS(<NUMERIC>)'")),
    scalar("COT", Some("'COT(<NUMERIC>)'")),
    scalar("CURRENT_DATE", Some("'CURRENT_DATE()'")),
    scalar("CURRENT_TIMESTAMP", Some("'CURRENT_TIMESTAMP(<INTEGER>)'\n'CURRENT_TIMESTAMP()'")),
    scalar("DATE_TRUNC", Some("'DATE_TRUNC(<CHARACTER>, <TIMESTAMP>)'")),
    scalar("DECODE_BASE64_UTF8", Some("'DECODE_BASE64_UTF8(<CHARACTER>)'")),
    scalar("DEGREES", Some("'DEGREES(<NUMERIC>)'")),
    scalar("DIV", Some("'DIV(<NUMERIC>, <NUMERIC>)'\n'DIV(<DATETIME_INTERVAL>, <NUMERIC>)'")),
    scalar("EXP", Some("'EXP(<NUMERIC>)'")),
    scalar("EXTRACT", Some("'EXTRACT(<DATETIME_INTERVAL> FROM <DATETIME_INTERVAL>)'\n'EXTRACT(<DATETIME_INTERVAL> FROM <DATETIME>)'\n'EXTRACT(<INTERVAL_DAY_TIME> FROM <INTERVAL_YEAR_MONTH>)'")),
    scalar("FLOOR", Some("'FLOOR(<NUMERIC>)'\n'FLOOR(<DATETIME_INTERVAL>)'\n'FLOOR(<DATE> TO <TIME_UNIT>)'\n'FLOOR(<TIME> TO <TIME_UNIT>)'\n'FLOOR(<TIMESTAMP> TO <TIME_UNIT>)'")),
    scalar("GREATEST", Some("GREATEST(...)")),
    scalar("HUMAN_READABLE_BINARY_BYTE_FORMAT", Some("HUMAN_READABLE_BINARY_BYTE_FORMAT(Number, [Precision])")),
    scalar("HUMAN_READABLE_DECIMAL_BYTE_FORMAT", Some("HUMAN_READABLE_DECIMAL_BYTE_FORMAT(Number, [Precision])")),
    scalar("HUMAN_READABLE_DECIMAL_FORMAT", Some("HUMAN_READABLE_DECIMAL_FORMAT(Number, [Precision])")),
    scalar("ICONTAINS_STRING", Some("'ICONTAINS_STRING(<CHARACTER>, <CHARACTER>)'")),
    scalar("IFNULL", Some("'IFNULL(<EQUIVALENT_TYPE>, <EQUIVALENT_TYPE>)'")),
    scalar("IPV4_MATCH", Some("'IPV4_MATCH(expr, string)'")),
    scalar("IPV4_PARSE", Some("'IPV4_PARSE(<STRING>)'\n'IPV4_PARSE(<INTEGER>)'")),
    scalar("IPV4_STRINGIFY", Some("'IPV4_STRINGIFY(<INTEGER>)'\n'IPV4_STRINGIFY(<STRING>)'")),
    scalar("IPV6_MATCH", Some("'IPV6_MATCH(expr, string)'")),
    scalar("LEAST", Some("LEAST(...)")),
    scalar("LEFT", Some("'LEFT(<CHARACTER>, <INTEGER>)'")),
    scalar("LENGTH", Some("'LENGTH(<CHARACTER>)'")),
    scalar("LIKE", Some("'LIKE(<STRING>, <STRING>, <STRING>)'")),
    scalar("LN", Some("'LN(<NUMERIC>)'")),
    scalar("LOG", Some("'LOG(<NUMERIC>)'\n'LOG(<NUMERIC>, <NUMERIC>)'")),
    scalar("LOG10", Some("'LOG10(<NUMERIC>)'")),
    scalar("LOWER", Some("'LOWER(<CHARACTER>)'")),
    scalar("LPAD", Some("'LPAD(<CHARACTER>, <INTEGER>, [<CHARACTER>])'")),
    scalar("LTRIM", Some("'LTRIM(<CHARACTER>, [<CHARACTER>])'")),
    scalar("MILLIS_TO_TIMESTAMP", Some("'MILLIS_TO_TIMESTAMP(<EXACT_NUMERIC>)'")),
    scalar("MOD", Some("'MOD(<EXACT_NUMERIC>, <EXACT_NUMERIC>)'")),
    scalar("MV_CONTAINS", Some("'MV_CONTAINS(array, array)'")),
    scalar("MV_FILTER_NONE", Some("'MV_FILTER_NONE(string, array)'")),
    scalar("MV_FILTER_ONLY", Some("'MV_FILTER_ONLY(string, array)'")),
    scalar("MV_LENGTH", Some("'MV_LENGTH(<ARRAY>)'\n'MV_LENGTH(<STRING>)'")),
    scalar("MV_OFFSET", Some("'MV_OFFSET(array, expr)'")),
    scalar("MV_ORDINAL", Some("'MV_ORDINAL(array, expr)'")),
    scalar("MV_OVERLAP", Some("'MV_OVERLAP(array, array)'")),
    scalar("MV_TO_ARRAY", Some("'MV_TO_ARRAY(<STRING>)'\n'MV_TO_ARRAY(<ARRAY>)'")),
    scalar("MV_TO_STRING", Some("'ARRAY_TO_STRING(array, expr)'")),
    scalar("NOT BETWEEN ASYMMETRIC", Some("'<COMPARABLE_TYPE> NOT BETWEEN <COMPARABLE_TYPE> AND <COMPARABLE_TYPE>'")),
    scalar("NOT LIKE", Some("'NOT LIKE(<STRING>, <STRING>, <STRING>)'")),
    scalar("NULLIF", Some("'NULLIF(<COMPARABLE_TYPE>, <COMPARABLE_TYPE>)'")),
    scalar("NVL", Some("'NVL(<EQUIVALENT_TYPE>, <EQUIVALENT_TYPE>)'")),
    scalar("PARSE_LONG", Some("'PARSE_LONG(<CHARACTER>, [<INTEGER>])'")),
    scalar("PI", Some("'PI()'")),
    scalar("POSITION", Some("'POSITION(<STRING> IN <STRING>)'\nINSTR(<STRING>, <STRING>, <INTEGER>, <INTEGER>)")),
    scalar("POWER", Some("'POWER(<NUMERIC>, <NUMERIC>)'")),
    scalar("RADIANS", Some("'RADIANS(<NUMERIC>)'")),
    scalar("REGEXP_EXTRACT", Some("'REGEXP_EXTRACT(<CHARACTER>, <CHARACTER>, [<INTEGER>])'")),
    scalar("REGEXP_LIKE", Some("'REGEXP_LIKE(<CHARACTER>, <CHARACTER>)'")),
    scalar("REGEXP_REPLACE", Some("'REGEXP_REPLACE(<CHARACTER>, <CHARACTER>, <CHARACTER>)'")),
    scalar("REPEAT", Some("'REPEAT(<CHARACTER>, <INTEGER>)'")),
    scalar("REPLACE", Some("'REPLACE(<STRING>, <STRING>, <STRING>)'")),
    scalar("REVERSE", Some("'REVERSE(<CHARACTER>)'")),
    scalar("RIGHT", Some("'RIGHT(<CHARACTER>, <INTEGER>)'")),
    scalar("ROUND", Some("'ROUND(<NUMERIC>)'\nROUND(<NUMERIC>, <INTEGER>)")),
    scalar("RPAD", Some("'RPAD(<CHARACTER>, <INTEGER>, [<CHARACTER>])'")),
    scalar("RTRIM", Some("'RTRIM(<CHARACTER>, [<CHARACTER>])'")),
    scalar("SAFE_DIVIDE", Some("'SAFE_DIVIDE(<NUMERIC>, <NUMERIC>)'")),
    scalar("SIN", Some("'SIN(<NUMERIC>)'")),
    scalar("SQRT", Some("'SQRT(<NUMERIC>)'")),
    scalar("STRING_FORMAT", Some("STRING_FORMAT(CHARACTER, [ANY, ...])")),
    scalar("STRING_TO_ARRAY", Some("'STRING_TO_ARRAY(string, expr)'")),
    scalar("STRING_TO_MV", Some("'STRING_TO_MV(string, expr)'")),
    scalar("STRLEN", Some("'STRLEN(<CHARACTER>)'")),
    scalar("STRPOS", Some("'STRPOS(<CHARACTER>, <CHARACTER>)'")),
    scalar("STR_POSITION", Some("'STR_POSITION(<CHARACTER>, <CHARACTER>)'")),
    scalar("SUBSTR", Some("'SUBSTR(<CHARACTER>, <INTEGER>, [<INTEGER>])'")),
    scalar("SUBSTRING", Some("'SUBSTRING(<CHARACTER>, <INTEGER>, [<INTEGER>])'")),
    scalar("TAN", Some("'TAN(<NUMERIC>)'")),
    scalar("TIMESTAMPADD", Some("'TIMESTAMPADD(<ANY>, <INTEGER>, <DATETIME>)'")),
    scalar("TIMESTAMPDIFF", Some("'TIMESTAMPDIFF(<ANY>, <DATETIME>, <DATETIME>)'")),
    scalar("TIMESTAMP_TO_MILLIS", Some("'TIMESTAMP_TO_MILLIS(<TIMESTAMP>)'")),
    scalar("TIME_CEIL", Some("'TIME_CEIL(<TIMESTAMP>, <CHARACTER>, [<TIMESTAMP>, [<CHARACTER>]])'")),
    scalar("TIME_EXTRACT", Some("'TIME_EXTRACT(<TIMESTAMP>, <CHARACTER>, [<CHARACTER>])'")),
    scalar("TIME_FLOOR", Some("'TIME_FLOOR(<TIMESTAMP>, <CHARACTER>, [<TIMESTAMP>, [<CHARACTER>]])'")),
    scalar("TIME_FORMAT", Some("'TIME_FORMAT(<TIMESTAMP>, [<CHARACTER>, [<CHARACTER>]])'")),
    scalar("TIME_IN_INTERVAL", Some("'TIME_IN_INTERVAL(<timestamp>, <interval>)'")),
    scalar("TIME_PARSE", Some("'TIME_PARSE(<CHARACTER>, [<CHARACTER>, [<CHARACTER>]])'")),
    scalar("TIME_SHIFT", Some("'TIME_SHIFT(<TIMESTAMP>, <CHARACTER>, <INTEGER>, [<CHARACTER>])'")),
    scalar("TRIM", Some("'TRIM([BOTH|LEADING|TRAILING] <ANY> FROM <STRING>)'")),
    scalar("TRUNC", Some("'TRUNC(<NUMERIC>, [<INTEGER>])'")),
    scalar("TRUNCATE", Some("'TRUNCATE(<NUMERIC>, [<INTEGER>])'")),
    scalar("UPPER", Some("'UPPER(<CHARACTER>)'")),
    scalar("textcat", Some("'textcat(<CHARACTER>, <CHARACTER>)'")),
];

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use datafusion::execution::SessionStateDefaults;

    use super::*;
    use crate::sql::{aggregate_functions, scalar_functions};

    /// What is syntax, and planned rather than called.
    const SYNTAX: [&str; 18] = [
        "+",
        "-",
        "ARRAY",
        "BETWEEN ASYMMETRIC",
        "CASE",
        "CAST",
        "CURRENT_DATE",
        "CURRENT_TIMESTAMP",
        "EXTRACT",
        "LIKE",
        "NOT BETWEEN ASYMMETRIC",
        "NOT LIKE",
        "EARLIEST",
        "LATEST",
        "POSITION",
        "GROUPING",
        "TIMESTAMPADD",
        "TIMESTAMPDIFF",
    ];

    #[test]
    fn every_listed_routine_exists() {
        let mut known: HashSet<String> = SYNTAX.iter().map(|name| name.to_lowercase()).collect();
        for function in SessionStateDefaults::default_scalar_functions().iter().chain(&scalar_functions()) {
            known.insert(function.name().to_owned());
            known.extend(function.aliases().iter().cloned());
        }
        for function in
            SessionStateDefaults::default_aggregate_functions().iter().chain(&aggregate_functions())
        {
            known.insert(function.name().to_owned());
            known.extend(function.aliases().iter().cloned());
        }
        for function in SessionStateDefaults::default_window_functions() {
            known.insert(function.name().to_owned());
            known.extend(function.aliases().iter().cloned());
        }
        let missing: Vec<&str> = catalogue()
            .iter()
            .map(|routine| routine.name)
            .filter(|name| !known.contains(&name.to_lowercase()))
            .collect();
        assert!(missing.is_empty(), "{missing:?}");
    }

    #[test]
    fn every_function_of_this_crate_is_listed() {
        let listed: HashSet<String> = catalogue().iter().map(|routine| routine.name.to_lowercase()).collect();
        let names = |name: &str, aliases: &[String]| [&[name.to_owned()], aliases].concat();
        let scalars =
            scalar_functions().into_iter().map(|function| names(function.name(), function.aliases()));
        let aggregates =
            aggregate_functions().into_iter().map(|function| names(function.name(), function.aliases()));
        let missing: Vec<_> = scalars
            .chain(aggregates)
            .filter(|names| !names.iter().any(|name| listed.contains(name)))
            .collect();
        assert!(missing.is_empty(), "{missing:?}");
    }
}
