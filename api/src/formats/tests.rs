//! The five formats against what Druid wrote for the same rows.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Date32Array, Decimal128Array, DictionaryArray, Float32Array, Float64Array,
    Int32Array, Int64Array, Int64Builder, ListBuilder, NullArray, StringArray, StringBuilder,
    StringViewArray, TimestampMillisecondArray, TimestampNanosecondArray,
};
use arrow::datatypes::{Field, Int8Type, Schema};

use super::*;

const ALL: [ResultFormat; 5] = [
    ResultFormat::Object,
    ResultFormat::Array,
    ResultFormat::ObjectLines,
    ResultFormat::ArrayLines,
    ResultFormat::Csv,
];

/// 2026-11-23T10:00:00.000Z
const TEN_MS: i64 = 1_795_428_000_000;

struct Table(Vec<(ResultColumn, ArrayRef)>);

fn column(name: &str, druid: &str, sql: &str, array: impl Into<ArrayRef>) -> (ResultColumn, ArrayRef) {
    let column =
        ResultColumn { name: name.to_owned(), druid_type: druid.to_owned(), sql_type: sql.to_owned() };
    (column, array.into())
}

fn array(array: impl arrow::array::Array + 'static) -> ArrayRef {
    Arc::new(array)
}

impl Table {
    fn batch(&self) -> RecordBatch {
        let field = |(i, (_, array)): (usize, &(ResultColumn, ArrayRef))| {
            Field::new(format!("c{i}"), array.data_type().clone(), true)
        };
        let fields: Vec<_> = self.0.iter().enumerate().map(field).collect();
        RecordBatch::try_new(
            Arc::new(Schema::new(fields)),
            self.0.iter().map(|(_, a)| Arc::clone(a)).collect(),
        )
        .unwrap()
    }

    fn written(&self, style: ResultStyle, zone: Zone) -> String {
        let columns = self.0.iter().map(|(column, _)| column.clone()).collect();
        let mut writer = ResultWriter::new(style, columns, zone);
        let mut out = Vec::new();
        writer.begin(&mut out);
        let batch = writer.prepare(&self.batch()).unwrap();
        // In two steps, as a long batch is cut.
        let middle = batch.rows() / 2;
        writer.rows(&mut out, &batch, 0..middle);
        writer.rows(&mut out, &batch, middle..batch.rows());
        writer.end(&mut out);
        String::from_utf8(out).unwrap()
    }

    fn plain(&self, format: ResultFormat) -> String {
        self.written(ResultStyle { format, ..ResultStyle::default() }, Zone::UTC)
    }
}

fn events() -> Table {
    let times = [TEN_MS, TEN_MS + 36, TEN_MS + 72];
    Table(vec![
        column("__time", "LONG", "TIMESTAMP", array(TimestampMillisecondArray::from(times.to_vec()))),
        column(
            "deviceId",
            "STRING",
            "VARCHAR",
            array(StringViewArray::from(vec!["edb90c47", "214acc94", "a28cf072"])),
        ),
        column(
            "deviceLatitude",
            "FLOAT",
            "FLOAT",
            array(Float32Array::from(vec![47.372204, 47.369926, 47.36925])),
        ),
    ])
}

