//! Emits the linker settings that a Node.js addon needs.

fn main() {
    napi_build::setup();
    // The addon's threads may outlive the environment that loaded it; the code must stay mapped.
    if std::env::var("CARGO_CFG_TARGET_OS").as_deref() == Ok("linux") {
        println!("cargo:rustc-cdylib-link-arg=-Wl,-z,nodelete");
    }
}
