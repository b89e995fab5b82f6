use super::*;
use crate::report::plot::{Figure, LinePlot, Panel, Series};
use crate::report::{ArrayInfo, InputFile, Pruned};
use proptest::prelude::*;

fn parsed(html: &str) -> roxmltree::Document<'_> {
    let options = roxmltree::ParsingOptions {
        allow_dtd: true,
        ..Default::default()
    };
    roxmltree::Document::parse_with_options(html, options).unwrap()
}

fn full_report(text: &str) -> Report {
    let panel = Panel::new("V (mV)").series(Series::new(text, vec![0.0, 1.0], vec![-65.0, 30.0]));
    let svg = LinePlot::new(text, "time (ms)").panel(panel).svg().unwrap();
    let mut table = Table::new(text, vec![Column::text(text), Column::number("value")]);
    table.row([text, "1.5"]).row(["short"]).row(["a", "b", "cut"]);
    let mut manifest = Manifest::new(text);
    manifest
        .inputs
        .push(InputFile::of("mechanism", Path::new("hh.mod"), b"abc"));
    let (file, name, unit) = ("traces.npz".into(), text.into(), "mV".into());
    manifest.arrays.push(ArrayInfo {
        file,
        name,
        shape: vec![3, 4],
        unit,
        meaning: text.into(),
    });
    manifest.pruned = Some(Pruned {
        cells: vec![text.into()],
        ..Pruned::default()
    });
    manifest.host = Some("arbor".into());
    manifest.host_version = Some("0.12.2".into());
    let mut report = Report::new(text);
    report
        .summary(&[(text, text)])
        .section(text)
        .paragraph(text)
        .table(&table);
    report.figure(&svg, text).warnings(&[text]).provenance(&manifest);
    report
}

#[test]
fn everything_added_is_there_once_escaped() {
    let nasty = "<script>alert(\"1\")</script> & 'x' \u{0}\u{1b}";
    let html = full_report(nasty).to_html();
    assert!(!html.contains("<script"));
    let document = parsed(&html);
    let texts = |name: &str| {
        let nodes = document.descendants().filter(|n| n.has_tag_name(name));
        nodes.filter_map(|n| n.text().map(str::to_owned)).collect::<Vec<_>>()
    };
    assert_eq!(texts("h1"), [nasty.replace(['\u{0}', '\u{1b}'], "\u{FFFD}")]);
    assert_eq!(document.descendants().filter(|n| n.has_tag_name("h2")).count(), 2);
    assert_eq!(document.descendants().filter(|n| n.has_tag_name("figure")).count(), 1);
    assert!(texts("td").contains(&"arbor 0.12.2".to_owned()));
    let left_out = |t: &String| t.starts_with("sensitivities of cells: ") && t.ends_with("(no slot reaches them)");
    assert_eq!(texts("li").iter().filter(|t| left_out(t)).count(), 1);
    assert!(texts("td").contains(&"3 × 4".to_owned()));
    assert!(!texts("td").contains(&"cut".to_owned()));
}

#[test]
fn refers_to_nothing_outside() {
    let html = full_report("plain").to_html();
    let without_namespace = html.replace("http://www.w3.org/2000/svg", "");
    for outside in ["http:", "https:", "//", "src=", "<link", "@import", "url("] {
        assert!(!without_namespace.contains(outside), "{outside}");
    }
}

#[test]
fn no_warnings_leave_no_box() {
    let mut report = Report::new("t");
    report.warnings::<&str>(&[]);
    assert!(!report.to_html().contains("class=\"warning\""));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]
    #[test]
    fn any_text_gives_well_formed_identical_documents(text in any::<String>()) {
        let html = full_report(&text).to_html();
        parsed(&html);
        prop_assert_eq!(&html, &full_report(&text).to_html());
    }
}
