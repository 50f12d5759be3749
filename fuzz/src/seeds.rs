//! Writes the inputs that each target begins with to `corpus/TARGET/`, where libFuzzer looks for them.

use std::io;

use ovate_fuzz::fuzz::Target;
use ovate_fuzz::{catalog, expression, instant, message, segment, specification, statement};

fn write<T: Target>(name: &str) -> io::Result<()> {
    let folder = std::path::Path::new("corpus").join(name);
    std::fs::create_dir_all(&folder)?;
    let kept = T::kept();
    for (number, input) in kept.iter().enumerate() {
        std::fs::write(folder.join(format!("kept-{number:04}")), input)?;
    }
    println!("{}: {} inputs", folder.display(), kept.len());
    Ok(())
}

fn main() -> io::Result<()> {
    write::<catalog::Catalogs>("catalog")?;
    write::<expression::Expressions>("expression")?;
    write::<instant::Instants>("instant")?;
    write::<message::Messages>("message")?;
    write::<segment::Segments>("segment")?;
    write::<specification::Specification>("specification")?;
    write::<statement::Statements>("statement")
}
