//! What the sources promise to be, checked on the sources.

use std::fs;
use std::path::{Path, PathBuf};

/// Lines a module may have; tests are not counted (style.md §3e).
const MAX_LINES: usize = 600;

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every file below the repository that we wrote, relative to it, sorted.
fn files() -> Vec<String> {
    fn walk(folder: &Path, out: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            let name = path.file_name().and_then(|n| n.to_str()).expect("UTF-8 names");
            if path.is_symlink()
                || name.starts_with('.')
                || ["target", "out", "node_modules", "__pycache__"].contains(&name)
            {
                continue;
            }
            if path.is_dir() {
                walk(&path, out)
            } else {
                out.push(path)
            }
        }
    }
    let mut paths = Vec::new();
    walk(repository(), &mut paths);
    let relative = |p: PathBuf| {
        p.strip_prefix(repository())
            .expect("below")
            .to_str()
            .expect("UTF-8")
            .to_owned()
    };
    let mut files: Vec<String> = paths.into_iter().map(relative).collect();
    files.sort();
    assert!(files.len() > 100, "found only {} files", files.len());
    files
}

/// Malformed on purpose, or written by a program.
fn is_fixture(file: &str) -> bool {
    let folder =
        |name: &str| ["reject", "cli_"].iter().any(|p| name.starts_with(p)) || ["golden", "fixtures"].contains(&name);
    file.rsplit('/').skip(1).any(folder)
}

/// Texts by extension, fixtures left out.
fn with_extension(extensions: &[&str]) -> Vec<(String, String)> {
    let extension = |f: &str| Path::new(f).extension().and_then(|e| e.to_str().map(String::from));
    let ours = |f: &String| !is_fixture(f) && extension(f).is_some_and(|e| extensions.contains(&e.as_str()));
    let read = |f: String| {
        let text = fs::read_to_string(repository().join(&f));
        assert!(text.is_ok(), "{f} is no text");
        (f, text.unwrap_or_default())
    };
    files().into_iter().filter(ours).map(read).collect()
}

fn rust() -> Vec<(String, String)> {
    let found = with_extension(&["rs"]);
    assert!(found.len() > 60, "found only {} Rust files", found.len());
    found
}

/// Tests: integration tests, `tests.rs` of a module, and what lies below it.
fn is_test(file: &str) -> bool {
    file.contains("tests/") || file.ends_with("/tests.rs") || file.ends_with("/test_models.rs")
}

/// The text without comments and without what stands in string literals, line by line. A lexer for our own habits, not for all
/// of Rust: no nested block comments.
fn code_lines(text: &str) -> Vec<String> {
    let mut out = vec![String::new()];
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let skipped = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            rest.find("*/").map_or(rest.len(), |i| i + 2)
        } else if let Some(hashes) = raw_string(rest) {
            let end = format!("\"{}", "#".repeat(hashes));
            let body = hashes + 2;
            rest[body..].find(&end).map_or(rest.len(), |i| body + i + end.len())
        } else if c == '"' {
            let mut escaped = false;
            let end = rest[1..].find(|c: char| {
                let closes = c == '"' && !escaped;
                escaped = c == '\\' && !escaped;
                closes
            });
            end.map_or(rest.len(), |i| i + 2)
        } else if rest.starts_with("'\"'") || rest.starts_with("'\\\"'") {
            rest[1..].find("'").map_or(1, |i| i + 2)
        } else {
            0
        };
        if skipped > 0 {
            for _ in rest[..skipped].matches('\n') {
                out.push(String::new());
            }
            rest = &rest[skipped..];
            continue;
        }
        if c == '\n' {
            out.push(String::new());
        } else if let Some(line) = out.last_mut() {
            line.push(c);
        }
        rest = &rest[c.len_utf8()..];
    }
    out
}

/// Number of hashes, if a raw string starts here.
fn raw_string(text: &str) -> Option<usize> {
    let rest = text.strip_prefix('r')?;
    let hashes = rest.len() - rest.trim_start_matches('#').len();
    rest[hashes..].starts_with('"').then_some(hashes)
}

fn has_word(line: &str, word: &str) -> bool {
    let part_of_name = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word)
        .any(|(i, _)| !line[..i].ends_with(part_of_name) && !line[i + word.len()..].starts_with(part_of_name))
}

#[test]
fn the_scanner_sees_code_and_nothing_else() {
    let text = "let a = \"unsafe\"; // unsafe\n/* unsafe\n*/ let b = r#\"unsafe\"#;\nlet c = '\"'; unsafe {}\n";
    let lines = code_lines(text);
    let hits: Vec<usize> = (0..lines.len()).filter(|&i| has_word(&lines[i], "unsafe")).collect();
    assert_eq!(hits, [3]);
    assert!(!has_word("unsafe_code", "unsafe") && has_word("(unsafe", "unsafe"));
}

