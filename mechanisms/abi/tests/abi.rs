//! The Rust mirror against a C compiler's view of `mech_abi.h`: every size, every offset, both levels, and the symbols.

#![expect(clippy::unwrap_used, reason = "a test may stop where its premises fail")]

use std::collections::BTreeMap;
use std::mem::offset_of;
use std::path::Path;
use std::process::Command;

use mech_abi::*;

/// One struct as Rust sees it: C name, size, alignment, (C field, offset).
struct Layout {
    name: &'static str,
    size: usize,
    align: usize,
    fields: Vec<(&'static str, usize)>,
}

macro_rules! layout {
    ($c:literal, $rust:ty, { $($field:ident => $c_field:literal),* $(,)? }) => {
        Layout {
            name: $c,
            size: size_of::<$rust>(),
            align: align_of::<$rust>(),
            fields: vec![$(($c_field, offset_of!($rust, $field))),*],
        }
    };
}

fn rust_layouts(level: AbiLevel) -> Vec<Layout> {
    let mut all = vec![
        layout!("arb_deliverable_event_data", EventData, { mech_index => "mech_index", weight => "weight" }),
        layout!("arb_deliverable_event_stream", EventStream, { begin => "begin", end => "end" }),
        layout!("arb_constraint_partition", ConstraintPartition, {
            n_contiguous => "n_contiguous", n_constant => "n_constant", n_independent => "n_independent",
            n_none => "n_none", contiguous => "contiguous", constant => "constant", independent => "independent",
            none => "none",
        }),
        layout!("arb_mechanism_ppack", Ppack, {
            width => "width", n_detectors => "n_detectors", vec_ci => "vec_ci", dt => "dt", vec_v => "vec_v",
            vec_i => "vec_i", vec_g => "vec_g", temperature_degc => "temperature_degC", diam_um => "diam_um",
            area_um2 => "area_um2", time_since_spike => "time_since_spike", node_index => "node_index",
            peer_index => "peer_index", multiplicity => "multiplicity", weight => "weight",
            mechanism_id => "mechanism_id", events => "events", index_constraints => "index_constraints",
            parameters => "parameters", state_vars => "state_vars", globals => "globals", ion_states => "ion_states",
            random_numbers => "random_numbers",
        }),
        layout!("arb_mechanism_interface", Interface, {
            backend => "backend", partition_width => "partition_width", alignment => "alignment",
            init => "init_mechanism", compute_currents => "compute_currents", apply_events => "apply_events",
            advance_state => "advance_state", write_ions => "write_ions", post_event => "post_event",
        }),
        layout!("arb_field_info", FieldInfo, {
            name => "name", unit => "unit", default_value => "default_value", range_low => "range_low",
            range_high => "range_high",
        }),
        layout!("arb_random_variable_info", RandomVariableInfo, { name => "name", index => "index" }),
        layout!("arb_mechanism_type", MechanismType, {
            abi_version => "abi_version", fingerprint => "fingerprint", name => "name", kind => "kind",
            is_linear => "is_linear", has_post_events => "has_post_events", globals => "globals",
            n_globals => "n_globals", state_vars => "state_vars", n_state_vars => "n_state_vars",
            parameters => "parameters", n_parameters => "n_parameters", ions => "ions", n_ions => "n_ions",
            random_variables => "random_variables", n_random_variables => "n_random_variables",
        }),
        layout!("arb_mechanism", Mechanism, { mech_type => "type", i_cpu => "i_cpu", i_gpu => "i_gpu" }),
        layout!("graddiff_seed", Seed, {
            slot => "slot", mechanism => "mechanism", parameter => "parameter", seed => "seed",
        }),
        layout!("graddiff_catalogue_info", CatalogueInfo, {
            magic => "magic", info_version => "info_version", info_size => "info_size", abi_level => "abi_level",
            sizeof_ppack => "sizeof_ppack", sizeof_type => "sizeof_type", sizeof_interface => "sizeof_interface",
            sizeof_field_info => "sizeof_field_info", sizeof_ion_info => "sizeof_ion_info",
            sizeof_ion_state => "sizeof_ion_state", n_mechanisms => "n_mechanisms",
            graddiff_version => "graddiff_version", integrator => "integrator", carrier => "carrier",
            slots => "slots", seeds => "seeds", n_slots => "n_slots", n_seeds => "n_seeds",
        }),
    ];
    match level {
        AbiLevel::V0_6 => all.extend([
            layout!("arb_ion_state", IonState06, {
                current_density => "current_density", conductivity => "conductivity",
                reversal_potential => "reversal_potential", internal_concentration => "internal_concentration",
                external_concentration => "external_concentration",
                diffusive_concentration => "diffusive_concentration", ionic_charge => "ionic_charge", index => "index",
            }),
            layout!("arb_ion_info", IonInfo06, {
                name => "name", write_int_concentration => "write_int_concentration",
                write_ext_concentration => "write_ext_concentration", use_diff_concentration => "use_diff_concentration",
                write_rev_potential => "write_rev_potential", read_rev_potential => "read_rev_potential",
                read_valence => "read_valence", verify_valence => "verify_valence",
                expected_valence => "expected_valence",
            }),
        ]),
        AbiLevel::V0_7 => all.extend([
            layout!("arb_ion_state", IonState, {
                current_density => "current_density", reversal_potential => "reversal_potential",
                internal_concentration => "internal_concentration", external_concentration => "external_concentration",
                diffusive_concentration => "diffusive_concentration", ionic_charge => "ionic_charge", index => "index",
            }),
            layout!("arb_ion_info", IonInfo, {
                name => "name", write_int_concentration => "write_int_concentration",
                write_ext_concentration => "write_ext_concentration", read_int_concentration => "read_int_concentration",
                read_ext_concentration => "read_ext_concentration", use_diff_concentration => "use_diff_concentration",
                write_rev_potential => "write_rev_potential", read_rev_potential => "read_rev_potential",
                read_valence => "read_valence", verify_valence => "verify_valence",
                expected_valence => "expected_valence",
            }),
        ]),
    }
    all
}

/// A program that prints `struct size align` and `struct.field offset` for everything in `layouts`, and the constants.
fn c_program(layouts: &[Layout]) -> String {
    let mut c = String::from("#include <stdio.h>\n#include <stddef.h>\n#include \"mech_abi.h\"\nint main(void) {\n");
    for l in layouts {
        c += &format!(
            "printf(\"{0} %zu\\n{0}:align %zu\\n\", sizeof({0}), _Alignof({0}));\n",
            l.name
        );
        for (field, _) in &l.fields {
            c += &format!("printf(\"{0}.{field} %zu\\n\", offsetof({0}, {field}));\n", l.name);
        }
    }
    for constant in [
        "arb_mechanism_kind_point",
        "arb_mechanism_kind_density",
        "arb_mechanism_kind_reversal_potential",
        "arb_mechanism_kind_gap_junction",
        "arb_mechanism_kind_voltage",
        "arb_backend_kind_cpu",
        "ARB_MECH_ABI_VERSION",
        "GRADDIFF_INFO_VERSION",
        "MECH_ABI_LEVEL",
    ] {
        c += &format!("printf(\"{constant} %zu\\n\", (size_t)({constant}));\n");
    }
    c + "return 0;\n}\n"
}

fn run_c(level: AbiLevel, source: &str) -> BTreeMap<String, usize> {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("abi-{}", level.number()));
    std::fs::create_dir_all(&dir).unwrap();
    std::fs::write(dir.join("mech_abi.h"), HEADER).unwrap();
    std::fs::write(dir.join("layout.c"), source).unwrap();
    let status = Command::new("cc")
        .args([
            "-std=c11",
            "-Wall",
            "-Wextra",
            "-Wpedantic",
            "-Werror",
            "layout.c",
            "-o",
            "layout",
        ])
        .arg(format!("-DMECH_ABI_LEVEL={}", level.number()))
        .current_dir(&dir)
        .status()
        .expect("a C compiler `cc` is needed for this test");
    assert!(status.success(), "cc rejects the header at level {level}");
    let output = Command::new(dir.join("layout")).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let entry = |line: &str| line.rsplit_once(' ').map(|(k, v)| (k.to_owned(), v.parse().unwrap()));
    text.lines().filter_map(entry).collect()
}

