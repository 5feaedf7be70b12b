//! Floods of a node that may open few files: its partner is served all the while, it neither ends
//! nor grows without bound, and it is there when the flood is over.

use anyhow::{Context, Result, ensure};
use corridor_client::{Client, RecordName};
use corridor_node::operate::config::Config;
use corridor_proto::kinds::Kind;
use corridor_tests::crash::load::befriend;
use corridor_tests::crash::victim::{Process, Victim};
use corridor_tests::nodes::{Office, practice, until};
use corridor_tests::stranger::Stranger;
use corridor_tests::stranger::frames::{
    CONTINUATION, END_HEADERS, HEADERS, PING, RST_STREAM, Raw, SETTINGS, frame, head, literal,
};
use tokio::net::TcpStream;

use super::Args;

/// What the node may open.
const FILES: &str = "ulimit -n 256; exec \"$0\" \"$@\"";
/// Connections at one time: more than that.
const CONNECTIONS: usize = 320;
/// What the node may hold in memory, whatever comes: caches, and a few frames of each connection.
const RESIDENT_KB_MAX: u64 = 600 * 1024;

struct Scene {
    victim: Victim,
    process: Process,
    client: Client,
    partner: Office,
    published: usize,
    resident_kb: u64,
}

pub async fn run(args: &Args) -> Result<serde_json::Value> {
    let folder = tempfile::tempdir()?;
    let data = folder.path().join("victim");
    let victim = Victim::make(args.node.clone(), data, folder.path())?;
    let partner = Office::open("Partner", true).await?;
    befriend(&victim, &partner).await?;
    let process = victim.start_under("sh", &["-c", FILES])?;
    let client = victim.client().await?;
    client
        .add_readers("observers", &[(partner.rcp, None)])
        .await?;
    let mut scene = Scene {
        victim,
        process,
        client,
        partner,
        published: 0,
        resident_kb: 0,
    };
    scene.partner_is_served("before").await?;
    let quiet_kb = scene.resident_kb;
    let most = scene.connections().await?;
    let rounds = args.rounds.clamp(1, 5);
    for _ in 0..rounds {
        scene.frames().await?;
    }
    scene.partner_is_served("after").await?;
    let open = scene.open_files()?;
    scene.victim.never_panicked()?;
    let complaints = scene.victim.said("accept failed")?;
    ensure!(complaints < 50, "it complained {complaints} times");
    let Scene { process, .. } = scene;
    process.terminate()?;
    Ok(serde_json::json!({
        "connections": CONNECTIONS,
        "open_files_max": 256,
        "open_files_seen": most,
        "open_files_after": open,
        "resident_kb_quiet": quiet_kb,
        "resident_kb_flooded": scene.resident_kb,
        "accept_failed": complaints,
        "records_through": scene.published,
        "rounds": rounds,
    }))
}

impl Scene {
    /// A record reaches the partner, and the node is as it has to be.
    async fn partner_is_served(&mut self, when: &str) -> Result<()> {
        self.published += 1;
        let body = practice(&format!("No. {}", self.published));
        let draft = self.client.create_draft(Kind::Practice, body).await?;
        let name: RecordName = draft.name.parse()?;
        self.client
            .publish(&name, &["observers".to_owned()])
            .await?;
        let id = draft.name.rsplit('/').next().context("a record")?.parse()?;
        let key = corridor_rules::RecordKey {
            rcp: self.victim.rcp,
            record: id,
        };
        let partner = &self.partner;
        until(&format!("the partner is served, {when}"), || {
            partner.desk().store().read(|view| {
                let row = corridor_rules::Rows::row(view, &key);
                row.is_some_and(|row| row.newest().is_some())
            })
        })
        .await
        .with_context(|| self.victim.last_words())?;
        ensure!(self.process.is_running()?, "it has ended");
        let resident = self.process.resident_kb()?;
        self.resident_kb = self.resident_kb.max(resident);
        ensure!(resident <= RESIDENT_KB_MAX, "{resident} KB, {when}");
        Ok(())
    }

    fn open_files(&self) -> Result<usize> {
        let folder = format!("/proc/{}/fd", self.process.id());
        Ok(std::fs::read_dir(folder)?.count())
    }

    /// More connections than files, silent and idle; the partner comes back in the midst of them.
    async fn connections(&mut self) -> Result<usize> {
        let config = Config::read(&self.victim.data)?;
        let stranger = Stranger::new()?;
        let mut silent = Vec::new();
        for _ in 0..CONNECTIONS {
            silent.push(TcpStream::connect(config.peer_listen).await?);
        }
        self.partner_is_served("among silent connections").await?;
        let mut most = self.open_files()?;
        self.partner.close().await?;
        self.partner.reopen().await?;
        self.partner_is_served("come back among silent ones")
            .await?;
        let mut idle = Vec::new();
        for _ in 0..CONNECTIONS {
            // One that is put out in its handshake has done its part as well.
            idle.push(Raw::dial_at(&stranger, config.peer_listen, &self.victim.rcp).await);
        }
        most = most.max(self.open_files()?);
        self.partner.close().await?;
        self.partner.reopen().await?;
        self.partner_is_served("come back among idle ones").await?;
        let at_api: Vec<_> = (0..CONNECTIONS)
            .map(|_| std::net::TcpStream::connect(config.api_listen))
            .collect();
        self.client = self.victim.client().await?;
        self.partner_is_served("with its own listener full").await?;
        most = most.max(self.open_files()?);
        drop((silent, idle, at_api));
        Ok(most)
    }

    /// Frames that nobody should send.
    async fn frames(&mut self) -> Result<()> {
        let config = Config::read(&self.victim.data)?;
        let stranger = Stranger::new()?;
        let cancel = [0, 0, 0, 8];
        let cancelled = (0..20_000).flat_map(|call| {
            let call = 2 * call + 1;
            let opened = frame(HEADERS, END_HEADERS, call, &head("Hello"));
            [opened, frame(RST_STREAM, 0, call, &cancel)].concat()
        });
        let filler = literal("x-filler", &"f".repeat(100)).repeat(140);
        let floods = [
            (cancelled.collect(), 1),
            (
                frame(SETTINGS, 0, 0, &[0, 3, 0, 0, 0, 9]).repeat(1_000),
                2_000,
            ),
            (frame(PING, 0, 0, &[7; 8]).repeat(1_000), 2_000),
            (frame(CONTINUATION, 0, 1, &filler), 2_000),
        ];
        for (number, (piece, times)) in floods.iter().enumerate() {
            let mut raw = Raw::dial_at(&stranger, config.peer_listen, &self.victim.rcp).await?;
            if number == 3 {
                raw.write(&frame(HEADERS, 0, 1, &head("Hello"))).await?;
            }
            raw.flood(piece, *times).await;
            self.partner_is_served(&format!("flood {number}")).await?;
        }
        Ok(())
    }
}
