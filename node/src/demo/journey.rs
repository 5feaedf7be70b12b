//! The journey of one record: what its reader's store has of it, verified once more from the bytes.

use corridor_proto::charter::Charter;
use corridor_proto::checkpoint::{Held, SignedCheckpoint, VerifiedCheckpoint};
use corridor_proto::line::{Act as LineAct, ReadLine, read_line};
use corridor_proto::record::{SignedRecord, VerifiedRecord};
use corridor_proto::tree::{leaf_hash, verify_inclusion};
use corridor_proto::{Hash, LogId, RcpId, Reason, Refusal};
use corridor_rules::Rows;
use corridor_rules::row::RecordKey;
use corridor_rules::serve::Source;
use corridor_store::View;

use super::script::{Act, Part, Script};
use super::stage::{Actor, Stage};

/// The reader whose copy is followed, if it takes part.
const READER: &str = "almaty";

/// A record as its reader's store has it, with all that should prove it; not yet judged here.
struct Luggage {
    charter: Charter,
    record: SignedRecord,
    log: LogId,
    index: u64,
    line: Vec<u8>,
    head: String,
    path: Vec<Hash>,
}

/// The journey of the revised record or, where its receipt is not there yet, of one whose is.
pub fn follow(stage: &Stage, script: &Script) -> Option<Vec<String>> {
    let mut due: Vec<(String, String)> = script.rights(Act::Last).texts.into_keys().collect();
    let revised = script.parts.get(&Part::Revised);
    due.sort_by_key(|(reader, id)| (Some(id) != revised, reader != READER));
    let mut without = None;
    for (reader, id) in due {
        let Some((author, key)) = stage.owner(script, &id) else {
            continue;
        };
        let Some(reader) = stage.actors.get(&reader) else {
            continue;
        };
        let Some(luggage) = reader.node.desk.store().read(|view| pack(view, &key)) else {
            continue;
        };
        let receipt = receipt(author, &reader.rcp, &luggage);
        let title = format!("{id}, from {} to {}", author.acronym, reader.acronym);
        let story = [vec![title], tell(&luggage), say_receipt(&receipt)].concat();
        if receipt.is_ok() {
            return Some(story);
        }
        without.get_or_insert(story);
    }
    without
}

fn pack(view: &View<'_>, key: &RecordKey) -> Option<Luggage> {
    let row = view.row(key)?;
    let stand = row.current(|_| true)?;
    let log = view.logs.get(&stand.log)?;
    let head = log.held_head.as_ref()?;
    let mut lines = view
        .lines(&log.id, stand.index, stand.index + 1)
        .into_iter();
    Some(Luggage {
        charter: view.charter(&key.rcp)?.clone(),
        record: view.record(row.body(&stand.version_hash)?.place)?,
        log: log.id,
        index: stand.index,
        line: lines.next()?,
        path: log.tree.inclusion(stand.index, head.checkpoint.size)?,
        head: head.note.clone(),
    })
}

impl Luggage {
    /// Judges all of it by the author's charter.
    fn verify(&self) -> Result<(VerifiedRecord, VerifiedCheckpoint), Refusal> {
        let record = self.record.clone().verify(&self.charter)?;
        let publishes = LineAct::Publish {
            version_hash: record.version_hash(),
            record: record.header().record,
            version: record.header().version,
        };
        match read_line(&self.line)? {
            ReadLine::Line(line) if line.act == publishes => {}
            _ => return Err(Refusal::new("line", Reason::WrongHash)),
        }
        let checkpoint =
            SignedCheckpoint::parse(self.head.as_bytes())?.verify_head(&self.charter)?;
        let head = checkpoint.checkpoint();
        if head.log != self.log {
            return Err(Refusal::new("checkpoint", Reason::WrongLog));
        }
        let leaf = leaf_hash(&self.line);
        verify_inclusion(&leaf, self.index, head.size, &head.root, &self.path)?;
        Ok((record, checkpoint))
    }
}

