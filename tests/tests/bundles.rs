//! Two nodes that cannot meet, and the files that they exchange.
//!
//! They are paired over a line that is cut then, so that whatever reaches the other came in a file.

#![allow(clippy::expect_used)]

#[path = "bundles/bad.rs"]
mod bad;
#[path = "bundles/far.rs"]
mod far;
#[path = "bundles/orders.rs"]
mod orders;
#[path = "bundles/pieces.rs"]
mod pieces;

use anyhow::{Context, Result, ensure};
use corridor_client::{ClientError, v1};
use corridor_node::demo::records::demonstration_records;
use corridor_proto::line::WithdrawalReason;
use corridor_proto::{LogId, RcpId};
use corridor_rules::desk::Wish;
use corridor_tests::command::corridor;
use corridor_tests::nodes::{Office, until};
use corridor_tests::wire::Wire;

/// Bytes of a file in one message.
const PIECE: usize = 256 * 1024;

/// Two offices that know each other and cannot meet, and the line that is cut between them.
pub async fn apart() -> Result<(Office, Office, Wire)> {
    let (one, line) = Office::open_behind_a_line("Abu Dhabi Dialogue").await?;
    let other = Office::open("Bali Process", false).await?;
    one.befriend(&other).await?;
    for (office, of) in [(&one, &other), (&other, &one)] {
        until("each has shown what it holds", || {
            let exchange = &office.node().exchange;
            exchange.statuses.of(&of.rcp).has_shown
        })
        .await?;
    }
    line.cut();
    until("they are apart", || {
        !one.node().exchange.is_connected(&other.rcp)
            && !other.node().exchange.is_connected(&one.rcp)
    })
    .await?;
    Ok((one, other, line))
}

/// What a bundle for a partner is to be.
pub fn order(to: RcpId) -> v1::MakeBundleRequest {
    v1::MakeBundleRequest {
        name: format!("rcps/{to}"),
        ..v1::MakeBundleRequest::default()
    }
}

/// A bundle with all that a partner may read.
pub fn everything(to: RcpId) -> v1::MakeBundleRequest {
    v1::MakeBundleRequest {
        everything: true,
        ..order(to)
    }
}

/// Makes a bundle, and says what the node says of it.
pub async fn make(
    office: &Office,
    order: v1::MakeBundleRequest,
) -> Result<(Vec<u8>, v1::Bundle), ClientError> {
    let client = office.client().await.expect("a client");
    let mut making = client.make_bundle(order).await?;
    let (mut file, mut made) = (Vec::new(), None);
    while let Some(part) = making.next().await? {
        file.extend(part.chunk);
        made = part.bundle.or(made);
    }
    Ok((file, made.expect("what is in it")))
}

fn chunks(file: &[u8]) -> impl tokio_stream::Stream<Item = Vec<u8>> + Send + 'static + use<> {
    let pieces: Vec<Vec<u8>> = file.chunks(PIECE).map(<[u8]>::to_vec).collect();
    tokio_stream::iter(pieces)
}

pub async fn inspect(office: &Office, file: &[u8]) -> Result<v1::Bundle, ClientError> {
    let client = office.client().await.expect("a client");
    client.inspect_bundle(chunks(file)).await
}

pub async fn import(office: &Office, file: &[u8]) -> Result<v1::Bundle, ClientError> {
    let client = office.client().await.expect("a client");
    let mut importing = client.import_bundle(chunks(file)).await?;
    let mut taken = None;
    while let Some(answer) = importing.next().await? {
        taken = answer.bundle.or(taken);
    }
    Ok(taken.expect("what came of it"))
}

/// Makes a bundle at one office and takes it in at the other.
pub async fn carry(from: &Office, to: &Office) -> Result<v1::Bundle> {
    let (file, _) = make(from, order(to.rcp)).await?;
    let taken = import(to, &file).await?;
    ensure!(taken.refused.is_empty(), "{:?}", taken.refused);
    Ok(taken)
}

/// Why something was refused.
pub fn reason<T: std::fmt::Debug>(outcome: Result<T, ClientError>) -> String {
    outcome.expect_err("refused").reason().to_owned()
}

/// How much of a log a partner confirmed to hold, as its owner knows it.
pub fn confirmed(owner: &Office, log: LogId, by: &Office) -> u64 {
    let held = owner.desk().store().read(|view| {
        let held = view.held.get(&(log, by.rcp));
        held.map(|held| held.checkpoint.size)
    });
    held.unwrap_or(0)
}

