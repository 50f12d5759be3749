//! What is read back is what was written, in the segment's order, whatever form the columns took.

use proptest::prelude::*;

use super::*;
use crate::segment::{BLOCK_ROWS, BlockStats, Postings, Scalar};

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        Just(String::new()),
        Just("\0".to_owned()),
        Just("a\0".to_owned()),
        Just("😀".to_owned()),
        "[ab]{1,2}",
        "[a-c]{9,20}",
    ]
}

fn float() -> impl Strategy<Value = f64> {
    prop_oneof![
        Just(f64::NAN),
        Just(-f64::NAN),
        Just(0.0),
        Just(-0.0),
        Just(f64::NEG_INFINITY),
        (-3i32..3).prop_map(|n| f64::from(n) / 2.0),
    ]
}

fn row() -> impl Strategy<Value = Row> {
    (
        prop_oneof![0i64..4, Just(86_399_999)],
        prop::option::of(text()),
        prop::collection::vec(text(), 0..3),
        prop::option::of(prop_oneof![-2i64..3, Just(i64::MIN), Just(i64::MAX)]),
        prop::option::of(text()),
        prop::option::of(float()),
        prop::option::of(float().prop_map(|value| value as f32)),
    )
        .prop_map(|(time, name, tags, number, text, share, weight)| Row {
            time,
            name,
            tags,
            number,
            text,
            share,
            weight,
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn rows_come_back_sorted_and_whole(
        rows in prop::collection::vec(row(), 1..120),
        chosen in prop::option::of(prop::collection::vec(any::<bool>(), 120)),
        rows_min in prop_oneof![Just(1usize), Just(40), Just(1024)],
        form in prop_oneof![Just(Form::Arrow), Just(Form::Parquet)],
    ) {
        let chosen: Option<Vec<u32>> = chosen
            .map(|chosen| (0..rows.len() as u32).filter(|&row| chosen[row as usize]).collect())
            .filter(|chosen: &Vec<u32>| !chosen.is_empty());
        let disk = MemoryDisk::default();
        let bounds = Bounds { rows_min, ..Bounds::default() };
        let summary = write_as(form, &disk, &rows, chosen.as_deref(), bounds).unwrap();
        let rows: Vec<Row> = match chosen {
            None => rows,
            Some(chosen) => chosen.into_iter().map(|row| rows[row as usize].clone()).collect(),
        };

        let segment = open(&disk, Some(&summary.files)).unwrap();
        segment.verify().unwrap();
        let found = rows_of(&segment).unwrap();
        prop_assert_eq!(shown(&found), shown(&in_segment_order(&rows)));
        prop_assert_eq!(segment.time_range(), (found[0].time, found[found.len() - 1].time));
        prop_assert_eq!((summary.min_time_ms, summary.max_time_ms), segment.time_range());
        prop_assert_eq!(summary.rows, rows.len() as u64);

        check_postings(&segment, "name", |row| row.name.clone().into_iter().collect(), &found);
        check_postings(&segment, "tags", |row| row.tags.clone(), &found);
        check_postings(&segment, "text", |row| row.text.clone().into_iter().collect(), &found);
        prop_assert!(segment.postings("number").unwrap().is_none());
        check_blocks(&segment, &found);
    }
}

/// The sorted dictionary of a string column; `None` if it has none.
fn dictionary(segment: &Segment, name: &str) -> Option<Vec<String>> {
    let column = segment.column(name).unwrap().unwrap();
    let column =
        column.as_list_opt::<i32>().map_or(ArrayRef::clone(&column), |list| ArrayRef::clone(list.values()));
    let values = column.as_any_dictionary_opt()?.values();
    Some(values.as_string::<i32>().iter().map(|value| value.unwrap().to_owned()).collect())
}

fn check_postings(segment: &Segment, name: &str, values: impl Fn(&Row) -> Vec<String>, rows: &[Row]) {
    let dictionary = dictionary(segment, name);
    let postings: Option<Postings> = segment.postings(name).unwrap();
    assert_eq!(dictionary.is_some(), postings.is_some());
    let (Some(dictionary), Some(postings)) = (dictionary, postings) else { return };
    assert!(dictionary.is_sorted_by(|a, b| a < b), "{dictionary:?}");
    assert_eq!(postings.len(), dictionary.len());
    let scan = |test: &dyn Fn(&[String]) -> bool| -> Vec<u32> {
        (0..rows.len() as u32).filter(|&row| test(&values(&rows[row as usize]))).collect()
    };
    for (code, value) in dictionary.iter().enumerate() {
        let expected = scan(&|values| values.contains(value));
        assert!(!expected.is_empty(), "{value:?} is in the dictionary and in no row");
        assert_eq!(postings.get(code as u32).unwrap().iter().collect::<Vec<_>>(), expected);
        assert_eq!(postings.cardinality(code as u32).unwrap(), expected.len() as u64);
    }
    let nulls = scan(&<[String]>::is_empty);
    assert_eq!(postings.null_cardinality().unwrap(), nulls.len() as u64);
    assert_eq!(postings.nulls().unwrap().iter().collect::<Vec<_>>(), nulls);
    let odd = (0..dictionary.len() as u32).rev().filter(|code| code % 2 == 1);
    let expected =
        scan(&|values| values.iter().any(|value| dictionary.binary_search(value).unwrap() % 2 == 1));
    assert_eq!(postings.union(odd).unwrap().iter().collect::<Vec<_>>(), expected);
}

fn check_blocks(segment: &Segment, rows: &[Row]) {
    let check = |name: &str, values: &dyn Fn(&Row) -> Vec<Scalar>| {
        let Some(blocks) = segment.blocks(name).unwrap() else {
            assert_eq!(name, "text");
            return;
        };
        assert_eq!(blocks.len(), rows.len().div_ceil(BLOCK_ROWS));
        for (block, rows) in blocks.iter().zip(rows.chunks(BLOCK_ROWS)) {
            let mut expected = BlockStats { min: Scalar::Null, max: Scalar::Null, nulls: 0, has_nan: false };
            let mut known: Vec<Scalar> = Vec::new();
            for row in rows {
                let values = values(row);
                expected.nulls += u32::from(values.is_empty());
                known.extend(values);
            }
            let nan = |scalar: &Scalar| matches!(scalar, Scalar::Double(value) if value.is_nan());
            expected.has_nan = known.iter().any(nan);
            known.retain(|scalar| !nan(scalar));
            known.sort_by(|a, b| match (a, b) {
                (Scalar::Long(a), Scalar::Long(b)) => a.cmp(b),
                (Scalar::Double(a), Scalar::Double(b)) => a.total_cmp(b),
                (Scalar::Code(a), Scalar::Code(b)) => a.cmp(b),
                _ => unreachable!("one column has one kind"),
            });
            expected.min = known.first().copied().unwrap_or(Scalar::Null);
            expected.max = known.last().copied().unwrap_or(Scalar::Null);
            assert_eq!(format!("{block:?}"), format!("{expected:?}"), "{name}");
        }
    };
    let code = |name: &'static str| {
        let dictionary = dictionary(segment, name);
        move |value: &String| Scalar::Code(dictionary.as_ref().unwrap().binary_search(value).unwrap() as u32)
    };
    check("__time", &|row| vec![Scalar::Long(row.time)]);
    check("number", &|row| row.number.map(Scalar::Long).into_iter().collect());
    check("share", &|row| row.share.map(Scalar::Double).into_iter().collect());
    check("weight", &|row| row.weight.map(|weight| Scalar::Double(f64::from(weight))).into_iter().collect());
    let of_name = code("name");
    if dictionary(segment, "name").is_some() {
        check("name", &|row| row.name.iter().map(&of_name).collect());
    }
    let of_tags = code("tags");
    check("tags", &|row| row.tags.iter().map(&of_tags).collect());
}

#[test]
fn every_block_has_its_own_statistics_and_postings_span_blocks() {
    let disk = MemoryDisk::default();
    let rows = varied_rows(2 * BLOCK_ROWS + 100);
    write(&disk, &rows, None, Bounds::default()).unwrap();
    let segment = open(&disk, None).unwrap();
    let found = rows_of(&segment).unwrap();
    assert_eq!(segment.blocks("__time").unwrap().unwrap().len(), 3);
    check_blocks(&segment, &found);
    check_postings(&segment, "name", |row| row.name.clone().into_iter().collect(), &found);
    check_postings(&segment, "tags", |row| row.tags.clone(), &found);
}
