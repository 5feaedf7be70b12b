//! What figures, status file and doctor say of partners, as these come and go.

use anyhow::{Context, Result};
use corridor_node::edge;
use corridor_node::operate::doctor::{Verdict, examine, find};
use corridor_node::operate::layers::{Given, effective};
use corridor_proto::line::WithdrawalReason;
use corridor_tests::nodes::{Office, until};

/// The value of a figure, as its line begins.
fn figure(office: &Office, line: &str) -> Option<f64> {
    let text = office.node().exchange.meters.text().ok()?;
    let found = text.lines().find(|found| found.starts_with(line))?;
    found.rsplit(' ').next()?.parse().ok()
}

async fn becomes(office: &Office, line: &str, value: f64) -> Result<()> {
    let what = format!("{line} is {value}");
    let is_it = || figure(office, line).is_some_and(|now| (now - value).abs() < 0.5);
    until(&what, is_it)
        .await
        .with_context(|| office.node().exchange.meters.text().unwrap_or_default())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_partner_is_counted_by_its_name_and_what_it_has_not_confirmed() -> Result<()> {
    let office = Office::open("Bali Process", true).await?;
    let mut partner = Office::open("Prague Process", true).await?;
    becomes(&office, "corridor_peers{state=\"active\"}", 0.0).await?;
    office.befriend(&partner).await?;
    becomes(&office, "corridor_peers{state=\"active\"}", 1.0).await?;
    let of = |family: &str| format!("{family}{{peer=\"Prague Process\"}}");
    becomes(&office, &of("corridor_peer_connected"), 1.0).await?;
    becomes(&office, &of("corridor_sync_lag_records"), 0.0).await?;
    let failed = "corridor_signature_failures_total{reason=\"BAD_SIGNATURE\"}";
    becomes(&office, failed, 0.0).await?;
    let success = of("corridor_sync_last_success_timestamp_seconds");
    let minute_ago = std::time::UNIX_EPOCH.elapsed()?.as_secs_f64() - 60.0;
    until("it was up to date", || {
        figure(&office, &success).is_some_and(|at| at > minute_ago)
    })
    .await?;

    let public = office.circle("public")?;
    let record = office.publish("To be withdrawn", &[public]).await?;
    until("the partner has it", || partner.holds(&office, record)).await?;
    let accepted = "corridor_sync_records_total{peer=\"Bali Process\",result=\"accepted\"";
    becomes(&partner, accepted, 1.0).await?;
    let open = of("corridor_withdrawals_unacknowledged");
    becomes(&office, &open, 0.0).await?;
    partner.close().await?;
    becomes(&office, &of("corridor_peer_connected"), 0.0).await?;
    let why = WithdrawalReason::StateRequest;
    office
        .desk()
        .withdraw(record, None, why, None, None)
        .await?;
    becomes(&office, &open, 1.0).await?;
    partner.reopen().await?;
    becomes(&office, &open, 0.0).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_doctor_names_each_partner_whether_the_node_runs_or_not() -> Result<()> {
    let mut office = Office::open("Rabat Process", true).await?;
    let mut partner = Office::open("Niamey Declaration", true).await?;
    office.befriend(&partner).await?;
    let data = office.data();
    let label = "Niamey Declaration";
    let connected = || {
        find(&data, edge::now())
            .peers(edge::now())
            .iter()
            .any(|peer| peer.connected)
    };
    until("the status file says so", connected).await?;
    partner.close().await?;
    until("the status file says that it is away", || !connected()).await?;
    let verdict = async || -> Result<Verdict> {
        let given = Given {
            file: Some(std::fs::read_to_string(data.join("config.toml"))?),
            ..Given::default()
        };
        let config = effective(&given).map_err(|wrong| wrong.to_string());
        let checks = examine(&data, config, &[], edge::now()).await;
        let mut checks = checks.iter().filter(|check| check.check == "partner");
        let check = checks.next().context("it is named")?;
        assert!(check.evidence.contains(label), "{}", check.evidence);
        assert!(checks.next().is_none());
        Ok(check.verdict)
    };
    assert_eq!(verdict().await?, Verdict::Look, "it is away");
    office.close().await?;
    assert_eq!(verdict().await?, Verdict::Fine, "nothing is known of now");
    let found = find(&data, edge::now());
    assert_eq!(found.peers(edge::now())[0].label, label);
    Ok(())
}
