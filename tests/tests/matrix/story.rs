//! What the secretariat does with its records: each story once in each of its circles.

use anyhow::Result;

use super::world::{Circle, Who, World};

/// What becomes of a record after the beginning.
const EARLY: [&str; 10] = [
    "published",
    "revised",
    "left",
    "shared wider",
    "withdrawn",
    "older version withdrawn",
    "newer version narrower",
    "newer version drafted",
    "moved here from public",
    "left and withdrawn",
];

/// What becomes of those that began after rights had ended.
const LATE: [&str; 3] = ["published late", "withdrawn late", "left late"];

/// How many records of the node's own there are.
pub fn count() -> usize {
    let circles = Circle::own().len();
    let closed = 2;
    circles * EARLY.len() + (circles - closed) * LATE.len() + 1
}

/// Where a record of this circle is shared wider.
fn wider(circle: Circle) -> Circle {
    match circle {
        Circle::Public => Circle::Federation,
        _ => Circle::Public,
    }
}

pub async fn early(world: &mut World) -> Result<()> {
    world.draft(None).await?;
    for circle in Circle::own() {
        for state in EARLY {
            let first = match state {
                "newer version narrower" => vec![circle, wider(circle)],
                "moved here from public" => vec![wider(circle)],
                _ => vec![circle],
            };
            let at = world.publish(None, &first).await?;
            world.records[at].home = Some(circle);
            world.records[at].state = state;
            match state {
                "revised" | "older version withdrawn" | "newer version narrower" => {
                    world.publish(Some(at), &[circle]).await?;
                }
                "newer version drafted" => {
                    world.draft(Some(at)).await?;
                }
                "moved here from public" => world.share(at, circle).await?,
                _ => {}
            }
        }
    }
    Ok(())
}

pub async fn late(world: &mut World) -> Result<()> {
    for at in 0..world.records.len() {
        let record = &world.records[at];
        let Some(circle) = record.home else { continue };
        match record.state {
            "left" => world.leave(at, circle).await?,
            "shared wider" => world.share(at, wider(circle)).await?,
            "withdrawn" => world.withdraw(at, None).await?,
            "older version withdrawn" => world.withdraw(at, Some(0)).await?,
            "moved here from public" => world.leave(at, wider(circle)).await?,
            "left and withdrawn" => {
                world.leave(at, circle).await?;
                world.withdraw(at, None).await?;
            }
            _ => {}
        }
    }
    for circle in Circle::own() {
        if let Circle::Private(Who::Paused | Who::Left) = circle {
            continue;
        }
        for state in LATE {
            let at = world.publish(None, &[circle]).await?;
            world.records[at].home = Some(circle);
            world.records[at].state = state;
            match state {
                "withdrawn late" => world.withdraw(at, None).await?,
                "left late" => world.leave(at, circle).await?,
                _ => {}
            }
        }
    }
    Ok(())
}
