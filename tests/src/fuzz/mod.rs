//! Fuzz targets: a function of bytes for each decoder and parser that reads what others wrote.
//!
//! A target fails by panicking: on a panic of what it calls, or where a property does not hold that
//! it says beside. `tests/fuzz` feeds them with libFuzzer; `tests/tests/corpus.rs` replays every
//! file of `tests/corpus`, a folder a target. **Invariant:** a target is a function of its bytes
//! alone: no clock, no randomness, nothing left behind.

pub mod answers;
pub mod bodies;
pub mod bundles;
pub mod journal;
pub mod layouts;
pub mod link;
pub mod messages;
pub mod notes;
pub mod papers;
pub mod scene;
pub mod seeds;
pub mod settings;
pub mod store;
pub mod tables;
pub mod trees;

use std::path::{Path, PathBuf};

/// What is called with the bytes of an input.
pub type Target = fn(&[u8]);

/// Every target by its name, which is that of its folder in `tests/corpus`.
pub const TARGETS: [(&str, Target); 38] = [
    ("answer", answers::answer),
    ("attachment", trees::attachment),
    ("backup", store::backup),
    ("body", bodies::body),
    ("body_json", bodies::body_json),
    ("bundle", bundles::bundle),
    ("bundle_parts", bundles::bundle_parts),
    ("card", layouts::card),
    ("carry_frame", messages::carry_frame),
    ("certificate", settings::certificate),
    ("charter", papers::charter),
    ("checkpoint", notes::checkpoint),
    ("config", settings::config),
    ("evidence", notes::evidence),
    ("fact", store::fact),
    ("facts", store::facts),
    ("filter", settings::filter),
    ("header", layouts::header),
    ("held", notes::held),
    ("identity", papers::identity),
    ("ids", settings::ids),
    ("invitation", papers::invitation),
    ("journal", journal::segments),
    ("key_event", layouts::key_event),
    ("line", layouts::line),
    ("link", link::link),
    ("names", settings::names),
    ("package", trees::package),
    ("profile", settings::profile),
    ("readers", layouts::readers),
    ("record", messages::record),
    ("row", store::row),
    ("session_frame", messages::session_frame),
    ("start", papers::start),
    ("table", tables::table),
    ("table_ods", tables::table_ods),
    ("table_xlsx", tables::table_xlsx),
    ("tree", trees::tree),
];

/// A target by its name.
pub fn target(name: &str) -> Option<Target> {
    let found = TARGETS.iter().find(|(known, _)| *known == name);
    found.map(|(_, target)| *target)
}

/// The folder with a folder of inputs for each target.
pub fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus")
}

/// Takes an input apart: numbers and parts from its beginning, zeros and nothing past its end.
pub struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    /// All of an input.
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// Whether nothing is left.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The next byte.
    pub fn byte(&mut self) -> u8 {
        let [byte] = self.array();
        byte
    }

    /// The next two bytes as a number.
    pub fn short(&mut self) -> usize {
        usize::from(u16::from_be_bytes(self.array()))
    }

    /// The next eight bytes as a number.
    pub fn long(&mut self) -> u64 {
        u64::from_be_bytes(self.array())
    }

    /// So many bytes, filled up with zeros.
    pub fn array<const N: usize>(&mut self) -> [u8; N] {
        let mut array = [0; N];
        let part = self.part(N);
        array[..part.len()].copy_from_slice(part);
        array
    }

    /// The next bytes, at most so many.
    pub fn part(&mut self, most: usize) -> &'a [u8] {
        let (part, rest) = self.0.split_at(most.min(self.0.len()));
        self.0 = rest;
        part
    }

    /// The bytes behind a length of two bytes.
    pub fn counted(&mut self) -> &'a [u8] {
        let length = self.short();
        self.part(length)
    }

    /// All that is left.
    pub fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.0)
    }
}
