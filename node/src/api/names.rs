//! Resource names: `rcps/{rcp}`, `rcps/{rcp}/records/{record}`, `rcps/{rcp}/circles/{log}`. What is
//! understood of them here is what a call is about.

use corridor_proto::{LogId, RcpId};
use corridor_rules::Model;
use corridor_rules::row::RecordKey;
use tonic::Status;

use super::audit::about;
use super::status;

/// `rcps/{rcp}`.
pub fn rcp(id: &RcpId) -> String {
    format!("rcps/{id}")
}

/// `rcps/{rcp}/records/{record}`.
pub fn record(key: &RecordKey) -> String {
    format!("rcps/{}/records/{}", key.rcp, key.record)
}

/// `rcps/{rcp}/circles/{log}`.
pub fn circle(owner: &RcpId, log: &LogId) -> String {
    format!("rcps/{owner}/circles/{log}")
}

/// Reads `rcps/{rcp}`.
///
/// # Errors
/// `INVALID_ARGUMENT` about `field`.
pub fn parse_rcp(field: &str, name: &str) -> Result<RcpId, Status> {
    let found = name.strip_prefix("rcps/").and_then(|id| id.parse().ok());
    found
        .inspect(|id| about(rcp(id)))
        .ok_or_else(|| status::bad_field(field, "is not of the form rcps/{rcp}"))
}

/// Reads `rcps/{rcp}/records/{record}`.
///
/// # Errors
/// `INVALID_ARGUMENT` about `field`.
pub fn parse_record(field: &str, name: &str) -> Result<RecordKey, Status> {
    let read = || {
        let (rcp, record) = name.strip_prefix("rcps/")?.split_once("/records/")?;
        Some(RecordKey {
            rcp: rcp.parse().ok()?,
            record: record.parse().ok()?,
        })
    };
    read()
        .inspect(|key| about(record(key)))
        .ok_or_else(|| status::bad_field(field, "is not of the form rcps/{rcp}/records/{record}"))
}

/// Finds a circle of ours by its name for people or its resource name.
///
/// # Errors
/// `NOT_FOUND`.
pub fn find_circle(model: &Model, name: &str) -> Result<LogId, Status> {
    let by_resource = || {
        let (_, log) = name.strip_prefix("rcps/")?.split_once("/circles/")?;
        let id: LogId = log.parse().ok()?;
        model.logs.get(&id).filter(|log| log.owner == model.me)
    };
    let by_partner = || {
        let peer = name.strip_prefix("private/")?.parse().ok()?;
        model.private_log(&peer)
    };
    let by_name = || model.circle(name).filter(|log| !log.name.is_empty());
    by_name()
        .or_else(by_resource)
        .or_else(by_partner)
        .inspect(|log| match log.name.as_str() {
            "" => about(circle(&log.owner, &log.id)),
            name => about(name.to_owned()),
        })
        .map(|log| log.id)
        .ok_or_else(|| status::not_found("circle", name))
}
