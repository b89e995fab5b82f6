//! The boundary: opens a catalogue, believes it step by step, and calls its hooks. The only `unsafe` code of the host.
//!
//! Staged trust, nothing past a failed stage is touched: file and ELF headers → `get_catalogue` → self-description
//! (magic, version, size, level, struct sizes, count) → per mechanism: version, name, kind, flags, table lengths and
//! addresses, rows, hooks. All tables end up as owned data ([`crate::catalogue`]); of the library's own memory only the
//! hooks survive, next to the handle that keeps them mapped.
//!
//! Reference: `mech_abi.h`; Arbor 0.12.2 `load_catalogue` for what a foreign catalogue may look like.
#![expect(
    unsafe_code,
    reason = "calls into a shared object; every other module of the crate is safe"
)]

mod check;
mod elf;
mod error;
mod identifier;
#[cfg(test)]
mod tests;

use std::ffi::{c_char, c_void};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use libloading::Library;
use mech_abi::{AbiLevel, EventData, EventStream, EventsMethod, IonState, IonState06, Method, Ppack};

use crate::catalogue::{AbiChoice, CatalogueInfo, MechanismInfo};
use crate::storage::{MechanismStorage, SharedStorage};
use check::{RawField, RawInfo, RawIon, RawMechanism, RawSeed};
pub use error::{LoadError, NameProblem};

/// Longest C string read before giving up, bytes.
const MAX_TEXT: usize = 4096;

/// A loaded catalogue. Mechanisms that a simulation uses hold an [`Arc`] of it, so the library stays mapped while any
/// of its code can still be called.
#[derive(Debug)]
pub struct Catalogue {
    path: PathBuf,
    abi: AbiLevel,
    info: Option<CatalogueInfo>,
    mechanisms: Vec<Kernel>,
    // Last: dropped after everything that points into it.
    _library: Library,
}

/// One mechanism: what it declares, and its code.
#[derive(Debug)]
struct Kernel {
    info: MechanismInfo,
    hooks: Hooks,
}

/// The hooks, all checked for null.
#[derive(Debug, Clone, Copy)]
struct Hooks {
    init: Method,
    compute_currents: Method,
    apply_events: EventsMethod,
    advance_state: Method,
    write_ions: Method,
    post_event: Method,
}

/// Names the hook to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hook {
    /// INITIAL.
    Init,
    /// BREAKPOINT without SOLVE.
    ComputeCurrents,
    /// SOLVE.
    AdvanceState,
    /// Contribution to concentrations.
    WriteIons,
    /// POST_EVENT.
    PostEvent,
}

