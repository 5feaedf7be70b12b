//! Ed25519 keys and the one rule by which a signature counts: strict verification.
//!
//! Strict means: the key and the commitment of the signature are not of small order, all encodings
//! are canonical, and the equation holds without the cofactor (`verify_strict` of ed25519-dalek,
//! with the key's canonical form demanded on top). **Invariant:** no other file of the workspace
//! verifies or makes an Ed25519 signature, and none is verified in batches, whose verdict differs.

use std::fmt;

use ed25519_dalek::{Signer, SigningKey, VerifyingKey};

use crate::domain::{self, Domain};
use crate::refusal::{Reason, Refusal};

/// A signature's 64 bytes.
pub type Signature = [u8; 64];

/// An absent signature: the first key event has no recovery signature.
pub const NO_SIGNATURE: Signature = [0; 64];

/// A public key that strict verification can accept.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PublicKey(VerifyingKey);

impl PublicKey {
    /// Decodes a public key.
    ///
    /// # Errors
    /// `WeakKey` for a key of small order, not on the curve or not in canonical form.
    pub fn from_bytes(what: &'static str, bytes: &[u8; 32]) -> Result<Self, Refusal> {
        let weak = Refusal::new(what, Reason::WeakKey);
        if !is_canonical(bytes) {
            return Err(weak);
        }
        let key = VerifyingKey::from_bytes(bytes).map_err(|_| weak)?;
        if key.is_weak() {
            Err(weak)
        } else {
            Ok(Self(key))
        }
    }

    /// The key's 32 bytes.
    pub fn to_bytes(self) -> [u8; 32] {
        self.0.to_bytes()
    }

    /// Verifies a signature over `bytes` made for `domain`.
    ///
    /// # Errors
    /// `BadSignature`, about `what`.
    pub fn verify(
        &self,
        what: &'static str,
        domain: Domain,
        bytes: &[u8],
        signature: &Signature,
    ) -> Result<(), Refusal> {
        self.verify_message(what, &domain::message(domain, bytes), signature)
    }

    /// Verifies a signature over a whole message: checkpoints and cosignatures have their own form.
    ///
    /// # Errors
    /// `BadSignature`, about `what`.
    pub fn verify_message(
        &self,
        what: &'static str,
        message: &[u8],
        signature: &Signature,
    ) -> Result<(), Refusal> {
        let signature = ed25519_dalek::Signature::from_bytes(signature);
        self.0
            .verify_strict(message, &signature)
            .map_err(|_| Refusal::new(what, Reason::BadSignature))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "PublicKey({})",
            data_encoding::HEXLOWER.encode(self.0.as_bytes())
        )
    }
}

/// Whether the y coordinate is below p = 2^255 - 19 (RFC 8032, 5.1.3). That a zero x has no sign
/// need not be looked at: the two points that have it are of small order.
fn is_canonical(bytes: &[u8; 32]) -> bool {
    bytes[31] & 0x7f != 0x7f || bytes[1..31].iter().any(|b| *b != 0xff) || bytes[0] < 0xed
}

/// A private key; it leaves memory when dropped and is never shown.
pub struct SecretKey(SigningKey);

