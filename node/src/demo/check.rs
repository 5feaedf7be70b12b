//! Every store compared with the script: who holds too much, who too little.

use std::collections::{BTreeMap, BTreeSet};

use corridor_proto::RecordId;
use corridor_rules::row::RecordKey;

use super::DemoError;
use super::script::{Script, WITHDRAWN};
use super::stage::Stage;

/// What the comparison found.
#[derive(Debug, Default)]
pub struct Findings {
    /// Records of others held, over all nodes.
    pub received: usize,
    /// Records whose text is gone everywhere, as it should be.
    pub withdrawn: usize,
    /// Reader and record: held without being entitled.
    pub leaks: BTreeSet<(String, String)>,
    /// Reader and record: due and not held.
    pub missing: BTreeSet<(String, String)>,
}

impl Findings {
    /// Whether every node holds exactly what is due.
    pub fn is_clean(&self) -> bool {
        self.leaks.is_empty() && self.missing.is_empty()
    }
}

/// Compares the store of every node with the script.
///
/// # Errors
/// [`DemoError::Store`] if an index cannot be read.
pub fn check(stage: &Stage, script: &Script) -> Result<Findings, DemoError> {
    let due = script.due();
    let names: BTreeMap<RecordId, &String> = stage
        .records
        .iter()
        .map(|(name, record)| (*record, name))
        .collect();
    let mut found = Findings::default();
    let mut withdrawn_texts = 0;
    for (reader, actor) in &stage.actors {
        let held = actor.node.desk.store().read(|view| {
            let mut held: Vec<(RecordKey, bool)> = Vec::new();
            for (key, row) in view.rows(None) {
                let text = row.versions.iter().any(|version| !version.erased);
                let current = row.current(|_| true).map_or(0, |stand| stand.version);
                let newest = row
                    .versions
                    .iter()
                    .any(|v| !v.erased && v.version == current);
                if text {
                    held.push((key, newest));
                }
            }
            Ok::<_, corridor_store::StoreError>(held)
        })?;
        for (key, newest) in held {
            let Some(name) = names.get(&key.record) else {
                continue;
            };
            withdrawn_texts += usize::from(name.as_str() == WITHDRAWN);
            if key.rcp == actor.rcp {
                continue;
            }
            let place = (reader.clone(), (*name).clone());
            if !due.contains_key(&place) {
                found.leaks.insert(place);
            } else if newest {
                found.received += 1;
            }
        }
    }
    for (place, due) in &due {
        if !holds(stage, script, place, due.publications) {
            found.missing.insert(place.clone());
        }
    }
    if stage.records.contains_key(WITHDRAWN) && withdrawn_texts == 0 {
        found.withdrawn = 1;
    }
    Ok(found)
}

/// Whether a reader holds the newest version that its owner published.
fn holds(stage: &Stage, script: &Script, place: &(String, String), publications: usize) -> bool {
    let find = || {
        let (reader, name) = place;
        let owner = stage.actors.get(&script.records.get(name)?.rcp)?;
        let key = RecordKey {
            rcp: owner.rcp,
            record: *stage.records.get(name)?,
        };
        let row = |actor: &super::stage::Actor| {
            actor
                .node
                .desk
                .store()
                .read(|view| corridor_rules::Rows::row(view, &key))
        };
        let (ours, theirs) = (row(owner)?, row(stage.actors.get(reader)?)?);
        let newest = ours.versions.last()?;
        (ours.versions.len() == publications).then_some(())?;
        theirs.body(&newest.version_hash).map(|_| ())
    };
    find().is_some()
}
