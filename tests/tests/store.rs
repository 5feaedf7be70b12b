//! The store of a real node, looked at by `verify-store` and damaged on purpose.

use anyhow::Result;
use corridor_proto::line::WithdrawalReason;
use corridor_store::{Report, verify_store};
use corridor_tests::nodes::{Office, until};

fn verify(office: &Office) -> Result<Report> {
    Ok(verify_store(&office.data(), &mut |_, _| {})?)
}

/// Two offices that exchanged three records, one of them withdrawn, now closed.
async fn after_an_exchange() -> Result<(Office, Office)> {
    let mut owner = Office::open("Owner", true).await?;
    let mut reader = Office::open("Reader", true).await?;
    owner.befriend(&reader).await?;
    let public = owner.circle("public")?;
    let kept = owner.publish("Canary-kept", &[public]).await?;
    let gone = owner.publish("Canary-gone", &[public]).await?;
    until("both arrive", || {
        reader.holds(&owner, kept) && reader.holds(&owner, gone)
    })
    .await?;
    owner
        .desk()
        .withdraw(gone, None, WithdrawalReason::Error, None, None)
        .await?;
    until("one is erased", || {
        !reader.has_bytes(b"Canary-gone").unwrap_or(true)
    })
    .await?;
    owner.close().await?;
    reader.close().await?;
    Ok((owner, reader))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sound_store_has_no_findings() -> Result<()> {
    let (owner, reader) = after_an_exchange().await?;
    for office in [&owner, &reader] {
        let report = verify(office)?;
        assert_eq!(report.findings, Vec::new());
        assert!(report.signatures > 5 && report.lines > 3 && report.bodies > 0);
        assert!(report.erasures > 0 && report.rows > 1, "{report:?}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_text_is_named() -> Result<()> {
    let (_, reader) = after_an_exchange().await?;
    let segment = reader.data().join("journal").join("00000000.seg");
    let mut bytes = std::fs::read(&segment)?;
    let needle = b"Canary-kept";
    let at = bytes
        .windows(needle.len())
        .position(|window| window == needle)
        .expect("the text");
    bytes[at] ^= 1;
    std::fs::write(&segment, bytes)?;
    let report = verify(&reader)?;
    assert_eq!(report.findings.len(), 1, "{:?}", report.findings);
    assert!(
        report.findings[0].what.contains("damaged"),
        "{:?}",
        report.findings
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_line_makes_the_journal_read_only_and_is_named() -> Result<()> {
    let (owner, _) = after_an_exchange().await?;
    let segment = owner.data().join("journal").join("00000000.seg");
    let mut bytes = std::fs::read(&segment)?;
    // The first frame behind the segment's header: the first key event.
    bytes[60] ^= 1;
    std::fs::write(&segment, bytes)?;
    let findings = verify(&owner)?.findings;
    assert!(
        findings
            .iter()
            .any(|found| found.place.ends_with("00000000.seg")),
        "{findings:?}"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_index_is_said_and_costs_nothing() -> Result<()> {
    let (_, mut reader) = after_an_exchange().await?;
    std::fs::remove_dir_all(reader.data().join("index"))?;
    let findings = verify(&reader)?.findings;
    assert!(
        findings.iter().any(|found| found.place == "index"),
        "{findings:?}"
    );
    reader.reopen().await?;
    reader.close().await?;
    assert_eq!(verify(&reader)?.findings, Vec::new());
    Ok(())
}
