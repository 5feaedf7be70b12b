//! A node as its service manager sees it.

use std::io::{Read, Write};
use std::net::TcpStream;

use corridor_node::operate::ask;
use corridor_node::operate::config::Config;
use serde_json::Value;
use tonic::Request;
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};

use super::office::Office;

/// What is answered to a request for the figures.
fn figures(port: &str, host: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(format!("127.0.0.1:{port}")).expect("a connection");
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n").expect("asked");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    answer
}

fn port() -> String {
    let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    free.local_addr().expect("its address").port().to_string()
}

#[test]
fn a_node_says_that_it_serves_gives_figures_and_ends_when_told() {
    let office = Office::make();
    let before = office.say(&["health"]);
    assert_eq!(before.code, Some(1), "it does not run yet");
    let port = port();
    let mut process = office.start(&["--metrics", &port, "--log-format", "json"]);
    assert_eq!(office.say(&["health"]).out, "SERVING\n");
    for (service, code, said) in [
        ("corridor.signs", Some(0), "SERVING"),
        ("corridor.v1.RecordService", Some(0), "SERVING"),
        ("corridor.v2", Some(1), "service not registered"),
    ] {
        let asked = office.say(&["health", "--service", service]);
        assert_eq!(asked.code, code, "{service}");
        assert!((asked.out + &asked.err).contains(said), "{service}");
    }

    let answer = figures(&port, "localhost", "/metrics");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(
        answer.contains("application/openmetrics-text; version=1.0.0"),
        "{answer}"
    );
    for line in [
        "corridor_build_info{version=",
        "corridor_writes 1.0",
        "corridor_signs 1.0",
        "corridor_peers{state=\"active\"} 0.0",
        "corridor_storage_bytes{part=\"journal\"} ",
        "corridor_key_expiry_timestamp_seconds{key=\"api\"} ",
        "corridor_journal_sync_duration_seconds_count ",
        "corridor_api_call_duration_seconds_count{method=\"grpc.health.v1.Health/Check\",\
         code=\"OK\"} 3",
        "code=\"NOT_FOUND\"} 1",
    ] {
        assert!(answer.contains(line), "{line}: {answer}");
    }
    assert!(answer.ends_with("# EOF\n"), "{answer}");
    assert!(
        !answer.contains("\ncorridor_backup_last_success_timestamp_seconds "),
        "there is none"
    );
    assert!(figures(&port, "evil.example", "/metrics").starts_with("HTTP/1.1 403"));
    assert!(figures(&port, "localhost", "/").starts_with("HTTP/1.1 404"));

    process.signal("TERM");
    assert_eq!(process.code(), Some(0), "{}", process.said());
    assert!(!office.data().join("status.json").exists());
    let said = process.said();
    let events = said.lines().map(|line| {
        let event: Value = serde_json::from_str(line).expect("each line is an object");
        event["message"]
            .as_str()
            .expect("an event has a name")
            .to_owned()
    });
    let events: Vec<String> = events.collect();
    assert!(events.iter().any(|event| event == "serving"), "{events:?}");
    assert_eq!(
        events.last().map(String::as_str),
        Some("ending"),
        "{events:?}"
    );
}

/// A call under way whose message never comes.
fn hold(office: &Office) -> tokio::runtime::Runtime {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build();
    let runtime = runtime.expect("a runtime");
    let config = Config::read(&office.data()).expect("a configuration");
    let data = office.data();
    let channel = runtime.block_on(ask::channel(&data, config.api_listen));
    let mut grpc = tonic::client::Grpc::new(channel.expect("a connection"));
    runtime.spawn(async move {
        grpc.ready().await.expect("ready");
        let never = Request::new(tokio_stream::pending::<HealthCheckRequest>());
        let path = http::uri::PathAndQuery::from_static("/grpc.health.v1.Health/Check");
        let codec = tonic_prost::ProstCodec::default();
        let held = grpc.client_streaming::<_, _, HealthCheckResponse, _>(never, path, codec);
        held.await.map(|_| ())
    });
    runtime
}

#[test]
fn a_second_signal_ends_a_node_that_waits_for_a_call() {
    let office = Office::make();
    let mut process = office.start(&["--drain-seconds", "600"]);
    let held = hold(&office);
    assert_eq!(office.say(&["health"]).code, Some(0));
    process.signal("TERM");
    process.until("it waits", |process| process.said().contains("ending"));
    assert_eq!(office.say(&["health"]).code, Some(1), "it takes nobody in");
    assert!(process.is_running(), "{}", process.said());
    process.signal("INT");
    assert_eq!(process.code(), Some(1), "{}", process.said());
    assert!(process.said().contains("told to end a second time"));
    held.shutdown_background();
    // What it left is no hindrance.
    let said = office.say(&["status"]);
    assert!(said.out.contains("is stopped"), "{}", said.out);
    let mut process = office.start(&[]);
    process.signal("INT");
    assert_eq!(process.code(), Some(0), "{}", process.said());
}
