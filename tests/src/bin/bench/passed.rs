//! An owner, one that holds all of its records, and one that may read them and holds none.

use std::path::PathBuf;

use anyhow::Result;

use crate::Bench;
use crate::load::{Loaded, fill};
use crate::site::Site;
use crate::stage::{WIDE, admit, befriend, circle, holds, wait};
use crate::trip::Trip;
use corridor_tests::wire::Wire;

/// The three of them; the owner runs no more.
pub struct Passed {
    owner: Site,
    holder: Site,
    taker: Site,
    /// The taker reaches the holder over it.
    wire: Wire,
    loaded: Loaded,
    folder: PathBuf,
}

impl Passed {
    /// With as many records as every scenario is told.
    pub async fn set(bench: &Bench) -> Result<Self> {
        let folder = bench.folder.join(format!("passed-{}", bench.n));
        if folder.exists() {
            std::fs::remove_dir_all(&folder)?;
        }
        std::fs::create_dir_all(&folder)?;
        eprintln!(
            "  making three nodes, of which one passes on {} records",
            bench.n
        );
        let (owner, _) = Site::behind_a_line(&folder, "owner")?;
        let (holder, wire) = Site::behind_a_line(&folder, "holder")?;
        let taker = Site::make(&folder, "taker", None)?;
        introduce(&owner, &holder, &taker).await?;
        let loaded = fill(&owner, WIDE, bench.n)?;
        let (gives, keeps) = (owner.start().await?, holder.start().await?);
        let (log, size) = circle(&gives, WIDE)?;
        wait("the holder has everything", || holds(&keeps, &log, size)).await?;
        keeps.stop().await?;
        gives.stop().await?;
        Ok(Self {
            owner,
            holder,
            taker,
            wire,
            loaded,
            folder,
        })
    }

    /// From the holder to the taker.
    pub fn trip(&self) -> Trip<'_> {
        Trip {
            giver: &self.holder,
            taker: &self.taker,
            wire: &self.wire,
            loaded: self.loaded,
            owner: self.owner.rcp,
        }
    }
}

impl Drop for Passed {
    fn drop(&mut self) {
        // What stays is removed with the folder around it.
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

async fn introduce(owner: &Site, holder: &Site, taker: &Site) -> Result<()> {
    let (owner, holder, taker) = (
        owner.start().await?,
        holder.start().await?,
        taker.start().await?,
    );
    befriend(&owner, &holder).await?;
    befriend(&owner, &taker).await?;
    befriend(&holder, &taker).await?;
    admit(&owner, WIDE, &holder).await?;
    admit(&owner, WIDE, &taker).await?;
    let (wide, size) = circle(&owner, WIDE)?;
    wait("both know the circle", || {
        holds(&holder, &wide, size) && holds(&taker, &wide, size)
    })
    .await?;
    for node in [taker, holder, owner] {
        node.stop().await?;
    }
    Ok(())
}
