//! Kills a real node again and again while it works, and looks whether it kept what it promised.
//!
//! `kills --node PATH [--rounds N] [--seed N]`: a node of its own process publishes, withdraws and
//! drafts through its API and exchanges with a partner; SIGKILL comes at a random moment. After
//! each kill everything acknowledged must be there, and the whole store is checked. The last line
//! is one JSON object.
//!
//! **Invariant:** the node is a process of the binary under test, never a mock.
#![allow(clippy::print_stdout, clippy::expect_used)]

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use corridor_client::{Client, Profile, RecordName, WithdrawalRequest, v1};
use corridor_node::operate::config::{Config, Name};
use corridor_node::operate::init::init;
use corridor_node::operate::keys::KeyFolder;
use corridor_proto::kinds::Kind;
use corridor_proto::line::WHOLE_RECORD;
use corridor_proto::{RcpId, RecordId};
use corridor_rules::Rows;
use corridor_rules::row::RecordKey;
use corridor_rules::serve::Source;
use corridor_store::{Signer, verify_store};
use corridor_tests::nodes::{Office, PATIENCE, practice, until};
use corridor_tests::sim::rng::Rng;

/// How every title begins, and how long it is.
const TITLE: &[u8] = b"Canary-";
const TITLE_BYTES: usize = TITLE.len() + 16;
/// Tasks that work at one time.
const WORKERS: u64 = 3;
/// The latest moment of a kill after the work began.
const KILL_MS_MAX: usize = 250;

/// A running node; it is killed with SIGKILL, at the latest when it is dropped.
struct Process(Child);

impl Process {
    fn kill(mut self) -> Result<()> {
        self.0.kill()?;
        self.0.wait()?;
        Ok(())
    }
}

