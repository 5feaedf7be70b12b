//! Networks as ministries have them: a proxy that wants a password, addresses that change, a box
//! that opens what is encrypted.

use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context, Result};
use corridor_node::operate::keys::peer_name;
use corridor_tests::nodes::{Office, until};
use rcgen::{CertificateParams, DnType, Issuer, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

/// A proxy that lets those through who know the password, and how many it did.
struct Proxy {
    address: String,
    let_through: Arc<AtomicUsize>,
}

impl Proxy {
    async fn open(password: &'static str) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?.to_string();
        let let_through = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&let_through);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let count = Arc::clone(&count);
                // A caller that gives up is no failure of the proxy.
                tokio::spawn(async move { serve(stream, password, &count).await.ok() });
            }
        });
        Ok(Self {
            address,
            let_through,
        })
    }
}

async fn serve(stream: TcpStream, password: &str, count: &AtomicUsize) -> Result<()> {
    let mut stream = BufReader::new(stream);
    let (mut line, mut is_known) = (String::new(), password.is_empty());
    stream.read_line(&mut line).await?;
    let target = line.split(' ').nth(1).context("a target")?.to_owned();
    let wanted = data_encoding::BASE64.encode(password.as_bytes());
    while line.trim() != "" {
        line.clear();
        stream.read_line(&mut line).await?;
        is_known |= line.trim() == format!("Proxy-Authorization: Basic {wanted}");
    }
    if !is_known {
        let refusal = b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n";
        return Ok(stream.write_all(refusal).await?);
    }
    let mut onward = TcpStream::connect(target).await?;
    count.fetch_add(1, Ordering::SeqCst);
    stream
        .write_all(b"HTTP/1.1 200 Connection established\r\n\r\n")
        .await?;
    tokio::io::copy_bidirectional(&mut stream, &mut onward).await?;
    Ok(())
}

/// What an office is told of a partner.
async fn told(office: &Office, partner: &Office) -> Result<String> {
    let peers = office.client().await?.peers().await?;
    let name = format!("rcps/{}", partner.rcp);
    let peer = peers.into_iter().find(|peer| peer.name == name);
    Ok(peer.context("a partner")?.sentence)
}

/// Waits until an office is told something of a partner.
async fn until_told(office: &Office, partner: &Office, what: &str) -> Result<()> {
    for _ in 0..400 {
        if told(office, partner).await?.contains(what) {
            return Ok(());
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    anyhow::bail!("{what:?} is not told: {}", told(office, partner).await?)
}

/// A node that only dials out, through a proxy: without the password it says so, with it records
/// flow both ways.
#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_with_a_password_is_no_obstacle() -> Result<()> {
    let mut ministry = Office::open("Almaty Process", false).await?;
    let partner = Office::open("Prague Process", true).await?;
    partner.befriend(&ministry).await?;
    let proxy = Proxy::open("almaty:mountain:pass").await?;
    ministry
        .configure(|config| config.proxy = proxy.address.clone())
        .await?;
    until_told(&ministry, &partner, "wants a name and a password").await?;
    let file = ministry.folder.path().join("proxy");
    std::fs::write(&file, "almaty:wrong\n")?;
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600))?;
    let credentials = file.display().to_string();
    ministry
        .configure(|config| config.proxy_credentials = credentials)
        .await?;
    until_told(&ministry, &partner, "does not take the name and password").await?;
    // It is read anew for each connection.
    std::fs::write(&file, "almaty:mountain:pass\n")?;
    let (ours, theirs) = (
        ministry
            .publish("From Almaty", &[ministry.circle("public")?])
            .await?,
        partner
            .publish("From Prague", &[partner.circle("public")?])
            .await?,
    );
    until("records flow both ways", || {
        ministry.holds(&partner, theirs) && partner.holds(&ministry, ours)
    })
    .await?;
    assert!(
        proxy.let_through.load(Ordering::SeqCst) > 0,
        "through the proxy"
    );
    Ok(())
}

/// What answers as a proxy and is none, and a proxy that is not there, are each named.
#[tokio::test(flavor = "multi_thread")]
async fn what_stands_in_the_way_is_named() -> Result<()> {
    let mut ministry = Office::open("Rabat Process", false).await?;
    let partner = Office::open("Khartoum Process", true).await?;
    partner.befriend(&ministry).await?;
    let no_proxy = partner.address().to_string();
    ministry.configure(|config| config.proxy = no_proxy).await?;
    until_told(&ministry, &partner, "your proxy").await?;
    ministry
        .configure(|config| config.proxy = "127.0.0.1:1".to_owned())
        .await?;
    until_told(&ministry, &partner, "because your proxy 127.0.0.1:1 cannot").await?;
    Ok(())
}

