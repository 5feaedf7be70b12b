//! Whether two titles may be those of one record.

use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash, Hasher};

use corridor_proto::kinds::Kind;

use crate::words::fold;

/// Titles of fewer words are near to nothing but the same words.
const WORDS_MIN: usize = 5;
/// Words that are told apart; a title has fewer.
const WORDS_MAX: usize = 32;

/// The marks of a title: two titles of a kind that share one have the same words in whichever order
/// and case, or differ in one word, which is no number. No marks of a title without words.
pub fn marks(kind: Kind, title: &str) -> Vec<u64> {
    let folded = fold(title);
    let words: BTreeSet<&str> = folded.split(' ').filter(|word| !word.is_empty()).collect();
    let mark = |without: Option<&str>| {
        let mut hasher = DefaultHasher::new();
        kind.code().hash(&mut hasher);
        for word in words.iter().filter(|word| Some(**word) != without) {
            word.hash(&mut hasher);
        }
        hasher.finish()
    };
    if words.is_empty() {
        return Vec::new();
    }
    let mut marks = vec![mark(None)];
    if (WORDS_MIN..=WORDS_MAX).contains(&words.len()) {
        let is_number = |word: &&&str| word.chars().any(char::is_numeric);
        let others = words.iter().filter(|word| !is_number(word));
        marks.extend(others.map(|word| mark(Some(word))));
    }
    marks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn titles_are_near_that_differ_in_a_word() {
        let near = |a: &str, b: &str| {
            let of = marks(Kind::Practice, a);
            marks(Kind::Practice, b)
                .iter()
                .any(|mark| of.contains(mark))
        };
        let title = "One orientation path for workers at home";
        assert!(near(title, "One Orientation Path for WORKERS, at home"));
        assert!(near(
            title,
            "One orientation path for migrant workers at home"
        ));
        assert!(near(title, "One orientation track for workers at home"));
        assert!(!near(title, "One training track for workers at home"));
        assert!(!near(
            "Annual review of the plan 2019",
            "Annual review of the plan 2020"
        ));
        assert!(!near("Orientation", "Training"));
        assert!(!near("", ""));
        let lesson = marks(Kind::Lesson, title);
        assert!(
            !marks(Kind::Practice, title)
                .iter()
                .any(|mark| lesson.contains(mark))
        );
    }
}