#[test]
fn modules_are_short() {
    let long: Vec<String> = rust()
        .into_iter()
        .filter(|(file, _)| !is_test(file) && file.contains("src/"))
        .map(|(file, text)| {
            // unit tests at the end of a module do not count
            let own = text.find("#[cfg(test)]\nmod tests {").unwrap_or(text.len());
            (file, text[..own].lines().count())
        })
        .filter(|&(_, lines)| lines > MAX_LINES)
        .map(|(file, lines)| format!("{file} has {lines} lines"))
        .collect();
    assert!(long.is_empty(), "longer than {MAX_LINES} lines:\n{}", long.join("\n"));
}

/// `unsafe` lives in the loader; elsewhere stands one call of it, where somebody vouches for the file, and mech-abi names
/// the hooks' types. Blocks and functions outside the loader are counted exactly.
#[test]
fn unsafe_is_in_the_loader_only() {
    let vouching = [
        ("adapter/src/catalogue.rs", 1),
        // a counting allocator
        ("host-shim/tests/allocation.rs", 8),
        ("host-shim/tests/arbor_parity.rs", 1),
        ("host-shim/tests/network_parity.rs", 1),
        ("host-shim/tests/support/mod.rs", 1),
        ("host-shim/tests/load_rejects.rs", 1),
        ("tests/support/mod.rs", 1),
    ];
    let mut wrong = String::new();
    for (file, text) in rust() {
        let lines = code_lines(&text);
        // a function type is no unsafe operation; string literals are gone, so `extern "C" fn` reads `extern  fn`
        let is_type = |l: &String| l.contains("unsafe extern  fn(");
        let uses = lines.iter().filter(|l| has_word(l, "unsafe") && !is_type(l)).count();
        let allowed = vouching.iter().find(|v| v.0 == file).map_or(0, |v| v.1);
        let loader = file == "host-shim/src/load.rs" || file.starts_with("host-shim/src/load/");
        if !loader && uses > allowed {
            wrong += &format!("{file}: {uses} uses of unsafe, {allowed} allowed\n");
        }
        if uses > 0 && !loader && !text.contains("// SAFETY:") {
            wrong += &format!("{file}: nobody vouches for its unsafe call\n");
        }
    }
    for (file, _) in vouching {
        assert!(repository().join(file).exists(), "{file} is listed and not there");
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn tests_neither_sleep_nor_expect_panics() {
    for (file, text) in rust() {
        for line in code_lines(&text) {
            assert!(!line.contains("#[ignore"), "{file}: a test is ignored");
            assert!(
                !line.contains("should_panic"),
                "{file}: assert on the error's variant instead of a panic"
            );
        }
    }
}

#[test]
fn nothing_iterates_in_random_order() {
    for (file, text) in rust() {
        for line in code_lines(&text) {
            let random = has_word(&line, "HashMap") || has_word(&line, "HashSet");
            assert!(
                !random,
                "{file}: BTreeMap or an index vector keeps the output's order: {line}"
            );
        }
    }
}

#[test]
fn every_module_says_what_it_is_for() {
    let is_undocumented = |(file, text): &(String, String)| {
        let own = file.contains("src/")
            || file.starts_with("tests/")
            || file.contains("/tests/")
            || file.contains("examples/");
        own && !text.starts_with("//!")
    };
    // the tests of a module may lean on the module's own doc
    let bare: Vec<String> = rust()
        .into_iter()
        .filter(|f| !f.0.ends_with("/tests.rs") && is_undocumented(f))
        .map(|f| f.0)
        .collect();
    assert!(bare.is_empty(), "without //! in the first line:\n{}", bare.join("\n"));
}

/// Names of the packages that `manifest` depends on, normally or for tests.
fn dependencies(manifest: &str) -> Vec<String> {
    let text = fs::read_to_string(repository().join(manifest)).expect("a manifest");
    let mut inside = false;
    let mut out = Vec::new();
    for line in text.lines() {
        if line.starts_with('[') {
            inside = line.contains("dependencies");
            if let Some(name) = line.strip_suffix(']').and_then(|l| l.split("dependencies.").nth(1)) {
                out.push(name.to_owned());
            }
        } else if inside && !line.trim().is_empty() && !line.starts_with('#') {
            let name: String = line
                .chars()
                .take_while(|c| c.is_alphanumeric() || "-_".contains(*c))
                .collect();
            out.push(name);
        }
    }
    out
}

/// Only the shared object crosses: the compiler knows no host, the host no compiler, the ABI neither.
#[test]
fn host_and_compiler_do_not_know_each_other() {
    let ours = ["mech-abi", "host-shim", "compiler", "graddiff", "acceptance"];
    for (manifest, allowed) in [
        ("mechanisms/abi/Cargo.toml", &[][..]),
        ("host-shim/Cargo.toml", &["mech-abi"][..]),
        ("adapter/compiler/Cargo.toml", &["mech-abi"][..]),
        ("adapter/Cargo.toml", &["compiler", "host-shim", "mech-abi"][..]),
    ] {
        let found = dependencies(manifest);
        for name in found.iter().filter(|n| ours.contains(&n.as_str())) {
            assert!(allowed.contains(&name.as_str()), "{manifest} depends on {name}");
        }
        if manifest.starts_with("host-shim") || manifest.starts_with("adapter/compiler") {
            assert!(
                found.contains(&"mech-abi".into()),
                "the reader of {manifest} is broken: {found:?}"
            );
        }
    }
    // what the manifests say is what cargo resolves
    let tree = |package: &str| {
        let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".into());
        let output = std::process::Command::new(cargo)
            .args([
                "tree",
                "--offline",
                "--locked",
                "--edges",
                "normal,build,dev",
                "--prefix",
                "none",
                "-p",
                package,
            ])
            .current_dir(repository())
            .output()
            .expect("cargo runs");
        assert!(
            output.status.success(),
            "cargo tree: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let mentions = |tree: &str, name: &str| tree.lines().any(|l| l.starts_with(&format!("{name} v")));
    let (host, compiler) = (tree("host-shim"), tree("compiler"));
    assert!(mentions(&host, "mech-abi") && mentions(&compiler, "mech-abi"));
    assert!(!mentions(&host, "compiler") && !mentions(&host, "graddiff"), "{host}");
    assert!(
        !mentions(&compiler, "host-shim") && !mentions(&compiler, "graddiff"),
        "{compiler}"
    );
}

#[test]
fn mechanisms_name_their_origin() {
    let library: Vec<(String, String)> = with_extension(&["mod"])
        .into_iter()
        .filter(|f| f.0.starts_with("mechanisms/") || f.0.starts_with("tests/mod/"))
        .collect();
    assert!(library.len() >= 9, "only {} mechanisms", library.len());
    for (file, text) in library {
        let header = text.split("ENDCOMMENT").next().unwrap_or_default();
        let origin = header.lines().find(|l| l.starts_with("Origin"));
        assert!(
            origin.is_some_and(|l| l.len() > 20),
            "{file}: no `Origin` in the first COMMENT"
        );
        assert!(
            header.lines().any(|l| l.starts_with("Units")),
            "{file}: no `Units` in the first COMMENT"
        );
    }
}

/// The table of tests/exactness, which prints one row per experiment in this order.
#[test]
fn readme_lists_every_experiment() {
    let experiment = |f: &String| {
        let folder = f.rsplit_once('/').map(|(folder, _)| folder);
        f.ends_with(".json") && [Some("examples"), Some("tests/experiments")].contains(&folder)
    };
    let experiments: Vec<String> = files().into_iter().filter(experiment).collect();
    assert!(experiments.len() > 20, "only {} experiments", experiments.len());
    let readme = fs::read_to_string(repository().join("README.md")).expect("a README");
    let rows: Vec<&str> = readme
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split_once(".json` | "))
        .filter(|(_, cells)| cells.starts_with(|c: char| c.is_ascii_digit()))
        .map(|(name, _)| name)
        .collect();
    let names: Vec<&str> = experiments.iter().filter_map(|f| f.strip_suffix(".json")).collect();
    assert_eq!(
        rows, names,
        "README.md's table of experiments: tests/exactness prints it"
    );
}

#[test]
fn text_is_clean() {
    let extensions = [
        "rs", "toml", "mod", "c", "h", "hpp", "cpp", "md", "py", "sh", "yml", "css", "svg",
    ];
    let mut wrong = String::new();
    for (file, text) in with_extension(&extensions) {
        let faults = [
            ("a carriage return", text.contains('\r')),
            ("a tab", text.contains('\t')),
            ("trailing space", text.lines().any(|l| l.ends_with(' '))),
            ("no newline at its end", !text.is_empty() && !text.ends_with('\n')),
            ("blank lines at its end", text.ends_with("\n\n")),
        ];
        for (fault, _) in faults.iter().filter(|f| f.1) {
            wrong += &format!("{file}: {fault}\n");
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}
