//! Texts that we sign outside of bodies: the note of a withdrawal, the names on a card.
//!
//! It imports the shared rules. **Invariant:** what received notes and cards say is judged nowhere:
//! these are rules of authoring.

use prost::Message;

use super::Outcome;
use super::checks::{Checks, TextRule};
use crate::limits::NOTE_BYTES_MAX;
use crate::v1;

/// Checks the note of a withdrawal that we are about to sign; no text is no note.
///
/// # Errors
/// Every rule that it breaks, at `note`, `note[0].text` and so on.
pub fn check_note(note: &[v1::LanguageText]) -> Outcome<()> {
    let mut checks = Checks::default();
    checks.text("note", note, &TextRule::OPTIONAL);
    let texts = note.to_vec();
    let bytes = v1::WithdrawalNote { texts }.encoded_len();
    if bytes > NOTE_BYTES_MAX {
        let what = format!("has {bytes} bytes; {NOTE_BYTES_MAX} are the most");
        checks.refuse(
            "note",
            what,
            "shorten it, or write a record that replaces this one",
        );
    }
    checks.finish().map(|_| ())
}

/// Checks the names of an RCP that we are about to sign on its card, ascending by their tags.
///
/// # Errors
/// Every rule that they break, at `names[0].tag`, `names[0].text` and so on.
pub fn check_names(names: &[v1::LanguageText]) -> Outcome<()> {
    let mut checks = Checks::default();
    checks.text("names", names, &TextRule::NAME);
    checks.finish().map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::super::samples::texts;
    use super::*;

    fn holds(given: &[(&str, &str)], note: &[&str], names: &[&str]) {
        let given = texts(given);
        let found = |outcome: Outcome<()>| -> Vec<String> {
            let found = outcome.err().unwrap_or_default();
            found.into_iter().map(|violation| violation.field).collect()
        };
        assert_eq!(found(check_note(&given)), note, "{given:?}");
        assert_eq!(found(check_names(&given)), names, "{given:?}");
    }

    #[test]
    fn notes_and_names_keep_the_rules_of_bodies() {
        holds(&[], &[], &[]);
        holds(&[("ar", "خطأ"), ("zh-Hant", "x")], &[], &[]);
        holds(&[("en", "two\nlines")], &[], &["names[0].text"]);
        holds(&[("EN", "x")], &["note[0].tag"], &["names[0].tag"]);
        holds(&[("fr", "x"), ("en", "y")], &["note[1]"], &["names[1]"]);
        holds(&[("en", "x"), ("en", "y")], &["note[1]"], &["names[1]"]);
        holds(&[("en", "e\u{301}")], &["note[0].text"], &["names[0].text"]);
        holds(
            &[("en", "a\u{202E}b")],
            &["note[0].text"],
            &["names[0].text"],
        );
        holds(
            &[("en", &"x".repeat(16 * 1024))],
            &["note"],
            &["names[0].text"],
        );
    }
}
