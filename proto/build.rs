//! Compiles the `.proto` contracts without an installed protoc.

use std::path::PathBuf;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut files: Vec<PathBuf> = Vec::new();
    for entry in std::fs::read_dir("corridor/v1")? {
        let path = entry?.path();
        if path.extension().is_some_and(|ext| ext == "proto") {
            files.push(path);
        }
    }
    files.sort();
    println!("cargo:rerun-if-changed=corridor/v1");
    let set = protox::compile(&files, ["."])?;
    let out = PathBuf::from(std::env::var("OUT_DIR")?);
    std::fs::write(
        out.join("corridor.v1.bin"),
        prost::Message::encode_to_vec(&set),
    )?;
    prost_build::Config::new().compile_fds(set)?;
    Ok(())
}