impl SecretKey {
    /// From 32 secret random bytes.
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        Self(SigningKey::from_bytes(seed))
    }

    /// The 32 secret bytes, to be written to a key file.
    pub fn seed(&self) -> [u8; 32] {
        self.0.to_bytes()
    }

    /// The public key's 32 bytes.
    pub fn public_bytes(&self) -> [u8; 32] {
        self.0.verifying_key().to_bytes()
    }

    /// The public key.
    pub fn public(&self) -> PublicKey {
        PublicKey(self.0.verifying_key())
    }

    /// Signs `bytes` for `domain`.
    pub(crate) fn sign(&self, domain: Domain, bytes: &[u8]) -> Signature {
        self.sign_message(&domain::message(domain, bytes))
    }

    /// Signs a whole message that this crate composed from typed parts.
    ///
    /// Not public: a node never signs bytes that somebody else composed.
    pub(crate) fn sign_message(&self, message: &[u8]) -> Signature {
        self.0.sign(message).to_bytes()
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretKey(not shown)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[derive(serde::Deserialize)]
    struct Case {
        key: String,
        sig: String,
        msg: String,
        #[serde(default)]
        flags: Option<Vec<String>>,
    }

    fn unhex<const N: usize>(text: &str) -> [u8; N] {
        let bytes = data_encoding::HEXLOWER
            .decode(text.as_bytes())
            .expect("hex");
        bytes.try_into().expect("length")
    }

    fn strict(key: &[u8; 32], message: &[u8], signature: &Signature) -> bool {
        PublicKey::from_bytes("key", key)
            .and_then(|key| key.verify_message("signature", message, signature))
            .is_ok()
    }

    #[test]
    fn a_coordinate_from_the_prime_up_is_not_canonical_whatever_its_sign() {
        let key = |first: u8, last: u8| {
            let mut bytes = [0xff; 32];
            (bytes[0], bytes[31]) = (first, last);
            is_canonical(&bytes)
        };
        for sign in [0, 0x80] {
            assert!(!key(0xed, 0x7f | sign) && !key(0xf0, 0x7f | sign));
            assert!(key(0xff, 0x7e | sign) && key(0xff, sign));
            assert!(key(0xec, 0x7f | sign));
            let mut below = [0xff; 32];
            (below[17], below[31]) = (0xfe, 0x7f | sign);
            assert!(is_canonical(&below));
        }
    }

    #[test]
    fn a_zero_x_with_a_sign_is_no_key() {
        let mut one = [0; 32];
        one[0] = 1;
        let mut minus_one = [0xff; 32];
        (minus_one[0], minus_one[31]) = (0xec, 0x7f);
        for mut y in [one, minus_one] {
            for sign in [0, 0x80] {
                y[31] |= sign;
                let refusal = Refusal::new("key", Reason::WeakKey);
                assert_eq!(PublicKey::from_bytes("key", &y), Err(refusal));
            }
        }
    }

    #[test]
    fn a_secret_key_is_what_was_written() {
        let seed = [7; 32];
        assert_eq!(SecretKey::from_seed(&seed).seed(), seed);
    }

    /// C2SP CCTV: what strict verification must refuse is marked by flags; anything else is good.
    #[test]
    fn the_914_edge_cases_of_cctv_get_the_strict_verdict() {
        let cases: Vec<Case> =
            serde_json::from_str(include_str!("../vectors/external/cctv-ed25519.json"))
                .expect("json");
        assert_eq!(cases.len(), 914);
        let refused = [
            "low_order_A",
            "low_order_R",
            "low_order_residue",
            "non_canonical_A",
            "non_canonical_R",
            "reencoded_k",
        ];
        let mut verdicts: BTreeMap<bool, usize> = BTreeMap::new();
        for case in cases {
            let flags = case.flags.unwrap_or_default();
            let expect = !flags.iter().any(|flag| refused.contains(&flag.as_str()));
            let found = strict(&unhex(&case.key), case.msg.as_bytes(), &unhex(&case.sig));
            assert_eq!(found, expect, "{flags:?} {} {}", case.key, case.sig);
            *verdicts.entry(found).or_default() += 1;
        }
        assert!(verdicts[&true] > 0 && verdicts[&false] > 0);
    }

    /// ed25519-speccheck: of its twelve cases a strict verifier accepts the mixed-order ones that
    /// hold without the cofactor, and nothing else.
    #[test]
    fn the_12_cases_of_speccheck_get_the_strict_verdict() {
        #[derive(serde::Deserialize)]
        struct Spec {
            message: String,
            pub_key: String,
            signature: String,
        }
        let cases: Vec<Spec> =
            serde_json::from_str(include_str!("../vectors/external/speccheck-ed25519.json"))
                .expect("json");
        let verdicts: Vec<bool> = cases
            .iter()
            .map(|case| {
                let message = data_encoding::HEXLOWER
                    .decode(case.message.as_bytes())
                    .expect("hex");
                strict(&unhex(&case.pub_key), &message, &unhex(&case.signature))
            })
            .collect();
        let mut expect = [false; 12];
        expect[3] = true;
        assert_eq!(verdicts, expect);
    }

    #[test]
    fn a_signature_for_one_domain_serves_no_other() {
        let key = SecretKey::from_seed(&[7; 32]);
        let signature = key.sign(Domain::Record, b"bytes");
        for domain in Domain::ALL {
            let verdict = key.public().verify("thing", *domain, b"bytes", &signature);
            assert_eq!(verdict.is_ok(), *domain == Domain::Record, "{domain:?}");
        }
    }

    #[test]
    fn a_secret_key_is_never_shown() {
        assert_eq!(
            format!("{:?}", SecretKey::from_seed(&[7; 32])),
            "SecretKey(not shown)"
        );
    }
}
