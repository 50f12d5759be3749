//! No byte can change without being noticed, and no file makes the reader panic.

use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use xxhash_rust::xxh3::xxh3_64;

use super::*;
use crate::error::StorageError;
use crate::segment::pages::PAGE_BYTES;
use crate::segment::{Postings, footer};

/// One answer of a segment.
#[derive(Debug, PartialEq)]
enum Answer {
    Text(String),
    Array(Option<ArrayRef>),
}

fn text(value: impl std::fmt::Debug) -> Answer {
    Answer::Text(format!("{value:?}"))
}

/// Everything that can be asked of a segment, in a fixed order.
fn answers(disk: &MemoryDisk, expected: Option<&SegmentFiles>) -> Vec<Result<Answer>> {
    let segment = match open(disk, expected) {
        Ok(segment) => segment,
        Err(e) => return vec![Err(e)],
    };
    let mut answers = vec![
        Ok(text((segment.datasource(), segment.interval(), segment.version()))),
        Ok(text((segment.rows(), segment.time_range(), segment.columns()))),
        segment.time().map(|time| Answer::Array(Some(Arc::new(time)))),
        segment.blocks("__time").map(text),
    ];
    for spec in specs() {
        answers.push(segment.column(&spec.name).map(Answer::Array));
        answers.push(segment.blocks(&spec.name).map(text));
        match segment.postings(&spec.name) {
            Ok(None) => {}
            Ok(Some(postings)) => answers.extend(lists(&postings)),
            Err(e) => answers.push(Err(e)),
        }
    }
    answers
}

fn lists(postings: &Postings) -> Vec<Result<Answer>> {
    // A forged table may claim any number of codes.
    let codes = 0..(postings.len() as u32).min(100);
    let each = codes.clone().map(|code| postings.get(code).map(text));
    each.chain([postings.nulls().map(text), postings.union(codes.clone()).map(text)]).collect()
}

/// A segment on a disk of its own, and the paths of its files.
struct Sample {
    disk: MemoryDisk,
    files: SegmentFiles,
    data: &'static str,
}

fn sample(form: Form) -> Sample {
    let disk = MemoryDisk::default();
    let bounds = Bounds { rows_min: 60, ..Bounds::default() };
    let files = write_as(form, &disk, &varied_rows(90), None, bounds).unwrap().files;
    Sample { disk, files, data: if form == Form::Arrow { DATA } else { COLD_DATA } }
}

const FORMS: [Form; 2] = [Form::Arrow, Form::Parquet];

/// Mutations of a segment's files, in two kinds and for each form; the catalog has its own test.
const FLIPS: u32 = 4500;
const FORGERIES: u32 = 4000;

fn runner(cases: u32) -> TestRunner {
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &[7; 32]))
}

/// The answers of a damaged copy: each is an error or what it was.
fn check(
    disk: &MemoryDisk,
    files: Option<&SegmentFiles>,
    original: &[Answer],
) -> std::result::Result<(), TestCaseError> {
    let found = answers(disk, files);
    // All posting lists of a column fail as one where the column's table cannot be read: then there are fewer
    // answers, and those that are left are compared with any of the original ones.
    let aligned = found.len() == original.len();
    for (at, answer) in found.into_iter().enumerate() {
        match answer {
            Ok(answer) if aligned => prop_assert_eq!(&answer, &original[at]),
            Ok(answer) => prop_assert!(original.contains(&answer), "{:?}", answer),
            Err(StorageError::Damaged { .. } | StorageError::NewerFormat { .. }) => {}
            Err(other) => prop_assert!(false, "{}", other),
        }
    }
    Ok(())
}

#[test]
fn a_flipped_bit_gives_an_error_or_the_same_answer() {
    FORMS.into_iter().for_each(flip_bits);
}

fn flip_bits(form: Form) {
    let Sample { disk, files, data: data_path } = sample(form);
    let original: Vec<Answer> =
        answers(&disk, Some(&files)).into_iter().map(|answer| answer.unwrap()).collect();
    let (data, index) = (disk.read(data_path), disk.read(INDEX));
    let flips = (any::<bool>(), any::<prop::sample::Index>(), 0u8..8, any::<bool>());
    runner(FLIPS)
        .run(&flips, |(in_data, at, bit, from_catalog)| {
            let (path, bytes) = if in_data { (data_path, &data) } else { (INDEX, &index) };
            let mut bytes = bytes.clone();
            let at = at.index(bytes.len());
            bytes[at] ^= 1 << bit;
            let damaged = MemoryDisk::default();
            damaged.replace(data_path, data.clone());
            damaged.replace(INDEX, index.clone());
            damaged.replace(path, bytes);
            check(&damaged, from_catalog.then_some(&files), &original)
        })
        .unwrap();
    println!("segments, {form:?}: {FLIPS} flipped bits, each an error or the same answer");
}