#[test]
fn each_format_is_byte_for_byte_what_druid_writes() {
    let object = [
        r#"{"__time":"2026-11-23T10:00:00.000Z","deviceId":"edb90c47","deviceLatitude":47.372204}"#,
        r#"{"__time":"2026-11-23T10:00:00.036Z","deviceId":"214acc94","deviceLatitude":47.369926}"#,
        r#"{"__time":"2026-11-23T10:00:00.072Z","deviceId":"a28cf072","deviceLatitude":47.36925}"#,
    ];
    let list = [
        r#"["2026-11-23T10:00:00.000Z","edb90c47",47.372204]"#,
        r#"["2026-11-23T10:00:00.036Z","214acc94",47.369926]"#,
        r#"["2026-11-23T10:00:00.072Z","a28cf072",47.36925]"#,
    ];
    let csv = "2026-11-23T10:00:00.000Z,edb90c47,47.372204\n2026-11-23T10:00:00.036Z,214acc94,47.369926\n\
               2026-11-23T10:00:00.072Z,a28cf072,47.36925\n\n";
    let events = events();
    assert_eq!(events.plain(ResultFormat::Object), format!("[{}]\n", object.join(",")));
    assert_eq!(events.plain(ResultFormat::Array), format!("[{}]\n", list.join(",")));
    assert_eq!(events.plain(ResultFormat::ObjectLines), format!("{}\n\n", object.join("\n")));
    assert_eq!(events.plain(ResultFormat::ArrayLines), format!("{}\n\n", list.join("\n")));
    assert_eq!(events.plain(ResultFormat::Csv), csv);
}

