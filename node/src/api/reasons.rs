//! What a person is told of each reason, in five languages.
//!
//! The texts stand in `node/data/reasons.toml`, where translators find them. **Invariant:** a text
//! says nothing that the caller did not say: no name, no number, nothing of the records.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use corridor_proto::Reason;
use fluent_langneg::{NegotiationStrategy, negotiate_languages, parse_accepted_languages};
use unic_langid::LanguageIdentifier;

/// The texts as they are kept.
const TEXTS: &str = include_str!("../../data/reasons.toml");

/// The languages in which a text is there; the first where none that is asked for is.
pub const LANGUAGES: [&str; 5] = ["en", "fr", "es", "ar", "ru"];

/// The reason that stands for those of the protocol.
const PROTOCOL: &str = "PROTOCOL";

/// For each reason its status code and its texts by language.
type Table = BTreeMap<String, BTreeMap<String, String>>;

/// Read once. Empty if the file did not parse, and then nothing is translated; a test holds that it
/// does.
static TABLE: LazyLock<Table> = LazyLock::new(|| toml::from_str(TEXTS).unwrap_or_default());

static AVAILABLE: LazyLock<Vec<LanguageIdentifier>> = LazyLock::new(|| {
    let tags = LANGUAGES.iter();
    tags.filter_map(|tag| tag.parse().ok()).collect()
});

/// Every reason that has texts, with its status code.
pub fn all() -> impl Iterator<Item = (&'static str, &'static str)> {
    let code = |texts: &'static BTreeMap<String, String>| Some(texts.get("code")?.as_str());
    TABLE
        .iter()
        .filter_map(move |(reason, texts)| Some((reason.as_str(), code(texts)?)))
}

/// The text of a reason in one of [`LANGUAGES`].
pub fn text(reason: &str, language: &str) -> Option<&'static str> {
    let is_of_protocol = || Reason::ALL.iter().any(|known| known.code() == reason);
    let texts = match TABLE.get(reason) {
        None if is_of_protocol() => TABLE.get(PROTOCOL),
        texts => texts,
    };
    texts?.get(language).map(String::as_str)
}

/// The one of [`LANGUAGES`] that suits what an `accept-language` header asks for.
pub fn language(accepted: &str) -> &'static str {
    let asked = parse_accepted_languages(accepted);
    let lookup = NegotiationStrategy::Filtering;
    let found = negotiate_languages(&asked, AVAILABLE.as_slice(), None, lookup);
    let found = found.first().map(|found| found.language.as_str());
    let known = LANGUAGES.into_iter().find(|known| Some(*known) == found);
    known.unwrap_or(LANGUAGES[0])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_a_code_and_all_five_languages() {
        assert!(TABLE.len() > 25, "the file is read");
        for (reason, texts) in TABLE.iter() {
            let keys: Vec<&str> = texts.keys().map(String::as_str).collect();
            assert_eq!(keys, ["ar", "code", "en", "es", "fr", "ru"], "{reason}");
            for language in LANGUAGES {
                let text = text(reason, language).expect("a text");
                let ends = text.ends_with('.') && !text.contains('!');
                assert!(ends && text.len() > 20, "{reason} {language}: {text}");
            }
            let arabic = &texts["ar"];
            assert!(
                arabic.chars().all(|c| !c.is_ascii_alphabetic()),
                "{reason}: {arabic}"
            );
            let russian = &texts["ru"];
            assert!(
                russian.chars().all(|c| !c.is_ascii_alphabetic()),
                "{reason}: {russian}"
            );
        }
        for reason in Reason::ALL {
            assert_eq!(text(reason.code(), "fr"), text(PROTOCOL, "fr"));
        }
        assert_eq!(text("NONE_SUCH", "en"), None);
    }

    #[test]
    fn the_language_that_is_asked_for_is_chosen() {
        for (accepted, expect) in [
            ("", "en"),
            ("fr", "fr"),
            ("fr-CA, en;q=0.5", "fr"),
            ("de, ar-AE;q=0.9, en;q=0.1", "ar"),
            ("RU", "ru"),
            ("tlh", "en"),
            ("*", "en"),
            (";;,,\u{7f}", "en"),
        ] {
            assert_eq!(language(accepted), expect, "{accepted}");
        }
    }
}
