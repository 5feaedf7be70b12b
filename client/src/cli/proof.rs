//! Proofs of records: what a node proves, and files that prove it without a node.
//!
//! **Invariant:** "verified" is written only of what this program verified itself.

use std::io::Read;
use std::path::{Path, PathBuf};

use clap::Args;
use corridor_proto::Hash;
use corridor_proto::kinds::Shown;
use corridor_proto::record::Header;
use corridor_proto::tree::leaf_hash;
use serde_json::{Value, json};

use super::fail::Failure;
use super::render::{DEMONSTRATION, record_state, short, title};
use super::screen::Screen;
use super::session::{Session, Whose};
use super::status;
use crate::check::kind_word;
use crate::error::{ClientError, Fault, FaultKind};
use crate::limits::PROOF_FILE_BYTES_MAX;
use crate::names::RecordName;
use crate::proof::{VerifiedAnswer, read_proof_file};

pub(super) const EXAMPLES: &str = "Examples:\n  \
    corridor verify proof-k3v7qa.bin\n  \
    corridor verify proofs/*.bin --json";

/// What a file that verifies does not say.
const CAVEAT: &str = "A file proves what was signed, not whose key it was: compare the identifier \
    of the charter with the one that you know of the RCP. It does not say whether the key was \
    stolen, replaced or the record withdrawn since.";

#[derive(Debug, Args)]
pub(super) struct FilesArgs {
    /// Files that corridor record verify --save wrote, here or elsewhere
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
}

/// Verifies a record from what the node proves of it; saves the proof if a folder is given.
pub(super) async fn ask(
    session: &mut Session<'_>,
    record: &str,
    save_in: Option<&Path>,
) -> Result<(), Failure> {
    let name: RecordName = session.record(record, Whose::Anybodys).await?;
    let (answer, file) = match session.client.proof_file(&name).await {
        Err(error) if is_not_found(&error) => {
            return Err(without_proof(session, &name, error).await);
        }
        answer => answer?,
    };
    if !session.json {
        say(session.screen, &answer);
    }
    let saved = save_in.map(|folder| save(folder, &answer, &file));
    let saved = saved.transpose()?;
    let printed =
        session.print_json(|| Ok(json!({ "verified": told_json(&answer), "file": saved })))?;
    if printed {
        return Ok(());
    }
    session
        .screen
        .say("It says nothing about a withdrawal since; corridor record show does.");
    if let Some(saved) = saved {
        session.screen.say(format!(
            "Saved in {saved}: whoever has the file needs no node to verify it."
        ));
        session.screen.next(format!("corridor verify {saved}"));
    }
    Ok(())
}

/// Verifies files, without a node.
pub(super) fn files(args: &FilesArgs, screen: &mut Screen, json: bool) -> Result<(), Failure> {
    let (mut told, mut failed) = (Vec::new(), 0);
    for path in &args.files {
        let file = path.display().to_string();
        match read(path) {
            Ok(answer) => {
                if !json {
                    screen.data(file.clone());
                    say(screen, &answer);
                }
                told.push(json!({ "file": file, "verified": told_json(&answer) }));
            }
            Err(failure) => {
                failed += 1;
                if !json {
                    screen.data(format!("{file}\n  NOT verified"));
                    screen.say(failure.to_string());
                }
                told.push(json!({ "file": file, "error": failure.to_string() }));
            }
        }
    }
    if json {
        screen.json(&json!({ "files": told }));
    } else {
        screen.data(CAVEAT);
    }
    match failed {
        0 => Ok(()),
        failed => Err(Failure::UnprovedFiles(failed)),
    }
}

fn read(path: &Path) -> Result<VerifiedAnswer, Failure> {
    let failed = |source| Failure::File {
        path: path.to_owned(),
        source,
    };
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).map_err(failed)?;
    let mut some = file.take(PROOF_FILE_BYTES_MAX + 1);
    some.read_to_end(&mut bytes).map_err(failed)?;
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > PROOF_FILE_BYTES_MAX {
        return Err(Failure::TooLarge {
            path: path.to_owned(),
            bytes_max: PROOF_FILE_BYTES_MAX,
        });
    }
    read_proof_file(&bytes).map_err(|refusal| Failure::Proof {
        path: path.to_owned(),
        refusal,
    })
}