#[test]
fn headers_name_columns_and_types_where_druid_names_them() {
    let none =
        Table(events().0.into_iter().map(|(column, array)| (column, array.slice(0, 0))).collect::<Vec<_>>());
    let names =
        |format| none.written(ResultStyle { format, header: true, ..ResultStyle::default() }, Zone::UTC);
    let types = |format| {
        let all = ResultStyle {
            format,
            header: true,
            types_header: true,
            sql_types_header: true,
            real_arrays: false,
        };
        none.written(all, Zone::UTC)
    };
    let name_row = r#"["__time","deviceId","deviceLatitude"]"#;
    let type_rows = [name_row, r#"["LONG","STRING","FLOAT"]"#, r#"["TIMESTAMP","VARCHAR","FLOAT"]"#];
    let object = r#"{"__time":null,"deviceId":null,"deviceLatitude":null}"#;
    let typed = concat!(
        r#"{"__time":{"type":"LONG","sqlType":"TIMESTAMP"},"deviceId":{"type":"STRING","sqlType":"VARCHAR"},"#,
        r#""deviceLatitude":{"type":"FLOAT","sqlType":"FLOAT"}}"#
    );
    assert_eq!(names(ResultFormat::Object), format!("[{object}]\n"));
    assert_eq!(names(ResultFormat::Array), format!("[{name_row}]\n"));
    assert_eq!(names(ResultFormat::ObjectLines), format!("{object}\n\n"));
    assert_eq!(names(ResultFormat::ArrayLines), format!("{name_row}\n\n"));
    assert_eq!(names(ResultFormat::Csv), "__time,deviceId,deviceLatitude\n\n");
    assert_eq!(types(ResultFormat::Object), format!("[{typed}]\n"));
    assert_eq!(types(ResultFormat::Array), format!("[{}]\n", type_rows.join(",")));
    assert_eq!(types(ResultFormat::ObjectLines), format!("{typed}\n\n"));
    assert_eq!(types(ResultFormat::ArrayLines), format!("{}\n\n", type_rows.join("\n")));
    assert_eq!(
        types(ResultFormat::Csv),
        "__time,deviceId,deviceLatitude\nLONG,STRING,FLOAT\nTIMESTAMP,VARCHAR,FLOAT\n\n"
    );
}

#[test]
fn an_empty_result_without_a_header_is_the_end_mark_alone() {
    let none = Table(vec![column("a", "LONG", "BIGINT", array(Int64Array::from(Vec::<i64>::new())))]);
    assert_eq!(ALL.map(|format| none.plain(format)), ["[]\n", "[]\n", "\n", "\n", "\n"]);
}

#[test]
fn literals_print_as_druid_printed_them() {
    let row = Table(vec![
        column("a", "LONG", "INTEGER", array(Int32Array::from(vec![1]))),
        column(
            "b",
            "DOUBLE",
            "DECIMAL",
            array(Decimal128Array::from(vec![10]).with_precision_and_scale(2, 1).unwrap()),
        ),
        column("d", "DOUBLE", "DOUBLE", array(Float64Array::from(vec![1e10]))),
        column("f", "LONG", "BIGINT", array(Int64Array::from(vec![10_000_000_000]))),
        column("g", "LONG", "BOOLEAN", array(BooleanArray::from(vec![true]))),
        column("h", "STRING", "NULL", array(NullArray::new(1))),
        column("i", "STRING", "CHAR", array(StringArray::from(vec!["é"]))),
        column("j", "FLOAT", "FLOAT", array(Float32Array::from(vec![1.1]))),
        column("l", "LONG", "DATE", array(Date32Array::from(vec![18_263]))),
        column(
            "m",
            "LONG",
            "TIMESTAMP",
            array(TimestampNanosecondArray::from(vec![1_577_934_245_678_000_000])),
        ),
        column("m", "STRING", "VARCHAR", array(["x"].into_iter().collect::<DictionaryArray<Int8Type>>())),
    ]);
    assert_eq!(
        row.plain(ResultFormat::Object),
        concat!(
            r#"[{"a":1,"b":1.0,"d":1.0E10,"f":10000000000,"g":true,"h":null,"i":"é","j":1.1,"#,
            r#""l":"2020-01-02T00:00:00.000Z","m":"2020-01-02T03:04:05.678Z","m":"x"}]"#,
            "\n"
        )
    );
    assert_eq!(
        row.plain(ResultFormat::Csv),
        "1,1.0,1.0E10,10000000000,true,,é,1.1,2020-01-02T00:00:00.000Z,2020-01-02T03:04:05.678Z,x\n\n"
    );
}

#[test]
fn csv_quotes_as_druid_quotes() {
    let text = |value: Option<&str>| array(StringViewArray::from(vec![value]));
    let row = Table(vec![
        column("a", "STRING", "CHAR", text(Some("a,b"))),
        column("b", "STRING", "CHAR", text(Some("q\"x"))),
        column("c", "STRING", "VARCHAR", text(None)),
        column("d", "STRING", "CHAR", text(Some(""))),
        column("e", "DOUBLE", "DECIMAL", array(Float64Array::from(vec![1.5]))),
        column("f", "STRING", "CHAR", text(Some("l1\nl2"))),
    ]);
    let style = ResultStyle { format: ResultFormat::Csv, header: true, ..ResultStyle::default() };
    assert_eq!(row.written(style, Zone::UTC), "a,b,c,d,e,f\n\"a,b\",\"q\"\"x\",,,1.5,\"l1\nl2\"\n\n");
}

#[test]
fn what_json_has_no_number_for_is_a_string() {
    let row = Table(vec![column(
        "a",
        "DOUBLE",
        "DOUBLE",
        array(Float64Array::from(vec![f64::NAN, f64::INFINITY, f64::NEG_INFINITY])),
    )]);
    assert_eq!(row.plain(ResultFormat::Array), "[[\"NaN\"],[\"Infinity\"],[\"-Infinity\"]]\n");
    assert_eq!(row.plain(ResultFormat::Csv), "NaN\nInfinity\n-Infinity\n\n");
}

fn lists() -> (ArrayRef, ArrayRef) {
    let mut strings = ListBuilder::new(StringBuilder::new());
    strings.append_value([Some("a"), Some("b")]);
    strings.append_value([Some("back\\slash")]);
    strings.append_value(Vec::<Option<&str>>::new());
    strings.append_null();
    let mut longs = ListBuilder::new(Int64Builder::new());
    longs.append_value([Some(1), Some(2)]);
    longs.append_value([None]);
    longs.append_value(Vec::<Option<i64>>::new());
    longs.append_null();
    (array(strings.finish()), array(longs.finish()))
}

#[test]
fn arrays_are_strings_of_json_unless_the_query_wants_arrays() {
    let (strings, longs) = lists();
    let rows = Table(vec![
        column("a", "ARRAY<STRING>", "ARRAY", strings),
        column("b", "ARRAY<LONG>", "ARRAY", longs),
    ]);
    assert_eq!(
        rows.plain(ResultFormat::ArrayLines),
        concat!(
            "[\"[\\\"a\\\",\\\"b\\\"]\",\"[1,2]\"]\n",
            "[\"[\\\"back\\u005c\\u005cslash\\\"]\",\"[null]\"]\n",
            "[\"[]\",\"[]\"]\n[null,null]\n\n"
        )
    );
    let style = ResultStyle { format: ResultFormat::ArrayLines, real_arrays: true, ..ResultStyle::default() };
    assert_eq!(
        rows.written(style, Zone::UTC),
        "[[\"a\",\"b\"],[1,2]]\n[[\"back\\u005cslash\"],[null]]\n[[],[]]\n[null,null]\n\n"
    );
    assert_eq!(
        rows.plain(ResultFormat::Csv),
        "\"[\"\"a\"\",\"\"b\"\"]\",\"[1,2]\"\n\"[\"\"back\\\\slash\"\"]\",[null]\n[],[]\n,\n\n"
    );
}

#[test]
fn a_multi_value_string_of_one_value_is_that_value() {
    let (strings, _) = lists();
    let rows = Table(vec![column("tags", "STRING", "VARCHAR", strings)]);
    let style = ResultStyle { format: ResultFormat::ArrayLines, real_arrays: true, ..ResultStyle::default() };
    assert_eq!(
        rows.written(style, Zone::UTC),
        "[\"[\\\"a\\\",\\\"b\\\"]\"]\n[\"back\\u005cslash\"]\n[null]\n[null]\n\n"
    );
    assert_eq!(rows.plain(ResultFormat::Csv), "\"[\"\"a\"\",\"\"b\"\"]\"\nback\\slash\n\n\n\n");
}

#[test]
fn times_are_told_in_the_zone_of_the_query() {
    let row = Table(vec![column(
        "__time",
        "LONG",
        "TIMESTAMP",
        array(TimestampMillisecondArray::from(vec![TEN_MS])),
    )]);
    let zurich = Zone::parse("Europe/Zurich").unwrap();
    let style = ResultStyle::default();
    assert_eq!(row.written(style, zurich), "[{\"__time\":\"2026-11-23T11:00:00.000+01:00\"}]\n");
}

#[test]
fn format_names_know_no_case() {
    assert_eq!(ResultFormat::parse("objectlines"), Some(ResultFormat::ObjectLines));
    assert_eq!(ResultFormat::parse("CSV"), Some(ResultFormat::Csv));
    assert_eq!(ResultFormat::parse("nope"), None);
}

proptest::proptest! {
    /// Codes into a dictionary, as a scan gives them: whether its strings are looked at once or one by one is not seen.
    #[test]
    fn strings_of_a_dictionary_read_back(
        values in proptest::collection::vec("[a-z\\\\\"\n\u{1f600}]{0,20}|[a-z]{0,20}", 1..4),
        codes in proptest::collection::vec(proptest::option::of(0_usize..8), 1..40),
        skipped in 0_usize..8,
    ) {
        let code = |code: &Option<usize>| code.map(|code| (code % values.len()) as i32);
        let keys: Int32Array = codes.iter().map(code).collect();
        let dictionary: StringViewArray = values.iter().map(Some).collect();
        let strings = arrow::compute::take(&dictionary, &keys, None).unwrap();
        let skipped = skipped.min(strings.len());
        let strings = strings.slice(skipped, strings.len() - skipped);

        let table = Table(vec![column("s", "STRING", "VARCHAR", Arc::clone(&strings))]);
        let style = ResultStyle { format: ResultFormat::Array, ..ResultStyle::default() };
        let read: Vec<[Option<String>; 1]> = serde_json::from_str(&table.written(style, Zone::UTC)).unwrap();
        let meant = arrow::array::AsArray::as_string_view(&strings).iter().map(|text| [text.map(str::to_owned)]);
        proptest::prop_assert_eq!(read, meant.collect::<Vec<_>>());
    }
}