#[test]
fn every_size_and_offset_agrees_with_the_header() {
    for level in [AbiLevel::V0_6, AbiLevel::V0_7] {
        let layouts = rust_layouts(level);
        let c = run_c(level, &c_program(&layouts));
        for l in &layouts {
            assert_eq!(c[l.name], l.size, "sizeof({}) at level {level}", l.name);
            assert_eq!(
                c[&format!("{}:align", l.name)],
                l.align,
                "alignment of {} at level {level}",
                l.name
            );
            for (field, offset) in &l.fields {
                assert_eq!(
                    c[&format!("{}.{field}", l.name)],
                    *offset,
                    "{}.{field} at level {level}",
                    l.name
                );
            }
        }
        assert_eq!(c["arb_mechanism_kind_point"], kind::POINT as usize);
        assert_eq!(c["arb_mechanism_kind_density"], kind::DENSITY as usize);
        assert_eq!(
            c["arb_mechanism_kind_reversal_potential"],
            kind::REVERSAL_POTENTIAL as usize
        );
        assert_eq!(c["arb_mechanism_kind_gap_junction"], kind::GAP_JUNCTION as usize);
        assert_eq!(c["arb_mechanism_kind_voltage"], kind::VOLTAGE as usize);
        assert_eq!(c["arb_backend_kind_cpu"], BACKEND_CPU as usize);
        assert_eq!(c["ARB_MECH_ABI_VERSION"] as u64, ABI_VERSION);
        assert_eq!(c["GRADDIFF_INFO_VERSION"], INFO_VERSION as usize);
        assert_eq!(c["MECH_ABI_LEVEL"], level.number() as usize);
    }
}

