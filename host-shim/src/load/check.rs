//! The plausibility checks of the loader: plain functions from raw, already copied values to owned data or a
//! [`LoadError`]. Safe code; addresses are only compared.

use std::path::Path;

use mech_abi::{AbiLevel, Interface, MechanismType};

use super::Hooks;
use super::error::LoadError;
use super::identifier::{Text, element};
use crate::catalogue::{
    AbiChoice, CatalogueInfo, FieldInfo, IonDependency, MechanismInfo, MechanismKind, RandomVariable, Seed,
};

/// More mechanisms than any catalogue has; Arbor's largest holds some forty.
const MAX_MECHANISMS: i32 = 4096;
/// More rows than any table has: thousands of slots times a handful of states.
const MAX_ROWS: u32 = 1 << 16;
/// Wider than any vector unit.
const MAX_WIDTH: u32 = 64;
/// A cache line pair; storage honours any alignment up to this.
const MAX_ALIGNMENT: u32 = 256;
/// The first page is never mapped: an address in it is a null pointer with an offset.
const FIRST_PAGE: usize = 4096;

/// True for addresses that cannot be data.
pub(super) fn is_null(address: usize) -> bool {
    address < FIRST_PAGE
}

/// What every version of the self-description starts with.
#[repr(C)]
#[derive(Clone, Copy)]
pub(super) struct InfoHead {
    magic: [u8; 8],
    version: u32,
    size: u32,
}

impl InfoHead {
    pub(super) fn check(&self, path: &Path) -> Result<(), LoadError> {
        let expected = mech_abi::INFO_MAGIC;
        if self.magic != expected {
            return Err(LoadError::InfoMagic {
                path: path.into(),
                found: self.magic,
                expected,
            });
        }
        let expected = mech_abi::INFO_VERSION;
        if self.version != expected {
            return Err(LoadError::InfoVersion {
                path: path.into(),
                found: self.version,
                expected,
            });
        }
        size(
            path,
            "graddiff_catalogue_info",
            self.size,
            size_of::<mech_abi::CatalogueInfo>(),
        )
    }
}

/// The self-description, copied but not yet believed.
pub(super) struct RawInfo {
    pub(super) head: mech_abi::CatalogueInfo,
    pub(super) version: Text,
    pub(super) integrator: Text,
    pub(super) carrier: Text,
    pub(super) slots: Vec<Text>,
    pub(super) seeds: Vec<RawSeed>,
}

pub(super) struct RawSeed {
    pub(super) slot: u32,
    pub(super) mechanism: Text,
    pub(super) parameter: Text,
    pub(super) seed: Text,
}

fn size(path: &Path, structure: &'static str, found: u32, expected: usize) -> Result<(), LoadError> {
    if usize::try_from(found) == Ok(expected) {
        return Ok(());
    }
    Err(LoadError::StructSize {
        path: path.into(),
        structure,
        found,
        expected,
    })
}

/// Address and length of the self-description's two tables.
pub(super) fn info_tables(path: &Path, info: &mech_abi::CatalogueInfo) -> Result<(), LoadError> {
    for (field, n, address) in [
        ("slots", info.n_slots, info.slots.addr()),
        ("seeds", info.n_seeds, info.seeds.addr()),
    ] {
        if n > MAX_ROWS || (n > 0 && is_null(address)) {
            return Err(LoadError::InfoField {
                path: path.into(),
                field,
            });
        }
    }
    Ok(())
}

/// The level to use: what the self-description says, if it agrees with what was asked for and with our structs.
pub(super) fn level(path: &Path, info: Option<&RawInfo>, choice: AbiChoice) -> Result<AbiLevel, LoadError> {
    let Some(info) = info.map(|i| &i.head) else {
        return Ok(match choice {
            AbiChoice::Auto => AbiLevel::default(),
            AbiChoice::Level(level) => level,
        });
    };
    let found = AbiLevel::from_number(info.abi_level).ok_or_else(|| LoadError::UnknownAbiLevel {
        path: path.into(),
        found: info.abi_level,
    })?;
    if let AbiChoice::Level(expected) = choice
        && expected != found
    {
        return Err(LoadError::AbiLevelMismatch {
            path: path.into(),
            found,
            expected,
        });
    }
    let (ion_info, ion_state) = match found {
        AbiLevel::V0_6 => (size_of::<mech_abi::IonInfo06>(), size_of::<mech_abi::IonState06>()),
        AbiLevel::V0_7 => (size_of::<mech_abi::IonInfo>(), size_of::<mech_abi::IonState>()),
    };
    size(
        path,
        "arb_mechanism_ppack",
        info.sizeof_ppack,
        size_of::<mech_abi::Ppack>(),
    )?;
    size(path, "arb_mechanism_type", info.sizeof_type, size_of::<MechanismType>())?;
    size(
        path,
        "arb_mechanism_interface",
        info.sizeof_interface,
        size_of::<Interface>(),
    )?;
    size(
        path,
        "arb_field_info",
        info.sizeof_field_info,
        size_of::<mech_abi::FieldInfo>(),
    )?;
    size(path, "arb_ion_info", info.sizeof_ion_info, ion_info)?;
    size(path, "arb_ion_state", info.sizeof_ion_state, ion_state)?;
    Ok(found)
}

