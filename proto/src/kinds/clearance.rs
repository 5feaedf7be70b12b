//! The clearance that readers are told, written into a text that is about to be signed.

use prost::Message;
use prost::encoding::{DecodeContext, decode_key, skip_field};

use super::{FieldViolation, Kind, Outcome, canonical};
use crate::v1;

/// What all kinds have in common: their first field.
#[derive(Clone, PartialEq, Message)]
struct Enveloped {
    #[prost(message, optional, tag = "1")]
    envelope: Option<v1::Envelope>,
}

/// Field of the envelope in every kind.
const ENVELOPE: u32 = 1;

/// A body with this clearance in its envelope instead of the one that it has.
///
/// Takes and gives an encoded message of the kind, and gives it in canonical form.
///
/// # Errors
/// As [`canonical`].
pub fn with_clearance(kind: Kind, body: &[u8], clearance: v1::Clearance) -> Outcome<Vec<u8>> {
    let body = canonical(kind, body)?;
    let malformed = |_| vec![FieldViolation::malformed("")];
    let enveloped = Enveloped::decode(body.as_slice()).map_err(malformed)?;
    let mut envelope = enveloped.envelope.unwrap_or_default();
    envelope.clearance = Some(clearance);
    let envelope = Some(envelope);
    let mut new = Enveloped { envelope }.encode_to_vec();
    new.extend(without_envelope(&body).map_err(malformed)?);
    canonical(kind, &new)
}

/// The fields of a body but its envelope, as they are.
fn without_envelope(body: &[u8]) -> Result<Vec<u8>, prost::DecodeError> {
    let (mut rest, mut out) = (body, Vec::with_capacity(body.len()));
    while !rest.is_empty() {
        let field = rest;
        let (tag, wire_type) = decode_key(&mut rest)?;
        skip_field(wire_type, tag, &mut rest, DecodeContext::default())?;
        if tag != ENVELOPE {
            let length = field.len() - rest.len();
            out.extend(field.iter().take(length));
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kinds::{check, samples};

    #[test]
    fn a_clearance_takes_the_place_of_another_and_changes_nothing_else() {
        let first = v1::Clearance {
            by_role: v1::AuthorRole::Chair.into(),
            date: "2026-01-12".to_owned(),
            reference: "ADD/12".to_owned(),
            on_behalf_of: "senior officials".to_owned(),
        };
        let second = v1::Clearance {
            by_role: v1::AuthorRole::MemberState.into(),
            date: "2026-02".to_owned(),
            ..v1::Clearance::default()
        };
        for (kind, body) in samples::all() {
            let once = with_clearance(kind, &body, first.clone()).expect("cleared");
            assert!(check(kind, &once).is_ok(), "{kind}");
            let read = |body: &[u8]| Enveloped::decode(body).expect("read").envelope;
            let told = |body: &[u8]| read(body).expect("an envelope").clearance;
            assert_eq!(told(&once), Some(first.clone()), "{kind}");
            let twice = with_clearance(kind, &once, second.clone()).expect("cleared");
            assert_eq!(told(&twice), Some(second.clone()), "{kind}");
            let rest = without_envelope(&body).expect("fields");
            assert_eq!(without_envelope(&twice).expect("fields"), rest, "{kind}");
            let without = |body: &[u8]| {
                let mut envelope = read(body).expect("an envelope");
                envelope.clearance = None;
                envelope
            };
            assert_eq!(without(&twice), without(&body), "{kind}");
        }
    }
}
