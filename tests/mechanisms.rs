//! Every mechanism of the library against what was published of it: half-activations, time constants, closed forms. What
//! is expected is written out here from the papers that the files name, not read from the files.

#[path = "mechanisms/cells.rs"]
mod cells;
#[path = "mechanisms/channels.rs"]
mod channels;
#[path = "mechanisms/ions.rs"]
mod ions;
#[path = "mechanisms/patch.rs"]
mod patch;
#[path = "mechanisms/points.rs"]
mod points;
