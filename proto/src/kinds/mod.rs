//! The kinds of record: what each may say, the checks made when we author one, and what is shown
//! of one that came from elsewhere.
//!
//! It imports the generated messages, their descriptors and the limits of this crate, nothing else
//! of it. **Invariant:** the checks of authoring never judge what was received: no function here
//! takes a received body and answers "refuse". A body from elsewhere is shown, or said to need a
//! newer version, or said to be unreadable.

mod act;
mod checks;
mod clearance;
mod contact;
mod contents;
mod contribution;
mod date;
mod envelope;
mod glossary;
mod kind;
mod lesson;
mod meeting;
mod named;
mod observer_grant;
mod outside;
mod practice;
mod profile;
mod recommendation;
mod review;
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
pub use clearance::with_clearance;
pub use contents::{Contents, contents};
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
    (Authoring::of(kind).check)(body)
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
    (Authoring::of(kind).canonical)(body)
}

/// The name of the message of a kind in the descriptors, without its package.
pub const fn message_name(kind: Kind) -> &'static str {
    Authoring::of(kind).message
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

/// What can be done with bodies of one kind.
struct Authoring {
    message: &'static str,
    check: fn(&[u8]) -> Outcome<Authored>,
    canonical: fn(&[u8]) -> Outcome<Vec<u8>>,
    summarise: fn(Kind, &[u8]) -> Option<Summary>,
}

impl Authoring {
    const fn of(kind: Kind) -> Self {
        match kind {
            Kind::Practice => Self::with::<v1::Practice>(),
            Kind::Lesson => Self::with::<v1::Lesson>(),
            Kind::Recommendation | Kind::Guideline => Self::with::<v1::Recommendation>(),
            Kind::Profile => Self::with::<v1::Profile>(),
            Kind::Term => Self::with::<v1::Term>(),
            Kind::Mapping => Self::with::<v1::Mapping>(),
            Kind::Meeting => Self::with::<v1::Meeting>(),
            Kind::Invitation => Self::with::<v1::MeetingInvitation>(),
            Kind::Presentation => Self::with::<v1::Presentation>(),
            Kind::ObserverGrant => Self::with::<v1::ObserverGrant>(),
            Kind::Contribution => Self::with::<v1::Contribution>(),
            Kind::Endorsement => Self::with::<v1::Endorsement>(),
            Kind::Review => Self::with::<v1::Review>(),
            Kind::Contact => Self::with::<v1::Contact>(),
            Kind::Act => Self::with::<v1::Act>(),
        }
    }

    const fn with<B: Body>() -> Self {
        Self {
            message: B::MESSAGE,
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
