//! Every store compared with the script: who holds too much, who too little.

use std::collections::{BTreeMap, BTreeSet};

use corridor_proto::LogId;
use corridor_rules::row::{RecordKey, RecordRow};
use corridor_rules::serve::Source;
use corridor_rules::{Place, Rows};
use corridor_store::{StoreError, View};

use super::script::{Act, Circle, Part, Rights, Script};
use super::stage::{Actor, Stage};

/// What the comparison found.
#[derive(Debug, Default)]
pub struct Findings {
    /// Records of others held, over all nodes.
    pub received: usize,
    /// Records withdrawn whose text is gone everywhere, as it should be.
    pub withdrawn: usize,
    /// Reader and what it has without a right to it: a record's text or trace, or a log.
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

/// The script's names for what lies in the stores.
struct Names {
    records: BTreeMap<RecordKey, String>,
    logs: BTreeMap<LogId, (String, Circle)>,
}

/// Compares the store of every node with what the script says of an act.
///
/// # Errors
/// [`StoreError`] if an index cannot be read.
pub fn check(stage: &Stage, script: &Script, act: Act) -> Result<Findings, StoreError> {
    let rights = script.rights(act);
    let key = |name: &String| stage.owner(script, name).map(|(_, key)| key);
    let known = stage.records.keys();
    let names = Names {
        records: known
            .filter_map(|name| Some((key(name)?, name.clone())))
            .collect(),
        logs: stage.logs(),
    };
    let withdrawn = script
        .playing(Part::Withdrawn)
        .filter(|_| act == Act::Last)
        .map(|record| &record.id);
    let mut found = Findings::default();
    for (reader, actor) in &stage.actors {
        let leaks = actor.node.desk.store().read(|view| {
            let mut leaks = too_much(view, reader, &names, &rights)?;
            // Not even its owner keeps the text of a withdrawn record.
            let own = withdrawn.and_then(|id| Some((id, view.row(&key(id)?)?)));
            leaks.extend(own.and_then(|(id, row)| has_text(view, &row).then(|| id.clone())));
            Ok::<_, StoreError>(leaks)
        })?;
        let leaks = leaks.into_iter().map(|what| (reader.clone(), what));
        found.leaks.extend(leaks);
    }
    for (place, publications) in rights.texts {
        if holds(stage, script, &place, publications) {
            found.received += 1;
        } else {
            found.missing.insert(place);
        }
    }
    let is_gone = |id: &&String| {
        let owner = stage.owner(script, id);
        let row = owner.and_then(|(actor, key)| row(actor, &key));
        row.is_some_and(|row| !row.withdrawn.is_empty())
            && found.leaks.iter().all(|(_, what)| what != *id)
    };
    found.withdrawn = withdrawn.into_iter().filter(is_gone).count();
    Ok(found)
}

/// What a store has of others without a right to it: by the script's name, else by its identifier.
fn too_much(
    view: &View<'_>,
    reader: &str,
    names: &Names,
    rights: &Rights,
) -> Result<BTreeSet<String>, StoreError> {
    let mut leaks = BTreeSet::new();
    for log in view.logs.values().filter(|log| log.owner != view.me) {
        match names.logs.get(&log.id) {
            Some((owner, circle)) => {
                let right = (reader.to_owned(), owner.clone(), circle.clone());
                if !rights.logs.contains(&right) {
                    leaks.insert(format!("the log {circle} of {owner}"));
                }
            }
            None => {
                leaks.insert(format!("log {}", log.id));
            }
        }
    }
    for (key, row) in view.rows(None) {
        if key.rcp == view.me {
            continue;
        }
        let Some(name) = names.records.get(&key) else {
            leaks.insert(format!("record {} of {}", key.record, key.rcp));
            continue;
        };
        let place = (reader.to_owned(), name.clone());
        let may_know = rights.traces.contains(&place);
        if !may_know || (has_text(view, &row) && !rights.texts.contains_key(&place)) {
            leaks.insert(name.clone());
        }
    }
    Ok(leaks)
}

/// Whether any text of a record can still be read, whatever the row says of it.
fn has_text(view: &View<'_>, row: &RecordRow) -> bool {
    let reads = |place: Place| view.record(place).is_some();
    let mut versions = row.versions.iter();
    versions.any(|held| !held.erased || reads(held.place))
}

fn row(actor: &Actor, key: &RecordKey) -> Option<RecordRow> {
    actor.node.desk.store().read(|view| view.row(key))
}

/// Whether a reader holds the newest version that its owner published.
fn holds(stage: &Stage, script: &Script, place: &(String, String), publications: usize) -> bool {
    let find = || {
        let (reader, name) = place;
        let (owner, key) = stage.owner(script, name)?;
        let (ours, theirs) = (row(owner, &key)?, row(stage.actors.get(reader)?, &key)?);
        let newest = ours.versions.last()?;
        (ours.versions.len() == publications).then_some(())?;
        theirs.body(&newest.version_hash).map(|_| ())
    };
    find().is_some()
}
