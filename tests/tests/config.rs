//! The layers of a configuration: which one counts, whatever is given where.

use corridor_node::operate::config::{Config, KEYS, is_address};
use corridor_node::operate::layers::{Given, Origin, effective};
use proptest::prelude::*;

/// A value of a key, as a flag has it and as TOML.
fn value(key: &str, number: u16) -> (String, String) {
    let quoted = |text: String| (text.clone(), format!("{text:?}"));
    match key {
        "peer_listen" => quoted(format!("127.0.0.1:{}", 1_000 + number)),
        "api_listen" => quoted(format!("[::1]:{}", 2_000 + number)),
        "metrics" => quoted(format!("127.0.0.1:{}", 3_000 + number)),
        "advertise" => {
            let text = format!("one.example:{number},two.example:1");
            let toml = format!("[\"one.example:{number}\", \"two.example:1\"]");
            (text, toml)
        }
        "proxy" => quoted(format!("proxy-{number}.example:3128")),
        "proxy_credentials" => quoted(format!("/etc/corridor/proxy-{number}")),
        "drain_seconds" | "calls_per_minute" | "anonymous_calls_per_minute" => {
            (number.to_string(), number.to_string())
        }
        "four_eyes" | "anonymous" => {
            let is_on = number.is_multiple_of(2).to_string();
            (is_on.clone(), is_on)
        }
        "log" => quoted(format!("info,part_{number}=debug")),
        "log_format" => quoted(
            if number.is_multiple_of(2) {
                "text"
            } else {
                "json"
            }
            .to_owned(),
        ),
        "names" => {
            let toml = format!("[{{ name = \"Process {number}\", tag = \"en\" }}]");
            (format!("en=Process {number}"), toml)
        }
        other => panic!("no example of {other}"),
    }
}

/// For each key, in which layers it is given: flag, variable, file; and a number for each.
fn given() -> impl Strategy<Value = Vec<[Option<u16>; 3]>> {
    let one = || proptest::option::of(1_u16..600);
    proptest::collection::vec([one(), one(), one()], KEYS.len())
}

proptest! {
    #[test]
    fn the_highest_layer_that_gives_a_key_counts_and_is_named(all in given()) {
        let (mut layers, mut file, mut wanted) = (Given::default(), String::new(), Vec::new());
        for (key, [flag, variable, line]) in KEYS.iter().zip(all) {
            if let Some(number) = line {
                file += &format!("{} = {}\n", key.name, value(key.name, number).1);
                let origin = Origin::File(file.lines().count());
                wanted.push((key, origin, value(key.name, number).1));
            }
            if let Some(number) = variable {
                layers.environment.push((key.variable.to_owned(), value(key.name, number).0));
                let origin = Origin::Environment(key.variable);
                wanted.push((key, origin, value(key.name, number).1));
            }
            if let Some(number) = flag {
                layers.flags.push((key.name, vec![value(key.name, number).0]));
                wanted.push((key, Origin::Flag(key.flag), value(key.name, number).1));
            }
        }
        layers.file = Some(file);
        let found = effective(&layers).expect("all of it fits");
        let values = found.config.values().expect("values");
        let usual = Config::default().values().expect("values");
        for key in &KEYS {
            // What was given last lies highest.
            match wanted.iter().rfind(|(given, ..)| given.name == key.name) {
                Some((_, origin, value)) => {
                    prop_assert_eq!(&found.origins[key.name], origin);
                    prop_assert_eq!(&values[key.name].to_string(), value);
                }
                None => {
                    prop_assert_eq!(&found.origins[key.name], &Origin::Default);
                    prop_assert_eq!(&values[key.name], &usual[key.name]);
                }
            }
        }
        let again = found.config.text(std::path::Path::new("")).expect("text");
        prop_assert_eq!(Config::parse(&again).expect("it reads back"), found.config);
    }

    #[test]
    fn no_text_makes_the_layers_panic_and_an_unknown_key_is_never_taken(
        file in "[a-z_= \"\\[\\]{}\n0-9é]{0,80}", key in "[a-z_]{1,16}"
    ) {
        let read = |text: String| effective(&Given { file: Some(text), ..Given::default() });
        let _ = read(file);
        prop_assume!(KEYS.iter().all(|known| known.name != key));
        let refused = read(format!("\n{key} = 1\n")).expect_err("unknown");
        let named = format!("config.toml line 2: there is no key {key};");
        prop_assert!(refused.to_string().starts_with(&named), "{}", refused);
    }
}

/// What a partner tells as its address goes into what a proxy is asked, and onto screens.
#[test]
fn an_address_is_host_and_port_and_nothing_else() {
    for good in [
        "node.example.org:7400",
        "192.0.2.1:1",
        "[2001:db8::1]:7400",
        "a_b-c:65535",
    ] {
        assert!(is_address(good), "{good}");
    }
    for bad in [
        "a:443 HTTP/1.1\r\nHost: a\r\n\r\nGET http://intranet/x HTTP/1.1\r\nHost: b:80",
        "\u{1b}[31mred:80",
        "node.example.org",
        ":7400",
        "node:70000",
        "node\u{202e}:7400",
    ] {
        assert!(!is_address(bad), "{bad:?}");
    }
    assert!(!is_address(&format!("{}:80", "a".repeat(300))));
}
