//! A node that comes back from an older copy of its folder, between real nodes and by the commands
//! that a secretariat would give.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use corridor_node::edge;
use corridor_node::operate::audit::{Audit, Entry};
use corridor_node::operate::backup::{self, Error, Lock};
use corridor_node::operate::files::write_secret;
use corridor_proto::line::WithdrawalReason;
use corridor_proto::{LogId, RecordId};
use corridor_rules::desk::Wish;
use corridor_tests::command::corridor;
use corridor_tests::nodes::{Office, PUBLIC_KEY, SECRET_KEY, until};

/// Copies a folder that nobody writes to.
fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

/// Puts an older copy in the place of a closed node's folder.
fn set_back(office: &Office, older: &Path) -> Result<()> {
    fs::remove_dir_all(office.data())?;
    copy(older, &office.data())
}

fn stopped(office: &Office) -> Option<String> {
    let store = office.desk().store();
    store.read(|view| view.signing_stopped.clone())
}

async fn withdraw(office: &Office, record: RecordId) -> Result<()> {
    let wish = Wish::Withdraw {
        record,
        up_to: None,
        reason: WithdrawalReason::StateRequest,
        note: None,
        replacement: None,
    };
    office.desk().wish(wish).await?;
    Ok(())
}

fn is_burnt(office: &Office, of: &Office, record: RecordId) -> bool {
    office.row(of, record).is_some_and(|row| row.burnt() > 0)
}

/// The same lines at two nodes in all logs of the first that the second holds.
fn agree(owner: &Office, reader: &Office) -> bool {
    let roots = |office: &Office| {
        office.desk().store().read(|view| {
            let logs = view.logs.values().filter(|log| log.owner == owner.rcp);
            let logs = logs.map(|log| (log.id, log.size(), log.tree.root_at(log.size())));
            logs.collect::<Vec<_>>()
        })
    };
    let ours = roots(owner);
    let theirs = roots(reader);
    !theirs.is_empty() && theirs.iter().all(|log| ours.contains(log))
}

async fn recover(office: &Office, command: &str) -> Result<String> {
    let profile = office.profile();
    let line = format!("corridor --profile {} recover {command}", profile.display());
    let (code, said) = corridor(&line).await;
    anyhow::ensure!(code == 0, "{command}: {said}");
    Ok(said)
}

/// The index that followed the node's life, and one that is made anew, are what the journal says.
async fn assert_sound(office: &mut Office) -> Result<()> {
    for rebuilt in [false, true] {
        office.close().await?;
        let report = corridor_store::verify_store(&office.data(), &mut |_, _| {})?;
        assert!(report.findings.is_empty(), "rebuilt {rebuilt}: {report:?}");
        if !rebuilt {
            fs::remove_dir_all(office.data().join("index"))?;
        }
        office.reopen().await?;
    }
    Ok(())
}

/// An office, one partner that it meets before it signs again, and one that it meets behind that.
struct Story {
    office: Office,
    early: Office,
    late: Office,
    circles: [LogId; 2],
    first: RecordId,
    doomed: RecordId,
    both: RecordId,
    whispered: RecordId,
    only: RecordId,
}

impl Story {
    /// Three nodes, and the office's folder as it was before some records and a withdrawal.
    async fn until_the_loss(older: &Path) -> Result<Self> {
        let mut office = Office::open("Abu Dhabi Dialogue", true).await?;
        let mut early = Office::open("Bali Process", true).await?;
        let mut late = Office::open("Almaty Process", true).await?;
        office.befriend(&early).await?;
        office.befriend(&late).await?;
        office.admit("observers", &[&early, &late]).await?;
        let circles = [office.circle("public")?, office.circle("observers")?];
        let first = office.publish("First", &[circles[0]]).await?;
        let doomed = office.publish("Doomed", &circles).await?;
        until("both have it", || {
            early.holds(&office, doomed) && late.holds(&office, doomed)
        })
        .await?;
        office.close().await?;
        copy(&office.data(), older)?;
        office.reopen().await?;

        let both = office.publish("Both", &circles).await?;
        let closed = office.private(&early)?;
        let whispered = office.publish("Whispered", &[closed]).await?;
        until("both have more", || {
            let holds = [&early, &late].map(|at| at.holds(&office, both));
            holds == [true; 2] && early.holds(&office, whispered)
        })
        .await?;
        early.close().await?;
        let only = office.publish("Only", &[circles[0]]).await?;
        withdraw(&office, doomed).await?;
        until("the late one knows more", || {
            late.holds(&office, only) && is_burnt(&late, &office, doomed)
        })
        .await?;
        late.close().await?;
        office.close().await?;
        Ok(Self {
            office,
            early,
            late,
            circles,
            first,
            doomed,
            both,
            whispered,
            only,
        })
    }