impl Catalogue {
    /// Loads the catalogue in `path` and copies everything it declares.
    ///
    /// # Errors
    /// A [`LoadError`] for each way in which the file is not a catalogue of a level that this host runs.
    ///
    /// # Safety
    /// Loading runs the file's initialisers and later its hooks. The caller vouches that the file comes from
    /// graddiff, `arbor-build-catalogue` or an equally trusted source, that it was built for the ABI level chosen
    /// (a foreign catalogue cannot say which), and that it is not overwritten while it is loaded. The checks made here
    /// catch accidents, not malice.
    pub unsafe fn load(path: impl AsRef<Path>, abi: AbiChoice) -> Result<Arc<Self>, LoadError> {
        // Absolute: dlopen would search the library path for a bare file name.
        let path = std::path::absolute(path.as_ref()).map_err(|source| LoadError::Read {
            path: path.as_ref().into(),
            source,
        })?;
        elf::check(&path)?;
        // SAFETY: initialisers of this file are trusted by this function's contract.
        let library = unsafe { Library::new(&path) }.map_err(|source| LoadError::Open {
            path: path.clone(),
            source,
        })?;
        // SAFETY: by the ABI the symbol, if present, is a function of this type.
        let get = unsafe { library.get::<mech_abi::GetCatalogue>(mech_abi::GET_CATALOGUE) }.map_err(|source| {
            LoadError::Symbol {
                path: path.clone(),
                symbol: mech_abi::GET_CATALOGUE,
                source,
            }
        })?;
        // SAFETY: the symbol names an object; its address is what a pointer-typed symbol yields, and nothing is read yet.
        let address = unsafe { library.get::<*const c_void>(mech_abi::CATALOGUE_INFO) };
        let raw_info = match address {
            // SAFETY: the symbol's name is ours, so the object begins with the magic; stages are checked inside.
            Ok(address) => Some(unsafe { read_info(&path, *address) }?),
            Err(_) => None,
        };
        let level = check::level(&path, raw_info.as_ref(), abi)?;
        let mut count = -1;
        // SAFETY: the function only writes the count and returns a static table.
        let table = unsafe { get(&raw mut count) };
        check::count(&path, raw_info.as_ref(), count, table.addr())?;
        let mut mechanisms: Vec<Kernel> = Vec::new();
        for index in 0..usize::try_from(count).unwrap_or(0) {
            // SAFETY: the table has `count` entries, by the ABI; it is not null (checked above).
            let entry = unsafe { table.wrapping_add(index).read_unaligned() };
            // SAFETY: as this function's contract; tables are checked before they are read.
            let kernel = unsafe { read_mechanism(&path, index, level, entry) }?;
            if mechanisms.iter().any(|m| m.info.name == kernel.info.name) {
                return Err(LoadError::DuplicateMechanism {
                    path,
                    mechanism: kernel.info.name,
                });
            }
            mechanisms.push(kernel);
        }
        let info = raw_info
            .map(|raw| check::info(&path, raw, level, mechanisms.iter().map(|m| &m.info)))
            .transpose()?;
        Ok(Arc::new(Self {
            path,
            abi: level,
            info,
            mechanisms,
            _library: library,
        }))
    }

    /// The file, as an absolute path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The binary layout in use.
    pub fn abi(&self) -> AbiLevel {
        self.abi
    }

    /// graddiff's self-description; none for a foreign catalogue.
    pub fn info(&self) -> Option<&CatalogueInfo> {
        self.info.as_ref()
    }

    /// What the mechanisms declare, in the catalogue's order.
    pub fn mechanisms(&self) -> impl ExactSizeIterator<Item = &MechanismInfo> {
        self.mechanisms.iter().map(|m| &m.info)
    }

    /// The mechanism of that name.
    pub fn mechanism(&self, name: &str) -> Option<&MechanismInfo> {
        self.mechanisms().find(|m| m.name == name)
    }
}

/// A mechanism together with the library that holds its code.
#[derive(Debug, Clone)]
pub(crate) struct MechanismHandle {
    catalogue: Arc<Catalogue>,
    index: usize,
}

impl MechanismHandle {
    /// The mechanism of that name, if the catalogue has it.
    pub(crate) fn find(catalogue: &Arc<Catalogue>, name: &str) -> Option<Self> {
        let index = catalogue.mechanisms.iter().position(|m| m.info.name == name)?;
        Some(Self {
            catalogue: Arc::clone(catalogue),
            index,
        })
    }

    pub(crate) fn info(&self) -> &MechanismInfo {
        &self.catalogue.mechanisms[self.index].info
    }

    pub(crate) fn abi(&self) -> AbiLevel {
        self.catalogue.abi
    }
}

/// Runs one hook over all instances of `set`.
pub(crate) fn run(hook: Hook, set: &mut MechanismStorage, shared: &mut SharedStorage, dt_ms: f64) {
    let handle = set.mechanism();
    let hooks = &handle.catalogue.mechanisms[handle.index].hooks;
    let method = match hook {
        Hook::Init => hooks.init,
        Hook::ComputeCurrents => hooks.compute_currents,
        Hook::AdvanceState => hooks.advance_state,
        Hook::WriteIons => hooks.write_ions,
        Hook::PostEvent => hooks.post_event,
    };
    let pack = set.ppack(shared, dt_ms);
    // SAFETY: `set` was built for this very mechanism's tables, so every pointer table has the announced length, every
    // array the width rounded up to what the kernel asks for, and every index stays inside the shared arrays, all of
    // which are borrowed exclusively here. The handle in `set` keeps the code mapped.
    unsafe { method(pack) }
}