/// What `get_catalogue` reported.
pub(super) fn count(path: &Path, info: Option<&RawInfo>, found: i32, table: usize) -> Result<(), LoadError> {
    if !(1..=MAX_MECHANISMS).contains(&found) {
        return Err(LoadError::MechanismCount {
            path: path.into(),
            found,
        });
    }
    if let Some(expected) = info.map(|i| i.head.n_mechanisms)
        && u32::try_from(found) != Ok(expected)
    {
        return Err(LoadError::CountMismatch {
            path: path.into(),
            found,
            expected,
        });
    }
    if is_null(table) {
        return Err(LoadError::NullCatalogue { path: path.into() });
    }
    Ok(())
}

pub(super) fn version(path: &Path, entry: usize, found: u64) -> Result<(), LoadError> {
    let expected = mech_abi::ABI_VERSION;
    if found == expected {
        return Ok(());
    }
    Err(LoadError::AbiVersion {
        path: path.into(),
        entry,
        found,
        expected,
    })
}

/// Address and length of every table of a mechanism, before any row is read.
pub(super) fn tables(path: &Path, name: &str, raw: &MechanismType) -> Result<(), LoadError> {
    for (table, rows, address) in [
        ("globals", raw.n_globals, raw.globals.addr()),
        ("state_vars", raw.n_state_vars, raw.state_vars.addr()),
        ("parameters", raw.n_parameters, raw.parameters.addr()),
        ("ions", raw.n_ions, raw.ions.addr()),
        ("random_variables", raw.n_random_variables, raw.random_variables.addr()),
    ] {
        if rows > MAX_ROWS {
            let mechanism = name.to_owned();
            return Err(LoadError::TableLength {
                path: path.into(),
                mechanism,
                table,
                found: rows,
                limit: MAX_ROWS,
            });
        }
        if rows > 0 && is_null(address) {
            return Err(LoadError::NullTable {
                path: path.into(),
                mechanism: name.to_owned(),
                table,
                rows,
            });
        }
    }
    Ok(())
}

/// All six hooks are there.
pub(super) fn hooks(path: &Path, name: &str, kernels: &Interface) -> Result<Hooks, LoadError> {
    let null = |hook| LoadError::NullHook {
        path: path.into(),
        mechanism: name.to_owned(),
        hook,
    };
    Ok(Hooks {
        init: kernels.init.ok_or_else(|| null("init_mechanism"))?,
        compute_currents: kernels.compute_currents.ok_or_else(|| null("compute_currents"))?,
        apply_events: kernels.apply_events.ok_or_else(|| null("apply_events"))?,
        advance_state: kernels.advance_state.ok_or_else(|| null("advance_state"))?,
        write_ions: kernels.write_ions.ok_or_else(|| null("write_ions"))?,
        post_event: kernels.post_event.ok_or_else(|| null("post_event"))?,
    })
}

/// A row of a field table.
pub(super) struct RawField {
    name: Text,
    unit: Text,
    default: f64,
    low: f64,
    high: f64,
}

impl RawField {
    pub(super) fn new(name: Text, unit: Text, row: &mech_abi::FieldInfo) -> Self {
        Self {
            name,
            unit,
            default: row.default_value,
            low: row.range_low,
            high: row.range_high,
        }
    }
}

/// A row of an ion table: flags in the order of [`RawIon::FLAGS`], bytes not yet believed to be 0 or 1.
pub(super) struct RawIon {
    name: Text,
    flags: [u8; 9],
    expected_valence: i32,
}

impl RawIon {
    const FLAGS: [&'static str; 9] = [
        "write_int_concentration",
        "write_ext_concentration",
        "read_int_concentration",
        "read_ext_concentration",
        "use_diff_concentration",
        "write_rev_potential",
        "read_rev_potential",
        "read_valence",
        "verify_valence",
    ];

