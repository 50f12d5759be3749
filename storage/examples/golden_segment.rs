//! Writes the golden segments of the current format version, one of each form, into `storage/tests/golden/`:
//! `cargo run -p ovate-storage --example golden_segment`.
//!
//! To be run once per NEW format version, before its first release. It refuses to write where files are: what
//! releases have written is what later ones must read, so golden files are never made again.

#[path = "../tests/golden/v1/content.rs"]
mod content;

use std::path::Path;

use ovate_storage::disk::RealDisk;
use ovate_storage::segment::{FORMAT_VERSION, Form, write_segment};

fn main() -> Result<(), ovate_storage::StorageError> {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    for (form, name) in [(Form::Arrow, "arrow"), (Form::Parquet, "parquet")] {
        let folder = golden.join(format!("v{FORMAT_VERSION}_{name}"));
        let written = content::with_input(|input| write_segment(&RealDisk, &folder, input, form))?;
        println!("{}: {} rows, {} bytes", folder.display(), written.rows, written.size_bytes);
        println!("{:?}", written.files);
    }
    Ok(())
}
