//! Starts: each time a node starts it makes a random number, and signs it for its peers.
//!
//! A peer gives the last number back that it saw. One that is good and that the folder does not
//! know proves that another copy of the folder has run (PROTOCOL.md, "Clones"). **Invariant:** the
//! word of a peer alone proves nothing; only our own key does.

use crate::charter::Charter;
use crate::domain::Domain;
use crate::id::{RcpId, StartNumber};
use crate::key::{SecretKey, Signature};
use crate::layout::Writer;
use crate::refusal::{Reason, Refusal};

const WHAT: &str = "start number";

/// What is signed: format, RCP, start number.
fn layout(rcp: &RcpId, number: &StartNumber) -> Vec<u8> {
    Writer::new()
        .u8(crate::limits::FORMAT)
        .bytes(rcp.as_bytes())
        .bytes(number.as_bytes())
        .finish()
}

/// Signs a start number for the node of `rcp`.
pub fn sign_start(key: &SecretKey, rcp: &RcpId, number: &StartNumber) -> Signature {
    key.sign(Domain::Start, &layout(rcp, number))
}

/// Verifies a start number by the keys of its RCP that are not declared compromised, the newest
/// first.
///
/// # Errors
/// `BadSignature` if none of them signed it.
pub fn verify_start(
    charter: &Charter,
    number: &StartNumber,
    signature: &Signature,
) -> Result<(), Refusal> {
    let bytes = layout(&charter.rcp(), number);
    charter
        .keys_newest_first()
        .filter(|(seq, _)| !charter.is_compromised(*seq))
        .find_map(|(_, key)| key.verify(WHAT, Domain::Start, &bytes, signature).ok())
        .ok_or_else(|| Refusal::new(WHAT, Reason::BadSignature))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::charter::SignedKeyEvent;

    fn key(byte: u8) -> SecretKey {
        SecretKey::from_seed(&[byte; 32])
    }

    fn rotated(compromised: Option<u32>) -> Charter {
        let mut charter =
            Charter::verify(vec![SignedKeyEvent::inception(&key(1), &key(2))]).expect("charter");
        let next = key(4).public_bytes();
        let event = SignedKeyEvent::rotation(&charter, &key(2), &key(3), &next, compromised);
        charter.push(event.expect("rotation")).expect("push");
        charter
    }

    #[test]
    fn a_start_is_proved_by_any_key_that_was_not_stolen() {
        let number = StartNumber::new([7; 16]);
        let (charter, robbed) = (rotated(None), rotated(Some(0)));
        for byte in [1, 3] {
            let signature = sign_start(&key(byte), &charter.rcp(), &number);
            assert_eq!(verify_start(&charter, &number, &signature), Ok(()));
            let known = verify_start(&robbed, &number, &signature).is_ok();
            assert_eq!(known, byte == 3);
            let other = StartNumber::new([8; 16]);
            assert!(verify_start(&charter, &other, &signature).is_err());
        }
        let stranger = sign_start(&key(9), &charter.rcp(), &number);
        let refused = Refusal::new(WHAT, Reason::BadSignature);
        assert_eq!(verify_start(&charter, &number, &stranger), Err(refused));
    }
}