/// Runs NET_RECEIVE for each of `events`, in their order.
///
/// An event for an instance that `set` does not have would write out of bounds, so it is a bug that stops the program.
pub(crate) fn run_events(events: &[EventData], set: &mut MechanismStorage, shared: &mut SharedStorage, dt_ms: f64) {
    let exist = events.iter().all(|e| (e.mech_index as usize) < set.width());
    assert!(exist, "an event is addressed to an instance that does not exist");
    let handle = set.mechanism();
    let method = handle.catalogue.mechanisms[handle.index].hooks.apply_events;
    let pack = set.ppack(shared, dt_ms);
    let range = events.as_ptr_range();
    let mut stream = EventStream {
        begin: range.start,
        end: range.end,
    };
    // SAFETY: the pack is as in `run`; the stream spans a borrowed slice, and each event names one of the instances.
    unsafe { method(pack, &raw mut stream) }
}

/// A [`Ppack`] and the pointer tables that it points at. Filled before the first call, read only by hooks: one of a cell
/// of a single CV takes less time than to fill them.
#[derive(Debug, Default)]
pub(crate) struct PointerTables {
    pub(crate) pack: Option<Ppack>,
    pub(crate) parameters: Vec<*mut f64>,
    pub(crate) states: Vec<*mut f64>,
    pub(crate) ions: Vec<IonState>,
    pub(crate) ions_06: Vec<IonState06>,
    pub(crate) randoms: Vec<*const f64>,
}

/// A copy points at nothing yet: the arrays of its owner are copies too.
impl Clone for PointerTables {
    fn clone(&self) -> Self {
        Self::default()
    }
}

// SAFETY: no Rust code dereferences the pointers; hooks do, with exclusive access to the arrays' owner, which moves
// between threads together with them.
unsafe impl Send for PointerTables {}
// SAFETY: as above; a shared reference gives no access to what they point at.
unsafe impl Sync for PointerTables {}

/// Reads a C string of at most [`MAX_TEXT`] bytes.
///
/// # Safety
/// `text` is null or points at bytes readable up to a terminator.
unsafe fn read_text(text: *const c_char) -> Result<String, NameProblem> {
    if check::is_null(text.addr()) {
        return Err(NameProblem::Null);
    }
    let mut bytes = Vec::new();
    while bytes.len() < MAX_TEXT {
        // SAFETY: no terminator came before this byte, so the string reaches at least here.
        let byte = unsafe { text.cast::<u8>().wrapping_add(bytes.len()).read() };
        if byte == 0 {
            return String::from_utf8(bytes).map_err(|_| NameProblem::NotUtf8);
        }
        bytes.push(byte);
    }
    Err(NameProblem::Unterminated)
}

/// Copies `n` rows of a table.
///
/// # Safety
/// If `n > 0`, `rows` points at `n` readable values of `T`, for which every bit pattern of the table is valid.
unsafe fn read_rows<T: Copy>(rows: *const T, n: u32) -> Vec<T> {
    // SAFETY: row `k < n` is readable by this function's contract; unaligned reads need nothing else.
    (0..n as usize)
        .map(|k| unsafe { rows.wrapping_add(k).read_unaligned() })
        .collect()
}

/// Reads the self-description, in stages.
///
/// # Safety
/// `address` is that of an object that starts as `graddiff_catalogue_info` does.
unsafe fn read_info(path: &Path, address: *const c_void) -> Result<RawInfo, LoadError> {
    // SAFETY: every version of the object starts with magic, version and size.
    let head = unsafe { address.cast::<check::InfoHead>().read_unaligned() };
    head.check(path)?;
    // SAFETY: magic, version and size are those of this struct.
    let info = unsafe { address.cast::<mech_abi::CatalogueInfo>().read_unaligned() };
    check::info_tables(path, &info)?;
    // SAFETY: table address and length passed the check above.
    let slots = unsafe { read_rows(info.slots, info.n_slots) };
    // SAFETY: as above.
    let seeds = unsafe { read_rows(info.seeds, info.n_seeds) };
    let text = |p: *const c_char| {
        // SAFETY: a C string of the self-description, or null.
        unsafe { read_text(p) }
    };
    let seeds = seeds.iter().map(|s| RawSeed {
        slot: s.slot,
        mechanism: text(s.mechanism),
        parameter: text(s.parameter),
        seed: text(s.seed),
    });
    Ok(RawInfo {
        slots: slots.iter().map(|&s| text(s)).collect(),
        seeds: seeds.collect(),
        version: text(info.graddiff_version),
        integrator: text(info.integrator),
        carrier: text(info.carrier),
        head: info,
    })
}

