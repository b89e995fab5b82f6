//! The gallery runs, and draws the same bytes twice.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;

#[path = "../examples/gallery.rs"]
#[expect(dead_code, reason = "its main is for people")]
mod gallery;

fn files(dir: &Path) -> io::Result<BTreeMap<String, Vec<u8>>> {
    let read = |entry: fs::DirEntry| {
        Ok((
            entry.file_name().to_string_lossy().into_owned(),
            fs::read(entry.path())?,
        ))
    };
    fs::read_dir(dir)?.map(|entry| read(entry?)).collect()
}

#[test]
fn draws_every_picture_twice_alike() {
    let dir = tempfile::tempdir().unwrap();
    let (first, second) = (dir.path().join("a"), dir.path().join("b"));
    gallery::draw_all(&first).unwrap();
    gallery::draw_all(&second).unwrap();
    let (first, second) = (files(&first).unwrap(), files(&second).unwrap());
    assert_eq!(first.len(), 2 * gallery::figures().len() + 2);
    for (name, bytes) in &first {
        assert!(bytes == &second[name], "{name} differs");
        match name.rsplit_once('.').unwrap().1 {
            "svg" | "html" => {
                let options = roxmltree::ParsingOptions {
                    allow_dtd: true,
                    ..Default::default()
                };
                let text = std::str::from_utf8(bytes).unwrap();
                roxmltree::Document::parse_with_options(text, options).unwrap_or_else(|e| panic!("{name}: {e}"));
            }
            "png" => {
                let mut reader = png::Decoder::new(bytes.as_slice()).read_info().unwrap();
                let mut pixels = vec![0; reader.output_buffer_size()];
                reader.next_frame(&mut pixels).unwrap();
                let inked = pixels.chunks(3).filter(|p| *p != [255, 255, 255]).count();
                assert!(inked > 3000, "{name} is nearly blank: {inked} pixels");
            }
            other => assert_eq!(other, "json"),
        }
    }
}
