//! One file, under the environment, under flags.

use std::fs;

use super::office::{Office, read};

#[test]
fn a_flag_counts_before_a_variable_and_that_before_the_file() {
    let office = Office::make();
    let show = ["config", "show", "--json"];
    let said = office.say(&show).json();
    assert_eq!(said["drain_seconds"]["value"], 10);
    assert_eq!(said["drain_seconds"]["origin"], "default");
    assert_eq!(said["metrics"]["value"], "off");
    assert_eq!(said["names"]["origin"], "file");

    let text = read(&office.config()).replace("# drain_seconds = 10", "drain_seconds = 20");
    fs::write(office.config(), &text).expect("written");
    let said = office.say(&show).json();
    let line = 1 + text
        .lines()
        .position(|line| line == "drain_seconds = 20")
        .expect("there");
    assert_eq!(said["drain_seconds"]["value"], 20);
    assert_eq!(
        said["drain_seconds"]["place"],
        format!("config.toml line {line}")
    );

    let thirty = ("CORRIDOR_DRAIN_SECONDS", "30");
    let said = office.say_with(thirty, &show).json();
    assert_eq!(said["drain_seconds"]["value"], 30);
    assert_eq!(said["drain_seconds"]["place"], "CORRIDOR_DRAIN_SECONDS");

    let words = ["config", "show", "--json", "--drain-seconds", "40"];
    let said = office.say_with(thirty, &words).json();
    assert_eq!(said["drain_seconds"]["value"], 40);
    assert_eq!(said["drain_seconds"]["place"], "--drain-seconds");

    let said = office.say_with(thirty, &["config", "show", "--origin"]);
    let wanted = "drain_seconds = 30  # CORRIDOR_DRAIN_SECONDS";
    assert!(said.out.lines().any(|line| line == wanted), "{}", said.out);
}

#[test]
fn what_is_wrong_is_told_at_once_with_its_line_and_what_was_meant() {
    let office = Office::make();
    let said = office.say(&["config", "check"]);
    assert_eq!(said.code, Some(0), "{}", said.err);

    let more = "peer_lisen = \"127.0.0.1:1\"\napi_listen = \"nowhere\"\ndrain_seconds = 601\n\
                log = \"corridor==\"\n";
    let file = read(&office.config());
    let old: Vec<&str> = file
        .lines()
        .filter(|line| !line.starts_with("api_listen"))
        .collect();
    fs::write(office.config(), format!("{more}{}", old.join("\n"))).expect("written");
    let mistyped = ("CORRIDOR_METRIC", "7402");
    for words in [&["config", "check"][..], &["serve"]] {
        let said = office.say_with(mistyped, words);
        assert_eq!(said.code, Some(1));
        for part in [
            "config.toml line 1: there is no key peer_lisen; did you mean peer_listen?",
            "config.toml line 2: api_listen: ",
            "config.toml line 3: drain_seconds: 601 is more than 600",
            "config.toml line 4: log: \"corridor==\" cannot be used",
            "CORRIDOR_METRIC: there is no such variable; did you mean CORRIDOR_METRICS?",
        ] {
            assert!(said.err.contains(part), "{part}: {}", said.err);
        }
    }
    let said = office.say(&["config", "show", "--metrics", "everywhere"]);
    assert!(
        said.err
            .contains("--metrics: metrics: write a port such as"),
        "{}",
        said.err
    );
}

#[test]
fn a_file_of_before_is_read_and_a_variable_of_somebody_else_is_left_alone() {
    let office = Office::make();
    let before = "# Configuration of a Corridor node.\npeer_listen = \"0.0.0.0:7400\"\n\
                  api_listen = \"127.0.0.1:7401\"\nadvertise = []\n\n[[names]]\ntag = \"en\"\n\
                  name = \"Bali Process\"\n";
    fs::write(office.config(), before).expect("written");
    let said = office.say_with(("CORRIDOR_SERVICE_HOST", "10.0.0.1"), &["config", "check"]);
    assert_eq!(said.code, Some(0), "{}", said.err);
    assert!(said.out.contains("CORRIDOR_SERVICE_HOST"), "{}", said.out);
    let said = office.say(&["config", "show", "--json"]).json();
    assert_eq!(said["names"]["value"][0]["name"], "Bali Process");
    assert_eq!(said["names"]["place"], "config.toml line 6");
}
