//! Threading and layout facts of the loader that need no catalogue.

use super::*;

#[test]
fn a_catalogue_can_be_shared_between_threads() {
    fn shared<T: Send + Sync>() {}
    shared::<Catalogue>();
    shared::<MechanismHandle>();
}

#[test]
fn groups_can_move_between_threads() {
    fn movable<T: Send>() {}
    movable::<crate::group::Group>();
    movable::<crate::Simulation>();
}