impl Process {
    /// Ends it as a service manager does.
    fn terminate(mut self) -> Result<()> {
        let id = self.0.id().to_string();
        let told = Command::new("kill").args(["-TERM", &id]).status()?;
        ensure!(told.success(), "it cannot be told to end");
        let ended = self.0.wait()?;
        ensure!(ended.success(), "it ends with {ended}");
        Ok(())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Gone already after `kill`.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What became of a record as far as anybody was told.
#[derive(Clone, Debug, Default)]
struct Promise {
    title: String,
    /// The text was drafted, and the answer came.
    drafted: bool,
    /// It was published, and the answer came; or nobody knows.
    published: Known,
    /// It was withdrawn, and the answer came; or nobody knows.
    withdrawn: Known,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Known {
    #[default]
    Not,
    Perhaps,
    Surely,
}

type Promises = Arc<Mutex<std::collections::BTreeMap<RecordId, Promise>>>;

struct Args {
    node: PathBuf,
    rounds: u64,
    seed: u64,
}

fn args() -> Result<Args> {
    let mut args = Args {
        node: PathBuf::new(),
        rounds: 100,
        seed: 1,
    };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let value = words
            .next()
            .with_context(|| format!("{word} needs a value"))?;
        match word.as_str() {
            "--node" => args.node = value.into(),
            "--rounds" => args.rounds = value.parse()?,
            "--seed" => args.seed = value.parse()?,
            _ => bail!("{word} is unknown; there are --node, --rounds and --seed"),
        }
    }
    ensure!(args.node.is_file(), "--node: the binary corridor-node");
    Ok(args)
}

/// The node that is killed: its folder, and how it is started.
struct Victim {
    binary: PathBuf,
    data: PathBuf,
    rcp: RcpId,
}

impl Victim {
    fn make(binary: PathBuf, folder: &Path) -> Result<Self> {
        let free = || std::net::TcpListener::bind("127.0.0.1:0")?.local_addr();
        let (peers, api) = (free()?, free()?);
        let config = Config {
            peer_listen: peers,
            api_listen: api,
            advertise: vec![peers.to_string()],
            names: vec![Name {
                tag: "en".into(),
                name: "Often killed".into(),
            }],
        };
        let data = folder.join("victim");
        let made = init(&data, &folder.join("victim-recovery.key"), &config)?;
        Ok(Self {
            binary,
            data,
            rcp: made.rcp,
        })
    }

    fn start(&self) -> Result<Process> {
        let child = Command::new(&self.binary)
            .args(["serve", "--data"])
            .arg(&self.data)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        Ok(Process(child))
    }

    /// A client, as soon as the node answers.
    async fn client(&self) -> Result<Client> {
        let profile = Profile::read(&self.data.join("client.toml"))?;
        let answered = tokio::time::timeout(PATIENCE, async {
            loop {
                if let Ok(client) = Client::connect(&profile).await
                    && client.node().await.is_ok()
                {
                    return client;
                }
                tokio::task::yield_now().await;
            }
        });
        answered.await.context("the node does not answer")
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    let args = args()?;
    let folder = tempfile::tempdir()?;
    let victim = Victim::make(args.node, folder.path())?;
    let partner = Office::open("Partner", true).await?;
    befriend(&victim, &partner).await?;
    let mut rng = Rng::new(args.seed);
    let promises = Promises::default();
    for round in 1..=args.rounds {
        kill_once(&victim, &partner, &promises, &mut rng).await?;
        check(&victim, &promises).with_context(|| format!("after kill {round}"))?;
        if round % 10 == 0 {
            println!("{round} kills");
        }
    }
    let received = rejoin(&victim, &partner, &promises).await?;
    let promises = promises.lock().expect("no panic");
    let count = |is: fn(&Promise) -> bool| promises.values().filter(|one| is(one)).count();
    println!(
        "{}",
        serde_json::json!({
            "kills": args.rounds,
            "drafted": count(|one| one.drafted),
            "published": count(|one| one.published == Known::Surely),
            "withdrawn": count(|one| one.withdrawn == Known::Surely),
            "unknown": count(|one| [one.published, one.withdrawn].contains(&Known::Perhaps)),
            "received": received,
            "violations": 0,
            "seed": args.seed,
        })
    );
    ensure!(
        count(|one| one.withdrawn == Known::Surely) > 0 && received > 0,
        "the load was too small to prove anything"
    );
    Ok(())
}

async fn befriend(victim: &Victim, partner: &Office) -> Result<()> {
    let child = victim.start()?;
    let client = victim.client().await?;
    let (invitation, _) = partner.desk().invite().await?;
    client.accept_invitation(invitation.encode()).await?;
    let me = victim.rcp;
    until("both have accepted", || {
        let state = partner.desk().store().read(|view| view.peer_state(&me));
        state == Some(corridor_rules::PeerState::Pending)
    })
    .await?;
    partner.desk().confirm(me, &me.to_string()).await?;
    let answered = tokio::time::timeout(PATIENCE, async {
        while client
            .confirm_peer(partner.rcp, &partner.rcp.to_string())
            .await
            .is_err()
        {
            tokio::task::yield_now().await;
        }
    });
    answered.await.context("the partner cannot be confirmed")?;
    client
        .add_readers("federation", &[(partner.rcp, None)])
        .await?;
    let federation = partner.circle("federation")?;
    let readers = [(me, corridor_proto::UnixMillis(0))].into();
    partner.desk().add_readers(federation, &readers).await?;
    child.kill()?;
    Ok(())
}

/// Starts the node, lets it work, and kills it.
async fn kill_once(
    victim: &Victim,
    partner: &Office,
    promises: &Promises,
    rng: &mut Rng,
) -> Result<()> {
    let child = victim.start()?;
    let first = victim.client().await?;
    let mut work = tokio::task::JoinSet::new();
    for _ in 0..WORKERS {
        let (client, promises) = (first.clone(), Arc::clone(promises));
        let rng = Rng::new(rng.draw());
        work.spawn(async move { work_on(&client, &promises, rng).await });
    }
    let federation = partner.circle("federation")?;
    partner.publish("From the partner", &[federation]).await?;
    let moment = u64::try_from(rng.below(KILL_MS_MAX))?;
    tokio::time::sleep(Duration::from_millis(moment)).await;
    child.kill()?;
    work.shutdown().await;
    Ok(())
}

/// Works until the node is gone.
async fn work_on(client: &Client, promises: &Promises, mut rng: Rng) {
    let note = |record: RecordId, change: &dyn Fn(&mut Promise)| {
        let mut promises = promises.lock().expect("no panic");
        change(promises.entry(record).or_default());
    };
    loop {
        let title = format!(
            "{}{:016x}",
            std::str::from_utf8(TITLE).expect("text"),
            rng.draw()
        );
        let Ok(draft) = client.create_draft(Kind::Practice, practice(&title)).await else {
            return;
        };
        let Ok(name) = draft.name.parse::<RecordName>() else {
            return;
        };
        note(name.record, &|one| {
            one.title.clone_from(&title);
            one.drafted = true;
        });
        if rng.chance(20) {
            continue;
        }
        note(name.record, &|one| one.published = Known::Perhaps);
        let circle = if rng.chance(50) {
            "public"
        } else {
            "federation"
        };
        if client.publish(&name, &[circle.to_owned()]).await.is_err() {
            return;
        }
        note(name.record, &|one| one.published = Known::Surely);
        if rng.chance(60) {
            continue;
        }
        note(name.record, &|one| one.withdrawn = Known::Perhaps);
        let withdrawal = WithdrawalRequest {
            up_to: None,
            code: v1::WithdrawalCode::Error,
            note: Vec::new(),
            replacement: None,
        };
        if client.withdraw(&name, withdrawal).await.is_err() {
            return;
        }
        note(name.record, &|one| one.withdrawn = Known::Surely);
    }
}

/// Everything acknowledged is there, nothing withdrawn is, and the store has no findings.
fn check(victim: &Victim, promises: &Promises) -> Result<()> {
    let keys = KeyFolder::of(&victim.data).read()?;
    let signer = Arc::new(Signer::new(keys.signing));
    let (store, opening) = corridor_store::open(&victim.data, signer, &mut |_, _| {})?;
    ensure!(opening.damage.is_empty(), "{:?}", opening.damage);
    ensure!(!opening.lost_its_end, "acknowledged writes are lost");
    let promises = promises.lock().expect("no panic");
    let mut gone = Vec::new();
    for (record, promise) in promises.iter() {
        let kept = store.read(|view| -> Result<bool> {
            let rcp = victim.rcp;
            let row = view.row(&RecordKey {
                rcp,
                record: *record,
            });
            let row = row.unwrap_or_default();
            let text = row.newest().and_then(|held| view.record(held.place));
            let is_draft = view.drafts.contains_key(record);
            let burnt = row.burnt() == WHOLE_RECORD;
            if promise.withdrawn == Known::Surely {
                ensure!(burnt, "{} was withdrawn and is not", promise.title);
            }
            if burnt {
                return Ok(false);
            }
            let published = row.current(|_| true).is_some();
            match promise.published {
                Known::Surely => ensure!(published, "{} was published", promise.title),
                Known::Perhaps => ensure!(published || is_draft, "{} is gone", promise.title),
                Known::Not => ensure!(is_draft, "the draft {} is gone", promise.title),
            }
            ensure!(
                !published || text.is_some(),
                "the text of {} is gone",
                promise.title
            );
            Ok(true)
        })?;
        if !kept {
            gone.push(promise.title.clone());
        }
    }
    store.close()?;
    drop(store);
    let report = verify_store(&victim.data, &mut |_, _| {})?;
    ensure!(report.findings.is_empty(), "{:#?}", report.findings);
    let there = titles(&victim.data.join("journal"))?;
    for title in gone {
        let is_there = there.contains(title.as_bytes());
        ensure!(!is_there, "{title} was withdrawn and is still on the disk");
    }
    Ok(())
}

/// All titles that occur anywhere in the files of a folder.
fn titles(folder: &Path) -> Result<HashSet<Vec<u8>>> {
    let mut found = HashSet::new();
    for entry in std::fs::read_dir(folder)? {
        let bytes = std::fs::read(entry?.path())?;
        let mut rest = bytes.as_slice();
        while let Some(at) = rest.iter().position(|byte| *byte == TITLE[0]) {
            rest = &rest[at..];
            if rest.starts_with(TITLE) {
                found.extend(rest.get(..TITLE_BYTES).map(<[u8]>::to_vec));
            }
            rest = &rest[1..];
        }
    }
    Ok(found)
}

/// In the end both sides hold what they should, and the partner's store is sound as well.
async fn rejoin(victim: &Victim, partner: &Office, promises: &Promises) -> Result<usize> {
    let child = victim.start()?;
    let client = victim.client().await?;
    let living: Vec<RecordId> = {
        let promises = promises.lock().expect("no panic");
        let sure = promises
            .iter()
            .filter(|(_, one)| one.published == Known::Surely && one.withdrawn == Known::Not);
        sure.map(|(record, _)| *record).collect()
    };
    let holds = |record: &RecordId| {
        let key = RecordKey {
            rcp: victim.rcp,
            record: *record,
        };
        let row = partner.desk().store().read(|view| view.row(&key));
        row.is_some_and(|row| {
            let current = row.current(|_| true);
            current.is_some_and(|stand| row.body(&stand.version_hash).is_some())
        })
    };
    until("the partner holds all that lives", || {
        living.iter().all(holds)
    })
    .await?;
    let own = partner.desk().store().read(|view| {
        let rows = view.rows(None).filter(|(key, _)| key.rcp == view.me);
        rows.count()
    });
    let caught_up = tokio::time::timeout(PATIENCE, async {
        loop {
            let listed = client.unverified_records(Some(partner.rcp), false).await;
            if listed.is_ok_and(|listed| listed.len() == own) {
                return;
            }
            tokio::task::yield_now().await;
        }
    });
    caught_up.await.context("the node does not catch up")?;
    child.terminate()?;
    // Ended in order, it leaves nothing for the next start to mend.
    let report = verify_store(&victim.data, &mut |_, _| {})?;
    let behind = report.notes.iter().find(|note| note.place == "index");
    ensure!(behind.is_none(), "{behind:?}");
    check(victim, promises)?;
    Ok(own)
}
