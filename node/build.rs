//! Generates the service code of the node, and the description of its services; the messages are
//! those of `corridor-proto`.

use std::path::Path;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let files = [
        "corridor/v1/bundle_service.proto",
        "corridor/v1/circle_service.proto",
        "corridor/v1/clearance_service.proto",
        "corridor/v1/exchange.proto",
        "corridor/v1/node_service.proto",
        "corridor/v1/peer_service.proto",
        "corridor/v1/record_service.proto",
        "corridor/v1/table_service.proto",
    ];
    println!("cargo:rerun-if-changed=../proto/corridor/v1");
    let mut compiler = protox::Compiler::new(["../proto"])?;
    compiler.include_imports(true).include_source_info(true);
    compiler.open_files(files)?;
    // For those who ask the node what it can be asked.
    let described = Path::new(&std::env::var("OUT_DIR")?).join("corridor.bin");
    std::fs::write(described, compiler.encode_file_descriptor_set())?;
    tonic_prost_build::configure()
        .extern_path(".corridor.v1", "::corridor_proto::v1")
        .build_server(true)
        .build_client(true)
        .compile_fds(compiler.file_descriptor_set())?;
    Ok(())
}
