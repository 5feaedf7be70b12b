//! Bits that flip and files that are cut, in every file of a data folder. The node opens with
//! everything that was acknowledged, or it says which file is damaged: it never shows less without
//! a word, never something else, and never panics.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use corridor_client::{Client, Profile};
use corridor_node::operate::keys::KeyFolder;
use corridor_node::run::{Listeners, start};
use corridor_proto::kinds::Kind;
use corridor_proto::line::WithdrawalReason;
use corridor_proto::{Hash, LogId};
use corridor_rules::serve::Source;
use corridor_store::{Opening, Signer, Store, verify_store};
use corridor_tests::nodes::{Office, practice, until};
use corridor_tests::sim::rng::Rng;
use tempfile::TempDir;
use tokio::net::TcpListener;

/// Files up to this size are tried byte by byte, larger ones at so many places.
const SAMPLE: usize = 150;
/// Bytes of a disk's block.
const BLOCK: usize = 4096;

/// What a store shows.
#[derive(Debug, PartialEq, Eq)]
struct Shown {
    /// Each record's row, as it is printed.
    rows: Vec<String>,
    /// The texts of versions.
    texts: BTreeMap<Hash, Vec<u8>>,
    lines: BTreeMap<LogId, Vec<Vec<u8>>>,
    drafts: usize,
    partners: Vec<String>,
    /// The key to which bundles for it are encrypted, as its card says.
    bundle_key: Option<[u8; 32]>,
}

fn shown(store: &Store) -> Shown {
    store.read(|view| {
        let rows: Vec<_> = view.rows(None).collect();
        let versions = rows.iter().flat_map(|(_, row)| &row.versions);
        let texts = versions.filter_map(|held| {
            let record = view.record(held.place)?;
            Some((held.version_hash, record.body.clone()))
        });
        let lines = view.logs.keys();
        let lines = lines.map(|log| (*log, view.lines(log, 0, u64::MAX)));
        let partners = view
            .peers
            .keys()
            .map(|rcp| format!("{rcp} {:?}", view.peer_state(rcp)));
        Shown {
            texts: texts.collect(),
            lines: lines.collect(),
            drafts: view.drafts.len(),
            bundle_key: view.known.get(&view.me).and_then(|me| {
                let card = me.card.as_ref()?;
                Some(card.card().bundle_key)
            }),
            partners: partners.collect(),
            rows: rows.iter().map(|row| format!("{row:?}")).collect(),
        }
    })
}

impl Shown {
    /// Everything is shown.
    fn is_all_of(&self, whole: &Self) -> Result<()> {
        ensure!(self.rows == whole.rows, "other rows are shown");
        ensure!(self.texts == whole.texts, "other texts are shown");
        ensure!(self.lines == whole.lines, "other lines are shown");
        ensure!(self.bundle_key == whole.bundle_key, "the card was changed");
        ensure!(self == whole, "other drafts or partners are shown");
        Ok(())
    }

    /// Nothing else is shown than in a sound store; less, perhaps.
    fn is_part_of(&self, whole: &Self) -> bool {
        let texts = self.texts.iter();
        let lines = self.lines.iter();
        texts
            .into_iter()
            .all(|(hash, text)| whole.texts.get(hash) == Some(text))
            && lines.into_iter().all(|(log, lines)| {
                let all = whole.lines.get(log);
                all.is_some_and(|all| all.starts_with(lines))
            })
    }
}

fn open(data: &Path) -> Result<(Store, Opening)> {
    let signer = Arc::new(Signer::new(KeyFolder::of(data).read()?.signing));
    Ok(corridor_store::open(data, signer, &mut |_, _| {})?)
}

/// A closed node that has published, revised, withdrawn, drafted, and received.
async fn folder() -> Result<(Office, Shown)> {
    let mut office = Office::open("Rotten disk", true).await?;
    let mut partner = Office::open("Its partner", true).await?;
    office.befriend(&partner).await?;
    let public = office.circle("public")?;
    for title in ["One", "Two", "Three"] {
        let record = office.publish(title, &[public]).await?;
        if title == "Two" {
            office.revise(record, "Two, revised").await?;
        }
        if title == "Three" {
            let desk = office.desk();
            desk.withdraw(record, None, WithdrawalReason::Error, None, None)
                .await?;
        }
    }
    let theirs = partner
        .publish("Theirs", &[partner.circle("public")?])
        .await?;
    until("it arrives", || office.holds(&partner, theirs)).await?;
    let draft = practice("A draft");
    office
        .desk()
        .save_draft(None, Kind::Practice, draft)
        .await?;
    office.close().await?;
    partner.close().await?;
    let (store, _) = open(&office.data())?;
    let whole = shown(&store);
    store.close()?;
    ensure!(whole.texts.len() >= 3 && whole.rows.len() == 4, "{whole:?}");
    Ok((office, whole))
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    fs::set_permissions(to, fs::metadata(from)?.permissions())?;
    for entry in fs::read_dir(from)? {
        let (path, to) = (entry?.path(), to.to_owned());
        let to = to.join(path.file_name().context("a name")?);
        if path.is_dir() {
            copy(&path, &to)?;
        } else {
            fs::copy(&path, &to)?;
        }
    }
    Ok(())
}

/// What rots.
#[derive(Clone, Copy, Debug)]
enum Rot {
    Flip(usize),
    Cut(usize),
    /// A block of a disk is zeros.
    Block(usize),
}