/// Writes a proof to a file of its own, unless it is there, and gives its path.
pub(super) fn save(folder: &Path, answer: &VerifiedAnswer, file: &[u8]) -> Result<String, Failure> {
    let record = answer.header().record.to_string();
    let hash = leaf_hash(file).to_string();
    let name = format!("proof-{}-{}.bin", short(&record), short(&hash));
    let path = folder.join(name);
    let failed = |source| Failure::File {
        path: path.clone(),
        source,
    };
    std::fs::create_dir_all(folder).map_err(failed)?;
    if !std::fs::read(&path).is_ok_and(|bytes| bytes == file) {
        // Whole or not at all, also if something of that name was cut short.
        let part = path.with_extension("part");
        std::fs::write(&part, file).map_err(failed)?;
        std::fs::rename(&part, &path).map_err(failed)?;
    }
    Ok(path.display().to_string())
}

fn say(screen: &mut Screen, answer: &VerifiedAnswer) {
    let header = answer.header();
    let head = answer.checkpoint().checkpoint();
    let charter = &answer.identity().charter;
    let row = |what: &str, how: String| vec![format!("  {what}"), how];
    screen.data(format!("{} of {}", header.record, from(answer)));
    if let Shown::Understood(summary) = answer.shown() {
        screen.data(title(&summary.title));
        if summary.demonstration {
            screen.data(DEMONSTRATION);
        }
    }
    screen.table(&[
        row(
            "signature",
            format!("version {}, by key {}", header.version, header.key_seq),
        ),
        row(
            "line",
            format!(
                "number {} of log {}",
                answer.index(),
                short(&head.log.to_string())
            ),
        ),
        row(
            "checkpoint",
            format!(
                "{} lines, by key {}, the newest in the charter",
                head.size,
                charter.current_seq()
            ),
        ),
        row("charter", format!("identifier {}", header.rcp)),
    ]);
    screen.data("verified: signature, line, checkpoint, charter");
}

pub(super) fn told_json(answer: &VerifiedAnswer) -> Value {
    let head = answer.checkpoint().checkpoint();
    let mut value = header_json(answer.header(), answer.record().version_hash());
    value["log"] = Value::String(head.log.to_string());
    value["index"] = Value::String(answer.index().to_string());
    value["logSize"] = Value::String(head.size.to_string());
    value["checkpoint"] = Value::String(answer.checkpoint().note().to_owned());
    value
}

/// What was signed, as JSON.
pub(super) fn header_json(header: &Header, version_hash: Hash) -> Value {
    json!({
        "rcp": header.rcp.to_string(),
        "record": header.record.to_string(),
        "version": header.version.to_string(),
        "kind": kind_word(header.kind),
        "timeMs": header.time.0.to_string(),
        "keySeq": header.key_seq,
        "versionHash": version_hash.to_string(),
    })
}

/// Whose record it is, by the names on the RCP's own card.
pub(super) fn from(answer: &VerifiedAnswer) -> String {
    let card = answer.identity().card.card();
    let names: Vec<_> = card.names.iter().map(status::card_name).collect();
    format!("{} ({})", title(&names), short(&card.rcp.to_string()))
}

/// Why there is no proof: a record that is there, such as a withdrawn one, has no text any more.
async fn without_proof(session: &Session<'_>, name: &RecordName, error: ClientError) -> Failure {
    match session.client.record(name).await {
        Ok(read) => Failure::NoText(record_state(read.record.state())),
        Err(_) => error.into(),
    }
}

pub(super) fn is_not_found(error: &ClientError) -> bool {
    error.fault().map(Fault::kind) == Some(FaultKind::NotFound)
}