    pub(super) fn v0_7(name: Text, r: &mech_abi::IonInfo) -> Self {
        let flags = [
            r.write_int_concentration,
            r.write_ext_concentration,
            r.read_int_concentration,
            r.read_ext_concentration,
            r.use_diff_concentration,
            r.write_rev_potential,
            r.read_rev_potential,
            r.read_valence,
            r.verify_valence,
        ];
        Self {
            name,
            flags,
            expected_valence: r.expected_valence,
        }
    }

    pub(super) fn v0_6(name: Text, r: &mech_abi::IonInfo06) -> Self {
        let flags = [
            r.write_int_concentration,
            r.write_ext_concentration,
            0,
            0,
            r.use_diff_concentration,
            r.write_rev_potential,
            r.read_rev_potential,
            r.read_valence,
            r.verify_valence,
        ];
        Self {
            name,
            flags,
            expected_valence: r.expected_valence,
        }
    }
}

/// A mechanism, copied but not yet believed.
pub(super) struct RawMechanism {
    pub(super) name: String,
    pub(super) fingerprint: Text,
    pub(super) raw: MechanismType,
    pub(super) kernels: Interface,
    pub(super) globals: Vec<RawField>,
    pub(super) states: Vec<RawField>,
    pub(super) parameters: Vec<RawField>,
    pub(super) ions: Vec<RawIon>,
    pub(super) randoms: Vec<(Text, u32)>,
}

struct Context<'a> {
    path: &'a Path,
    mechanism: &'a str,
}

impl Context<'_> {
    fn flag(&self, field: &'static str, found: u8) -> Result<bool, LoadError> {
        match found {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(LoadError::Flag {
                path: self.path.into(),
                mechanism: self.mechanism.into(),
                field,
                found,
            }),
        }
    }

    fn name(&self, table: &'static str, row: usize, text: Text) -> Result<String, LoadError> {
        let (path, mechanism) = (self.path.into(), self.mechanism.into());
        element(text).map_err(|problem| LoadError::FieldName {
            path,
            mechanism,
            table,
            row,
            problem,
        })
    }

    fn distinct<'b>(&self, table: &'static str, names: impl Iterator<Item = &'b str>) -> Result<(), LoadError> {
        let mut names: Vec<&str> = names.collect();
        names.sort_unstable();
        if let Some(pair) = names.windows(2).find(|w| w[0] == w[1]) {
            let (path, mechanism) = (self.path.into(), self.mechanism.into());
            return Err(LoadError::DuplicateField {
                path,
                mechanism,
                table,
                field: pair[0].to_owned(),
            });
        }
        Ok(())
    }

    /// NaN means no default. Arbor's own catalogues have such globals too: an ion's `ena` or `celsius` listed in PARAMETER
    /// without a value, which the kernel never reads.
    fn fields(&self, table: &'static str, rows: Vec<RawField>) -> Result<Vec<FieldInfo>, LoadError> {
        let (path, mechanism) = (|| self.path.to_path_buf(), || self.mechanism.to_owned());
        let mut fields = Vec::with_capacity(rows.len());
        for (row, f) in rows.into_iter().enumerate() {
            let field = self.name(table, row, f.name)?;
            if f.default.is_infinite() {
                return Err(LoadError::Default {
                    path: path(),
                    mechanism: mechanism(),
                    field,
                    found: f.default,
                });
            }
            if f.low.is_nan() || f.high.is_nan() || f.low > f.high {
                return Err(LoadError::Range {
                    path: path(),
                    mechanism: mechanism(),
                    field,
                    low: f.low,
                    high: f.high,
                });
            }
            let default = (!f.default.is_nan()).then_some(f.default);
            // Units are commentary: an unreadable one is no reason to refuse.
            fields.push(FieldInfo {
                name: field,
                unit: f.unit.unwrap_or_default(),
                default,
                low: f.low,
                high: f.high,
            });
        }
        self.distinct(table, fields.iter().map(|f| f.name.as_str()))?;
        Ok(fields)
    }

    fn ion(&self, row: usize, ion: RawIon) -> Result<IonDependency, LoadError> {
        let name = self.name("ions", row, ion.name)?;
        let mut flags = [false; 9];
        for ((flag, byte), field) in flags.iter_mut().zip(ion.flags).zip(RawIon::FLAGS) {
            *flag = self.flag(field, byte)?;
        }
        let [
            write_internal,
            write_external,
            read_internal,
            read_external,
            use_diffusive,
            ..,
        ] = flags;
        let [.., write_reversal, read_reversal, read_valence, verify] = flags;
        Ok(IonDependency {
            name,
            write_internal,
            write_external,
            read_internal,
            read_external,
            use_diffusive,
            write_reversal,
            read_reversal,
            read_valence,
            expected_valence: verify.then_some(ion.expected_valence),
        })
    }

    fn power_of_two(&self, field: &'static str, found: u32, limit: u32) -> Result<usize, LoadError> {
        if found.is_power_of_two() && found <= limit {
            return Ok(found as usize);
        }
        Err(LoadError::Layout {
            path: self.path.into(),
            mechanism: self.mechanism.into(),
            field,
            found,
            limit,
        })
    }
}