fn tell(luggage: &Luggage) -> Vec<String> {
    let (record, checkpoint) = match luggage.verify() {
        Ok(verified) => verified,
        Err(refusal) => return vec![format!("NOT verified: {refusal}")],
    };
    let short = |text: String| text.chars().take(16).collect::<String>();
    let (header, head) = (record.header(), checkpoint.checkpoint());
    vec![
        format!("author      {}", header.rcp),
        format!("record      {}, version {}", header.record, header.version),
        format!(
            "signature   verified by the author's charter, key event {}",
            header.key_seq
        ),
        format!(
            "body        {} bytes; verified by the salted hash in the signed header",
            record.signed().body.len()
        ),
        format!(
            "line        {} of log {}…; verified to publish version hash {}…",
            luggage.index,
            short(luggage.log.to_string()),
            short(record.version_hash().to_string())
        ),
        format!(
            "inclusion   verified: {} hashes from leaf {}…",
            luggage.path.len(),
            short(leaf_hash(&luggage.line).to_string())
        ),
        format!(
            "            to root {}… at size {}",
            short(head.root.to_string()),
            head.size
        ),
        format!(
            "checkpoint  of that root; signature verified, by the author's current key, event {}",
            checkpoint.key_seq()
        ),
    ]
}

/// The reader's receipt for the line as the author's store has it, which took in none whose
/// signature is not the reader's; or the size that its newest one reaches to.
fn receipt(author: &Actor, reader: &RcpId, luggage: &Luggage) -> Result<Held, u64> {
    author.node.desk.store().read(|view| {
        let held = view.held.get(&(luggage.log, *reader)).ok_or(0u64)?;
        let size = held.checkpoint.size;
        let root = view
            .logs
            .get(&luggage.log)
            .and_then(|log| log.tree.root_at(size));
        if size > luggage.index && root == Some(held.checkpoint.root) {
            Ok(held.clone())
        } else {
            Err(size)
        }
    })
}

fn say_receipt(receipt: &Result<Held, u64>) -> Vec<String> {
    match receipt {
        Ok(held) => vec![
            format!(
                "receipt     in the author's store: the reader's cosignature under size {}, that",
                held.checkpoint.size
            ),
            "            it holds these lines and has carried out every withdrawal in them".into(),
        ],
        Err(size) => vec![
            format!("receipt     not there yet: the newest one covers the first {size} lines;"),
            "            where nothing was withdrawn, one comes at most once a minute".into(),
        ],
    }
}

#[cfg(test)]
mod tests {
    use super::super::DemoError;
    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn a_journey_says_what_was_verified_and_what_was_not() -> Result<(), DemoError> {
        let scratch = tempfile::tempdir().expect("folder");
        let rcps = ["add", "bali"].map(str::to_owned).into();
        let script = Script::new(&rcps)?;
        let mut stage = Stage::empty();
        stage.build(&scratch.path().join("demo"), &script).await?;
        assert!(stage.play(&script).await?.converged);
        let (author, key) = stage
            .owner(&script, &script.parts[&Part::Widened])
            .expect("record");
        let mut readers = stage.actors.values();
        let reader = readers
            .find(|actor| actor.rcp != author.rcp)
            .expect("reader");
        let pack = || {
            let luggage = reader.node.desk.store().read(|view| pack(view, &key));
            luggage.expect("the reader holds it")
        };
        let says = |spoil: fn(&mut Luggage), expect: &str| {
            let mut luggage = pack();
            spoil(&mut luggage);
            let told = tell(&luggage).join("\n");
            assert!(told.contains(expect), "{told}");
        };
        says(|_| {}, "signature verified, by the author's current key");
        says(|l| l.record.body.push(0), "NOT verified: record body");
        // The version hash in it, and its random bytes.
        says(|l| l.line[30] ^= 1, "NOT verified: line");
        says(|l| l.line[15] ^= 1, "NOT verified: inclusion");
        says(|l| l.index += 1, "NOT verified: inclusion");
        says(|l| l.path.truncate(0), "NOT verified: inclusion");
        says(|l| l.head.truncate(100), "NOT verified: checkpoint");

        // The withdrawal in that log brought the receipt at once; nobody else sent one.
        let there = |receipt: Result<Held, u64>| say_receipt(&receipt).join(" ");
        let luggage = pack();
        let is_there = |_: &Stage| receipt(author, &reader.rcp, &luggage).is_ok();
        stage.until("the receipt is there", is_there).await?;
        let told = there(receipt(author, &reader.rcp, &luggage));
        assert!(told.contains("holds these lines"), "{told}");
        let told = there(receipt(author, &author.rcp, &luggage));
        assert!(told.contains("not there yet"), "{told}");
        stage.end().await
    }
}
