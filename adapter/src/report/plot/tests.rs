use super::scene::{Anchor, Scene, Shape, text_width};
use super::*;
use ndarray::Array2;
use proptest::prelude::*;

fn line(values: Vec<f64>) -> LinePlot {
    let x = (0..values.len()).map(|i| i as f64).collect();
    LinePlot::new("title", "time (ms)").panel(Panel::new("V (mV)").series(Series::new("a", x, values)))
}

/// Pixels of a PNG that are not white, and its size.
fn ink(png: &[u8]) -> (usize, u32, u32) {
    let mut reader = png::Decoder::new(png).read_info().unwrap();
    let mut pixels = vec![0; reader.output_buffer_size()];
    let info = reader.next_frame(&mut pixels).unwrap();
    (
        pixels.chunks(3).filter(|p| *p != [255, 255, 255]).count(),
        info.width,
        info.height,
    )
}

/// The box of each text: left, top, right, bottom.
fn text_boxes(scene: &Scene) -> Vec<(String, [f64; 4])> {
    let text_box = |shape: &Shape| match shape {
        Shape::Text {
            at,
            text,
            size,
            anchor,
            upright,
            ..
        } => {
            let width = text_width(text, *size);
            let start = match anchor {
                Anchor::Start => 0.0,
                Anchor::Middle => -width / 2.0,
                Anchor::End => -width,
            };
            let half = 0.37 * size;
            Some((
                text.clone(),
                match upright {
                    false => [at.0 + start, at.1 - half, at.0 + start + width, at.1 + half],
                    true => [at.0 - half, at.1 - start - width, at.0 + half, at.1 - start],
                },
            ))
        }
        _ => None,
    };
    scene.shapes.iter().filter_map(text_box).collect()
}

/// No two texts overlap and none leaves the picture.
fn assert_legible(figure: &dyn Figure) {
    let scene = figure.scene();
    let boxes = text_boxes(&scene);
    for (i, (text, a)) in boxes.iter().enumerate() {
        assert!(
            a[0] >= 0.0 && a[1] >= 0.0 && a[2] <= scene.width && a[3] <= scene.height,
            "{text:?} leaves the picture: {a:?}"
        );
        for (other, b) in &boxes[i + 1..] {
            let apart = a[2] <= b[0] || b[2] <= a[0] || a[3] <= b[1] || b[3] <= a[1];
            assert!(apart, "{text:?} {a:?} overlaps {other:?} {b:?}");
        }
    }
}

fn assert_sound(figure: &dyn Figure) {
    assert_legible(figure);
    let svg = figure.svg().unwrap();
    roxmltree::Document::parse(svg.as_str()).unwrap();
    assert!(!svg.as_str().contains("NaN") && !svg.as_str().contains("inf"));
}

#[test]
fn a_curve_is_where_its_numbers_say() {
    let mut plot = line(vec![0.0, 1.0, 0.0]);
    plot.panels[0].y_range = Some((0.0, 2.0));
    let scene = plot.scene();
    let curve = scene.shapes.iter().find_map(|s| match s {
        Shape::Line { points, colour, .. } if *colour == palette(0) && points.len() == 3 => Some(points.clone()),
        _ => None,
    });
    let p = curve.unwrap();
    assert!((p[1].0 - (p[0].0 + p[2].0) / 2.0).abs() < 1e-9);
    assert!((p[0].1 - p[1].1 - plot.panel_height / 2.0).abs() < 1e-9); // 1 of 2 is half the panel
}

#[test]
fn decades_are_equally_wide_on_a_logarithmic_x_axis() {
    let mut plot = line(vec![0.0, 1.0, 2.0, 3.0]).log_x();
    plot.panels[0].series[0].x = vec![0.0, 1.0, 10.0, 100.0]; // 0 has no place
    let scene = plot.scene();
    let curve = scene.shapes.iter().find_map(|s| match s {
        Shape::Line { points, colour, .. } if *colour == palette(0) && points.len() == 3 => Some(points.clone()),
        _ => None,
    });
    let p = curve.unwrap();
    assert!((p[1].0 - (p[0].0 + p[2].0) / 2.0).abs() < 1e-9);
}

#[test]
fn svg_and_png_are_deterministic_and_not_blank() {
    let plot = line(vec![0.0, 1.0, 4.0]);
    let (a, b) = (plot.svg().unwrap(), plot.svg().unwrap());
    assert_eq!(a, b);
    let (p, q) = (plot.png().unwrap(), plot.png().unwrap());
    assert_eq!(p, q);
    let (inked, width, height) = ink(&p);
    assert_eq!(
        (f64::from(width), f64::from(height)),
        (1800.0, 2.0 * plot.scene().height)
    );
    let (frame, ..) = ink(&LinePlot::new("title", "time (ms)")
        .panel(Panel::new("V (mV)"))
        .png()
        .unwrap());
    assert!(inked > frame + 1000, "{inked} {frame}");
    assert!(a.as_str().contains("#0072B2"));
}

#[test]
fn odd_data_still_gives_a_picture() {
    let nan = f64::NAN;
    let cases: Vec<Vec<f64>> = vec![
        vec![],
        vec![1.0],
        vec![nan, nan],
        vec![-65.0; 10],
        vec![0.0; 3],
        vec![1.0, nan, 2.0, f64::INFINITY, 3.0],
        vec![-1e308, 1e308],
        vec![-1e300, 1e300],
        vec![1e-320, 2e-320],
        vec![1.0, 1.0 + 1e-15],
        vec![1e6, 1e6 + 1e-4],
    ];
    for values in cases {
        for log in [false, true] {
            let mut plot = line(values.clone());
            plot.panels[0].log_y = log;
            assert_sound(&plot);
        }
    }
    assert_sound(&LinePlot::new("", ""));
    assert_sound(&LinePlot::new("no panels", "x").mark(3.0, "mark"));
}

