//! Links: out of the book into the repository, and whether all of them lead somewhere.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Component, Path, PathBuf};

use anyhow::{Context as _, Result};

use crate::markdown;

const SCHEME: &str = "href=\"repo:";

fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}

/// Pages of a built book, sorted.
fn pages(out: &Path) -> Result<Vec<PathBuf>> {
    let mut pages = crate::files(out)?;
    pages.retain(|p| p.extension().is_some_and(|e| e == "html"));
    Ok(pages)
}

/// Makes the links that leave the book lead from the folder it was written to into the repository.
pub fn point_to_repository(out: &Path, root: &Path) -> Result<()> {
    let way = format!("href=\"{}/", relative(out, root).display());
    for page in pages(out)? {
        let html = read(&page)?;
        if html.contains(SCHEME) {
            fs::write(&page, html.replace(SCHEME, &way))?;
        }
    }
    Ok(())
}

/// The way from one folder to another; both absolute.
fn relative(from: &Path, to: &Path) -> PathBuf {
    let common = from
        .components()
        .zip(to.components())
        .take_while(|(a, b)| a == b)
        .count();
    let up = from.components().skip(common).map(|_| Component::ParentDir);
    up.chain(to.components().skip(common)).collect()
}

fn is_external(link: &str) -> bool {
    ["https://", "http://", "mailto:"]
        .iter()
        .any(|scheme| link.starts_with(scheme))
}

/// Checks the links of a page of the repository; how many.
pub fn check_markdown(page: &Path, root: &Path, broken: &mut Vec<String>) -> Result<usize> {
    let text = read(page)?;
    let shown = page.strip_prefix(root).unwrap_or(page).display().to_string();
    let links = markdown::links(&text);
    for link in links.iter().filter(|l| !is_external(l)) {
        let (path, anchor) = link
            .split_once('#')
            .map_or((link.as_str(), None), |(p, a)| (p, Some(a)));
        let target = match path {
            "" => page.to_path_buf(),
            path => page.parent().unwrap_or(root).join(path),
        };
        let found = target.exists() && anchor.is_none_or(|a| has_anchor(&target, a));
        if !found {
            broken.push(format!("{shown}: {link}"));
        }
    }
    Ok(links.len())
}

fn has_anchor(target: &Path, anchor: &str) -> bool {
    read(target).is_ok_and(|text| markdown::anchors(&text).iter().any(|a| a == anchor))
}

/// Values of an attribute, wherever it stands in a tag.
fn attribute<'a>(html: &'a str, name: &str) -> Vec<&'a str> {
    let mark = format!(" {name}=\"");
    let values = html.split(mark.as_str()).skip(1);
    values.filter_map(|rest| rest.split('"').next()).collect()
}

/// Checks the pages of a built book: links lead to files and to places in them, and nothing is loaded from elsewhere.
/// How many pages and links.
pub fn check_html(out: &Path, broken: &mut Vec<String>) -> Result<(usize, usize)> {
    let mut texts = BTreeMap::new();
    for page in pages(out)? {
        let text = read(&page)?;
        texts.insert(page, text);
    }
    let mut links = 0;
    for (page, html) in &texts {
        let shown = page.strip_prefix(out).unwrap_or(page).display();
        let tags = html.split("<link").skip(1).filter_map(|rest| rest.split('>').next());
        let loaded = tags
            .flat_map(|tag| attribute(tag, "href"))
            .chain(attribute(html, "src"));
        for resource in loaded.filter(|r| r.contains("//")) {
            broken.push(format!("{shown}: loads {resource}"));
        }
        for link in attribute(html, "href").into_iter().chain(attribute(html, "src")) {
            links += 1;
            if is_external(link) || link.starts_with("data:") {
                continue;
            }
            let (path, anchor) = link.split_once('#').map_or((link, None), |(p, a)| (p, Some(a)));
            let target = if path.is_empty() { page.clone() } else { out.join(path) };
            let found = match (texts.get(&target), anchor) {
                (_, None) => target.exists(),
                (_, Some("")) => true,
                (Some(text), Some(anchor)) => attribute(text, "id").contains(&anchor),
                (None, Some(anchor)) => has_anchor(&target, anchor),
            };
            if !found {
                broken.push(format!("{shown}: {link}"));
            }
        }
    }
    Ok((texts.len(), links))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_from_one_folder_to_another() {
        let way = |from, to| relative(Path::new(from), Path::new(to)).display().to_string();
        assert_eq!(way("/a/out/book", "/a"), "../..");
        assert_eq!(way("/x/y", "/a/b"), "../../a/b");
    }

    #[test]
    fn links_that_lead_nowhere_are_found() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        let at = |name: &str| root.join(name);
        fs::write(
            at("a.md"),
            "# One\n[x](b.md#two) [x](b.md) [x](#one) [x](https://x.y)\n",
        )
        .unwrap();
        fs::write(at("b.md"), "# Two\n[x](#three) [x](c.md) [x](a.md#two)\n").unwrap();
        let mut broken = Vec::new();
        assert_eq!(check_markdown(&at("a.md"), &root, &mut broken).unwrap(), 4);
        assert_eq!(broken, Vec::<String>::new());
        check_markdown(&at("b.md"), &root, &mut broken).unwrap();
        assert_eq!(broken, ["b.md: #three", "b.md: c.md", "b.md: a.md#two"]);
    }

    #[test]
    fn pages_that_lead_nowhere_or_load_from_elsewhere_are_found() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        let html = "<h1 id=\"one\">x</h1> <a href=\"#one\">x</a> <a href=\"#two\">x</a> <a href=\"no.html\">x</a>
            <link rel=\"stylesheet\" href=\"https://cdn.x/y.css\"> <script src=\"//cdn.x/y.js\"></script>
            <a href=\"https://x.y\">x</a> <a href=\"repo:R.md#r\">x</a> <a href=\"repo:R.md#s\">x</a>";
        fs::create_dir(root.join("out")).unwrap();
        fs::write(root.join("out/a.html"), html).unwrap();
        fs::write(root.join("R.md"), "# R\n").unwrap();
        let out = root.join("out");
        point_to_repository(&out, &root).unwrap();
        let mut broken = Vec::new();
        check_html(&out, &mut broken).unwrap();
        let expected = [
            "a.html: loads https://cdn.x/y.css",
            "a.html: loads //cdn.x/y.js",
            "a.html: #two",
            "a.html: no.html",
            "a.html: ../R.md#s",
            "a.html: //cdn.x/y.js",
        ];
        assert_eq!(broken, expected);
    }
}