#[test]
fn every_truncation_is_noticed() {
    FORMS.into_iter().for_each(cut_off);
}

fn cut_off(form: Form) {
    let Sample { disk, files, data } = sample(form);
    let mut count = 0;
    for path in [data, INDEX] {
        let whole = disk.read(path);
        count += whole.len();
        for len in 0..whole.len() {
            disk.replace(path, whole[..len].to_vec());
            for expected in [None, Some(&files)] {
                let error = open(&disk, expected).unwrap_err();
                assert!(matches!(error, StorageError::Damaged { .. }), "{error}");
            }
        }
        disk.replace(path, whole);
    }
    println!("segments, {form:?}: {count} truncations, each noticed");
}

/// Makes all checksums right again, as one would who wants the reader to trust a file.
fn forge(data: &[u8], index: &mut [u8]) {
    let tail = index.len() - 32;
    let footer_bytes = u64::from_le_bytes(*index[tail..].first_chunk().unwrap()) as usize;
    let start = tail - footer_bytes;
    let pages = |bytes: &[u8]| {
        bytes.chunks(PAGE_BYTES).flat_map(|page| xxh3_64(page).to_le_bytes()).collect::<Vec<u8>>()
    };
    let table = [pages(data), pages(&index[..start])].concat();
    index[start + 8..start + 8 + table.len()].copy_from_slice(&table);
    let checksum = xxh3_64(&index[start..tail + 16]).to_le_bytes();
    index[tail + 16..tail + 24].copy_from_slice(&checksum);
}

/// Looks at every value.
fn walk(array: &ArrayRef) {
    match array.as_list_opt::<i32>() {
        Some(list) => list.iter().flatten().for_each(|items| walk(&items)),
        None => drop(cast(array, &DataType::Utf8).unwrap()),
    }
}

#[test]
fn a_forged_file_gives_errors_or_other_answers_but_no_panic() {
    FORMS.into_iter().for_each(forge_files);
}

fn forge_files(form: Form) {
    let Sample { disk, data: data_path, .. } = sample(form);
    let (data, index) = (disk.read(data_path), disk.read(INDEX));
    let changes = (any::<bool>(), prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4));
    let mut unchanged = index.clone();
    forge(&data, &mut unchanged);
    assert_eq!(unchanged, index, "forging an honest file changes nothing");
    runner(FORGERIES)
        .run(&changes, |(in_data, changes)| {
            let (mut data, mut index) = (data.clone(), index.clone());
            for (at, byte) in changes {
                // The tail is checked by the tests above.
                let len = index.len() - 32;
                let bytes = if in_data { &mut data[..] } else { &mut index[..len] };
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
            forge(&data, &mut index);
            let forged = MemoryDisk::default();
            forged.replace(data_path, data);
            forged.replace(INDEX, index);
            for answer in answers(&forged, None) {
                match answer {
                    Ok(Answer::Array(Some(array))) => walk(&array),
                    // `Io`: the other form's file, which is not there, was asked for.
                    Ok(_) | Err(StorageError::Io { .. } | StorageError::Damaged { .. }) => {}
                    Err(e) => prop_assert!(false, "{}", e),
                }
            }
            Ok(())
        })
        .unwrap();
    println!("segments, {form:?}: {FORGERIES} forgeries, each an error or an answer");
}

#[test]
fn a_newer_format_is_refused_by_its_version() {
    let Sample { disk, .. } = sample(Form::Arrow);
    let mut index = disk.read(INDEX);
    let tail = index.len() - 32;
    index[tail + 8..tail + 12].copy_from_slice(&7u32.to_le_bytes());
    index[tail + 12..tail + 16].copy_from_slice(&6u32.to_le_bytes());
    disk.replace(INDEX, index);
    let error = open(&disk, None).unwrap_err();
    assert!(
        matches!(error, StorageError::NewerFormat { found: 7, supported: footer::FORMAT_VERSION, .. }),
        "{error}"
    );
}

#[test]
fn a_newer_format_that_older_readers_may_read_is_read() {
    let Sample { disk, data, .. } = sample(Form::Arrow);
    let (data, mut index) = (disk.read(data), disk.read(INDEX));
    let tail = index.len() - 32;
    index[tail + 8..tail + 12].copy_from_slice(&7u32.to_le_bytes());
    forge(&data, &mut index);
    disk.replace(INDEX, index);
    open(&disk, None).unwrap().verify().unwrap();
}
