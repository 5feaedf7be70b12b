//! The node itself.

use std::collections::BTreeMap;

use corridor_proto::v1;
use corridor_proto::wire::Identity;
use corridor_rules::desk::Wish;
use corridor_rules::row::RecordKey;
use corridor_rules::serve::Source;
use corridor_rules::{Fact, Reader, Rows};
use corridor_store::View;
use tonic::{Request, Response, Status};

use super::record::message;
use super::rpc::node_service_server::NodeService;
use super::{Api, names, status};
use crate::desk::{self, About, For, Need};
use crate::edge;
use crate::operate::access::Right;

const fn right(who: For) -> Right {
    match who {
        For::Writers => Right::Draft,
        For::Clearers => Right::Share,
        For::Keepers => Right::Administer,
    }
}

fn need_message(view: &View<'_>, need: Need) -> v1::Need {
    let rcp = view.me;
    v1::Need {
        reason: need.code.to_owned(),
        sentence: need.sentence,
        about: match need.about {
            About::Record(record) => names::record(&RecordKey { rcp, record }),
            About::Peer(rcp) => names::rcp(&rcp),
            About::Node => String::new(),
        },
        since_ms: need.since.0,
    }
}

#[tonic::async_trait]
impl NodeService for Api {
    async fn get_node(
        &self,
        request: Request<v1::GetNodeRequest>,
    ) -> Result<Response<v1::GetNodeResponse>, Status> {
        let reader = self.reader(request.metadata())?;
        Ok(Response::new(self.desk.store().read(|view| {
            let known = view.known.get(&view.me);
            let card = known.and_then(|known| known.card.clone());
            let named = card
                .as_ref()
                .map(|card| card.card().names.clone())
                .unwrap_or_default();
            let identity = known.zip(card).map(|(known, card)| {
                Identity {
                    charter: known.charter.clone(),
                    card,
                }
                .message()
            });
            let is_desk = reader == Reader::Secretariat;
            v1::GetNodeResponse {
                another_copy: is_desk && view.another_copy,
                name: names::rcp(&view.me),
                display_names: named.into_iter().map(|(_, name)| name).collect(),
                identity,
                version: env!("CARGO_PKG_VERSION").to_owned(),
                revision: message::revision(view, &reader),
                signing_stopped: match reader {
                    Reader::Secretariat => view.signing_stopped.clone().unwrap_or_default(),
                    Reader::Peer(_) | Reader::Anyone => String::new(),
                },
            }
        })))
    }

    async fn list_needs(
        &self,
        request: Request<v1::ListNeedsRequest>,
    ) -> Result<Response<v1::ListNeedsResponse>, Status> {
        let caller = self.allow(request.metadata(), Right::Read)?;
        let store = self.desk.store();
        let needs = store.read(|view| {
            let may_act = |who| caller.has(right(who));
            let needs = desk::needs(view, edge::now(), may_act).into_iter();
            needs.map(|need| need_message(view, need)).collect()
        });
        Ok(Response::new(v1::ListNeedsResponse { needs }))
    }

    async fn disown_copy(
        &self,
        request: Request<v1::DisownCopyRequest>,
    ) -> Result<Response<v1::DisownCopyResponse>, Status> {
        self.allow(request.metadata(), Right::Administer)?;
        let gone = self.desk.wish(Wish::OtherCopyGone).await;
        gone.map_err(status::desk)?;
        Ok(Response::new(v1::DisownCopyResponse {}))
    }

    async fn restart_logs(
        &self,
        request: Request<v1::RestartLogsRequest>,
    ) -> Result<Response<v1::RestartLogsResponse>, Status> {
        self.allow(request.metadata(), Right::Administer)?;
        let done = self.desk.wish(Wish::Restart).await.map_err(status::desk)?;
        let heads = done.facts.iter();
        let heads = heads.filter(|fact| matches!(fact, Fact::Head { .. }));
        Ok(Response::new(v1::RestartLogsResponse {
            restarted: u32::try_from(heads.count()).unwrap_or(u32::MAX),
        }))
    }

    async fn show_uncompared(
        &self,
        request: Request<v1::ShowUncomparedRequest>,
    ) -> Result<Response<v1::ShowUncomparedResponse>, Status> {
        self.allow(request.metadata(), Right::Administer)?;
        let done = self.desk.wish(Wish::ShowUncompared).await;
        let circles = done.map_err(status::desk)?.facts.len();
        Ok(Response::new(v1::ShowUncomparedResponse {
            circles: u32::try_from(circles).unwrap_or(u32::MAX),
        }))
    }

    async fn list_void_versions(
        &self,
        request: Request<v1::ListVoidVersionsRequest>,
    ) -> Result<Response<v1::ListVoidVersionsResponse>, Status> {
        self.allow(request.metadata(), Right::Read)?;
        let versions = self.desk.store().read(void_versions);
        Ok(Response::new(v1::ListVoidVersionsResponse { versions }))
    }
}

/// What restarts made void, that nothing burnt and that stands in no circle of ours since.
fn void_versions(view: &View<'_>) -> Vec<v1::VoidVersion> {
    let mut found: BTreeMap<(RecordKey, u64), v1::VoidVersion> = BTreeMap::new();
    for log in view.own_logs() {
        for (hash, (record, version)) in &log.void.published {
            let (rcp, record) = (view.me, *record);
            let key = RecordKey { rcp, record };
            let row = view.row(&key).unwrap_or_default();
            let stands = row.stands.iter().any(|stand| {
                row.lives(stand) && (stand.version_hash == *hash || stand.version > *version)
            });
            if stands || *version <= row.burnt() {
                continue;
            }
            let one = found.entry((key, *version)).or_insert_with(|| {
                let place = row.body(hash).map(|held| (held.place, held.kind));
                let text = place.and_then(|(place, kind)| Some((view.record(place)?, kind)));
                v1::VoidVersion {
                    name: names::record(&key),
                    version: *version,
                    circles: Vec::new(),
                    held: text.is_some(),
                    kind: text
                        .as_ref()
                        .map(|(_, kind)| message::kind_word(*kind))
                        .unwrap_or_default(),
                    title: text
                        .map(|(signed, kind)| message::title(kind, &signed.body))
                        .unwrap_or_default(),
                }
            });
            one.circles.push(message::circle_name(log));
        }
    }
    found.into_values().collect()
}
