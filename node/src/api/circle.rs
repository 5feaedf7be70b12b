//! Circles.

use std::collections::BTreeMap;

use corridor_proto::{LogId, UnixMillis, v1};
use corridor_rules::desk::Wish;
use corridor_rules::fact::Fact;
use corridor_rules::{Log, Sort};
use corridor_store::View;
use tonic::{Request, Response, Status};

use super::rpc::circle_service_server::CircleService;
use super::{Api, names, status};
use crate::operate::access::Right;

fn message(view: &View<'_>, log: &Log) -> v1::Circle {
    let readers = log.readers.iter().flat_map(|readers| &readers.list.readers);
    let reader = |rcp: &corridor_proto::RcpId, until: UnixMillis| v1::CircleReader {
        rcp: names::rcp(rcp),
        until_ms: until.0,
        held_size: view
            .held
            .get(&(log.id, *rcp))
            .map_or(0, |held| held.checkpoint.size),
    };
    let mut listed: Vec<_> = readers.map(|(rcp, until)| reader(rcp, *until)).collect();
    let mut peer = String::new();
    let sort = match log.sort {
        Sort::Public => v1::CircleSort::Public,
        Sort::Open => v1::CircleSort::Open,
        Sort::Closed => v1::CircleSort::Closed,
        Sort::Private(rcp) => {
            peer = names::rcp(&rcp);
            listed.push(reader(&rcp, UnixMillis(0)));
            v1::CircleSort::Private
        }
    };
    v1::Circle {
        name: names::circle(&log.owner, &log.id),
        display_name: if log.sort == Sort::Public {
            "public".to_owned()
        } else {
            log.name.clone()
        },
        sort: sort.into(),
        readers: listed,
        size: log.size(),
        behind_by: log.behind_by(),
        bodies_missing: if log.owner == view.me {
            0
        } else {
            u64::try_from(log.missing.len()).unwrap_or(u64::MAX)
        },
        peer,
    }
}

impl Api {
    fn circle(&self, id: &LogId) -> Result<v1::Circle, Status> {
        self.desk.store().read(|view| {
            let log = view.logs.get(id);
            log.map(|log| message(view, log))
                .ok_or_else(|| status::not_found("circle", &id.to_string()))
        })
    }

    fn find(&self, name: &str) -> Result<LogId, Status> {
        self.desk
            .store()
            .read(|view| names::find_circle(view, name))
    }
}

#[tonic::async_trait]
impl CircleService for Api {
    async fn list_circles(
        &self,
        request: Request<v1::ListCirclesRequest>,
    ) -> Result<Response<v1::ListCirclesResponse>, Status> {
        self.allow(request.metadata(), Right::Read)?;
        let circles = self
            .desk
            .store()
            .read(|view| view.logs.values().map(|log| message(view, log)).collect());
        Ok(Response::new(v1::ListCirclesResponse { circles }))
    }

    async fn create_circle(
        &self,
        request: Request<v1::CreateCircleRequest>,
    ) -> Result<Response<v1::CreateCircleResponse>, Status> {
        self.allow(request.metadata(), Right::Share)?;
        let request = request.into_inner();
        let open = match request.sort() {
            v1::CircleSort::Open => true,
            v1::CircleSort::Closed => false,
            _ => return Err(status::bad_field("sort", "has to be open or closed")),
        };
        let wish = Wish::OpenCircle {
            name: request.display_name,
            open,
            relay: request.relay,
        };
        let done = self.desk.wish(wish).await.map_err(status::desk)?;
        let id = done.facts.iter().find_map(|fact| match fact {
            Fact::Circle { owner, seed, .. } => Some(LogId::derive(owner, seed)),
            _ => None,
        });
        let circle = id.map(|id| self.circle(&id)).transpose()?;
        Ok(Response::new(v1::CreateCircleResponse { circle }))
    }

    async fn add_readers(
        &self,
        request: Request<v1::AddReadersRequest>,
    ) -> Result<Response<v1::AddReadersResponse>, Status> {
        self.allow(request.metadata(), Right::Share)?;
        let request = request.into_inner();
        let id = self.find(&request.circle)?;
        let mut add = BTreeMap::new();
        for reader in &request.readers {
            add.insert(
                names::parse_rcp("readers.rcp", &reader.rcp)?,
                UnixMillis(reader.until_ms),
            );
        }
        if add.is_empty() {
            return Err(status::bad_field("readers", "names nobody"));
        }
        self.desk
            .add_readers(id, &add)
            .await
            .map_err(status::desk)?;
        Ok(Response::new(v1::AddReadersResponse {
            circle: Some(self.circle(&id)?),
        }))
    }

    async fn remove_readers(
        &self,
        request: Request<v1::RemoveReadersRequest>,
    ) -> Result<Response<v1::RemoveReadersResponse>, Status> {
        self.allow(request.metadata(), Right::Share)?;
        let request = request.into_inner();
        let id = self.find(&request.circle)?;
        let remove: Result<Vec<_>, Status> = request
            .rcps
            .iter()
            .map(|rcp| names::parse_rcp("rcps", rcp))
            .collect();
        let remove = remove?;
        if remove.is_empty() {
            return Err(status::bad_field("rcps", "names nobody"));
        }
        self.desk
            .remove_readers(id, &remove)
            .await
            .map_err(status::desk)?;
        Ok(Response::new(v1::RemoveReadersResponse {
            circle: Some(self.circle(&id)?),
        }))
    }
}