/// Lines of a log, as a node has it.
pub fn size(office: &Office, log: LogId) -> u64 {
    let store = office.desk().store();
    store.read(|view| view.logs.get(&log).map_or(0, |log| log.size()))
}

/// Opens a closed circle for readers.
pub async fn closed(office: &Office, name: &str, readers: &[&Office]) -> Result<LogId> {
    let wish = Wish::OpenCircle {
        name: name.to_owned(),
        open: false,
        relay: false,
    };
    office.desk().wish(wish).await?;
    if !readers.is_empty() {
        office.admit(name, readers).await?;
    }
    office.circle(name)
}

/// What is in a bundle: all that its reader may read, once, and nothing else.
#[tokio::test(flavor = "multi_thread")]
async fn a_bundle_holds_what_its_reader_may_read_and_nothing_else() -> Result<()> {
    let (one, other, _line) = apart().await?;
    let drafting = closed(&one, "drafting", &[&other]).await?;
    let secret = closed(&one, "secret", &[]).await?;
    let public = one.circle("public")?;
    one.publish("For the drafting group", &[drafting]).await?;
    one.publish("For everybody", &[public, drafting]).await?;
    one.publish("Canary-kept-at-home", &[secret]).await?;
    let (file, made) = make(&one, order(other.rcp)).await?;
    assert_eq!(made.sender_name, "Abu Dhabi Dialogue");
    assert_eq!(usize::try_from(made.bytes)?, file.len());
    let clear = pieces::clear(&other, &file)?;
    let count = |needle: &[u8]| {
        let windows = clear.windows(needle.len());
        windows.filter(|at| *at == needle).count()
    };
    assert_eq!(count(b"For the drafting group"), 1);
    assert_eq!(
        count(b"For everybody"),
        1,
        "a text of two circles travels once"
    );
    assert_eq!(count(b"Canary-kept-at-home"), 0);
    let seed = one
        .desk()
        .store()
        .read(|view| view.logs.get(&secret).map(|log| log.seed));
    assert_eq!(count(secret.as_bytes()), 0, "it is in no frame");
    assert_eq!(count(seed.context("a seed")?.as_bytes()), 0);
    let found = inspect(&other, &file).await?;
    assert_eq!((&found.id, found.remark.as_str()), (&made.id, ""));
    let texts: u64 = found.circles.iter().map(|circle| circle.new_texts).sum();
    assert_eq!(texts, 2);
    let problems = found.circles.iter().map(|circle| circle.problem.as_str());
    ensure!(problems.clone().all(str::is_empty), "{found:?}");
    assert_eq!(size(&other, drafting), 0, "looking changes nothing");
    Ok(())
}

/// Records, circles, a withdrawal and receipts, all of it by file.
#[tokio::test(flavor = "multi_thread")]
async fn two_that_never_meet_share_withdraw_and_confirm() -> Result<()> {
    let (one, other, _line) = apart().await?;
    let drafting = closed(&one, "drafting", &[&other]).await?;
    let public = one.circle("public")?;
    let shared = one.publish("For the drafting group", &[drafting]).await?;
    let open = one.publish("For everybody", &[public, drafting]).await?;
    let back = other
        .publish("From the other side", &[other.private(&one)?])
        .await?;
    let taken = carry(&one, &other).await?;
    assert_eq!(taken.texts_missing, 0);
    ensure!(other.holds(&one, shared) && other.holds(&one, open));
    assert_eq!(size(&other, drafting), size(&one, drafting));

    carry(&other, &one).await?;
    ensure!(one.holds(&other, back));
    assert_eq!(confirmed(&one, drafting, &other), size(&one, drafting));
    let (_, again) = make(&one, order(other.rcp)).await?;
    let lines: u64 = again.circles.iter().map(|circle| circle.lines).sum();
    assert_eq!(lines, 0, "nothing is sent that was confirmed");
    let (_, all) = make(&one, everything(other.rcp)).await?;
    let texts: u64 = all.circles.iter().map(|circle| circle.texts).sum();
    assert_eq!(texts, 2);

    one.desk()
        .withdraw(shared, None, WithdrawalReason::StateRequest, None, None)
        .await?;
    carry(&one, &other).await?;
    ensure!(!other.holds(&one, shared));
    until("the text is erased", || {
        let has = other.has_bytes(b"For the drafting group");
        !has.unwrap_or(true)
    })
    .await?;
    carry(&other, &one).await?;
    assert_eq!(confirmed(&one, drafting, &other), size(&one, drafting));
    Ok(())
}