/// A box that opens the line with a certificate of its own gets nothing, and its issuer is named.
#[tokio::test(flavor = "multi_thread")]
async fn a_line_that_is_opened_on_the_way_is_named() -> Result<()> {
    opened_on_the_way(|_| "partner.example".to_owned()).await
}

/// As most of them do: with the partner's name in it.
#[tokio::test(flavor = "multi_thread")]
async fn a_line_that_is_opened_in_the_partners_name_is_named() -> Result<()> {
    opened_on_the_way(|partner| peer_name(&partner.rcp)).await
}

async fn opened_on_the_way(names: impl Fn(&Office) -> String) -> Result<()> {
    let mut ministry = Office::open("Budapest Process", false).await?;
    let partner = Office::open("Puebla Process", true).await?;
    partner.befriend(&ministry).await?;
    let opened = Arc::new(AtomicUsize::new(0));
    let inside = opening_box(names(&partner), Arc::clone(&opened)).await?;
    ministry.configure(|config| config.proxy = inside).await?;
    until_told(&ministry, &partner, "Inspection of the Ministry").await?;
    let sentence = told(&ministry, &partner).await?;
    assert!(sentence.contains("opens the encrypted line"), "{sentence}");
    assert_eq!(opened.load(Ordering::SeqCst), 0, "nothing was sent to it");
    Ok(())
}

/// A proxy that answers every CONNECT with a TLS server of its own; counts the bytes it is told.
async fn opening_box(name: String, opened: Arc<AtomicUsize>) -> Result<String> {
    let key = KeyPair::generate()?;
    let mut authority = CertificateParams::new(Vec::new())?;
    let issuer = "Inspection of the Ministry";
    authority
        .distinguished_name
        .push(DnType::CommonName, issuer);
    let authority = Issuer::new(authority, KeyPair::generate()?);
    let certificate = CertificateParams::new(vec![name])?.signed_by(&key, &authority)?;
    let private = PrivateKeyDer::try_from(key.serialize_der()).map_err(anyhow::Error::msg)?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut server = rustls::ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], private)?;
    server.alpn_protocols = vec![b"h2".to_vec()];
    let acceptor = TlsAcceptor::from(Arc::new(server));
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?.to_string();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (acceptor, opened) = (acceptor.clone(), Arc::clone(&opened));
            tokio::spawn(async move {
                let mut stream = BufReader::new(stream);
                let mut line = "CONNECT".to_owned();
                while line.trim() != "" {
                    line.clear();
                    stream.read_line(&mut line).await.ok()?;
                }
                stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.ok()?;
                let mut tls = acceptor.accept(stream).await.ok()?;
                let mut told = Vec::new();
                tokio::io::AsyncReadExt::read_to_end(&mut tls, &mut told)
                    .await
                    .ok()?;
                opened.fetch_add(told.len(), Ordering::SeqCst);
                Some(())
            });
        }
    });
    Ok(address)
}

/// A partner that moves to an address of the next protocol: it dials those whom it can reach, and
/// with its new card they find it.
#[tokio::test(flavor = "multi_thread")]
async fn a_partner_that_moves_is_found_again() -> Result<()> {
    let partner = Office::open("Colombo Process", true).await?;
    let mut moving = Office::open("Bali Process", true).await?;
    moving.befriend(&partner).await?;
    moving.admit("federation", &[&partner]).await?;
    let new = match TcpListener::bind("[::1]:0").await {
        Ok(listener) => listener.local_addr()?,
        // A machine without IPv6: another port will do.
        Err(_) => TcpListener::bind("127.0.0.1:0").await?.local_addr()?,
    };
    moving
        .configure(|config| {
            config.peer_listen = new;
            config.advertise = vec![new.to_string()];
        })
        .await?;
    let record = moving
        .publish("After the move", &[moving.circle("federation")?])
        .await?;
    until("it arrives", || partner.holds(&moving, record)).await?;
    let peers = partner.client().await?.peers().await?;
    assert_eq!(peers[0].addresses, [new.to_string()]);
    // Where the mover cannot dial, the partner does, at the new address.
    moving
        .configure(|config| config.proxy = "127.0.0.1:1".to_owned())
        .await?;
    let record = moving
        .publish("Found", &[moving.circle("federation")?])
        .await?;
    until("the partner dials it", || partner.holds(&moving, record)).await
}
