//! Resource names: `rcps/{rcp}` and `rcps/{rcp}/records/{record}`.
//!
//! **Invariant:** a name that parses is written back exactly as it came.

use std::fmt;
use std::str::FromStr;

use corridor_proto::{RcpId, RecordId};
use thiserror::Error;

/// A text that is no resource name.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum NameError {
    /// Not the name of an RCP.
    #[error("\"{0}\" is no name of an RCP; it looks like rcps/ and 52 letters")]
    Rcp(String),
    /// Not the name of a record.
    #[error(
        "\"{0}\" is no name of a record; it looks like rcps/, 52 letters, /records/, 26 letters"
    )]
    Record(String),
}

/// `rcps/{rcp}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RcpName(pub RcpId);

impl fmt::Display for RcpName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "rcps/{}", self.0)
    }
}

impl FromStr for RcpName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        text.strip_prefix("rcps/")
            .and_then(|id| id.parse().ok())
            .map(Self)
            .ok_or_else(|| NameError::Rcp(text.to_owned()))
    }
}

/// `rcps/{rcp}/records/{record}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecordName {
    /// Whose record.
    pub rcp: RcpId,
    /// Which of its records.
    pub record: RecordId,
}

impl fmt::Display for RecordName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "rcps/{}/records/{}", self.rcp, self.record)
    }
}

impl FromStr for RecordName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let parse = || {
            let (rcp, record) = text.strip_prefix("rcps/")?.split_once("/records/")?;
            Some(Self {
                rcp: rcp.parse().ok()?,
                record: record.parse().ok()?,
            })
        };
        parse().ok_or_else(|| NameError::Record(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_read_back_and_nothing_else_is_a_name() {
        let record = RecordName {
            rcp: RcpId::new([7; 32]),
            record: RecordId::new([9; 16]),
        };
        let rcp = RcpName(record.rcp);
        assert_eq!(record.to_string().parse(), Ok(record));
        assert_eq!(rcp.to_string().parse(), Ok(rcp));
        for bad in [
            String::new(),
            format!("{record}/"),
            record.to_string().to_ascii_uppercase(),
            rcp.to_string(),
            format!("rcps/{}/records/", record.rcp),
        ] {
            assert!(bad.parse::<RecordName>().is_err(), "{bad}");
        }
        assert!(record.to_string().parse::<RcpName>().is_err());
    }
}
