//! The node that crashes: a process, its folder, and how it is started.

use std::fs::File;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU8, Ordering};

use anyhow::{Context, Result, ensure};
use corridor_client::{Client, Profile};
use corridor_node::operate::config::{Config, Name};
use corridor_node::operate::init::init;
use corridor_proto::RcpId;

use crate::nodes::PATIENCE;

/// A running node; it is killed with SIGKILL, at the latest when it is dropped.
pub struct Process(Child);

impl Process {
    /// Kills it.
    pub fn kill(mut self) -> Result<()> {
        self.0.kill()?;
        self.0.wait()?;
        Ok(())
    }

    /// Lets it stand still for good: it does nothing more, whatever the system still tells it.
    pub fn freeze(&self) -> Result<()> {
        let id = self.0.id().to_string();
        let told = Command::new("kill").args(["-STOP", &id]).status()?;
        ensure!(told.success(), "it cannot be told to stand still");
        let tasks = Path::new("/proc").join(id).join("task");
        // Stopped, or about to be as soon as the system is done with what it was asked.
        while !all_stand_still(&tasks)? {
            std::thread::yield_now();
        }
        Ok(())
    }

    /// Its number in the system.
    pub fn id(&self) -> u32 {
        self.0.id()
    }

    /// Memory that it holds, in kilobytes.
    pub fn resident_kb(&self) -> Result<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let number = line.and_then(|line| line.split_whitespace().next());
        Ok(number.context("its memory")?.parse()?)
    }

    /// Waits until it has ended by itself.
    pub fn wait(&mut self) -> Result<ExitStatus> {
        Ok(self.0.wait()?)
    }

    /// Whether it still runs.
    pub fn is_running(&mut self) -> Result<bool> {
        Ok(self.0.try_wait()?.is_none())
    }

    /// Ends it as a service manager does.
    pub fn terminate(mut self) -> Result<()> {
        let id = self.0.id().to_string();
        let told = Command::new("kill").args(["-TERM", &id]).status()?;
        ensure!(told.success(), "it cannot be told to end");
        let ended = self.0.wait()?;
        ensure!(ended.success(), "it ends with {ended}");
        Ok(())
    }
}

/// Whether no thread of a process runs: its state stands behind its name, which is in brackets.
fn all_stand_still(tasks: &Path) -> Result<bool> {
    for task in std::fs::read_dir(tasks)? {
        let stat = std::fs::read_to_string(task?.path().join("stat"))?;
        let state = stat.rsplit(") ").next().unwrap_or_default();
        if !state.starts_with(['T', 'D']) {
            return Ok(false);
        }
    }
    Ok(true)
}

impl Drop for Process {
    fn drop(&mut self) {
        // Gone already after `kill`.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A loopback address of its own: at 127.0.0.1 another program's connection may get the port of a
/// node that is down for a moment.
fn own_loopback() -> Ipv4Addr {
    static VICTIMS: AtomicU8 = AtomicU8::new(0);
    let [.., high, low] = std::process::id().to_be_bytes();
    Ipv4Addr::new(
        127,
        1 + VICTIMS.fetch_add(1, Ordering::Relaxed) % 254,
        high,
        low,
    )
}

/// The node that crashes.
pub struct Victim {
    /// Its data folder.
    pub data: PathBuf,
    /// Its RCP.
    pub rcp: RcpId,
    binary: PathBuf,
    /// What it said since its first start.
    log: PathBuf,
}

impl Victim {
    /// Makes a node in `data`, a folder that is not there yet; what does not belong to its data
    /// goes to `beside`.
    pub fn make(binary: PathBuf, data: PathBuf, beside: &Path) -> Result<Self> {
        let free = || TcpListener::bind((own_loopback(), 0))?.local_addr();
        let (peers, api) = (free()?, free()?);
        let config = Config {
            peer_listen: peers,
            api_listen: api,
            advertise: vec![peers.to_string()],
            four_eyes: false,
            names: vec![Name {
                tag: "en".into(),
                name: "Often crashed".into(),
            }],
            ..Config::default()
        };
        let made = init(&data, &beside.join("victim-recovery.key"), &config)?;
        let log = beside.join("victim.log");
        File::create(&log)?;
        Ok(Self {
            data,
            rcp: made.rcp,
            binary,
            log,
        })
    }

    /// Starts it.
    pub fn start(&self) -> Result<Process> {
        self.start_by(&mut Command::new(&self.binary))
    }

    /// Starts it under a program that takes the command behind its options and leaves the process
    /// to us.
    pub fn start_under(&self, program: &str, options: &[&str]) -> Result<Process> {
        let mut command = Command::new(program);
        command.args(options).arg(&self.binary);
        self.start_by(&mut command)
    }

    fn start_by(&self, command: &mut Command) -> Result<Process> {
        let log = File::options().append(true).open(&self.log)?;
        let child = command
            .args(["serve", "--data"])
            .arg(&self.data)
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()?;
        Ok(Process(child))
    }

    /// A client, as soon as the node answers.
    pub async fn client(&self) -> Result<Client> {
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
        let client = answered.await.context("the node does not answer");
        client.with_context(|| self.last_words())
    }

    /// The end of what it said.
    pub fn last_words(&self) -> String {
        let said = std::fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = said.lines().collect();
        lines[lines.len().saturating_sub(20)..].join("\n")
    }

    /// How often it said something.
    pub fn said(&self, what: &str) -> Result<usize> {
        let said = std::fs::read_to_string(&self.log)?;
        Ok(said.lines().filter(|line| line.contains(what)).count())
    }

    /// No code of ours ever panicked. What sled does on damage is caught.
    pub fn never_panicked(&self) -> Result<()> {
        let said = std::fs::read_to_string(&self.log)?;
        let mut panics = said.lines().filter(|line| line.contains("panicked at"));
        let ours = panics.find(|line| !line.contains("/sled-"));
        ensure!(ours.is_none(), "{}", ours.unwrap_or_default());
        Ok(())
    }
}
