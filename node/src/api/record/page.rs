//! Pages: how long they are, and the tokens by which they go on.
//!
//! **Invariant:** a token opens for the question that it answers and for no other, and grants
//! nothing: what may be seen is asked anew for every page.

use corridor_proto::domain::{Domain, hash};
use corridor_proto::{RcpId, RecordId};
use corridor_rules::Reader;
use corridor_rules::row::RecordKey;
use tonic::Status;

use super::super::record::cursor::Cursors;
use super::super::{names, status};

/// How many records a page is to have.
///
/// # Errors
/// `INVALID_ARGUMENT` for less than none.
pub fn size(asked: i32, usual: usize, most: usize) -> Result<usize, Status> {
    match usize::try_from(asked) {
        Ok(0) => Ok(usual),
        Ok(size) => Ok(size.min(most)),
        Err(_) => Err(status::bad_field(
            "page_size",
            "is negative; 0 is the usual size",
        )),
    }
}

/// Of which RCP; `None` for all.
///
/// # Errors
/// `INVALID_ARGUMENT` for what names none.
pub fn parent(name: &str) -> Result<Option<RcpId>, Status> {
    match name {
        "" | "rcps/-" => Ok(None),
        name => names::parse_rcp("parent", name).map(Some),
    }
}

/// What a token belongs to: the method, who asks, and everything that was asked.
pub fn question(method: &str, reader: &Reader, asked: &[&str]) -> Vec<u8> {
    let reader = match reader {
        Reader::Secretariat => "secretariat",
        Reader::Peer(_) | Reader::Anyone => "anyone",
    };
    let lengths: Vec<String> = asked.iter().map(|part| part.len().to_string()).collect();
    let lengths = lengths.join(",");
    let mut parts = vec![method, " ", reader, " ", &lengths, " "];
    parts.extend(asked);
    let parts: Vec<&[u8]> = parts.iter().map(|part| part.as_bytes()).collect();
    hash(Domain::PageToken, &parts).as_bytes().to_vec()
}

/// The token of a place.
///
/// # Errors
/// `INTERNAL` without randomness.
pub fn token(cursors: &Cursors, question: &[u8], place: &[u8]) -> Result<String, Status> {
    let sealed = cursors.seal_for(question, place);
    sealed.map_err(status::no_randomness)
}

/// The place of a token; `None` at the beginning.
///
/// # Errors
/// `INVALID_ARGUMENT` for one that is not of this question.
pub fn place<T>(
    cursors: &Cursors,
    (field, token): (&str, &str),
    question: &[u8],
    read: impl FnOnce(&[u8]) -> Option<T>,
) -> Result<Option<T>, Status> {
    if token.is_empty() {
        return Ok(None);
    }
    let place = cursors.open_for(question, token);
    let bad = || {
        status::bad_field(
            field,
            "is not one of this question at this node; begin again without it",
        )
    };
    place
        .and_then(|place| read(&place))
        .map(Some)
        .ok_or_else(bad)
}

/// A record as a place.
pub fn key_bytes(key: &RecordKey) -> Vec<u8> {
    [key.rcp.as_bytes().as_slice(), key.record.as_bytes()].concat()
}

/// The record of a place.
pub fn read_key(bytes: &[u8]) -> Option<RecordKey> {
    let (rcp, record) = bytes.split_at_checked(32)?;
    Some(RecordKey {
        rcp: RcpId::from_slice(rcp).ok()?,
        record: RecordId::from_slice(record).ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_have_a_size() {
        let of = |asked| size(asked, 20, 100).ok();
        assert_eq!(
            [of(0), of(7), of(100), of(1_000)],
            [20, 7, 100, 100].map(Some)
        );
        assert_eq!(of(-1), None);
    }

    #[test]
    fn every_part_of_a_question_counts() {
        let desk = Reader::Secretariat;
        let first = question("List", &desk, &["a", "bc"]);
        assert_eq!(first, question("List", &desk, &["a", "bc"]));
        for other in [
            question("Search", &desk, &["a", "bc"]),
            question("List", &Reader::Anyone, &["a", "bc"]),
            question("List", &desk, &["ab", "c"]),
            question("List", &desk, &["a", "bc", ""]),
        ] {
            assert_ne!(first, other);
        }
    }

    #[test]
    fn a_token_opens_for_its_question_alone() {
        let cursors = Cursors::of(b"secret").expect("key");
        let key = RecordKey {
            rcp: RcpId::new([1; 32]),
            record: RecordId::new([2; 16]),
        };
        let one = token(&cursors, b"one", &key_bytes(&key)).expect("a token");
        let open = |token: &str, question: &[u8]| {
            let place = place(&cursors, ("page_token", token), question, read_key);
            place.map_err(|status| status.code())
        };
        assert_eq!(open(&one, b"one"), Ok(Some(key)));
        assert_eq!(open("", b"one"), Ok(None));
        for (bad, question) in [(one.as_str(), b"two"), ("AAAA", b"one"), ("?", b"one")] {
            let refused = Err(tonic::Code::InvalidArgument);
            assert_eq!(open(bad, question), refused, "{bad}");
        }
    }
}
