//! A node's folder, and the binary that keeps it.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

/// A folder of a node that was made by the binary.
pub struct Office {
    /// All of it, removed in the end.
    pub folder: TempDir,
}

/// What a command came to.
pub struct Said {
    /// Its exit code.
    pub code: Option<i32>,
    /// Its data.
    pub out: String,
    /// Its talk.
    pub err: String,
}

impl Said {
    fn of(output: &Output) -> Self {
        Self {
            code: output.status.code(),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Its data as JSON.
    pub fn json(&self) -> Value {
        let read = serde_json::from_str(&self.out);
        read.unwrap_or_else(|error| panic!("{error}: {}{}", self.out, self.err))
    }
}

/// The binary, in an environment in which nothing is said of a node.
pub fn binary() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_corridor-node"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("CORRIDOR_") {
            command.env_remove(name);
        }
    }
    command
}

impl Office {
    /// Makes a node that listens at ports of this machine that were free just now.
    pub fn make() -> Self {
        let office = Self {
            folder: tempfile::tempdir().expect("a folder"),
        };
        let (peers, api) = (free(), free());
        let recovery = office.folder.path().join("recovery.key");
        let said = office.say(&[
            "init",
            "--recovery-out",
            &recovery.to_string_lossy(),
            "--name",
            "en=Bali Process",
            "--peer-listen",
            &peers,
            "--api-listen",
            &api,
        ]);
        assert_eq!(said.code, Some(0), "{}", said.err);
        office
    }

    /// Its data folder.
    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Its configuration file.
    pub fn config(&self) -> PathBuf {
        self.data().join("config.toml")
    }

    /// A command for it.
    pub fn command(&self, words: &[&str]) -> Command {
        let mut command = binary();
        command.env("CORRIDOR_DATA", self.data()).args(words);
        command
    }

    /// Runs a command for it.
    pub fn say(&self, words: &[&str]) -> Said {
        Said::of(&self.command(words).output().expect("it runs"))
    }

    /// Runs a command for it with a variable more.
    pub fn say_with(&self, variable: (&str, &str), words: &[&str]) -> Said {
        let output = self.command(words).env(variable.0, variable.1).output();
        Said::of(&output.expect("it runs"))
    }
}

fn free() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("its address").to_string()
}

/// The text of a file.
pub fn read(path: &Path) -> String {
    std::fs::read_to_string(path).expect("a file")
}

/// A node that runs, ended with the test.
pub struct Process {
    child: Child,
    log: PathBuf,
}

impl Office {
    /// Starts the node with these words more, and waits until it serves.
    pub fn start(&self, words: &[&str]) -> Process {
        let log = self.folder.path().join("log");
        let file = std::fs::File::create(&log).expect("a log");
        let mut command = self.command(&["serve"]);
        let child = command.args(words).stderr(file).spawn().expect("it starts");
        let mut process = Process { child, log };
        process.until("it serves", |process| {
            process.said().contains("serving") && self.data().join("status.json").exists()
        });
        process
    }
}

impl Process {
    /// What it logged.
    pub fn said(&self) -> String {
        read(&self.log)
    }

    /// Sends it a signal, such as `TERM`.
    pub fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        let sent = Command::new("kill").args(["-s", name, &id]).status();
        assert!(sent.expect("kill runs").success());
    }

    /// Whether it has not ended.
    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().expect("its state").is_none()
    }

    /// Its exit code, once it has ended.
    pub fn code(&mut self) -> Option<i32> {
        let mut code = None;
        self.until("it has ended", |process| {
            let ended = process.child.try_wait().expect("its state");
            code = ended.map(|status| status.code());
            ended.is_some()
        });
        code.flatten()
    }

    /// Waits until something is so.
    pub fn until(&mut self, what: &str, mut is_so: impl FnMut(&mut Self) -> bool) {
        let (sender, patience) = std::sync::mpsc::channel::<()>();
        for _ in 0..2_000 {
            if is_so(self) {
                drop(sender);
                return;
            }
            // Nobody sends: it is a pause.
            let _ = patience.recv_timeout(Duration::from_millis(10));
        }
        panic!("waited in vain until {what}: {}", self.said());
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended; then there is nothing to end.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
