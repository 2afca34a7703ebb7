//! A store and a bucket, one of which fails, or both at once.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

mod crash_points;
mod device;
#[allow(dead_code, reason = "written for the store's own tests, which use all of it")]
#[path = "../../../store/src/tests/simulated_disk.rs"]
mod simulated_disk;

use std::path::Path;

use emp_store::{Backend, Layout, RealDisk};
use tempfile::TempDir;

/// In memory where there is such a place: hundreds of stores are made here.
fn new_folder() -> TempDir {
    let memory = Path::new("/dev/shm");
    let folder = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
    folder.unwrap()
}
