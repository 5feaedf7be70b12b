//! What may be wrong with a node and the machine under it, each thing in plain words with what was
//! seen and what to do: it can be forwarded as it is to whoever keeps the machine.
//!
//! A running node is asked by its status file and its listeners, one that is stopped by its store.
//! **Invariant:** nothing is changed, no server outside is asked but those that this node names to
//! its partners and those that they name, and no secret is read out.

mod files;
mod network;
mod node;

use std::path::Path;

use corridor_proto::UnixMillis;
use serde::Serialize;

use super::layers::Effective;
pub use network::from_here;
pub use node::{Found, find};

/// What came of one look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// As it should be.
    Fine,
    /// Somebody should look at it; the node does its work.
    Look,
    /// The node cannot do its work.
    Broken,
}

impl Verdict {
    /// The word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Fine => "fine",
            Self::Look => "look",
            Self::Broken => "broken",
        }
    }
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Check {
    /// Which thing, in one word.
    pub check: &'static str,
    /// What came of it.
    pub verdict: Verdict,
    /// What was seen.
    pub evidence: String,
    /// What to do; empty if nothing.
    pub remedy: String,
}

impl Check {
    fn fine(check: &'static str, evidence: impl Into<String>) -> Self {
        Self {
            check,
            verdict: Verdict::Fine,
            evidence: evidence.into(),
            remedy: String::new(),
        }
    }

    fn look(check: &'static str, evidence: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            verdict: Verdict::Look,
            remedy: remedy.into(),
            ..Self::fine(check, evidence)
        }
    }

    fn broken(check: &'static str, evidence: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            verdict: Verdict::Broken,
            ..Self::look(check, evidence, remedy)
        }
    }
}

/// Looks at everything. `config`: the configuration that counts, or what is wrong with it; `proxy`:
/// the variables of the environment that name a proxy.
pub async fn examine(
    data: &Path,
    config: Result<Effective, String>,
    proxy: &[(String, String)],
    now: UnixMillis,
) -> Vec<Check> {
    let mut checks = Vec::new();
    let config = match config {
        Ok(effective) => {
            checks.push(Check::fine("configuration", "It can be used as it is."));
            effective.config
        }
        Err(wrong) => {
            let remedy = "Mend these lines; corridor-node config check says whether it is done.";
            checks.push(Check::broken("configuration", wrong, remedy));
            // The rest is looked at as if nothing were configured.
            super::config::Config::default()
        }
    };
    let found = node::find(data, now);
    checks.extend(node::checks(&found, now));
    checks.push(node::clock(data, &found, now));
    checks.extend(files::checks(data, &found, now));
    checks.extend(network::checks(data, &config, &found, proxy).await);
    checks
}

/// A time in milliseconds for people, in UTC to the minute.
pub fn shown(ms: u64) -> String {
    crate::status::shown(UnixMillis(ms))
}

/// A number of bytes for people.
pub fn size(bytes: u64) -> String {
    let (unit, name) = match bytes >> 20 {
        0 => return format!("{} KiB", bytes.div_ceil(1 << 10)),
        1..1024 => (20, "MiB"),
        _ => (30, "GiB"),
    };
    let tenths = (bytes >> (unit - 10)) * 10 / 1_024;
    format!("{}.{} {name}", tenths / 10, tenths % 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_times_are_for_people() {
        for (bytes, said) in [
            (0, "0 KiB"),
            (1_000, "1 KiB"),
            (1 << 20, "1.0 MiB"),
            (1_600 << 10, "1.5 MiB"),
            (64 << 20, "64.0 MiB"),
            (5 << 29, "2.5 GiB"),
        ] {
            assert_eq!(size(bytes), said);
        }
        assert_eq!(shown(1_800_000_000_000), "2027-01-15 08:00 UTC");
    }
}
