//! graddiff's command line.
fn main() {}
