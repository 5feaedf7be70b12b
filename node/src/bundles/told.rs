//! What people are told of a bundle.

use std::collections::BTreeMap;

use corridor_proto::bundle::Header;
use corridor_proto::{LogId, RcpId, v1};
use corridor_rules::bundle::{Circle, Look, Writing};
use corridor_rules::{Model, PeerState, Sort};

/// An RCP as it is called here: the name under which it was confirmed, or that of its card, or its
/// identifier.
pub fn called(model: &Model, rcp: &RcpId) -> String {
    let confirmed = model.peers.get(rcp).map(|peer| peer.name.clone());
    let confirmed = confirmed.filter(|name| !name.is_empty());
    let claimed = || {
        let card = model.known.get(rcp)?.card.as_ref()?;
        Some(card.card().name().to_owned()).filter(|name| !name.is_empty())
    };
    confirmed
        .or_else(claimed)
        .unwrap_or_else(|| rcp.to_string())
}

/// What its header says.
pub fn header(model: &Model, header: &Header) -> v1::Bundle {
    v1::Bundle {
        id: header.id.to_string(),
        sender: format!("rcps/{}", header.sender),
        sender_name: called(model, &header.sender),
        receiver: format!("rcps/{}", header.receiver),
        receiver_name: called(model, &header.receiver),
        made_ms: header.made.0,
        ..v1::Bundle::default()
    }
}

/// Name and sort of a log of an RCP, as they are known here.
fn circle(model: &Model, owner: &RcpId, id: &LogId) -> v1::BundledCircle {
    let log = model.logs.get(id);
    let (name, sort) = match log.map(|log| log.sort) {
        // Its identifier says so, before anything of it is here.
        _ if *id == LogId::public(owner) => ("public", "public"),
        Some(Sort::Public) => ("public", "public"),
        Some(Sort::Open) => ("", "open"),
        Some(Sort::Closed) => ("", "closed"),
        Some(Sort::Private(_)) => ("", "private"),
        None => ("", ""),
    };
    let known = log.map_or("", |log| log.name.as_str());
    v1::BundledCircle {
        name: if name.is_empty() { known } else { name }.to_owned(),
        log: id.to_string(),
        sort: sort.to_owned(),
        ..v1::BundledCircle::default()
    }
}

/// Gives circles that were new here the names under which they are known by now.
pub fn name_again(model: &Model, sender: &RcpId, circles: &mut [v1::BundledCircle]) {
    for told in circles {
        if let Ok(id) = told.log.parse() {
            let now = circle(model, sender, &id);
            (told.name, told.sort) = (now.name, now.sort);
        }
    }
}

/// The circles of a bundle that was written here.
pub fn written(model: &Model, writing: &Writing) -> Vec<v1::BundledCircle> {
    let told = |of: &corridor_rules::bundle::Written| v1::BundledCircle {
        lines: of.lines,
        new_lines: of.lines,
        withdrawals: of.withdrawals,
        texts: of.texts,
        new_texts: of.texts,
        size: of.from.saturating_add(of.lines),
        ..circle(model, &model.me, &of.log)
    };
    writing.logs().iter().map(told).collect()
}

/// The circles of a bundle that came.
pub fn found(
    model: &Model,
    sender: &RcpId,
    circles: &BTreeMap<LogId, Circle>,
) -> Vec<v1::BundledCircle> {
    let told = |(id, of): (&LogId, &Circle)| v1::BundledCircle {
        lines: of.lines,
        new_lines: of.new_lines,
        withdrawals: of.withdrawals,
        texts: of.texts,
        new_texts: of.new_texts,
        size: of.head.1,
        problem: of.problem.map(|of| of.to_string()).unwrap_or_default(),
        ..circle(model, sender, id)
    };
    circles.iter().map(told).collect()
}

/// What is to be known before a bundle is taken in.
pub fn remark(model: &Model, sender: &RcpId, look: &Look) -> String {
    match model.peer_state(sender) {
        Some(PeerState::Left) => "You ended the relation with this partner: of its bundle only \
                                  receipts are taken."
            .to_owned(),
        Some(PeerState::Invited) => "You accepted its invitation, and this is its answer: compare \
                                     the safety number by telephone once it is taken in."
            .to_owned(),
        Some(PeerState::Pending) => "This partner is not confirmed here: what it sends is kept \
                                     apart until you have compared the safety number."
            .to_owned(),
        _ if !look.is_news() && look.receipts() == 0 => "It has nothing that is not here \
                                                         already."
            .to_owned(),
        _ => String::new(),
    }
}

/// Texts of an RCP that are missing behind lines that are here.
pub fn missing(model: &Model, rcp: &RcpId) -> u64 {
    let logs = model.logs.values().filter(|log| log.owner == *rcp);
    let missing: usize = logs.map(|log| log.missing.len()).sum();
    u64::try_from(missing).unwrap_or(u64::MAX)
}
