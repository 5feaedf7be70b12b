//! Stories of the demonstration over its real nodes: that its comparison can fail, and that nothing
//! is left of it however it ends.

use corridor_proto::UnixMillis;

use super::check::check;
use super::script::{Act, Circle, Part};
use super::*;

fn rcps(ids: &[&str]) -> BTreeSet<String> {
    ids.iter().map(|id| (*id).to_owned()).collect()
}

fn options(ids: &[&str]) -> Options {
    Options {
        rcps: rcps(ids),
        once: true,
        json: false,
    }
}

fn place(reader: &str, what: &str) -> (String, String) {
    (reader.to_owned(), what.to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_node_holds_without_a_right_and_what_it_lacks_are_counted() -> Result<(), DemoError>
{
    let scratch = tempfile::tempdir().expect("folder");
    let mut script = Script::new(&rcps(&["add", "bali", "prague"]))?;
    let mut stage = Stage::empty();
    stage.build(&scratch.path().join("demo"), &script).await?;
    let summary = stage.play(&script).await?;
    assert!(summary.converged, "{summary:?}");
    assert_eq!(
        (summary.leaks, summary.missing, summary.withdrawn),
        (0, 0, 1)
    );

    // The state before the last act is not the state after it.
    let part = |part| script.parts[&part].clone();
    let [widened, narrowed, withdrawn] = [Part::Widened, Part::Narrowed, Part::Withdrawn].map(part);
    let observers = ("bali".to_owned(), Circle::Observers);
    let listed = script.lists[&observers].clone();
    let observer = listed.first().expect("an observer").as_str();
    let other = if observer == "add" { "prague" } else { "add" };
    let before = check(&stage, &script, Act::First)?;
    assert!(before.missing.contains(&place(other, &narrowed)));
    assert!(before.leaks.contains(&place(other, &widened)));
    assert!(before.missing.iter().any(|(_, what)| *what == withdrawn));

    // A right less in the script than there was on stage, and one more.
    let too_much = |reader| {
        let log = place(reader, "the log observers of bali");
        BTreeSet::from([place(reader, &narrowed), log])
    };
    script.lists.insert(observers.clone(), BTreeSet::new());
    let found = check(&stage, &script, Act::Last)?;
    assert_eq!((found.leaks, found.missing.len()), (too_much(observer), 0));
    let both = rcps(&["add", "prague"]);
    script.lists.insert(observers.clone(), both);
    let found = check(&stage, &script, Act::Last)?;
    assert_eq!(found.missing, [place(other, &narrowed)].into());
    script.lists.insert(observers.clone(), listed.clone());
    assert!(check(&stage, &script, Act::Last)?.is_clean());

    // A reader more on stage than in the script.
    let mut logs = stage.logs().into_iter();
    let (log, _) = logs.find(|(_, of)| *of == observers).expect("circle");
    let admitted = [(stage.actors[other].rcp, UnixMillis(0))].into();
    let desk = &stage.actors["bali"].node.desk;
    desk.add_readers(log, &admitted).await?;
    let leaks = |stage: &Stage| check(stage, &script, Act::Last).map(|found| found.leaks);
    let is_found = |stage: &Stage| leaks(stage).is_ok_and(|leaks| leaks == too_much(other));
    stage.until("the leak is found", is_found).await?;

    // A record that the script does not know, and texts that should have been erased.
    let unknown = script.records.remove("add-skills-pilot").expect("record");
    let found = check(&stage, &script, Act::Last)?;
    let traces = found
        .leaks
        .iter()
        .filter(|(_, what)| what.starts_with("record "));
    assert_eq!(traces.count(), 2);
    script.parts.insert(Part::Withdrawn, unknown.id.clone());
    script.records.insert(unknown.id.clone(), unknown);
    let found = check(&stage, &script, Act::Last)?;
    for reader in ["add", "bali", "prague"] {
        assert!(
            found.leaks.contains(&place(reader, "add-skills-pilot")),
            "{reader}"
        );
    }
    assert_eq!(found.withdrawn, 0);
    stage.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn ended_before_all_is_quiet_it_leaves_no_folder() -> Result<(), DemoError> {
    let scratch = tempfile::tempdir().expect("folder");
    let options = options(&["add", "bali"]);
    let script = Script::new(&options.rcps)?;
    for stop_at in ["add", "bali/client.toml"] {
        let folder = scratch.path().join("demo");
        let end = async {
            while !folder.join(stop_at).exists() {
                tokio::task::yield_now().await;
            }
        };
        let played = play_on(Stage::empty(), &folder, &script, &options, end).await;
        assert!(matches!(played, Err(DemoError::Ended)), "{played:?}");
        assert!(!folder.exists(), "{stop_at}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_does_not_become_quiet_says_so_and_leaves_no_folder() -> Result<(), DemoError> {
    let scratch = tempfile::tempdir().expect("folder");
    let folder = scratch.path().join("demo");
    let options = options(&["add", "bali"]);
    let mut script = Script::new(&options.rcps)?;
    // A reader that is not there will never hold what is due to it.
    let list = script
        .lists
        .get_mut(&("bali".to_owned(), Circle::Observers));
    list.expect("bali has observers")
        .insert("nobody".to_owned());
    let mut stage = Stage::empty();
    stage.patience_s = 1;
    let played = play_on(stage, &folder, &script, &options, std::future::pending()).await;
    match played {
        Ok(summary) => assert!(!summary.converged && summary.missing > 0, "{summary:?}"),
        Err(error) => assert!(matches!(error, DemoError::NotQuiet(1, _)), "{error}"),
    }
    assert!(!folder.exists());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_that_is_there_already_is_not_touched() -> Result<(), DemoError> {
    let scratch = tempfile::tempdir().expect("folder");
    let options = options(&["add", "bali"]);
    let script = Script::new(&options.rcps)?;
    let end = std::future::pending();
    let played = play_on(Stage::empty(), scratch.path(), &script, &options, end).await;
    assert!(matches!(played, Err(DemoError::Io { .. })), "{played:?}");
    assert!(scratch.path().exists());
    Ok(())
}
