//! The network: own ports, own addresses as partners are told them, partners' names, a proxy.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;

use tokio::net::{TcpListener, TcpStream, lookup_host};

use super::node::Found;
use super::{Check, Verdict};
use crate::edge;
use crate::limits::CALL_TIME;
use crate::operate::ask;
use crate::operate::config::{Config, NONE};

pub async fn checks(
    data: &Path,
    config: &Config,
    found: &Found,
    proxy: &[(String, String)],
) -> Vec<Check> {
    let is_running = matches!(found, Found::Running(_));
    let mut checks = Vec::new();
    let listeners = [
        ("partners' nodes", Some(config.peer_listen)),
        ("your own tools", Some(config.api_listen)),
        ("figures", config.metrics),
    ];
    for (whom, place) in listeners {
        let Some(place) = place else { continue };
        checks.push(port(whom, place, is_running).await);
    }
    if is_running && checks.iter().all(|check| check.verdict == Verdict::Fine) {
        checks.push(answers(data, config).await);
    }
    checks.push(own_addresses(config, is_running).await);
    checks.extend(names(found).await);
    checks.push(proxies(config, proxy).await);
    checks
}

/// The address at which this machine reaches what listens there.
pub fn from_here(place: SocketAddr) -> SocketAddr {
    let here: IpAddr = match place.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(here, place.port())
}

async fn connects(address: &str) -> Result<(), String> {
    match tokio::time::timeout(CALL_TIME, TcpStream::connect(address)).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err("no answer within ten seconds".to_owned()),
    }
}

async fn port(whom: &str, place: SocketAddr, is_running: bool) -> Check {
    if is_running {
        return match connects(&from_here(place).to_string()).await {
            Ok(()) => Check::fine("port", format!("{place} takes connections, for {whom}.")),
            Err(why) => Check::broken(
                "port",
                format!("{place}, for {whom}, takes no connection: {why}."),
                "Look at the node's log, and whether it was started with another configuration.",
            ),
        };
    }
    match TcpListener::bind(place).await {
        Ok(_) => Check::fine("port", format!("{place} is free, for {whom}.")),
        Err(error) => Check::broken(
            "port",
            format!("{place} cannot be used for {whom}: {error}."),
            "Find out which program has it, or configure another port.",
        ),
    }
}

/// Whether the node's own listener answers, with the certificate in the folder.
async fn answers(data: &Path, config: &Config) -> Check {
    match ask::health(data, from_here(config.api_listen), "").await {
        Ok(true) => Check::fine("answers", "The node says that it serves."),
        Ok(false) => Check::look(
            "answers",
            "The node says that it ends.",
            "Wait for its end.",
        ),
        Err(why) => Check::broken(
            "answers",
            format!("The node does not answer: {why}."),
            "Look at its log; if it hangs, stop it and start it again.",
        ),
    }
}

async fn own_addresses(config: &Config, is_running: bool) -> Check {
    if config.advertise.is_empty() {
        let what = "Partners are told no address: this node dials them, and none dials it.";
        return Check::fine("address", what);
    }
    let mut failed = Vec::new();
    for address in &config.advertise {
        let tried = if is_running {
            connects(address).await
        } else {
            lookup(address).await.map(|_| ())
        };
        if let Err(why) = tried {
            failed.push(format!("{address}: {why}"));
        }
    }
    let all = config.advertise.join(", ");
    match (failed.is_empty(), is_running) {
        (true, true) => {
            let what = format!(
                "{all} leads here from this machine; from outside only a partner can tell."
            );
            Check::fine("address", what)
        }
        (true, false) => Check::fine("address", format!("The names in {all} are known.")),
        (false, _) => Check::look(
            "address",
            format!(
                "What partners are told does not lead here from this machine: {}.",
                failed.join("; ")
            ),
            "Ask IT whether the name is right and whether this TCP port is let through to this \
             machine; some networks let nobody in from inside, then a partner's word counts.",
        ),
    }
}

