//! The store of a real node, looked at by `verify-store` and damaged on purpose.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use corridor_proto::line::WithdrawalReason;
use corridor_store::{Finding, Report, verify_store};
use corridor_tests::nodes::{Office, until};

fn verify(office: &Office) -> Result<Report> {
    Ok(verify_store(&office.data(), &mut |_, _| {})?)
}

fn segment(office: &Office) -> PathBuf {
    office.data().join("journal").join("00000000.seg")
}

/// Where the first of these bytes is in the first segment.
fn find(office: &Office, needle: &[u8]) -> Result<usize> {
    let bytes = fs::read(segment(office))?;
    let mut windows = bytes.windows(needle.len());
    windows
        .position(|window| window == needle)
        .context("the bytes are not there")
}

/// Changes bytes of the first segment.
fn change(office: &Office, change: impl FnOnce(&mut Vec<u8>)) -> Result<()> {
    let mut bytes = fs::read(segment(office))?;
    change(&mut bytes);
    Ok(fs::write(segment(office), bytes)?)
}

/// Two offices that exchanged two records, one of them withdrawn, and where its text was with the
/// reader.
async fn exchange() -> Result<(Office, Office, usize)> {
    let owner = Office::open("Owner", true).await?;
    let reader = Office::open("Reader", true).await?;
    owner.befriend(&reader).await?;
    let public = owner.circle("public")?;
    let kept = owner.publish("Canary-kept", &[public]).await?;
    let gone = owner.publish("Canary-gone", &[public]).await?;
    until("both arrive", || {
        reader.holds(&owner, kept) && reader.holds(&owner, gone)
    })
    .await?;
    let place = find(&reader, b"Canary-gone")?;
    owner
        .desk()
        .withdraw(gone, None, WithdrawalReason::Error, None, None)
        .await?;
    until("one is erased", || {
        !reader.has_bytes(b"Canary-gone").unwrap_or(true)
    })
    .await?;
    Ok((owner, reader, place))
}

/// The same, now closed.
async fn after_an_exchange() -> Result<(Office, Office, usize)> {
    let (mut owner, mut reader, place) = exchange().await?;
    owner.close().await?;
    reader.close().await?;
    Ok((owner, reader, place))
}