    /// The older folder meets a partner, and takes back what it holds.
    async fn collects(&mut self) -> Result<()> {
        self.early.reopen().await?;
        let office = &self.office;
        until("it notices", || stopped(office).is_some()).await?;
        assert_eq!(stopped(office).as_deref(), Some("ANOTHER_COPY_RAN"));
        let profile = office.profile();
        let sign = format!("corridor --profile {} recover sign", profile.display());
        let (code, said) = corridor(&format!("{sign} --yes")).await;
        assert!(code == 5 && said.contains("copy-is-gone"), "{code} {said}");
        recover(office, "copy-is-gone --yes").await?;
        until("the early one gave back", || {
            office.holds(office, self.both) && office.holds(office, self.whispered)
        })
        .await?;
        let said = recover(office, "status").await?;
        let expect = said.contains("Bali Process") && said.contains("recover sign");
        assert!(expect, "{said}");
        let too_early = office.publish("Too early", &[self.circles[0]]).await;
        assert!(too_early.is_err());
        Ok(())
    }

    /// The late one holds lines that are void now: its withdrawal counts, its record is listed.
    async fn meets_the_late_one(&mut self) -> Result<()> {
        let after = self.office.publish("After", &self.circles).await?;
        let (office, early) = (&self.office, &self.early);
        until("the early one goes on", || {
            early.holds(office, after) && agree(office, early)
        })
        .await?;
        self.late.reopen().await?;
        let late = &self.late;
        until("the late one goes on", || {
            late.holds(office, after) && agree(office, late)
        })
        .await?;
        until("the withdrawal came back", || {
            let mut all = [office, early, late].into_iter();
            all.all(|at| is_burnt(at, office, self.doomed))
        })
        .await?;
        assert!(!late.holds(office, self.only), "it stands in no circle now");
        Ok(())
    }

