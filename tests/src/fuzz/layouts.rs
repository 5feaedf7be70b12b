//! What is signed or hashed in a layout of its own. Everything that is signed has one encoding:
//! what was read is written back byte for byte.

use corridor_proto::card::Card;
use corridor_proto::charter::KeyEvent;
use corridor_proto::line::{ReadLine, ReaderList, read_line};
use corridor_proto::record::Header;

/// A record's header.
pub fn header(bytes: &[u8]) {
    if let Ok(header) = Header::decode(bytes) {
        assert_eq!(header.encode(), bytes, "a header has one encoding");
    }
}

/// A line of a log.
pub fn line(bytes: &[u8]) {
    match read_line(bytes) {
        Ok(ReadLine::Line(line)) => assert_eq!(line.encode(), bytes, "a line has one encoding"),
        Ok(ReadLine::NotUnderstood { .. }) => {}
        Err(_) => assert!(bytes.is_empty() || bytes.len() > 256, "every line is kept"),
    }
}

/// A reader list.
pub fn readers(bytes: &[u8]) {
    let Ok(list) = ReaderList::decode(bytes) else {
        return;
    };
    let again = list.encode().expect("what was read can be written");
    assert_eq!(again, bytes, "a reader list has one encoding");
    for (rcp, until) in &list.readers {
        assert_eq!(until.0 == 0, list.admits(rcp, *until), "a right ends");
    }
}

/// A key event.
pub fn key_event(bytes: &[u8]) {
    if let Ok(event) = KeyEvent::decode(bytes) {
        assert_eq!(event.encode(), bytes, "a key event has one encoding");
    }
}

/// A card.
pub fn card(bytes: &[u8]) {
    if let Ok(card) = Card::decode(bytes) {
        let again = card.encode().expect("what was read can be written");
        assert_eq!(again, bytes, "a card has one encoding");
    }
}
