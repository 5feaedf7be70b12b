//! Generates the calls of the client; the messages are those of `corridor-proto`.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let files = [
        "corridor/v1/bundle_service.proto",
        "corridor/v1/circle_service.proto",
        "corridor/v1/clearance_service.proto",
        "corridor/v1/node_service.proto",
        "corridor/v1/peer_service.proto",
        "corridor/v1/record_service.proto",
        "corridor/v1/table_service.proto",
    ];
    // `tests/run guide` runs the examples of the documentation, elsewhere they are only compiled.
    println!("cargo:rustc-check-cfg=cfg(with_node)");
    println!("cargo:rerun-if-changed=../proto/corridor/v1");
    let set = protox::compile(files, ["../proto"])?;
    tonic_prost_build::configure()
        .extern_path(".corridor.v1", "::corridor_proto::v1")
        .build_server(false)
        .build_client(true)
        .compile_fds(set)?;
    Ok(())
}
