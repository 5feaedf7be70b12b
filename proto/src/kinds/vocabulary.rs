//! The closed vocabularies that are tables rather than enums.
//!
//! It imports the files of `proto/data` at compile time. **Invariant:** no label and no language:
//! what a code or key is called is said by the node's own copy of the domain data.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::sync::LazyLock;

/// The objectives of the Global Compact by their numbers.
pub const GCM_OBJECTIVES: RangeInclusive<u32> = 1..=23;

const COUNTRIES: &str = include_str!("../../data/countries.txt");
const GCM_PRINCIPLES: &str = include_str!("../../data/gcm-principles.txt");

/// Codes of countries and territories, ascending: ISO 3166-1 alpha-2, and XK.
pub fn countries() -> impl Iterator<Item = &'static str> {
    entries(COUNTRIES)
}

/// Keys of the guiding principles of the Global Compact, ascending.
pub fn gcm_principles() -> impl Iterator<Item = &'static str> {
    entries(GCM_PRINCIPLES)
}

/// Whether it is one of `countries`.
pub fn is_country(code: &str) -> bool {
    static ALL: LazyLock<BTreeSet<&str>> = LazyLock::new(|| countries().collect());
    ALL.contains(code)
}

/// Whether it is one of `gcm_principles`.
pub fn is_gcm_principle(key: &str) -> bool {
    static ALL: LazyLock<BTreeSet<&str>> = LazyLock::new(|| gcm_principles().collect());
    ALL.contains(key)
}

fn entries(table: &'static str) -> impl Iterator<Item = &'static str> {
    table.lines().filter(|line| !line.starts_with('#'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn countries_are_iso_and_kosovo() {
        assert_eq!(countries().count(), 249 + 1);
        assert!(countries().is_sorted_by(|a, b| a < b));
        assert!(countries().all(|code| code.len() == 2));
        for code in [
            "AE", "XK", "HK", "MO", "NC", "AS", "CK", "PF", "TK", "AW", "KY", "TC", "EH",
        ] {
            assert!(is_country(code), "{code}");
        }
        for code in ["", "ae", "EU", "UK", "ARE", "#"] {
            assert!(!is_country(code), "{code}");
        }
    }

    #[test]
    fn principles_are_ten() {
        assert_eq!(gcm_principles().count(), 10);
        assert!(gcm_principles().is_sorted_by(|a, b| a < b));
        assert!(is_gcm_principle("gender-responsive"));
        assert!(!is_gcm_principle("Gender-responsive"));
    }
}