/// From copied rows to what the mechanism declares.
pub(super) fn mechanism(path: &Path, m: RawMechanism) -> Result<MechanismInfo, LoadError> {
    let cx = Context {
        path,
        mechanism: &m.name,
    };
    let kind = MechanismKind::from_abi(m.raw.kind).ok_or_else(|| LoadError::UnknownKind {
        path: path.into(),
        mechanism: m.name.clone(),
        found: m.raw.kind,
    })?;
    let is_linear = cx.flag("is_linear", m.raw.is_linear)?;
    let has_post_events = cx.flag("has_post_events", m.raw.has_post_events)?;
    if m.kernels.backend != mech_abi::BACKEND_CPU {
        let found = m.kernels.backend;
        return Err(LoadError::Backend {
            path: path.into(),
            mechanism: m.name,
            found,
        });
    }
    let partition_width = cx.power_of_two("partition_width", m.kernels.partition_width, MAX_WIDTH)?;
    let alignment = cx.power_of_two("alignment", m.kernels.alignment, MAX_ALIGNMENT)?;
    let globals = cx.fields("globals", m.globals)?;
    let states = cx.fields("state_vars", m.states)?;
    let parameters = cx.fields("parameters", m.parameters)?;
    let ions: Vec<_> = m
        .ions
        .into_iter()
        .enumerate()
        .map(|(row, ion)| cx.ion(row, ion))
        .collect::<Result<_, _>>()?;
    cx.distinct("ions", ions.iter().map(|i| i.name.as_str()))?;
    let n = m.randoms.len();
    let randoms = m.randoms.into_iter().enumerate().map(|(row, (name, index))| {
        let name = cx.name("random_variables", row, name)?;
        if (index as usize) < n {
            return Ok(RandomVariable { name, index });
        }
        Err(LoadError::RandomIndex {
            path: path.into(),
            mechanism: cx.mechanism.into(),
            variable: name,
            index,
            n,
        })
    });
    let random_variables = randoms.collect::<Result<_, LoadError>>()?;
    Ok(MechanismInfo {
        fingerprint: m.fingerprint.unwrap_or_default(),
        kind,
        is_linear,
        has_post_events,
        globals,
        states,
        parameters,
        ions,
        random_variables,
        partition_width,
        alignment,
        name: m.name,
    })
}

/// The self-description, checked against the mechanisms it describes.
pub(super) fn info<'a>(
    path: &Path,
    raw: RawInfo,
    abi: AbiLevel,
    mechanisms: impl Iterator<Item = &'a MechanismInfo>,
) -> Result<CatalogueInfo, LoadError> {
    let mechanisms: Vec<_> = mechanisms.collect();
    let text = |field, text: Text| {
        text.map_err(|_| LoadError::InfoField {
            path: path.into(),
            field,
        })
    };
    let slots = raw
        .slots
        .into_iter()
        .map(|s| text("slots", s))
        .collect::<Result<Vec<_>, _>>()?;
    let mut seeds = Vec::with_capacity(raw.seeds.len());
    for (index, seed) in raw.seeds.into_iter().enumerate() {
        let unknown = |what| LoadError::InfoSeed {
            path: path.into(),
            seed: index,
            what,
        };
        let slot = seed.slot as usize;
        let mechanism = text("seeds", seed.mechanism)?;
        let seed = Seed {
            slot,
            mechanism,
            parameter: text("seeds", seed.parameter)?,
            seed: text("seeds", seed.seed)?,
        };
        if slot >= slots.len() {
            return Err(unknown("slot"));
        }
        let of = mechanisms
            .iter()
            .find(|m| m.name == seed.mechanism)
            .ok_or_else(|| unknown("mechanism"))?;
        of.parameter(&seed.seed).ok_or_else(|| unknown("seed parameter"))?;
        seeds.push(seed);
    }
    Ok(CatalogueInfo {
        abi,
        graddiff_version: text("graddiff_version", raw.version)?,
        integrator: text("integrator", raw.integrator)?,
        carrier: text("carrier", raw.carrier)?,
        slots,
        seeds,
    })
}
