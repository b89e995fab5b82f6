//! Compiles the C++ side of the bridge into the library.

fn main() {
    cxx_build::bridge("src/bridge.rs")
        .std("c++17")
        .compile("graddiff-bridge");
    println!("cargo:rerun-if-changed=src/bridge.rs");
}
