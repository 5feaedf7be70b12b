//! Dates as bodies carry them: ISO 8601, as exact as they are known.
//!
//! It imports nothing of the crate. **Invariant:** no clock and no time zone; a date is a word of
//! the author and never decides.

use std::ops::RangeInclusive;

/// Years that a record may name: from well before the oldest process to beyond any plan. Outside
/// of it a year is a slip of the finger.
pub(super) const YEARS: RangeInclusive<u32> = 1900..=2199;

/// How exactly a date is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Precision {
    /// `2016`
    Year,
    /// `2016-11`
    Month,
    /// `2016-11-24`
    Day,
}

/// How exact a date is; `None` if it is none, or out of `YEARS`.
pub(super) fn precision(date: &str) -> Option<Precision> {
    let mut parts = date.split('-');
    let year = number(parts.next()?, 4).filter(|year| YEARS.contains(year))?;
    let Some(month) = parts.next() else {
        return Some(Precision::Year);
    };
    let month = number(month, 2).filter(|month| (1..=12).contains(month))?;
    let Some(day) = parts.next() else {
        return Some(Precision::Month);
    };
    number(day, 2).filter(|day| (1..=days(year, month)).contains(day))?;
    parts.next().is_none().then_some(Precision::Day)
}

/// The year of a date; `None` if it is none.
pub(super) fn year(date: &str) -> Option<u32> {
    precision(date)?;
    date.get(..4)?.parse().ok()
}

/// Whether the first date is not after the second, as far as both are known.
pub(super) fn in_order(from: &str, to: &str) -> bool {
    let known = from.len().min(to.len());
    from.as_bytes()[..known] <= to.as_bytes()[..known]
}

fn number(digits: &str, width: usize) -> Option<u32> {
    let plain = digits.len() == width && digits.bytes().all(|b| b.is_ascii_digit());
    plain.then(|| digits.parse().ok()).flatten()
}

fn days(year: u32, month: u32) -> u32 {
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_real_days_months_and_years() {
        let cases = [
            ("2016", Some(Precision::Year)),
            ("2016-11", Some(Precision::Month)),
            ("2016-11-24", Some(Precision::Day)),
            ("2024-02-29", Some(Precision::Day)),
            ("2000-02-29", Some(Precision::Day)),
            ("2023-02-29", None),
            ("2100-02-29", None),
            ("2016-13", None),
            ("2016-00", None),
            ("2016-04-31", None),
            ("2016-1-1", None),
            ("+016", None),
            ("16", None),
            ("1815", None),
            ("2016-11-24T00:00:00Z", None),
            ("2016-11-24-01", None),
            ("2016-", None),
            ("٢٠١٦", None),
            ("", None),
        ];
        for (date, expect) in cases {
            assert_eq!(precision(date), expect, "{date}");
        }
    }

    #[test]
    fn order_is_judged_as_far_as_known() {
        assert!(in_order("2016", "2016-11"));
        assert!(in_order("2016-11-24", "2016"));
        assert!(in_order("2016-11-24", "2016-11-24"));
        assert!(!in_order("2016-12", "2016-11-30"));
        assert!(!in_order("2017", "2016-11"));
    }
}