#[test]
fn shapes_of_heat_maps_and_labels_need_not_agree() {
    let names = |n: usize| (0..n).map(|i| format!("row {i}")).collect::<Vec<_>>();
    for (rows, columns) in [(0, 0), (0, 3), (3, 0), (1, 1), (2, 3000), (200, 2), (5, 40)] {
        let values = Array2::from_shape_fn(
            (rows, columns),
            |(i, j)| if i == 1 { f64::NAN } else { i as f64 - j as f64 },
        );
        for column_axis in [
            Columns::Names(names(columns / 2)),
            Columns::Range { start: 0.0, end: 1e-7 },
        ] {
            let map =
                HeatMap::new("title", values.clone(), "value (mV)", column_axis, "column").rows("row", names(rows + 2));
            assert_sound(&map);
            assert_sound(&map.per_row());
        }
    }
}

#[test]
fn an_event_of_one_sample_survives_pooling() {
    let mut values = Array2::zeros((1, 50_000));
    values[(0, 31_234)] = -1.0;
    let scene = HeatMap::new("", values, "", Columns::Range { start: 0.0, end: 1.0 }, "").scene();
    let darkest = ColourMap::Diverging.at(0.0);
    let is_there =
        |s: &Shape| matches!(s, Shape::Image { columns, pixels, .. } if *columns > 1 && pixels.contains(&darkest));
    assert!(scene.shapes.iter().any(is_there));
}

fn segment(a: [f64; 3], b: [f64; 3], value: Option<f64>) -> Segment {
    Segment {
        proximal_um: a,
        distal_um: b,
        proximal_radius_um: 1.0,
        distal_radius_um: 0.5,
        value,
    }
}

#[test]
fn odd_morphologies_still_give_a_picture() {
    let o = [0.0; 3];
    let cases = vec![
        vec![],
        vec![segment(o, o, Some(1.0))],
        vec![segment(o, [0.0, 0.0, 9.0], None)],
        vec![
            segment(o, [f64::NAN, 0.0, 0.0], Some(1.0)),
            segment(o, [1.0, 0.0, 0.0], Some(f64::NAN)),
        ],
        vec![
            segment(o, [1e5, 0.0, 0.0], Some(-2.0)),
            segment(o, [0.0, 1.0, 0.0], Some(3.0)),
        ],
        vec![segment(o, [0.0, 1e-3, 0.0], Some(1e-30))],
    ];
    for segments in cases {
        for projection in [Projection::Xy, Projection::Principal] {
            for map in [ColourMap::Sequential, ColourMap::Diverging] {
                let plot = MorphologyPlot::new("title", segments.clone(), "u (mV)", map).projection(projection);
                assert_sound(&plot);
            }
        }
    }
}

#[test]
fn the_principal_plane_shows_the_longest_extent() {
    let segments = vec![
        segment([0.0; 3], [0.0, 0.0, 100.0], Some(1.0)),
        segment([0.0; 3], [0.0, 10.0, 0.0], Some(2.0)),
    ];
    let widest = |projection| {
        let plot = MorphologyPlot::new("", segments.clone(), "", ColourMap::Sequential).projection(projection);
        let polygons = plot.scene().shapes.into_iter().filter_map(|s| match s {
            Shape::Polygon { points, .. } => Some(points),
            _ => None,
        });
        let x: Vec<f64> = polygons.flatten().map(|p| p.0).collect();
        x.iter().copied().fold(f64::NEG_INFINITY, f64::max) - x.iter().copied().fold(f64::INFINITY, f64::min)
    };
    assert!(widest(Projection::Principal) > 800.0);
    assert!(widest(Projection::Xy) < 400.0);
}

#[test]
fn saving_writes_both_files_or_says_which_failed() {
    let dir = tempfile::tempdir().unwrap();
    let picture = line(vec![1.0, 2.0]).save(dir.path(), "a").unwrap();
    assert_eq!(
        std::fs::read_to_string(&picture.svg_path).unwrap(),
        picture.svg.as_str()
    );
    assert!(ink(&std::fs::read(&picture.png_path).unwrap()).0 > 0);
    let missing = dir.path().join("missing");
    match line(vec![1.0]).save(&missing, "a") {
        Err(Error::Io { path, .. }) => assert_eq!(path, missing.join("a.svg")),
        other => panic!("{other:?}"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn any_numbers_and_names_are_legible(
        values in proptest::collection::vec(any::<f64>(), 0..40),
        title in any::<String>(),
        names in proptest::collection::vec("[ -~µ∂]{0,30}", 0..30),
        log in any::<bool>(),
        log_x in any::<bool>(),
    ) {
        let x: Vec<f64> = (0..values.len()).map(|i| i as f64).collect();
        let mut panel = Panel::new(&title);
        panel.log_y = log;
        (panel.title, panel.series) = (title.clone(), names.iter().map(|n| Series::new(n, x.clone(), values.clone())).collect());
        let mut plot = LinePlot::new(&title, &title).panel(panel.clone()).panel(panel).mark(1.0, &title).mark(1.1, "b");
        plot.log_x = log_x;
        assert_sound(&plot);
        let map = Array2::from_shape_vec((1, values.len()), values.clone()).unwrap();
        assert_sound(&HeatMap::new(&title, map, &title, Columns::Names(names.clone()), &title).rows(&title, names));
    }
}
