//! What a text is: its form, its words, its language tags.
//!
//! It imports nothing of the crate. **Invariant:** no dictionary and no language guessing; a text
//! is in the language that its tag says.

use oxilangtag::LanguageTag;
use unicode_normalization::{UnicodeNormalization, is_nfc};

/// Whether a character may not stand in a text that we author.
///
/// Control characters have no meaning in a text and act on terminals and logs. The embedding,
/// override and isolate controls (U+202A to U+202E, U+2066 to U+2069) can make a line read
/// differently from what is signed, across the borders of its field: "Trojan Source". The plain
/// marks U+200E, U+200F and U+061C order neighbouring characters only, and Arabic texts need them.
pub(super) fn is_unsafe(c: char) -> bool {
    c.is_control() || matches!(c, '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}

/// The same with the line feed allowed, for texts of several paragraphs.
pub(super) fn is_unsafe_in_lines(c: char) -> bool {
    c != '\n' && is_unsafe(c)
}

/// Whether it is in normalisation form C.
pub(super) fn is_normal(text: &str) -> bool {
    is_nfc(text)
}

/// In normalisation form C, with line feeds for all line ends, without outer white space.
pub(super) fn normal(text: &str) -> String {
    let lines = text.replace("\r\n", "\n").replace('\r', "\n");
    let normal: String = lines.nfc().collect();
    normal.trim().to_owned()
}

/// The tag in canonical case; `None` if it is no BCP 47 tag.
pub(super) fn canonical_tag(tag: &str) -> Option<String> {
    Some(LanguageTag::parse_and_normalize(tag).ok()?.into_inner())
}

/// Words in a text. Scripts that put no space between words (Chinese, Japanese, Thai, Lao, Khmer,
/// Burmese) count one word for two characters, their usual average.
pub(super) fn words(text: &str) -> usize {
    let unspaced = text.chars().filter(|c| is_unspaced(*c)).count();
    let spaced = text
        .split(|c: char| c.is_whitespace() || is_unspaced(c))
        .filter(|word| word.chars().any(char::is_alphanumeric))
        .count();
    spaced + unspaced.div_ceil(2)
}

fn is_unspaced(c: char) -> bool {
    matches!(c,
        '\u{0E01}'..='\u{0EFF}' // Thai, Lao
        | '\u{1000}'..='\u{109F}' // Burmese
        | '\u{1780}'..='\u{17FF}' // Khmer
        | '\u{3041}'..='\u{30FF}' // Japanese syllables
        | '\u{3400}'..='\u{9FFF}' // Chinese characters
        | '\u{20000}'..='\u{3FFFF}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_counted_in_every_script() {
        let cases = [
            ("", 0),
            ("one two  three\nfour", 4),
            ("a result - with dashes", 4),
            ("هجرة آمنة ومنظمة", 3),
            ("移民治理", 2),
            ("IOM 支持", 2),
        ];
        for (text, expect) in cases {
            assert_eq!(words(text), expect, "{text}");
        }
    }

    #[test]
    fn normal_composes_trims_and_ends_lines_one_way() {
        assert_eq!(
            normal(" re\u{301}union\r\nsuite\u{A0}"),
            "r\u{e9}union\nsuite"
        );
    }

    #[test]
    fn tags_have_one_case() {
        assert_eq!(canonical_tag("ZH-hant-tw").as_deref(), Some("zh-Hant-TW"));
        assert_eq!(canonical_tag("not a tag"), None);
        assert_eq!(canonical_tag(""), None);
    }

    #[test]
    fn overrides_are_unsafe_and_marks_are_not() {
        assert!(is_unsafe('\u{202E}') && is_unsafe('\u{2066}') && is_unsafe('\u{0}'));
        assert!(is_unsafe('\n') && !is_unsafe_in_lines('\n'));
        assert!(!is_unsafe('\u{200F}') && !is_unsafe('\u{061C}'));
    }
}
