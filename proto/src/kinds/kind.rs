//! The kinds by their numbers, which are signed, and their names.
//!
//! It imports nothing of the crate. **Invariant:** no number is ever used twice, and no kind is
//! known here without its rule on history.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident = $code:literal, $name:literal;)*) => {
        /// What a record is. The number stands in the signed header.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Kind { $($(#[$doc])* $kind,)* }

        impl Kind {
            /// All kinds, ascending by number.
            pub const ALL: &'static [Self] = &[$(Self::$kind,)*];

            /// Its number.
            pub const fn code(self) -> u16 {
                match self { $(Self::$kind => $code,)* }
            }

            /// The kind with that number; `None` for one that this version does not know.
            pub const fn from_code(code: u16) -> Option<Self> {
                match code { $($code => Some(Self::$kind),)* _ => None }
            }

            /// Its name in the API, the console and the command line.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$kind => $name,)* }
            }
        }
    };
}

kinds! {
    /// Something that was done and can be done elsewhere.
    Practice = 1, "practice";
    /// Something learned.
    Lesson = 2, "lesson";
    /// What others are advised to do.
    Recommendation = 3, "recommendation";
    /// How others are advised to do it.
    Guideline = 4, "guideline";
    /// Who an RCP is.
    Profile = 5, "profile";
    /// A term of an RCP's glossary.
    Term = 6, "term";
    /// How two terms relate.
    Mapping = 7, "mapping";
    /// A meeting.
    Meeting = 8, "meeting";
    /// An invitation to a meeting, or a request for one.
    Invitation = 9, "invitation";
    /// What was presented on an invitation.
    Presentation = 10, "presentation";
    /// Observer status that an RCP grants to another.
    ObserverGrant = 11, "observer_grant";
    /// A joint text for a global forum.
    Contribution = 12, "contribution";
    /// An RCP's position on one exact contribution.
    Endorsement = 13, "endorsement";
    /// A review of progress by objective.
    Review = 14, "review";
    /// A role mailbox.
    Contact = 15, "contact";
    /// What an RCP does about another's record.
    Act = 16, "act";
}

impl Kind {
    /// Whether a newcomer is given superseded versions too. An endorsement names an exact version
    /// of a contribution, so both must stay to be compared; of other kinds the newest is enough.
    pub const fn keeps_history(self) -> bool {
        matches!(self, Self::Contribution | Self::Endorsement)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A word that names no kind.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("\"{0}\" is no kind of record; use one such as practice, lesson or recommendation")]
pub struct UnknownKind(String);

impl FromStr for Kind {
    type Err = UnknownKind;

    fn from_str(name: &str) -> Result<Self, UnknownKind> {
        let found = Self::ALL.iter().find(|kind| kind.name() == name);
        found.copied().ok_or_else(|| UnknownKind(name.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_names_are_as_signed() {
        let table: Vec<_> = Kind::ALL
            .iter()
            .map(|k| format!("{} {k}", k.code()))
            .collect();
        assert_eq!(
            table.join(", "),
            "1 practice, 2 lesson, 3 recommendation, 4 guideline, 5 profile, 6 term, 7 mapping, \
             8 meeting, 9 invitation, 10 presentation, 11 observer_grant, 12 contribution, \
             13 endorsement, 14 review, 15 contact, 16 act"
        );
    }

    #[test]
    fn number_and_name_lead_back_to_the_kind() {
        for kind in Kind::ALL {
            assert_eq!(Kind::from_code(kind.code()), Some(*kind));
            assert_eq!(kind.name().parse(), Ok(*kind));
        }
        assert_eq!(Kind::from_code(0), None);
        assert_eq!(Kind::from_code(17), None);
        assert!("Practice".parse::<Kind>().is_err());
    }

    #[test]
    fn only_what_is_endorsed_keeps_history() {
        let kept: Vec<_> = Kind::ALL
            .iter()
            .filter(|kind| kind.keeps_history())
            .collect();
        assert_eq!(kept, [&Kind::Contribution, &Kind::Endorsement]);
    }
}