async fn lookup(address: &str) -> Result<Vec<SocketAddr>, String> {
    match tokio::time::timeout(CALL_TIME, lookup_host(address)).await {
        Ok(Ok(found)) => {
            let found: Vec<_> = found.collect();
            if found.is_empty() {
                return Err("the name has no address".to_owned());
            }
            Ok(found)
        }
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err("no answer within ten seconds".to_owned()),
    }
}

/// The names in partners' addresses.
async fn names(found: &Found) -> Vec<Check> {
    let mut checks = Vec::new();
    for peer in found.peers(edge::now()) {
        let names: BTreeSet<&String> = peer.addresses.iter().collect();
        for address in names {
            let host = address
                .rsplit_once(':')
                .map_or(address.as_str(), |(host, _)| host);
            if host.trim_matches(['[', ']']).parse::<IpAddr>().is_ok() {
                continue;
            }
            checks.push(match lookup(address).await {
                Ok(found) => {
                    let first = found.first().map(|found| found.ip().to_string());
                    let first = first.unwrap_or_default();
                    Check::fine("name", format!("{host}, of {}, is {first}.", peer.label))
                }
                Err(why) => Check::look(
                    "name",
                    format!("{host}, of {}, is not found: {why}.", peer.label),
                    "Ask IT whether this machine may look up names outside (DNS), and the partner \
                     whether the name is still right.",
                ),
            });
        }
    }
    checks
}

/// Whether partners are reached through a proxy, or the machine is told of one that is not used.
async fn proxies(config: &Config, proxy: &[(String, String)]) -> Check {
    let own = &config.proxy;
    if own != NONE {
        return match connects(own).await {
            Ok(()) => Check::fine("proxy", format!("Partners are reached through {own}.")),
            Err(why) => Check::broken(
                "proxy",
                format!("The proxy {own} cannot be reached: {why}."),
                "Ask IT for its address, and name it as proxy in config.toml.",
            ),
        };
    }
    let named: Vec<String> = proxy
        .iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(name, value)| format!("{name}={}", without_password(value)))
        .collect();
    if named.is_empty() {
        return Check::fine("proxy", "The environment names no proxy.");
    }
    Check::look(
        "proxy",
        format!("The environment names a proxy: {}.", named.join(", ")),
        "This node connects to partners directly: ask IT to let that out, or name the proxy in \
         config.toml.",
    )
}

/// A proxy's address without what somebody logs in with.
fn without_password(url: &str) -> String {
    let (scheme, rest) = url
        .split_once("://")
        .map_or(("", url), |(scheme, rest)| (scheme, rest));
    let rest = rest.rsplit_once('@').map_or(rest, |(_, host)| host);
    if scheme.is_empty() {
        rest.to_owned()
    } else {
        format!("{scheme}://{rest}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_proxy_is_named_without_its_password() {
        let given = [(
            "https_proxy".to_owned(),
            "http://me:secret@proxy.example:3128".to_owned(),
        )];
        let config = Config::default();
        let check = proxies(&config, &given).await;
        assert_eq!(check.verdict, Verdict::Look);
        assert!(
            check.evidence.contains("http://proxy.example:3128"),
            "{}",
            check.evidence
        );
        assert!(!check.evidence.contains("secret"), "{}", check.evidence);
        assert_eq!(without_password("me:s3cret@proxy:80"), "proxy:80");
        assert_eq!(
            proxies(&config, &[("ALL_PROXY".to_owned(), String::new())])
                .await
                .verdict,
            Verdict::Fine
        );
        let nobody = Config {
            proxy: "127.0.0.1:1".to_owned(),
            ..Config::default()
        };
        assert_eq!(proxies(&nobody, &[]).await.verdict, Verdict::Broken);
    }

    #[test]
    fn what_listens_everywhere_is_reached_here() {
        for (place, here) in [
            ("0.0.0.0:7400", "127.0.0.1:7400"),
            ("[::]:7400", "[::1]:7400"),
            ("192.0.2.1:7400", "192.0.2.1:7400"),
        ] {
            let place: SocketAddr = place.parse().expect("an address");
            assert_eq!(from_here(place).to_string(), here);
        }
    }
}