impl Rot {
    /// What is tried with a file of this size.
    fn all(bytes: &[u8], rng: &mut Rng) -> Vec<Self> {
        let mut places: Vec<usize> = (0..bytes.len()).collect();
        if bytes.len() > SAMPLE {
            // Where something is: sled's files are zeros for the most part.
            places.retain(|at| bytes[*at] != 0);
            places = (0..SAMPLE).filter_map(|_| rng.pick(&places)).collect();
        }
        let some = || places.iter().step_by(4);
        let blocks = some().filter(|_| bytes.len() > BLOCK);
        let flips = places.iter().map(|at| Self::Flip(*at));
        let all = flips.chain(some().map(|at| Self::Cut(*at)));
        all.chain(blocks.map(|at| Self::Block(*at))).collect()
    }

    fn happens(self, file: &Path) -> Result<()> {
        let mut bytes = fs::read(file)?;
        match self {
            Self::Flip(at) => bytes[at] ^= 1 << (at % 7),
            Self::Cut(at) => bytes.truncate(at),
            Self::Block(at) => {
                let from = at - at % BLOCK;
                let to = bytes.len().min(from + BLOCK);
                bytes[from..to].fill(0);
            }
        }
        Ok(fs::write(file, bytes)?)
    }
}

/// Lets every file of a folder rot in a copy of the data folder, in every way, and looks.
async fn each(
    office: &Office,
    within: &str,
    look: impl AsyncFn(&Path, &Path) -> Result<()>,
) -> Result<usize> {
    let mut files: Vec<PathBuf> = Vec::new();
    for entry in fs::read_dir(office.data().join(within))? {
        let path = entry?.path();
        if path.is_file() {
            files.push(path.strip_prefix(office.data())?.to_owned());
        }
    }
    files.sort();
    let (mut rng, mut count) = (Rng::new(1), 0);
    for file in files {
        let bytes = fs::read(office.data().join(&file))?;
        for rot in Rot::all(&bytes, &mut rng) {
            // In memory where that is known, since nothing has to last.
            let memory = tempfile::tempdir_in("/dev/shm");
            let copied: TempDir = memory.or_else(|_| tempfile::tempdir())?;
            let data = copied.path().join("data");
            copy(&office.data(), &data)?;
            rot.happens(&data.join(&file))?;
            let looked = look(&data, &file).await;
            looked.with_context(|| format!("{rot:?} in {}", file.display()))?;
            count += 1;
        }
    }
    Ok(count)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_index_that_rots_changes_nothing() -> Result<()> {
    let (office, whole) = folder().await?;
    let count = each(&office, "index", async |data, _| {
        let (store, opening) = open(data)?;
        ensure!(
            opening.damage.is_empty() && !opening.lost_its_end,
            "{opening:?}"
        );
        let found = shown(&store);
        store.close()?;
        found.is_all_of(&whole)
    })
    .await?;
    assert!(count > 200, "{count}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_journal_that_rots_is_named() -> Result<()> {
    let (office, whole) = folder().await?;
    let count = each(&office, "journal", async |data, file| {
        let name = file.file_name().and_then(|name| name.to_str());
        let name = name.context("a name")?;
        let (store, opening) = match open(data) {
            Ok(opened) => opened,
            Err(error) => {
                ensure!(error.to_string().contains(name), "{error}");
                return Ok(());
            }
        };
        let found = shown(&store);
        store.close()?;
        drop(store);
        ensure!(found.is_part_of(&whole), "what is shown was never there");
        let is_named = opening.damage.iter().any(|damage| damage.contains(name));
        if found != whole && !is_named && !opening.lost_its_end {
            // A text that rotted is noticed where it is read, and by whoever checks all of them.
            let findings = verify_store(data, &mut |_, _| {})?.findings;
            ensure!(!findings.is_empty(), "nobody says what is wrong");
            ensure!(found.rows == whole.rows, "more than a text is missing");
        }
        Ok(())
    })
    .await?;
    assert!(count > 100, "{count}");
    Ok(())
}

async fn any_listeners() -> Result<Listeners> {
    Ok(Listeners {
        peers: TcpListener::bind("127.0.0.1:0").await?,
        api: TcpListener::bind("127.0.0.1:0").await?,
        metrics: None,
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_and_keys_that_rot_are_named() -> Result<()> {
    let (office, whole) = folder().await?;
    let look = async |data: &Path, file: &Path| {
        let name = file.file_name().and_then(|name| name.to_str());
        // A key and its certificate are told apart by whoever reads that they do not fit.
        let name = name.and_then(|name| {
            name.strip_suffix(".pem")
                .map_or(Some(name), |_| name.split('.').next())
        });
        let name = name.context("a name")?;
        match start(data, any_listeners().await?, &mut |_, _| {}).await {
            Ok(node) => {
                let found = shown(node.desk.store());
                node.stop().await?;
                found.is_all_of(&whole)?;
            }
            Err(error) => ensure!(error.to_string().contains(name), "{error}"),
        }
        // What the client finds there it uses, or it says what is wrong.
        if let Ok(profile) = Profile::read(&data.join("client.toml")) {
            let _ = Client::connect(&profile).await;
        }
        Ok(())
    };
    let count = each(&office, "", look).await? + each(&office, "keys", look).await?;
    assert!(count > 300, "{count}");
    Ok(())
}
