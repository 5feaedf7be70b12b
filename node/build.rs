//! Generates the service code of the node; the messages are those of `corridor-proto`.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let files = [
        "corridor/v1/circle_service.proto",
        "corridor/v1/clearance_service.proto",
        "corridor/v1/exchange.proto",
        "corridor/v1/node_service.proto",
        "corridor/v1/peer_service.proto",
        "corridor/v1/record_service.proto",
    ];
    println!("cargo:rerun-if-changed=../proto/corridor/v1");
    let set = protox::compile(files, ["../proto"])?;
    tonic_prost_build::configure()
        .extern_path(".corridor.v1", "::corridor_proto::v1")
        .build_server(true)
        .build_client(true)
        .compile_fds(set)?;
    Ok(())
}