    /// What went missing is shared again, as the list says.
    async fn shares_again(&self) -> Result<()> {
        let (office, early, late) = (&self.office, &self.early, &self.late);
        let said = recover(office, "void").await?;
        assert!(said.contains("Only") && said.contains("public"), "{said}");
        assert!(!said.contains("Both") && !said.contains("Doomed"), "{said}");
        let mut next = said
            .lines()
            .filter_map(|line| line.split_once("corridor record "));
        let next = next.next().context("what to do next is said")?.1;
        let profile = office.profile();
        let line = format!("corridor --profile {} record {next}", profile.display());
        let (code, said) = corridor(&line).await;
        assert_eq!(code, 0, "{said}");
        until("it stands again", || {
            early.holds(office, self.only) && late.holds(office, self.only)
        })
        .await?;
        for record in [self.first, self.both] {
            assert!(late.holds(office, record) && early.holds(office, record));
        }
        let said = recover(office, "void").await?;
        assert!(said.contains("Nothing"), "{said}");
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secretariat_brings_its_node_back_from_an_older_folder() -> Result<()> {
    let older = tempfile::tempdir()?;
    let mut story = Story::until_the_loss(older.path()).await?;
    set_back(&story.office, older.path())?;
    story.office.reopen().await?;
    story.collects().await?;
    recover(&story.office, "sign --yes").await?;
    assert_eq!(stopped(&story.office), None);
    story.meets_the_late_one().await?;
    assert_sound(&mut story.late).await?;
    story.shares_again().await?;

    // It lasts, and no partner concludes anything from the numbers of the copy that is gone.
    for one in [&mut story.office, &mut story.early, &mut story.late] {
        one.close().await?;
        one.reopen().await?;
    }
    let (office, early, late) = (&story.office, &story.early, &story.late);
    let last = office.publish("Last", &story.circles).await?;
    until("all go on", || {
        early.holds(office, last) && late.holds(office, last)
    })
    .await?;
    assert_eq!(stopped(office), None);
    for one in [&mut story.office, &mut story.early, &mut story.late] {
        assert_sound(one).await?;
    }
    Ok(())
}

/// Records of another RCP that a secretariat is shown.
async fn seen(office: &Office, of: &Office) -> Result<usize> {
    let records = office.client().await?.records(Some(of.rcp), false).await?;
    Ok(records.len())
}

/// What a backup of a running node is: whole, locked, and never written over another one.
fn back_up(office: &Office, safe: &Path) -> Result<Lock> {
    let secret = safe.join("passphrase");
    write_secret(&secret, b"six random words make it good\n")?;
    let lock = Lock::passphrase(&secret)?;
    let (copy, keys) = (safe.join("copy.age"), safe.join("keys.age"));
    let made = backup::create(&office.data(), &copy, &lock)?;
    backup::create_keys(&office.data(), &keys, &lock)?;
    let head = String::from_utf8_lossy(&fs::read(&copy)?).into_owned();
    let work = head.lines().nth(1).and_then(|line| line.split(' ').nth(3));
    assert_eq!(work, Some("18"), "as on any other machine: {head:.99}");
    let again = backup::create(&office.data(), &copy, &lock);
    assert!(again.is_err(), "never overwritten");
    assert_eq!(backup::verify(&copy, &lock, &mut |_| ())?, made);
    write_secret(&safe.join("other"), b"another passphrase than that")?;
    let other = Lock::passphrase(&safe.join("other"))?;
    let closed = backup::verify(&copy, &other, &mut |_| ());
    assert!(matches!(closed, Err(Error::Closed { .. })));
    Ok(lock)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_folder_is_restored_from_a_backup_made_while_the_node_ran() -> Result<()> {
    let mut office = Office::open("Abu Dhabi Dialogue", true).await?;
    let mut partner = Office::open("Bali Process", true).await?;
    office.befriend(&partner).await?;
    let (public, theirs) = (office.circle("public")?, partner.circle("public")?);
    let before = office.publish("Before", &[public]).await?;
    let erased = office.publish("Canary-erased", &[public]).await?;
    withdraw(&office, erased).await?;
    let kept = partner.publish("Kept", &[theirs]).await?;
    let doomed = partner.publish("Doomed", &[theirs]).await?;
    until("both have it", || {
        let came = [kept, doomed].map(|record| office.holds(&partner, record));
        partner.holds(&office, before) && came == [true; 2]
    })
    .await?;
    let safe = tempfile::tempdir()?;
    let noted = Audit::of(&office.data());
    noted.note(&Entry::at_this_computer("a test", Vec::new(), edge::now()))?;
    let chain = noted.read(|_, _, _| {})?;
    assert!(chain.lines > 0);
    let lock = back_up(&office, safe.path())?;

    let after = office.publish("After", &[public]).await?;
    until("the partner has it", || partner.holds(&office, after)).await?;
    office.close().await?;
    withdraw(&partner, doomed).await?;
    partner.close().await?;
    let (copy, keys) = (safe.path().join("copy.age"), safe.path().join("keys.age"));
    let restore = || backup::restore_node(&office.data(), &copy, &keys, &lock);
    assert!(matches!(restore(), Err(Error::NotEmpty(_))));
    fs::remove_dir_all(office.data())?;
    restore()?;
    assert_eq!(Audit::of(&office.data()).read(|_, _, _| {})?, chain);
    let erased_bytes = office.has_bytes(b"Canary-erased")?;
    assert!(!erased_bytes, "a backup has nothing that was erased");

    // Nobody is reachable: it could not know what it signed, and what it shows of its partner may
    // be withdrawn.
    office.reopen().await?;
    assert_eq!(stopped(&office).as_deref(), Some("RESTORED_FROM_A_BACKUP"));
    assert!(office.publish("Too early", &[public]).await.is_err());
    assert_eq!(seen(&office, &partner).await?, 0, "hidden until compared");
    let said = recover(&office, "status").await?;
    assert!(said.contains("has not given back"), "{said}");

    partner.reopen().await?;
    until("it was given back and compared", || {
        let store = office.desk().store();
        let compared = store.read(|view| view.logs.values().all(|log| !log.uncompared));
        compared && office.holds(&office, after) && is_burnt(&office, &partner, doomed)
    })
    .await?;
    assert_eq!(seen(&office, &partner).await?, 1, "the other is withdrawn");
    recover(&office, "sign --yes").await?;
    let again = office.publish("Again", &[public]).await?;
    until("the partner goes on", || {
        partner.holds(&office, again) && agree(&office, &partner)
    })
    .await?;
    assert!(is_burnt(&office, &office, erased) && partner.holds(&office, before));
    office.close().await?;
    let report = corridor_store::verify_store(&office.data(), &mut |_, _| {})?;
    assert!(report.findings.is_empty(), "{report:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restored_node_that_reaches_nobody_never_signs_two_roots_for_one_size() -> Result<()> {
    let mut office = Office::open("Prague Process", true).await?;
    let mut partner = Office::open("Budapest Process", true).await?;
    office.befriend(&partner).await?;
    let public = office.circle("public")?;
    office.publish("Before", &[public]).await?;
    let theirs = partner
        .publish("Theirs", &[partner.circle("public")?])
        .await?;
    until("it came", || office.holds(&partner, theirs)).await?;
    let safe = tempfile::tempdir()?;
    let [secret, copy, keys] = ["passphrase", "copy.age", "keys.age"].map(|f| safe.path().join(f));
    let written = format!("# created by a tool\n# public key: {PUBLIC_KEY}\n{SECRET_KEY}\n");
    write_secret(&secret, written.as_bytes())?;
    let public_key = Lock::recipient(PUBLIC_KEY)?;
    backup::create(&office.data(), &copy, &public_key)?;
    backup::create_keys(&office.data(), &keys, &public_key)?;
    let lock = Lock::identity(&secret)?;
    assert!(
        backup::verify(&copy, &public_key, &mut |_| ()).is_err(),
        "it opens nothing"
    );
    let lost = office.publish("Lost here, held there", &[public]).await?;
    until("the partner has it", || partner.holds(&office, lost)).await?;
    partner.close().await?;
    office.close().await?;
    fs::remove_dir_all(office.data())?;
    backup::restore_node(&office.data(), &copy, &keys, &lock)?;
    office.reopen().await?;
    recover(&office, "sign --yes").await?;
    let other = office.publish("Other", &[public]).await?;
    assert_eq!(seen(&office, &partner).await?, 0);
    let said = recover(&office, "show --yes").await?;
    assert!(said.contains("shown as the backup had them"), "{said}");
    assert_eq!(seen(&office, &partner).await?, 1);
    partner.reopen().await?;
    until("the partner follows the restart", || {
        partner.holds(&office, other) && agree(&office, &partner)
    })
    .await?;
    assert!(!partner.holds(&office, lost), "it is void");
    let said = recover(&office, "void").await?;
    assert!(
        said.contains("Lost here, held there"),
        "and can be shared again: {said}"
    );
    Ok(())
}

/// An office of which two readers have another history each, since its folder was set back between
/// them; both they and it are closed but for the second reader.
struct Forked {
    office: Office,
    bali: Office,
    almaty: Office,
    federation: LogId,
    doomed: RecordId,
    one: RecordId,
}

impl Forked {
    async fn new() -> Result<Self> {
        let older = tempfile::tempdir()?;
        let mut office = Office::open("Abu Dhabi Dialogue", true).await?;
        let mut bali = Office::open("Bali Process", true).await?;
        let mut almaty = Office::open("Almaty Process", true).await?;
        office.befriend(&bali).await?;
        office.befriend(&almaty).await?;
        bali.befriend(&almaty).await?;
        office.admit("federation", &[&bali, &almaty]).await?;
        let federation = office.circle("federation")?;
        let doomed = office.publish("Doomed", &[federation]).await?;
        until("both have it", || {
            bali.holds(&office, doomed) && almaty.holds(&office, doomed)
        })
        .await?;
        almaty.close().await?;
        office.close().await?;
        copy(&office.data(), older.path())?;
        office.reopen().await?;
        let one = office.publish("To Bali", &[federation]).await?;
        until("Bali has it", || bali.holds(&office, one)).await?;
        bali.close().await?;
        office.close().await?;
        set_back(&office, older.path())?;
        office.reopen().await?;
        almaty.reopen().await?;
        let other = office.publish("To Almaty", &[federation]).await?;
        withdraw(&office, doomed).await?;
        until("Almaty has it", || {
            almaty.holds(&office, other) && is_burnt(&almaty, &office, doomed)
        })
        .await?;
        office.close().await?;
        Ok(Self {
            office,
            bali,
            almaty,
            federation,
            doomed,
            one,
        })
    }
}

/// When the two meet, both know, and the office goes on only once it began anew and a person took
/// that.
#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_contradicted_itself_is_found_out_and_goes_on_by_a_persons_word() -> Result<()>
{
    let Forked {
        mut office,
        mut bali,
        almaty,
        federation,
        doomed,
        one,
    } = Forked::new().await?;
    bali.reopen().await?;
    until("both know", || {
        let frozen = [&bali, &almaty].map(|reader| {
            let store = reader.desk().store();
            store.read(|view| view.logs[&federation].is_frozen())
        });
        frozen == [true; 2]
    })
    .await?;
    until("what the other history withdrew counts", || {
        is_burnt(&bali, &office, doomed)
    })
    .await?;
    let proofs = tempfile::tempdir()?;
    let profile = bali.profile();
    let peer = async |command: &str| {
        let line = format!("corridor --profile {} peer {command}", profile.display());
        corridor(&line).await
    };
    let (code, said) = peer(&format!("evidence --save {}", proofs.path().display())).await;
    assert_eq!(code, 0, "{said}");
    assert!(
        said.contains("It signed two histories of the circle federation"),
        "{said}"
    );
    assert_eq!(fs::read_dir(proofs.path())?.count(), 1);
    let (_, said) = peer("list").await;
    assert!(said.contains("corridor peer evidence tells more"), "{said}");
    let (code, said) = peer("accept-restart \"Abu Dhabi Dialogue\" --yes").await;
    assert_ne!(code, 0, "it has not begun anew: {said}");

    office.reopen().await?;
    // Bali saw a start of it that this folder does not know.
    until("it hears of it", || {
        let store = office.desk().store();
        store.read(|view| view.another_copy)
    })
    .await?;
    recover(&office, "copy-is-gone --yes").await?;
    until("Bali gave back what it holds", || {
        let store = office.desk().store();
        store.read(|view| view.logs[&federation].published_void(&one))
    })
    .await?;
    recover(&office, "sign --yes").await?;
    let again = office.publish("Behind the restart", &[federation]).await?;
    until("the restart is heard of", || {
        let store = bali.desk().store();
        store.read(|view| view.logs[&federation].shown > 0)
    })
    .await?;
    assert!(!bali.holds(&office, again), "a person has to take it");
    let (code, said) = peer("accept-restart \"Abu Dhabi Dialogue\" --yes").await;
    assert_eq!(code, 0, "{said}");
    until("it goes on", || bali.holds(&office, again)).await?;
    let (_, said) = peer("evidence").await;
    assert!(said.contains("and it goes on"), "{said}");
    assert_sound(&mut bali).await?;
    Ok(())
}
