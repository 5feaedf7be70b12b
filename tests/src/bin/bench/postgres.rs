//! PostgreSQL's logical replication on the same machine, where its binaries are: the same number of
//! rows of the same size, copied from one server to another that is empty. Nothing is verified.

use std::os::unix::fs::{MetadataExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Result, ensure};
use serde_json::json;

use crate::Bench;
use crate::clock::{now, until};
use crate::line::{Line, number};
use crate::load::Loaded;
use crate::process::cpu;
use crate::site::PATIENCE;

/// Where Debian puts them, below a folder for each version.
const VERSIONS: &str = "/usr/lib/postgresql";
/// The server refuses to run as root; this is nobody.
const NOBODY: u32 = 65_534;
/// Between two tries to reach a server that starts.
const KNOCK: Duration = Duration::from_millis(100);
/// Ends as soon as the table is copied, and does not cost much until then.
const COPIED: &str = "DO $$ BEGIN LOOP EXIT WHEN EXISTS (SELECT FROM pg_subscription_rel \
    WHERE srsubstate IN ('s', 'r')); PERFORM pg_sleep(0.02); COMMIT; END LOOP; END $$";

/// Prints its figures, or says on stderr that it is not there.
pub async fn copy(bench: &Bench, loaded: Loaded) -> Result<()> {
    let Some(binaries) = binaries() else {
        eprintln!("  no PostgreSQL here to stand beside");
        return Ok(());
    };
    let folder = tempfile::tempdir_in(&bench.folder)?;
    let nobody = (folder.path().metadata()?.uid() == 0).then_some(NOBODY);
    chown(folder.path(), nobody, nobody)?;
    let from = Server::start(&binaries, nobody, folder.path(), 1).await?;
    let to = Server::start(&binaries, nobody, folder.path(), 2).await?;
    let table = "CREATE TABLE record (id bigint PRIMARY KEY, body bytea NOT NULL); \
        ALTER TABLE record ALTER body SET STORAGE PLAIN";
    from.sql(table)?;
    to.sql(table)?;
    from.sql(&rows(loaded))?;
    from.sql("CREATE PUBLICATION all_records FOR TABLE record; CHECKPOINT")?;
    let before = from.cpu_s()? + to.cpu_s()?;
    let begin = now();
    to.sql(&format!(
        "CREATE SUBSCRIPTION all_records CONNECTION 'host={} port=1 user=bench dbname=postgres' \
         PUBLICATION all_records",
        folder.path().display()
    ))?;
    to.sql(COPIED)?;
    let took = begin.elapsed().as_secs_f64();
    let cpu = from.cpu_s()? + to.cpu_s()? - before;
    let held: u64 = to.sql("SELECT count(*) FROM record")?.trim().parse()?;
    ensure!(held == loaded.records, "it copied {held} rows");
    #[allow(clippy::cast_precision_loss)]
    let rate = held as f64 / took;
    Line {
        scenario: "cold",
        figure: "PostgreSQL's logical replication beside it, verifying nothing",
        n: bench.n,
        value: rate,
        unit: "rows/s",
        yardstick: ("bytes of a row", loaded.record_bytes()),
        target: "none".to_owned(),
        pass: true,
        more: json!({ "cpu_s": number(cpu), "line": "a Unix socket without TLS" }),
    }
    .print();
    Ok(())
}

/// Rows of random bytes, so that nothing can be compressed.
fn rows(loaded: Loaded) -> String {
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let hashes = (loaded.record_bytes() / 16.0).round() as u64;
    format!(
        "INSERT INTO record SELECT id, (SELECT decode(string_agg(md5(random()::text || piece), \
         ''), 'hex') FROM generate_series(1, {hashes}) piece WHERE id > 0) \
         FROM generate_series(1, {}) id",
        loaded.records
    )
}

/// The newest version's folder.
fn binaries() -> Option<PathBuf> {
    let versions = std::fs::read_dir(VERSIONS).ok()?.flatten();
    let folders = versions.map(|entry| entry.path().join("bin"));
    folders.filter(|bin| bin.join("initdb").is_file()).max()
}

/// A server of its own, on a socket in a folder; ended when it is dropped.
struct Server {
    child: Child,
    psql: PathBuf,
    folder: PathBuf,
    port: u16,
}

impl Server {
    async fn start(binaries: &Path, nobody: Option<u32>, folder: &Path, port: u16) -> Result<Self> {
        let data = folder.join(format!("data-{port}"));
        let made = run_as(nobody, &binaries.join("initdb"))
            .args(["--auth=trust", "--username=bench", "--no-sync", "--pgdata"])
            .arg(&data)
            .output()?;
        ensure!(
            made.status.success(),
            "initdb: {}",
            String::from_utf8_lossy(&made.stderr)
        );
        let child = run_as(nobody, &binaries.join("postgres"))
            .arg("-D")
            .arg(&data)
            .arg("-k")
            .arg(folder)
            .args(["-p", &port.to_string()])
            .args(["-c", "listen_addresses=", "-c", "wal_level=logical"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        let server = Self {
            child,
            psql: binaries.join("psql"),
            folder: folder.to_owned(),
            port,
        };
        let answers = || std::future::ready(server.sql("SELECT 1").is_ok());
        until("PostgreSQL answers", KNOCK, PATIENCE, answers).await?;
        Ok(server)
    }

    /// What the statements give.
    fn sql(&self, statements: &str) -> Result<String> {
        let done = Command::new(&self.psql)
            .args([
                "-U",
                "bench",
                "-d",
                "postgres",
                "-qAt",
                "-v",
                "ON_ERROR_STOP=1",
            ])
            .arg("-h")
            .arg(&self.folder)
            .args(["-p", &self.port.to_string(), "-c", statements])
            .output()?;
        let said = String::from_utf8_lossy(&done.stderr);
        ensure!(done.status.success(), "psql: {said}");
        Ok(String::from_utf8(done.stdout)?)
    }

    /// Seconds of processor time of the server and all that it started.
    fn cpu_s(&self) -> Result<f64> {
        let mut sum = cpu(self.child.id())?.1;
        for entry in std::fs::read_dir("/proc")? {
            let name = entry?.file_name();
            let Some(id) = name.to_str().and_then(|name| name.parse().ok()) else {
                continue;
            };
            // It may have ended since.
            if let Ok((parent, seconds)) = cpu(id)
                && parent == self.child.id()
            {
                sum += seconds;
            }
        }
        Ok(sum)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // At once, without writing anything down: the folder goes.
        let _ = Command::new("kill")
            .args(["-QUIT", &self.child.id().to_string()])
            .status();
        let _ = self.child.wait();
    }
}

fn run_as(nobody: Option<u32>, binary: &Path) -> Command {
    let Some(id) = nobody else {
        return Command::new(binary);
    };
    let mut command = Command::new("setpriv");
    command.args([format!("--reuid={id}"), format!("--regid={id}")]);
    command.arg("--clear-groups").arg(binary);
    command
}
