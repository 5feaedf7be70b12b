//! The form in which texts are compared: neither case nor accents nor vowel signs count.
//!
//! **Invariant:** what is folded twice is as what is folded once, and a character folds to the same
//! whatever stands beside it, so that a part of a text folds to a part.

use caseless::Caseless;
use unicode_normalization::char::decompose_compatible;

/// A text for comparison: compatibility forms and cases are one, what only decorates a letter is
/// left out, digits are ASCII, white space is one space.
pub fn fold(text: &str) -> String {
    let mut folded = String::with_capacity(text.len());
    for c in text.chars() {
        push(&mut folded, c);
    }
    folded.truncate(folded.trim_end().len());
    folded
}

/// Adds what a character folds to; white space only behind something else.
fn push(folded: &mut String, c: char) {
    if c.is_ascii() && !c.is_ascii_whitespace() {
        return folded.push(c.to_ascii_lowercase());
    }
    // Twice: folding may give what decomposes, such as the iota below a Greek vowel.
    decompose_compatible(c, |c| {
        for c in std::iter::once(c).default_case_fold() {
            decompose_compatible(c, |c| {
                for c in std::iter::once(c).default_case_fold() {
                    push_plain(folded, c);
                }
            });
        }
    });
}

fn push_plain(folded: &mut String, c: char) {
    if c.is_whitespace() {
        if !folded.is_empty() && !folded.ends_with(' ') {
            folded.push(' ');
        }
    } else if !is_left_out(c) {
        folded.push(same(c));
    }
}

/// Where, in bytes of `text`, a character begins that folds to byte `at` of its folded form.
pub fn origin(text: &str, at: usize) -> usize {
    let mut folded = String::new();
    for (origin, c) in text.char_indices() {
        push(&mut folded, c);
        if folded.len() > at {
            return origin;
        }
    }
    text.len()
}

/// What decorates a letter, or acts on its neighbours alone. Vowel signs of other scripts than
/// Arabic and Hebrew stay: there they make words.
const fn is_left_out(c: char) -> bool {
    matches!(c,
        '\u{0300}'..='\u{036F}' // accents of Latin, Greek and Cyrillic
        | '\u{0591}'..='\u{05BD}' | '\u{05BF}' | '\u{05C1}' | '\u{05C2}' | '\u{05C4}' | '\u{05C5}'
        | '\u{05C7}' // points of Hebrew
        | '\u{0610}'..='\u{061A}' | '\u{064B}'..='\u{065F}' | '\u{0670}' | '\u{06D6}'..='\u{06DC}'
        | '\u{06DF}'..='\u{06E4}' | '\u{06E7}' | '\u{06E8}' | '\u{06EA}'..='\u{06ED}'
        | '\u{08D3}'..='\u{08E1}' | '\u{08E3}'..='\u{08FF}' // vowel signs and hamzas of Arabic
        | '\u{0640}' // tatweel
        | '\u{00AD}' | '\u{061C}' | '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}'
        | '\u{2060}' | '\u{2066}'..='\u{2069}' | '\u{FEFF}')
}

/// Letters that are written one for the other, and digits.
const fn same(c: char) -> char {
    match c {
        'ٱ' => 'ا',
        'ى' | 'ی' => 'ي',
        'ک' => 'ك',
        'ة' => 'ه',
        '٠' | '۰' => '0',
        '١' | '۱' => '1',
        '٢' | '۲' => '2',
        '٣' | '۳' => '3',
        '٤' | '۴' => '4',
        '٥' | '۵' => '5',
        '٦' | '۶' => '6',
        '٧' | '۷' => '7',
        '٨' | '۸' => '8',
        '٩' | '۹' => '9',
        c => c,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_people_write_differently_is_one() {
        let same = [
            ("Réunion", "REUNION"),
            ("ПОСЁЛОК", "поселок"),
            ("Straße", "STRASSE"),
            ("ﬁnance", "Finance"),
            ("مُهَاجِر", "مهاجر"),
            ("مـــهاجر", "مهاجر"),
            ("الأُسرة", "الاسره"),
            ("إلى", "الي"),
            ("٢٠٢٦", "2026"),
            ("ａｂｃ", "abc"),
            ("a\u{A0} \n b ", "a b"),
            ("ΟΔΥΣΣΕΥΣ", "οδυσσευσ"),
            ("co\u{AD}operation", "cooperation"),
        ];
        for (one, other) in same {
            assert_eq!(fold(one), fold(other), "{one} and {other}");
        }
        assert_ne!(fold("की"), fold("कु"), "vowel signs that make words stay");
    }

    #[test]
    fn a_place_is_found_again() {
        let text = "حـوار Straße";
        let at = fold(text).find("strasse").expect("there");
        assert!(text[origin(text, at)..].starts_with("Straße"));
        assert_eq!(origin("ab", 9), 2);
    }

    proptest! {
        #[test]
        fn folding_again_changes_nothing(text in "\\PC{0,40}") {
            prop_assert_eq!(fold(&fold(&text)), fold(&text));
        }

        #[test]
        fn a_part_of_a_text_folds_to_a_part(
            before in "\\PC{0,9}",
            part in "\\PC{0,9}",
            after in "\\PC{0,9}",
        ) {
            let whole = fold(&format!("{before}{part}{after}"));
            prop_assert!(whole.contains(&fold(&part)));
        }
    }
}
