//! Writes the FHIR bundle of every CDA document below a folder: `convert_corpus IN OUT`.
#![allow(clippy::print_stdout, reason = "a program for people")]

use std::{fs, path::Path};

use medibloc_format_cda::Cda;
use medibloc_record::Format;

fn main() -> std::io::Result<()> {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, from, to] = arguments.as_slice() else {
        println!("usage: convert_corpus IN OUT");
        return Ok(());
    };
    fs::create_dir_all(to)?;
    let mut done = 0;
    walk(Path::new(from), &mut |path| {
        let bytes = fs::read(path)?;
        if Cda.sniff(&bytes) {
            match Cda.read(&bytes) {
                Ok(draft) => {
                    done += 1;
                    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
                    let name = format!("{done:04}-{}.bundle.json", stem.replace(' ', "-"));
                    fs::write(Path::new(to).join(name), draft.fhir.to_string())?;
                }
                Err(problem) => println!("{}: {problem}: {}", path.display(), problem.problem),
            }
        }
        Ok(())
    })?;
    println!("{done} bundles");
    Ok(())
}

fn walk(folder: &Path, visit: &mut dyn FnMut(&Path) -> std::io::Result<()>) -> std::io::Result<()> {
    let mut found: Vec<_> = fs::read_dir(folder)?.collect::<Result<Vec<_>, _>>()?;
    found.sort_by_key(fs::DirEntry::path);
    for entry in found {
        let path = entry.path();
        if path.is_dir() {
            walk(&path, visit)?;
        } else if path.extension().is_some_and(|kind| kind == "xml") {
            visit(&path)?;
        }
    }
    Ok(())
}