/// Reads one entry: description, tables, kernels.
///
/// # Safety
/// `entry` is an entry of a catalogue of this level.
unsafe fn read_mechanism(
    path: &Path,
    index: usize,
    level: AbiLevel,
    entry: mech_abi::Mechanism,
) -> Result<Kernel, LoadError> {
    let missing = |function| LoadError::NullEntry {
        path: path.into(),
        entry: index,
        function,
    };
    let describe = entry.mech_type.ok_or_else(|| missing("type"))?;
    let interface = entry.i_cpu.ok_or_else(|| missing("i_cpu"))?;
    // SAFETY: by the ABI, returns the description by value and does nothing else.
    let raw = unsafe { describe() };
    check::version(path, index, raw.abi_version)?;
    // SAFETY: the name is a C string, or null.
    let name = identifier::identifier(unsafe { read_text(raw.name) }).map_err(|problem| LoadError::MechanismName {
        path: path.into(),
        entry: index,
        problem,
    })?;
    check::tables(path, &name, &raw)?;
    // SAFETY: a C string, or null.
    let text = |p: *const c_char| unsafe { read_text(p) };
    let fields = |rows, n| -> Vec<RawField> {
        // SAFETY: address and length passed `check::tables`.
        let rows: Vec<mech_abi::FieldInfo> = unsafe { read_rows(rows, n) };
        rows.iter()
            .map(|f| RawField::new(text(f.name), text(f.unit), f))
            .collect()
    };
    let ions: Vec<RawIon> = match level {
        AbiLevel::V0_7 => {
            // SAFETY: address and length passed `check::tables`; the row type is this level's.
            let rows = unsafe { read_rows(raw.ions.cast::<mech_abi::IonInfo>(), raw.n_ions) };
            rows.iter().map(|r| RawIon::v0_7(text(r.name), r)).collect()
        }
        AbiLevel::V0_6 => {
            // SAFETY: as above.
            let rows = unsafe { read_rows(raw.ions.cast::<mech_abi::IonInfo06>(), raw.n_ions) };
            rows.iter().map(|r| RawIon::v0_6(text(r.name), r)).collect()
        }
    };
    // SAFETY: address and length passed `check::tables`.
    let randoms = unsafe { read_rows(raw.random_variables, raw.n_random_variables) };
    // SAFETY: by the ABI, returns a pointer to static data, or null.
    let kernels = unsafe { interface() };
    if check::is_null(kernels.addr()) {
        return Err(missing("i_cpu"));
    }
    // SAFETY: not null; any bits are valid for the struct's fields.
    let kernels = unsafe { kernels.read_unaligned() };
    let hooks = check::hooks(path, &name, &kernels)?;
    let info = check::mechanism(
        path,
        RawMechanism {
            globals: fields(raw.globals, raw.n_globals),
            states: fields(raw.state_vars, raw.n_state_vars),
            parameters: fields(raw.parameters, raw.n_parameters),
            ions,
            randoms: randoms.iter().map(|r| (text(r.name), r.index)).collect(),
            fingerprint: text(raw.fingerprint),
            name,
            raw,
            kernels,
        },
    )?;
    Ok(Kernel { info, hooks })
}

/// A [`Ppack`] is only ever built by [`MechanismStorage::ppack`]; named here so that the two stay next to each other.
const _: for<'a> fn(&'a mut MechanismStorage, &mut SharedStorage, f64) -> &'a mut Ppack = MechanismStorage::ppack;
