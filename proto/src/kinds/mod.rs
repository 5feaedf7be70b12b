//! The kinds of record: what each may say, the checks made when we author one, and what is shown
//! of one that came from elsewhere.
//!
//! It imports the generated messages, their descriptors and the limits of this crate, nothing else
//! of it. **Invariant:** the checks of authoring never judge what was received: no function here
//! takes a received body and answers "refuse". A body from elsewhere is shown, or said to need a
//! newer version, or said to be unreadable.

mod checks;
mod date;
mod envelope;
mod kind;
mod lesson;
mod outside;
mod practice;
mod profile;
mod recommendation;
mod shape;
mod shown;
mod texts;
mod tidy;
mod violation;
mod vocabulary;

#[cfg(test)]
mod properties;
#[cfg(test)]
mod samples;
#[cfg(test)]
mod tests;

pub use checks::EXAMPLE_BEGINS;
pub use kind::{Kind, UnknownKind};
pub use outside::{check_names, check_note};
pub use shown::{Shown, Summary, summarise};
pub use tidy::Tidy;
pub use violation::{FieldViolation, Link};
pub use vocabulary::{GCM_OBJECTIVES, countries, gcm_principles, is_country, is_gcm_principle};

use prost::Message;

use crate::limits::BODY_BYTES_MAX;
use crate::v1;
use checks::Checks;

/// What was asked for, or every rule that the body breaks.
pub type Outcome<T> = Result<T, Vec<FieldViolation>>;

/// A body that passed the checks of authoring, and what a decision about publishing it needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authored {
    /// Every record that the body names, ascending, each once. A link may only point from the
    /// narrower circle to the wider one; who publishes asks for each of these.
    pub links: Vec<Link>,
    /// Every attachment that the body names, ascending, each once.
    pub attachments: Vec<[u8; 32]>,
}

/// Checks a body that we are about to sign.
///
/// Takes the encoded message of the kind and gives what it names.
///
/// # Errors
/// Every rule that the body breaks, in the order of its fields (the first thousand).
pub fn check(kind: Kind, body: &[u8]) -> Outcome<Authored> {
    match Authoring::of(kind) {
        Some(authoring) => (authoring.check)(body),
        None => Err(vec![cannot_author(kind)]),
    }
}

/// Writes a body in the form that the checks ask for, as far as that needs no judgement: texts in
/// NFC and trimmed, tags and codes in canonical case, texts and sets sorted, fields in order.
///
/// Takes and gives an encoded message of the kind. A body that is already in that form is given
/// back as it is.
///
/// # Errors
/// What `check` says of a body that is no message of that kind, or has fields unknown here.
pub fn canonical(kind: Kind, body: &[u8]) -> Outcome<Vec<u8>> {
    match Authoring::of(kind) {
        Some(authoring) => (authoring.canonical)(body),
        None => Err(vec![cannot_author(kind)]),
    }
}

/// The message of a kind.
trait Body: Message + Default + Tidy {
    /// Its name in the descriptors.
    const MESSAGE: &'static str;

    /// The rules of authoring, each field in order.
    fn check(&self, checks: &mut Checks);

    /// What lists and screens show.
    fn into_summary(self, kind: Kind) -> Summary;
}

/// What this version can do with one kind.
struct Authoring {
    check: fn(&[u8]) -> Outcome<Authored>,
    canonical: fn(&[u8]) -> Outcome<Vec<u8>>,
    summarise: fn(Kind, &[u8]) -> Option<Summary>,
}

impl Authoring {
    /// `None` for a kind that this version does not author.
    fn of(kind: Kind) -> Option<Self> {
        match kind {
            Kind::Practice => Some(Self::with::<v1::Practice>()),
            Kind::Lesson => Some(Self::with::<v1::Lesson>()),
            Kind::Recommendation | Kind::Guideline => Some(Self::with::<v1::Recommendation>()),
            Kind::Profile => Some(Self::with::<v1::Profile>()),
            _ => None,
        }
    }

    const fn with<B: Body>() -> Self {
        Self {
            check: check_as::<B>,
            canonical: canonical_as::<B>,
            summarise: |kind, body| Some(B::decode(body).ok()?.into_summary(kind)),
        }
    }
}

fn check_as<B: Body>(body: &[u8]) -> Outcome<Authored> {
    let message: B = decode(body)?;
    let mut checks = Checks::default();
    message.check(&mut checks);
    checks.finish()
}

fn canonical_as<B: Body>(body: &[u8]) -> Outcome<Vec<u8>> {
    let mut message: B = decode(body)?;
    message.tidy();
    Ok(message.encode_to_vec())
}

fn decode<B: Body>(body: &[u8]) -> Outcome<B> {
    if body.len() > BODY_BYTES_MAX {
        let what = format!("has {} bytes; {BODY_BYTES_MAX} are the most", body.len());
        return Err(vec![FieldViolation::new(
            "",
            what,
            "move long texts into an attachment",
        )]);
    }
    shape::check(B::MESSAGE, body)?;
    B::decode(body).map_err(|_| vec![FieldViolation::malformed("")])
}

fn cannot_author(kind: Kind) -> FieldViolation {
    let what = format!("is of the kind {kind}, which this version cannot author yet");
    FieldViolation::new("", what, "update this node")
}
