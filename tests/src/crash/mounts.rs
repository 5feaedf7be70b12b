//! File systems of a test's own: one in a file that can lose its power, one of memory that can be
//! full. They need root.
//!
//! Whoever runs this does so in a mount namespace of its own (`unshare --mount`), so that nothing
//! stays mounted whatever happens. **Invariant:** a power cut writes nothing out: what was not
//! synced before is gone, and what is written after fails.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::nodes::until;

/// `FS_IOC_SHUTDOWN` with `FS_SHUTDOWN_FLAGS_NOLOGFLUSH`: from now on the file system fails, and
/// nothing of its caches or its log reaches the device. In Python, since a call of the system that
/// Rust's library does not have is unsafe code.
const SHUT_DOWN: &str = "import fcntl, os, struct, sys
fcntl.ioctl(os.open(sys.argv[1], os.O_RDONLY), 0x8004587d, struct.pack('I', 2))";

/// Runs a command to its end.
fn run(program: &str, args: &[&str]) -> Result<()> {
    let done = Command::new(program).args(args).output();
    let done = done.with_context(|| program.to_owned())?;
    let said = String::from_utf8_lossy(&done.stderr);
    ensure!(done.status.success(), "{program} {args:?}: {said}");
    Ok(())
}

fn text(path: &Path) -> Result<&str> {
    path.to_str().context("a path that is no text")
}

/// A file system in a folder, mounted until it is dropped.
pub struct Mount {
    device: PathBuf,
    /// Where it is mounted.
    pub at: PathBuf,
    sort: &'static str,
}

impl Mount {
    /// Makes an ext4 in a file of so many MiB in `folder`; it is not mounted yet.
    pub fn ext4(folder: &Path, mib: u64) -> Result<Self> {
        let device = folder.join("disk.ext4");
        std::fs::File::create(&device)?.set_len(mib << 20)?;
        run("mkfs.ext4", &["-q", "-F", text(&device)?])?;
        Self::at(folder, device, "ext4")
    }

    /// A file system in memory in `folder`; it is not mounted yet.
    pub fn memory(folder: &Path) -> Result<Self> {
        Self::at(folder, "none".into(), "tmpfs")
    }

    fn at(folder: &Path, device: PathBuf, sort: &'static str) -> Result<Self> {
        let at = folder.join("disk");
        std::fs::create_dir(&at)?;
        Ok(Self { device, at, sort })
    }

    /// Mounts it, without any check of it but what mounting does.
    pub fn mount(&self, options: &str) -> Result<()> {
        let (device, at) = (text(&self.device)?, text(&self.at)?);
        let options = match self.sort {
            "ext4" => format!("loop,{options}"),
            _ => options.to_owned(),
        };
        run("mount", &["-t", self.sort, "-o", &options, device, at])
    }

    /// Cuts the power.
    pub fn cut_power(&self) -> Result<()> {
        run("python3", &["-c", SHUT_DOWN, text(&self.at)?])
    }

    /// Unmounts it, as soon as nobody has a file in it: sled lets go of its own a moment after it
    /// was closed.
    pub async fn unmount(&self) -> Result<()> {
        let at = text(&self.at)?;
        until("it is unmounted", || run("umount", &[at]).is_ok()).await
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        // Not mounted any more, in the end; or it goes with its namespace.
        let _ = Command::new("umount").arg(&self.at).output();
    }
}
