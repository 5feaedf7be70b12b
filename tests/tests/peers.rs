//! Stories of a node and a partner that means it no good, over real connections.

#[path = "peers/bombs.rs"]
mod bombs;
#[path = "peers/budget.rs"]
mod budget;
#[path = "peers/copies.rs"]
mod copies;
#[path = "peers/cut.rs"]
mod cut;
#[path = "peers/floods.rs"]
mod floods;
#[path = "peers/maxima.rs"]
mod maxima;
#[path = "peers/order.rs"]
mod order;
#[path = "peers/pins.rs"]
mod pins;
#[path = "peers/records.rs"]
mod records;
#[path = "peers/states.rs"]
mod states;

use corridor_proto::{RecordId, Refusal};
use corridor_rules::Rows;
use corridor_rules::row::{RecordKey, RecordRow};
use corridor_tests::nodes::Office;
use corridor_tests::stranger::Stranger;

/// What a node knows of a record of the stranger's.
fn row(office: &Office, of: &Stranger, record: RecordId) -> Option<RecordRow> {
    let rcp = of.rcp;
    office
        .desk()
        .store()
        .read(|view| view.row(&RecordKey { rcp, record }))
}

/// Whether a node holds the text of a record of the stranger's.
fn holds(office: &Office, of: &Stranger, record: RecordId) -> bool {
    row(office, of, record).is_some_and(|row| {
        row.current(|_| true)
            .is_some_and(|stand| row.body(&stand.version_hash).is_some())
    })
}

/// The last thing of the stranger's that a node refused.
fn refused(office: &Office, of: &Stranger) -> Option<Refusal> {
    office.node().exchange.statuses.of(&of.rcp).refused
}