/// The records of the demonstration, both ways.
#[tokio::test(flavor = "multi_thread")]
async fn the_records_of_two_processes_travel_both_ways() -> Result<()> {
    let (one, other, _line) = apart().await?;
    let mut published = Vec::new();
    for record in demonstration_records()? {
        let (office, reader) = match record.rcp.as_str() {
            "add" => (&one, &other),
            "bali" => (&other, &one),
            _ => continue,
        };
        let circles = vec![office.circle("public")?, office.private(reader)?];
        let desk = office.desk();
        let saved = desk.save_draft(None, record.kind, record.body).await?;
        desk.publish(saved, Some(circles)).await?;
        published.push((office, reader, saved));
    }
    ensure!(published.len() > 4, "{}", published.len());
    carry(&one, &other).await?;
    carry(&other, &one).await?;
    for (office, reader, record) in published {
        ensure!(reader.holds(office, record), "{record}");
    }
    Ok(())
}

/// A node that was started anew cannot know whether its folder is the newest; its partner's answer
/// to a later bundle says so.
#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_was_started_anew_needs_a_persons_word_once() -> Result<()> {
    let (mut one, other, _line) = apart().await?;
    one.close().await?;
    one.reopen().await?;
    one.publish("After the start", &[one.circle("public")?])
        .await?;
    assert_eq!(reason(make(&one, order(other.rcp)).await), "NOT_HEARD_FROM");
    // Made before this start was seen: that proves nothing.
    carry(&other, &one).await?;
    assert_eq!(reason(make(&one, order(other.rcp)).await), "NOT_HEARD_FROM");
    let by_word = v1::MakeBundleRequest {
        not_heard_from: true,
        ..order(other.rcp)
    };
    let (file, _) = make(&one, by_word).await?;
    import(&other, &file).await?;
    carry(&other, &one).await?;
    make(&one, order(other.rcp)).await?;
    Ok(())
}

/// The same by the command line, as a secretariat does it.
#[tokio::test(flavor = "multi_thread")]
async fn a_secretariat_sends_and_takes_bundles_by_its_command_line() -> Result<()> {
    let (one, other, _line) = apart().await?;
    let record = one.publish("By hand", &[one.circle("public")?]).await?;
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("for-bali.corridor");
    let run = async |office: &Office, words: &str| {
        let profile = office.profile();
        corridor(&format!(
            "corridor --profile \"{}\" bundle {words}",
            profile.display()
        ))
        .await
    };
    let export = format!("export --to {} --out \"{}\"", other.rcp, file.display());
    let (code, said) = run(&one, &export).await;
    ensure!(code == 0 && said.contains("public"), "{said}");
    let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&file)?.permissions());
    assert_eq!(mode & 0o777, 0o600);
    let (code, said) = run(&one, &export).await;
    ensure!(code == 2 && said.contains("is there already"), "{said}");
    let (code, said) = run(&other, &format!("inspect \"{}\"", file.display())).await;
    ensure!(code == 0 && said.contains("Nothing was changed"), "{said}");
    ensure!(said.contains("public  1 of 1 line new"), "{said}");
    let (code, said) = run(&one, &format!("inspect \"{}\"", file.display())).await;
    ensure!(code == 7 && said.contains("is for another node"), "{said}");
    let (code, said) = run(&other, &format!("import \"{}\" --json", file.display())).await;
    ensure!(code == 0, "{said}");
    let told: serde_json::Value = serde_json::from_str(said.lines().last().context("a line")?)?;
    ensure!(told["bundle"]["circles"][0]["newTexts"] == "1", "{told}");
    ensure!(other.holds(&one, record));
    let (code, said) = run(&other, &format!("import \"{}\"", file.display())).await;
    ensure!(code == 0 && said.contains("here already"), "{said}");
    let count = std::fs::read_dir(folder.path())?.count();
    assert_eq!(count, 1, "nothing half-written is left beside it");
    Ok(())
}
