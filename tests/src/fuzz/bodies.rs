//! Bodies of every kind: as they are authored, shown, and written in JSON.

use corridor_client::body::{from_json, to_json};
use corridor_proto::kinds::{self, Kind, Shown};
use corridor_proto::v1;
use prost::Message;

use super::Input;

/// Stands for texts that are signed outside of bodies.
const TEXTS: usize = Kind::ALL.len();

/// A kind, then a body. What passes the checks is in the one form that is authored.
pub fn body(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let choice = usize::from(input.byte());
    let body = input.rest();
    if choice == TEXTS {
        return texts(body);
    }
    let kind = Kind::ALL[choice % Kind::ALL.len()];
    if let Shown::Understood(summary) = kinds::summarise(kind.code(), body) {
        assert_eq!(summary.kind, kind);
    }
    let checked = kinds::check(kind, body);
    let Ok(canonical) = kinds::canonical(kind, body) else {
        assert!(checked.is_err(), "what cannot be read cannot be published");
        return;
    };
    let again = kinds::canonical(kind, &canonical).expect("what was written reads back");
    assert_eq!(again, canonical, "the form is one");
    if checked.is_ok() {
        assert_eq!(canonical, body, "what is published is in that form");
    }
    if let Ok(json) = to_json(kind.code(), &canonical) {
        let text = serde_json::to_vec(&json).expect("JSON");
        let back = from_json(kind, &text).expect("JSON reads back");
        assert_eq!(back, canonical, "JSON says the same");
    }
}

/// Texts that are signed outside of bodies, as an encoded note.
fn texts(bytes: &[u8]) {
    if let Ok(note) = v1::WithdrawalNote::decode(bytes) {
        let _ = kinds::check_note(&note.texts);
        let _ = kinds::check_names(&note.texts);
    }
}

/// A kind, then a body in JSON.
pub fn body_json(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let kind = Kind::ALL[usize::from(input.byte()) % Kind::ALL.len()];
    let Ok(body) = from_json(kind, input.rest()) else {
        return;
    };
    let canonical = kinds::canonical(kind, &body).expect("it was written so");
    assert_eq!(canonical, body, "JSON is written in the one form");
    let json = to_json(kind.code(), &body).expect("a body as JSON");
    let text = serde_json::to_vec(&json).expect("JSON");
    assert_eq!(from_json(kind, &text).ok(), Some(body));
}
