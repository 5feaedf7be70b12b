//! What people and programs write: files of settings, names, identifiers, tokens, certificates.

use std::fmt::{Debug, Display};
use std::path::Path;
use std::str::FromStr;
use std::sync::LazyLock;

use corridor_client::cli::end_of_day;
use corridor_client::{Profile, RcpName, RecordName};
use corridor_node::api::{self, Cursors};
use corridor_node::library::Filter;
use corridor_node::library::search::Query;
use corridor_node::limits::{FILTER_BYTES_MAX, FILTER_DEPTH_MAX, QUERY_BYTES_MAX};
use corridor_node::operate::config::Config;
use corridor_node::operate::keys::certificate_key_hash;
use corridor_proto::kinds::Kind;
use corridor_proto::{Hash, LogId, RcpId, RecordId, Token};
use corridor_rules::Reader;

use super::Input;

fn text_of(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes).ok()
}

/// What reads is written back as it came.
fn one_text<T: FromStr + Display>(text: &str) {
    if let Ok(value) = text.parse::<T>() {
        assert_eq!(value.to_string(), text, "there is one text");
    }
}

/// Identifiers, and the names of kinds.
pub fn ids(bytes: &[u8]) {
    let Some(text) = text_of(bytes) else { return };
    one_text::<RcpId>(text);
    one_text::<LogId>(text);
    one_text::<RecordId>(text);
    one_text::<Hash>(text);
    one_text::<Token>(text);
    one_text::<Kind>(text);
}

/// Names of resources, tokens of pages, cursors, days: a text, and the text that a token is for.
pub fn names(bytes: &[u8]) {
    static CURSORS: LazyLock<Cursors> = LazyLock::new(|| Cursors::of(b"a secret").expect("key"));
    let mut input = Input::new(bytes);
    let (text, parent) = (input.counted(), input.rest());
    let (Some(text), Some(parent)) = (text_of(text), text_of(parent)) else {
        return;
    };
    one_text::<RcpName>(text);
    one_text::<RecordName>(text);
    let agree = |ours: bool, theirs: bool| assert_eq!(ours, theirs, "both sides read a name alike");
    agree(
        api::parse_rcp("name", text).is_ok(),
        text.parse::<RcpName>().is_ok(),
    );
    agree(
        api::parse_record("name", text).is_ok(),
        text.parse::<RecordName>().is_ok(),
    );
    assert_eq!(CURSORS.open(text), None, "nobody makes a cursor");
    let opened = CURSORS.open_for(parent.as_bytes(), text);
    assert_eq!(opened, None, "nobody makes a page token");
    if let Some(end) = end_of_day(text) {
        assert_eq!(end.0 % (24 * 3_600 * 1_000), 0, "a day ends at midnight");
    }
}

fn reads_back<T: PartialEq + Debug>(first: &T, again: Option<T>) {
    assert_eq!(Some(first), again.as_ref(), "what was written reads back");
}

/// The configuration of a node.
pub fn config(bytes: &[u8]) {
    let Some(config) = text_of(bytes).and_then(|text| Config::parse(text).ok()) else {
        return;
    };
    let text = config.text(Path::new("")).expect("it can be written");
    reads_back(&config, Config::parse(&text).ok());
}

/// The profile of a client.
pub fn profile(bytes: &[u8]) {
    let Some(text) = text_of(bytes) else { return };
    let Ok(profile) = Profile::parse(Path::new("client.toml"), text) else {
        return;
    };
    let key = profile.server_key.to_string();
    let token = "a".to_owned();
    let again = Profile::new(&profile.address, &key, token).expect("it reads back");
    assert_eq!(again.address, profile.address);
    assert_eq!(again.server_key, profile.server_key);
    assert_eq!(format!("{:?}", profile.token), "Secret(not shown)");
}

/// A filter, and the words of a search: what is read reads again as the same from its print.
pub fn filter(bytes: &[u8]) {
    let Some(text) = text_of(bytes) else { return };
    for reader in [Reader::Secretariat, Reader::Anyone] {
        let read = Filter::parse(text, &reader);
        let parsed = aip_160::parse_filter_with_max_depth(text, FILTER_DEPTH_MAX);
        if let (Ok(read), Ok(parsed)) = (read, parsed) {
            let printed = parsed.to_string();
            if printed.len() <= FILTER_BYTES_MAX {
                reads_back(&read, Filter::parse(&printed, &reader).ok());
            }
        }
    }
    if let Ok(query) = Query::parse(text) {
        let words = query.words.join(" ");
        if words.len() <= QUERY_BYTES_MAX {
            let again = Query::parse(&words).map(|query| query.words);
            assert_eq!(again, Ok(query.words), "folded words stay as they are");
        }
    }
}

/// The certificate that a peer shows, before anything is known of it.
pub fn certificate(bytes: &[u8]) {
    let _ = certificate_key_hash(bytes);
}
