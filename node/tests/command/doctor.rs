//! What is wrong, in words that can be forwarded.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use serde_json::Value;

use super::office::{Office, Said, read};

/// The first line of a check, of those that are not fine if there is one.
fn check<'a>(said: &'a Value, name: &str) -> &'a Value {
    let all = said["checks"].as_array().expect("checks");
    let of = || all.iter().filter(|one| one["check"] == name);
    let wrong = of().find(|one| one["verdict"] != "fine");
    wrong
        .or_else(|| of().next())
        .unwrap_or_else(|| panic!("no check of {name}: {said}"))
}

fn verdicts(said: &Value, wanted: &[(&str, &str)]) {
    for (name, verdict) in wanted {
        let check = check(said, name);
        assert_eq!(check["verdict"], *verdict, "{check}");
        assert_eq!(check["remedy"] == "", *verdict == "fine", "{check}");
    }
}

/// Everything that lies in a folder, with its content.
fn content(folder: &std::path::Path) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(content(&path));
        } else {
            found.push((path.display().to_string(), fs::read(&path).expect("a file")));
        }
    }
    found.sort();
    found
}

fn doctor(office: &Office) -> Said {
    office.say(&["doctor", "--json"])
}

#[test]
fn a_stopped_node_is_looked_at_and_nothing_of_it_is_changed() {
    let office = Office::make();
    let before = content(&office.data());
    let said = doctor(&office);
    assert_eq!(said.code, Some(0), "{}{}", said.out, said.err);
    let fine = [
        "configuration",
        "store",
        "clock",
        "keys",
        "tls",
        "disk",
        "port",
        "address",
        "proxy",
    ];
    verdicts(&said.json(), &fine.map(|name| (name, "fine")));
    verdicts(
        &said.json(),
        &[("node", "look"), ("backup", "look"), ("tokens", "look")],
    );
    assert_eq!(said.json()["broken"], 0);
    let shown = office.say(&["doctor"]);
    assert!(
        shown.out.contains("look    node           It is stopped."),
        "{}",
        shown.out
    );
    assert!(
        shown
            .out
            .ends_with("Nothing is broken; look at 3 things.\n"),
        "{}",
        shown.out
    );
    let status = office.say(&["status"]);
    assert_eq!(status.code, Some(1));
    assert!(status.out.contains("is stopped") && status.out.contains("No partners yet."));
    assert_eq!(content(&office.data()), before);
}

#[test]
fn a_running_node_is_asked_and_says_how_it_does() {
    let office = Office::make();
    let mut process = office.start(&[]);
    let said = doctor(&office);
    assert_eq!(said.code, Some(0), "{}{}", said.out, said.err);
    let fine = ["node", "store", "keys", "port", "answers", "files", "clock"];
    verdicts(&said.json(), &fine.map(|name| (name, "fine")));
    let status = office.say(&["status"]);
    assert_eq!(status.code, Some(0), "{}", status.out);
    assert!(
        status
            .out
            .contains("It writes, signs and talks with partners."),
        "{}",
        status.out
    );
    let status = office.say(&["status", "--json"]).json();
    assert_eq!(status["running"], true);
    assert_eq!(status["node"]["name"], "Bali Process");
    assert_eq!(status["node"]["condition"]["no_writing"], Value::Null);
    process.signal("TERM");
    assert_eq!(process.code(), Some(0));
}

#[test]
fn each_thing_that_is_wrong_is_named_with_what_to_do() {
    let office = Office::make();
    let key = office.data().join("keys").join("signing.key");
    let mode = |mode| fs::set_permissions(&key, fs::Permissions::from_mode(mode)).expect("set");
    mode(0o644);
    let said = doctor(&office);
    assert_eq!(said.code, Some(1));
    verdicts(&said.json(), &[("keys", "broken")]);
    let remedy = check(&said.json(), "keys")["remedy"].to_string();
    assert!(
        remedy.contains("chmod 600") && remedy.contains("signing.key"),
        "{remedy}"
    );
    mode(0o600);

    let config = read(&office.config());
    fs::write(office.config(), format!("advertised = []\n{config}")).expect("written");
    let said = doctor(&office);
    assert_eq!(said.code, Some(1));
    let evidence = check(&said.json(), "configuration")["evidence"].to_string();
    assert!(evidence.contains("did you mean advertise?"), "{evidence}");
    fs::write(office.config(), &config).expect("written");

    let nowhere = config.replace("# advertise = []", "advertise = [\"nowhere.invalid:7400\"]");
    assert_ne!(nowhere, config);
    fs::write(office.config(), nowhere).expect("written");
    verdicts(&doctor(&office).json(), &[("address", "look")]);
    fs::write(office.config(), &config).expect("written");

    let segment = office.data().join("journal").join("00000000.seg");
    let future = fs::metadata(&segment)
        .and_then(|meta| meta.modified())
        .expect("a time");
    let future = future + std::time::Duration::from_secs(86_400);
    let file = fs::File::options()
        .append(true)
        .open(&segment)
        .expect("a segment");
    file.set_modified(future).expect("set");
    verdicts(&doctor(&office).json(), &[("clock", "broken")]);

    let mut bytes = fs::read(&segment).expect("a segment");
    let middle = bytes
        .iter()
        .rposition(|byte| *byte != 0)
        .expect("something")
        / 2;
    bytes[middle] ^= 1;
    fs::write(&segment, bytes).expect("written");
    let said = doctor(&office);
    verdicts(&said.json(), &[("store", "broken")]);
    assert_eq!(said.code, Some(1));
    fs::remove_dir_all(office.data().join("keys")).expect("removed");
    verdicts(
        &doctor(&office).json(),
        &[("keys", "broken"), ("tokens", "broken")],
    );
}

#[test]
fn what_the_machine_does_to_a_node_is_named_as_well() {
    let office = Office::make();
    let proxy = ("https_proxy", "http://me:secret@proxy.example:3128");
    let said = office.say_with(proxy, &["doctor", "--json"]);
    verdicts(&said.json(), &[("proxy", "look")]);
    assert!(!said.out.contains("secret"), "{}", said.out);

    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let taken = taken
        .local_addr()
        .map(|at| (at.to_string(), taken))
        .expect("its address");
    let said = office.say(&["doctor", "--json", "--api-listen", &taken.0]);
    verdicts(&said.json(), &[("port", "broken")]);
}

#[test]
fn a_backup_is_noted_and_found_when_it_is_old() {
    let office = Office::make();
    let phrase = office.folder.path().join("phrase");
    fs::write(&phrase, "sixteen letters or more\n").expect("written");
    fs::set_permissions(&phrase, fs::Permissions::from_mode(0o600)).expect("set");
    let out = office.folder.path().join("backup");
    let said = office.say(&[
        "backup",
        "create",
        "--out",
        &out.to_string_lossy(),
        "--passphrase-file",
        &phrase.to_string_lossy(),
    ]);
    assert_eq!(said.code, Some(0), "{}", said.err);
    verdicts(&doctor(&office).json(), &[("backup", "fine")]);
    for (at, verdict) in [("1700000000000", "broken"), ("no number", "look")] {
        fs::write(office.data().join("last-backup"), at).expect("written");
        verdicts(&doctor(&office).json(), &[("backup", verdict)]);
    }
}
