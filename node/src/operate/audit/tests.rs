//! A chain of lines, and what breaks it.

use proptest::prelude::*;

use super::*;

fn entry(act: &str) -> Entry {
    Entry {
        time: rfc3339(UnixMillis(1_795_478_400_000)),
        who: "Head \"Noura\"\n".to_owned(),
        token: "abcdefghij".to_owned(),
        act: act.to_owned(),
        about: vec!["rcps/x/records/y".to_owned()],
        outcome: "OK".to_owned(),
    }
}

fn written(acts: &[&str]) -> (tempfile::TempDir, Audit) {
    let folder = tempfile::tempdir().expect("folder");
    let audit = Audit::of(folder.path());
    for act in acts {
        audit.note(&entry(act)).expect("noted");
    }
    (folder, audit)
}

fn read(audit: &Audit) -> (Vec<String>, Chain) {
    let mut acts = Vec::new();
    let chain = audit
        .read(|_, _, entry| acts.push(entry.act))
        .expect("read");
    (acts, chain)
}

#[test]
fn lines_of_two_processes_are_one_chain() {
    let (folder, audit) = written(&["one"]);
    let other = Audit::of(folder.path());
    other.note(&entry("two")).expect("noted");
    audit.note(&entry("three")).expect("noted");
    let (acts, chain) = read(&audit);
    assert_eq!(acts, ["one", "two", "three"]);
    assert_eq!((chain.lines, chain.broken), (3, None));
    let text = std::fs::read_to_string(folder.path().join("audit.log")).expect("text");
    assert_eq!(text.lines().count(), 3, "a line each, whatever it holds");
    assert!(text.contains("\"time\":\"2026-11-24T00:00:00Z\""), "{text}");
}

#[test]
fn a_torn_line_is_cut_off_and_all_before_it_stays() {
    let (folder, audit) = written(&["one", "two"]);
    let path = folder.path().join("audit.log");
    let whole = std::fs::read(&path).expect("bytes");
    std::fs::write(&path, &whole[..whole.len() - 3]).expect("torn");
    assert_eq!(read(&audit).1.broken, Some((2, "it is not whole")));
    audit.note(&entry("three")).expect("noted");
    assert_eq!(read(&audit).0, ["one", "three"]);
    std::fs::write(&path, b"no line").expect("torn");
    Audit::of(folder.path())
        .note(&entry("four"))
        .expect("noted");
    assert_eq!(read(&audit).0, ["four"]);
}

#[test]
fn there_is_no_line_where_nothing_was_noted() {
    let folder = tempfile::tempdir().expect("folder");
    let (acts, chain) = read(&Audit::of(folder.path()));
    assert_eq!((acts.len(), chain.lines, chain.broken), (0, 0, None));
    assert_eq!(chain.last, Hash::ZERO);
}

#[test]
fn a_line_is_never_longer_than_what_is_read() {
    let (_folder, audit) = written(&["one"]);
    let mut long = entry(&"a".repeat(1_000_000));
    long.about = vec!["\u{1}".repeat(500_000); 3];
    audit.note(&long).expect("noted");
    audit.note(&entry("three")).expect("noted");
    let (acts, chain) = read(&audit);
    assert_eq!((chain.lines, chain.broken), (3, None));
    assert_eq!((acts[1].len(), acts[2].as_str()), (CUT_CHARS, "three"));
}

/// Stored for ever: what a version wrote, every later one must read.
#[test]
fn golden_line() {
    let (folder, _audit) = written(&["one"]);
    let text = std::fs::read_to_string(folder.path().join("audit.log")).expect("text");
    assert_eq!(text, GOLDEN);
}

const GOLDEN: &str = concat!(
    "5hx2jhzewcoqumkp5nhil6bzmlgv2hsnw2uajohhbjijdagovbcq ",
    r#"{"time":"2026-11-24T00:00:00Z","who":"Head \"Noura\"\n","token":"abcdefghij","#,
    r#""act":"one","about":["rcps/x/records/y"],"outcome":"OK"}"#,
    "\n",
);

proptest! {
    /// Whoever changes a byte, takes a line out or puts one in breaks the chain there.
    #[test]
    fn a_change_anywhere_is_noticed(at in 0_usize..10_000, to in any::<u8>()) {
        let (folder, audit) = written(&["one", "two", "three"]);
        let path = folder.path().join("audit.log");
        let mut bytes = std::fs::read(&path).expect("bytes");
        let at = at % bytes.len();
        prop_assume!(bytes[at] != to);
        let line = bytes[..at].iter().filter(|byte| **byte == b'\n').count();
        bytes[at] = to;
        std::fs::write(&path, &bytes).expect("changed");
        let chain = read(&audit).1;
        let (number, _) = chain.broken.expect("broken");
        prop_assert!(number <= u64::try_from(line).expect("few") + 1);
        prop_assert_eq!(chain.lines, number - 1);
    }

    #[test]
    fn lines_that_are_taken_out_are_noticed(out in 0_usize..3) {
        let (folder, audit) = written(&["one", "two", "three", "four"]);
        let path = folder.path().join("audit.log");
        let text = std::fs::read_to_string(&path).expect("text");
        let kept = text.lines().enumerate().filter(|(at, _)| *at != out);
        let kept: Vec<String> = kept.map(|(_, line)| format!("{line}\n")).collect();
        std::fs::write(&path, kept.concat()).expect("changed");
        let broken = read(&audit).1.broken;
        prop_assert_eq!(broken.map(|of| of.0), Some(u64::try_from(out).expect("few") + 1));
    }
}