fn says(found: &[Finding], place: &str, words: &str) -> bool {
    let fits = |one: &Finding| one.place.contains(place) && one.what.contains(words);
    found.iter().any(fits)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sound_store_has_no_findings() -> Result<()> {
    let (owner, reader, _) = after_an_exchange().await?;
    for office in [&owner, &reader] {
        let report = verify(office)?;
        assert_eq!(report.findings, Vec::new());
        assert!(report.signatures > 5 && report.lines > 3 && report.bodies > 0);
        assert!(report.roots > 2 && report.entries > 1, "{report:?}");
        assert!(report.erasures > 0, "{report:?}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_text_is_named() -> Result<()> {
    let (_, reader, _) = after_an_exchange().await?;
    let at = find(&reader, b"Canary-kept")?;
    change(&reader, |bytes| bytes[at] ^= 1)?;
    let findings = verify(&reader)?.findings;
    assert_eq!(findings.len(), 1, "{findings:?}");
    assert!(says(&findings, "record ", "its content is damaged"));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_line_makes_the_journal_read_only_and_is_named() -> Result<()> {
    let (owner, _, _) = after_an_exchange().await?;
    // The first frame behind the segment's header: the first key event.
    change(&owner, |bytes| bytes[60] ^= 1)?;
    let report = verify(&owner)?;
    let words = "the journal is read-only from now on; restore a backup";
    assert!(says(&report.findings, "00000000.seg", words), "{report:?}");
    assert!(says(&report.notes, "index", "not compared"), "{report:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn erased_bytes_that_are_back_are_erased_again_and_said() -> Result<()> {
    let (_, reader, place) = after_an_exchange().await?;
    let erasures = verify(&reader)?.erasures;
    let text = b"Canary-gone";
    change(&reader, |bytes| {
        bytes[place..place + text.len()].copy_from_slice(text);
    })?;
    let report = verify(&reader)?;
    assert_eq!(report.findings, Vec::new());
    assert!(says(&report.notes, "journal", "erasures done once more"));
    assert_eq!(report.erasures, erasures);
    assert!(!reader.has_bytes(text)?);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn erased_bytes_that_are_back_in_a_damaged_journal_are_named() -> Result<()> {
    let (mut owner, mut reader, place) = exchange().await?;
    let public = owner.circle("public")?;
    let last = owner.publish("Canary-last", &[public]).await?;
    until("it arrives", || reader.holds(&owner, last)).await?;
    owner.close().await?;
    reader.close().await?;
    // The line of the last record; the record itself was written after it.
    let line = find(&reader, last.as_bytes())?;
    change(&reader, |bytes| bytes[line] ^= 1)?;
    let report = verify(&reader)?;
    assert_eq!(report.findings.len(), 1, "{report:?}");
    assert_eq!(report.erasures, 0, "none was made sure of");
    assert!(says(&report.notes, "journal", "not confirmed"));
    let text = b"Canary-gone";
    change(&reader, |bytes| {
        bytes[place..place + text.len()].copy_from_slice(text);
    })?;
    let report = verify(&reader)?;
    assert_eq!(report.findings.len(), 2, "{report:?}");
    let words = "it was erased and its bytes are there; nothing was overwritten";
    assert!(says(&report.findings, "record ", words), "{report:?}");
    assert!(reader.has_bytes(text)?, "a damaged journal is left alone");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_that_a_crash_cut_short_is_a_note() -> Result<()> {
    let (owner, _, _) = after_an_exchange().await?;
    change(&owner, |bytes| bytes.extend(b"half a frame"))?;
    let report = verify(&owner)?;
    assert_eq!(report.findings, Vec::new());
    let words = "a write of 12 bytes that never reached its end was cut off";
    assert!(says(&report.notes, "00000000.seg", words), "{report:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_index_is_said_and_costs_nothing() -> Result<()> {
    let (_, mut reader, _) = after_an_exchange().await?;
    let index = reader.data().join("index");
    fs::remove_dir_all(&index)?;
    let findings = verify(&reader)?.findings;
    assert_eq!(findings.len(), 1, "{findings:?}");
    let words = "it is missing; the next start rebuilds it";
    assert!(says(&findings, "index", words), "{findings:?}");
    assert!(!index.exists(), "nothing is made");
    reader.reopen().await?;
    reader.close().await?;
    assert_eq!(verify(&reader)?.findings, Vec::new());
    Ok(())
}

/// Every file of a folder with its bytes.
fn files(folder: &Path) -> Result<BTreeMap<PathBuf, Vec<u8>>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(files(&path)?);
        } else {
            found.insert(path.clone(), fs::read(&path)?);
        }
    }
    Ok(found)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_index_that_cannot_be_opened_is_said_and_left_as_it_is() -> Result<()> {
    let (_, mut reader, _) = after_an_exchange().await?;
    let index = reader.data().join("index");
    // What this process had open of it is closed by then.
    verify(&reader)?;
    fs::write(index.join("conf"), b"no configuration of an index")?;
    let before = files(&index)?;
    let findings = verify(&reader)?.findings;
    assert_eq!(findings.len(), 1, "{findings:?}");
    assert!(says(&findings, "index", "it cannot be opened"));
    assert!(says(&findings, "index", "the next start rebuilds it"));
    assert_eq!(files(&index)?, before);
    reader.reopen().await?;
    reader.close().await?;
    assert_eq!(verify(&reader)?.findings, Vec::new());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_index_that_a_crash_left_behind_is_a_note() -> Result<()> {
    let (mut owner, _, _) = after_an_exchange().await?;
    verify(&owner)?;
    let index = owner.data().join("index");
    let earlier = files(&index)?;
    owner.reopen().await?;
    let public = owner.circle("public")?;
    owner.publish("Canary-last", &[public]).await?;
    owner.close().await?;
    assert!(!says(&verify(&owner)?.notes, "index", ""));
    fs::remove_dir_all(&index)?;
    fs::create_dir_all(index.join("blobs"))?;
    for (path, bytes) in earlier {
        fs::write(path, bytes)?;
    }
    let report = verify(&owner)?;
    assert_eq!(report.findings, Vec::new());
    assert!(says(
        &report.notes,
        "index",
        "groups of the journal that it has not seen"
    ));
    assert!(report.entries > 0, "it was compared as of then");
    Ok(())
}
