//! A node as a process of its own, and what the system counts of it.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, ensure};

/// Of the clock by which `/proc` counts: Linux has no other towards programs.
const TICKS_PER_S: f64 = 100.0;

/// A running `corridor-node serve`; ended when it is dropped.
pub struct Process(Child);

impl Process {
    /// Starts the node of a data folder.
    pub fn serve(binary: &Path, data: &Path) -> Result<Self> {
        Self::spawn(binary, data, "error", Stdio::inherit())
    }

    /// The same, with its log in a file.
    pub fn serve_logged(binary: &Path, data: &Path, log: &Path) -> Result<Self> {
        Self::spawn(binary, data, "info", File::create(log)?.into())
    }

    fn spawn(binary: &Path, data: &Path, level: &str, log: Stdio) -> Result<Self> {
        let child = Command::new(binary)
            .args(["serve", "--data"])
            .arg(data)
            .env("CORRIDOR_LOG", level)
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()?;
        Ok(Self(child))
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

    fn proc(&self, file: &str) -> Result<String> {
        proc(self.0.id(), file)
    }

    /// Seconds of processor time so far.
    pub fn cpu_s(&self) -> Result<f64> {
        Ok(cpu(self.0.id())?.1)
    }

    /// A number of `/proc/PID/status` or `/proc/PID/io`, such as `VmRSS`.
    fn count(&self, file: &str, name: &str) -> Result<f64> {
        let text = self.proc(file)?;
        let line = text.lines().find_map(|line| line.strip_prefix(name));
        let number = line.and_then(|line| line.trim_start_matches(':').split_whitespace().next());
        Ok(number.with_context(|| format!("no {name}"))?.parse()?)
    }

    /// Resident memory now, and at most so far, in bytes.
    pub fn memory(&self) -> Result<(f64, f64)> {
        let of = |name| Ok::<_, anyhow::Error>(self.count("status", name)? * 1_024.0);
        Ok((of("VmRSS")?, of("VmHWM")?))
    }

    /// Bytes that it read so far with the calls for files.
    pub fn read_bytes(&self) -> Result<f64> {
        self.count("io", "rchar")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Gone already after `terminate`.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The parent of a process, and the seconds of processor time of it and of those of its children
/// that have ended.
pub fn cpu(id: u32) -> Result<(u32, f64)> {
    let stat = proc(id, "stat")?;
    // The name, in brackets, may hold anything.
    let (_, rest) = stat.rsplit_once(')').context("no name")?;
    let fields: Vec<&str> = rest.split_whitespace().collect();
    let parent = fields.get(1).context("no parent")?.parse()?;
    let mut ticks = 0.0;
    for time in fields.get(11..15).context("no times")? {
        ticks += time.parse::<f64>()?;
    }
    Ok((parent, ticks / TICKS_PER_S))
}

fn proc(id: u32, file: &str) -> Result<String> {
    let path: PathBuf = ["/proc", &id.to_string(), file].iter().collect();
    Ok(std::fs::read_to_string(path)?)
}
