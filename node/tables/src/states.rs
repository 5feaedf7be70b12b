//! Countries and territories by their codes and names.
//!
//! **Invariant:** a name implies no view on status; what is stored and given out is the code.

use std::collections::HashMap;
use std::sync::LazyLock;

use crate::words::{Language, fold};

const FILE: &str = include_str!("../data/states.tsv");

/// A line of the file.
struct State {
    code: &'static str,
    /// Alpha-3 code, names in the order of [`Language::ALL`], other names.
    names: Vec<&'static str>,
}

fn states() -> &'static [State] {
    static STATES: LazyLock<Vec<State>> = LazyLock::new(|| {
        let lines = FILE.lines().filter(|line| !line.starts_with('#'));
        let state = |line: &'static str| {
            let (code, names) = line.split_once('\t')?;
            let names = names.split('\t').collect();
            Some(State { code, names })
        };
        lines.filter_map(state).collect()
    });
    &STATES
}

/// The code that a code or a name in any of the languages stands for.
pub(crate) fn code_of(text: &str) -> Option<&'static str> {
    static CODES: LazyLock<HashMap<String, &str>> = LazyLock::new(|| {
        let mut codes = HashMap::new();
        for state in states() {
            let names = state.names.iter().flat_map(|name| name.split("; "));
            for name in names.chain([state.code]).filter(|name| !name.is_empty()) {
                codes.insert(fold(name), state.code);
            }
        }
        codes
    });
    CODES.get(&fold(text)).copied()
}

/// Codes with their names in a language, by name.
pub(crate) fn named(language: Language) -> Vec<(&'static str, &'static str)> {
    let at = Language::ALL.iter().position(|one| *one == language);
    let name = |state: &State| state.names.get(at.unwrap_or_default() + 1).copied();
    let mut named: Vec<_> = states()
        .iter()
        .map(|state| (state.code, name(state).unwrap_or(state.code)))
        .collect();
    named.sort_by_cached_key(|(_, name)| fold(name));
    named
}

#[cfg(test)]
mod tests {
    use super::*;
    use corridor_proto::kinds::countries;
    use std::collections::BTreeMap;

    #[test]
    fn every_code_has_names_and_no_name_two_codes() {
        let codes: Vec<_> = states().iter().map(|state| state.code).collect();
        assert!(codes.iter().copied().eq(countries()));
        let mut seen: BTreeMap<String, &str> = BTreeMap::new();
        for state in states() {
            assert_eq!(
                state.names.len(),
                1 + Language::ALL.len() + 1,
                "{}",
                state.code
            );
            for name in state.names.iter().flat_map(|name| name.split("; ")) {
                let before = seen.insert(fold(name), state.code);
                let other = before.filter(|one| *one != state.code && !name.is_empty());
                assert_eq!(other, None, "{name}");
            }
        }
    }

    #[test]
    fn states_are_known_by_code_and_name() {
        let cases = [
            ("ae", "AE"),
            ("ARE", "AE"),
            ("United Arab Emirates", "AE"),
            ("turkiye", "TR"),
            ("Côte d'Ivoire", "CI"),
            ("Российская Федерация", "RU"),
            ("الأردن", "JO"),
            ("Viet Nam", "VN"),
        ];
        for (text, code) in cases {
            assert_eq!(code_of(text), Some(code), "{text}");
        }
        assert_eq!(code_of("Atlantis"), None);
        assert_eq!(code_of(""), None);
    }
}
