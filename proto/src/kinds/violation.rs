//! What is wrong with a field, and what a body names.
//!
//! It imports nothing of the crate. **Invariant:** a violation carries no content of the record,
//! only the place, the rule and the way out, so it may be logged and sent as an error detail.

use std::fmt;

/// A rule of authoring that a field breaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldViolation {
    /// Where, by the names of the `.proto` file: `title[1].text`. Empty for the body as a whole.
    pub field: String,
    /// What is wrong, as a predicate: "is missing".
    pub what: String,
    /// What to do next.
    pub remedy: String,
}

impl FieldViolation {
    pub(super) fn new(
        field: impl Into<String>,
        what: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self {
            field: field.into(),
            what: what.into(),
            remedy: remedy.into(),
        }
    }

    pub(super) fn malformed(field: impl Into<String>) -> Self {
        Self::new(
            field,
            "is not a well-formed message of this kind",
            "encode the message that corridor.v1 defines for the kind",
        )
    }
}

impl fmt::Display for FieldViolation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let field = if self.field.is_empty() {
            "the body"
        } else {
            &self.field
        };
        write!(f, "{field} {}; {}", self.what, self.remedy)
    }
}

/// A record that a body names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Link {
    /// RcpId of its owner.
    pub rcp: [u8; 32],
    /// Its record id within that RCP.
    pub record: [u8; 16],
}