/// Sizes and offsets measured in Arbor 0.12.2's own headers (host-numerics.md §1.3): header and mirror cannot drift
/// together. Offsets are of the last field, which pins all before it.
#[test]
fn sizes_are_arbors() {
    let sizes: BTreeMap<&str, usize> = rust_layouts(AbiLevel::V0_7).iter().map(|l| (l.name, l.size)).collect();
    for (name, size) in [
        ("arb_mechanism_type", 112),
        ("arb_field_info", 40),
        ("arb_ion_info", 24),
        ("arb_random_variable_info", 16),
        ("arb_mechanism_interface", 64),
        ("arb_ion_state", 56),
        ("arb_deliverable_event_data", 8),
        ("arb_deliverable_event_stream", 16),
        ("arb_constraint_partition", 48),
        ("arb_mechanism_ppack", 224),
        ("arb_mechanism", 24),
    ] {
        assert_eq!(sizes[name], size, "{name}");
    }
    assert_eq!((size_of::<IonState06>(), size_of::<IonInfo06>()), (64, 24));
    assert_eq!(offset_of!(Ppack, random_numbers), 216);
    assert_eq!(offset_of!(Ppack, index_constraints), 136);
    assert_eq!(offset_of!(MechanismType, n_random_variables), 104);
    assert_eq!(
        (
            offset_of!(IonInfo, expected_valence),
            offset_of!(IonInfo06, expected_valence)
        ),
        (20, 16)
    );
}

/// The header declares exactly the symbols that the Rust constants name, and the magic.
#[test]
fn symbols_agree_with_the_header() {
    let exported: Vec<&str> = HEADER
        .lines()
        .filter_map(|line| line.strip_prefix("MECH_ABI_EXPORT "))
        .map(|declaration| {
            let name = declaration.trim_end_matches(';').split('(').next().unwrap();
            name.rsplit(|c: char| c.is_whitespace() || c == '*').next().unwrap()
        })
        .collect();
    assert_eq!(exported, [GET_CATALOGUE, CATALOGUE_INFO]);
    let magic = format!(
        "#define GRADDIFF_INFO_MAGIC \"{}\"",
        std::str::from_utf8(&INFO_MAGIC).unwrap()
    );
    assert!(HEADER.contains(&magic), "{magic}");
}
