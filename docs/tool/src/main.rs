//! Builds the book from docs/book, with formulas as MathML, and checks every link in it and in the repository's pages.
//!
//! `cargo run --manifest-path docs/tool/Cargo.toml` writes `out/book/index.html`; `-- DIR` writes elsewhere. Nothing is
//! fetched, neither here nor by a reader's browser. A formula that cannot be set, and a link that leads nowhere, are
//! errors.

mod links;
mod markdown;
mod math;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::{env, fs};

use anyhow::{Context as _, Result, bail, ensure};
use mdbook_driver::MDBook;
use mdbook_preprocessor::book::Book;
use mdbook_preprocessor::{Preprocessor, PreprocessorContext};

/// Of the repository, from its root: pages whose links are checked too.
const PAGES: [&str; 4] = ["README.md", "ARCHITECTURE.md", "CHANGELOG.md", "examples/README.md"];

fn main() -> ExitCode {
    match build() {
        Ok(said) => {
            println!("{said}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("docs/tool: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn build() -> Result<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize()?;
    let mut arguments = env::args_os().skip(1);
    let out = arguments.next().map_or_else(|| root.join("out/book"), PathBuf::from);
    ensure!(arguments.next().is_none(), "takes one argument: the folder to write to");
    fs::create_dir_all(&out).with_context(|| format!("cannot make {}", out.display()))?;
    let out = out.canonicalize()?;

    let source = root.join("docs/book");
    let mut book = MDBook::load(&source)?;
    let listed = every_page_is_listed(&book, &source.join("src"))?;
    book.config.build.build_dir.clone_from(&out);
    book.with_preprocessor(Prepared);
    book.build()?;
    links::point_to_repository(&out, &root)?;

    let mut pages: Vec<PathBuf> = PAGES.iter().map(|p| root.join(p)).collect();
    for folder in [root.join("docs"), source.join("src")] {
        pages.extend(
            files(&folder)?
                .into_iter()
                .filter(|p| p.extension().is_some_and(|e| e == "md")),
        );
    }
    let mut broken = Vec::new();
    let mut checked = 0;
    for page in &pages {
        checked += links::check_markdown(page, &root, &mut broken)?;
    }
    let (built, links) = links::check_html(&out, &mut broken)?;
    if !broken.is_empty() {
        bail!("links that lead nowhere:\n  {}", broken.join("\n  "));
    }
    ensure!(built >= listed, "{built} pages were written for {listed} chapters");
    let checked = checked + links;
    Ok(format!(
        "{} ({built} pages, {checked} links checked)",
        out.join("index.html").display()
    ))
}

/// Chapters, after checking that no file was forgotten in SUMMARY.md.
fn every_page_is_listed(book: &MDBook, src: &Path) -> Result<usize> {
    let listed: Vec<PathBuf> = book.book.chapters().filter_map(|c| c.path.clone()).collect();
    for path in files(src)? {
        let name = path.strip_prefix(src)?;
        let is_page = name.extension().is_some_and(|e| e == "md") && name != Path::new("SUMMARY.md");
        ensure!(
            !is_page || listed.iter().any(|l| l == name),
            "SUMMARY.md does not list {}",
            name.display()
        );
    }
    Ok(listed.len())
}

/// Files in a folder itself, sorted.
fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let mut paths = entries.map(|e| Ok(e?.path())).collect::<Result<Vec<_>>>()?;
    paths.retain(|p| p.is_file());
    paths.sort();
    Ok(paths)
}

/// Formulas become MathML, and links out of the book get a scheme of their own, which mdBook leaves alone.
struct Prepared;

impl Preprocessor for Prepared {
    fn name(&self) -> &'static str {
        "graddiff"
    }

    fn run(&self, _: &PreprocessorContext, mut book: Book) -> Result<Book> {
        let mut failure = None;
        book.for_each_chapter_mut(|chapter| {
            match math::set(&chapter.content) {
                Ok(text) => chapter.content = markdown::mark_outward_links(&text),
                Err(error) => {
                    failure.get_or_insert(error.context(chapter.name.clone()));
                }
            };
        });
        failure.map_or(Ok(book), Err)
    }
}
