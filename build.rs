//! How the binary is linked.

fn main() {
    // At a fixed address: one that can lie anywhere has 200,000 addresses to be filled in at each
    // start. That touches 9 MB of a daemon's 30, and takes milliseconds of each answer.
    println!("cargo::rustc-link-arg-bins=-no-pie");
    println!("cargo::rerun-if-changed=build.rs");
}
