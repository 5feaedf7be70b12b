//! What a body names: records and exact versions of them, RCPs, circles, concepts, days.
//!
//! It imports the collector. **Invariant:** a record that is named is kept for `Authored`,
//! whichever field names it: no link escapes the question in which circles it may stand.

use super::checks::{Checks, EXAMPLE_BEGINS, TITLE_CHARS_MAX};
use super::date::{self, Precision};
use super::{Link, texts};
use crate::v1::{self, LanguageText};

/// Bytes of a concept's id: a few words joined by hyphens.
const CONCEPT_BYTES_MAX: usize = 64;
/// Bytes of a mailbox (RFC 5321, 4.5.3.1.3 less the brackets).
const MAILBOX_BYTES_MAX: usize = 254;
/// Bytes of the name of a time zone: the longest has 32.
const TIME_ZONE_BYTES_MAX: usize = 64;

impl Checks {
    /// A link if one is given; kept for `Authored`.
    pub(super) fn link(&mut self, at: &str, link: Option<&v1::Link>) {
        let Some(link) = link else { return };
        let rcp = self.id::<32>(&format!("{at}.rcp"), &link.rcp);
        let record = self.id::<16>(&format!("{at}.record"), &link.record);
        if let (Some(rcp), Some(record)) = (rcp, record) {
            self.names_record(Link { rcp, record });
        }
    }

    pub(super) fn required_link(&mut self, at: &str, link: Option<&v1::Link>) {
        if link.is_none() {
            self.missing(at);
        }
        self.link(at, link);
    }

    /// A set of links.
    pub(super) fn links(&mut self, at: &str, links: &[v1::Link]) {
        for (i, link) in links.iter().enumerate() {
            self.link(&format!("{at}[{i}]"), Some(link));
        }
        let keys: Vec<_> = links.iter().map(|link| (&link.rcp, &link.record)).collect();
        self.set(at, &keys);
    }

    /// One exact version of a record.
    pub(super) fn version(&mut self, at: &str, version: Option<&v1::RecordVersion>) {
        let Some(version) = version else {
            return self.missing(at);
        };
        self.required_link(&format!("{at}.record"), version.record.as_ref());
        self.id::<32>(&format!("{at}.version_hash"), &version.version_hash);
    }

    /// An identifier; all zeros mean absent everywhere, so they name nothing.
    pub(super) fn id<const N: usize>(&mut self, at: &str, bytes: &[u8]) -> Option<[u8; N]> {
        let id = bytes.try_into().ok().filter(|id| *id != [0; N]);
        if id.is_none() {
            let what = format!("is not an identifier of {N} bytes");
            self.refuse(at, what, "copy the identifier whole");
        }
        id
    }

    /// A set of RcpIds, LogIds or version hashes.
    pub(super) fn ids(&mut self, at: &str, ids: &[Vec<u8>], most: usize) {
        if ids.len() > most {
            let what = format!("has {} entries; {most} are the most", ids.len());
            self.refuse(at, what, "leave some out");
        }
        for (i, id) in ids.iter().enumerate() {
            self.id::<32>(&format!("{at}[{i}]"), id);
        }
        self.set(at, ids);
    }

    /// An id of a concept, a term or a forum.
    pub(super) fn key(&mut self, at: &str, key: &str, example: &str) {
        let is_of_key = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if key.is_empty() {
            self.missing(at);
        } else if key.len() > CONCEPT_BYTES_MAX || !key.chars().all(is_of_key) {
            let remedy = format!("use lower-case letters, digits and hyphens, such as {example}");
            self.refuse(at, "is no id", remedy);
        }
    }

    /// Labels, several of one language perhaps, ascending by tag and text.
    pub(super) fn labels(&mut self, at: &str, labels: &[LanguageText]) {
        for (i, label) in labels.iter().enumerate() {
            self.label(&format!("{at}[{i}]"), label);
        }
        let keys: Vec<_> = labels.iter().map(|one| (&one.tag, &one.text)).collect();
        self.set(at, &keys);
    }

    /// A short line in a language.
    pub(super) fn label(&mut self, at: &str, label: &LanguageText) {
        self.tag(&format!("{at}.tag"), &label.tag);
        self.short_line(&format!("{at}.text"), &label.text);
    }

    /// A line that has to be there, no longer than a title.
    pub(super) fn short_line(&mut self, at: &str, line: &str) {
        self.required_line(at, line);
        if line.chars().count() > TITLE_CHARS_MAX {
            let what = format!("has more than {TITLE_CHARS_MAX} characters");
            self.refuse(at, what, "shorten it");
        }
    }

    /// A set of lines.
    pub(super) fn lines(&mut self, at: &str, lines: &[String]) {
        self.required_lines(at, lines);
        self.set(at, lines);
    }

    /// A set of numbers from 1, such as those of paragraphs.
    pub(super) fn numbers(&mut self, at: &str, numbers: &[u32]) {
        for (i, number) in numbers.iter().enumerate() {
            if *number == 0 {
                self.refuse(&format!("{at}[{i}]"), "is 0", "count from 1");
            }
        }
        self.set(at, numbers);
    }

    /// A day if one is given.
    pub(super) fn day(&mut self, at: &str, day: &str) {
        self.date(at, day, Precision::Day);
    }

    pub(super) fn required_day(&mut self, at: &str, day: &str) {
        if day.is_empty() {
            self.missing(at);
        }
        self.day(at, day);
    }

    /// That a date, if both are given, is not before another.
    pub(super) fn not_before(&mut self, (at, date): (&str, &str), (first, from): (&str, &str)) {
        let both = date::precision(from).is_some() && date::precision(date).is_some();
        if both && !date::in_order(from, date) {
            self.refuse(at, format!("is before {first}"), "correct one of the two");
        }
    }

    /// A time of day if one is given.
    pub(super) fn clock(&mut self, at: &str, time: &str) {
        let parts = time.split_once(':').map(|(hour, minute)| {
            let number = |text: &str, limit: u32| {
                let is_plain = text.len() == 2 && text.bytes().all(|b| b.is_ascii_digit());
                is_plain && text.parse().is_ok_and(|number: u32| number < limit)
            };
            number(hour, 24) && number(minute, 60)
        });
        if !time.is_empty() && parts != Some(true) {
            self.refuse(at, "is no time of day", "write 09:30");
        }
    }

    /// The name of a time zone if one is given. Whether there is one of that name is not known
    /// here: the list changes.
    pub(super) fn time_zone(&mut self, at: &str, name: &str) {
        let is_of_name = |b: u8| b.is_ascii_alphanumeric() || b"_+-/".contains(&b);
        let is_name = name == "UTC"
            || name.len() <= TIME_ZONE_BYTES_MAX
                && name.bytes().all(is_of_name)
                && name
                    .split_once('/')
                    .is_some_and(|(a, b)| !a.is_empty() && !b.is_empty());
        if !name.is_empty() && !is_name {
            self.refuse(
                at,
                "is no name of a time zone",
                "use one such as Asia/Dubai",
            );
        }
    }

    /// That something is not given where it has no meaning.
    pub(super) fn only_if(&mut self, allowed: bool, at: &str, is_given: bool, where_: &str) {
        if is_given && !allowed {
            let what = format!("has a meaning {where_} alone");
            self.refuse(at, what, "leave it out");
        }
    }

    /// A mailbox.
    pub(super) fn mailbox(&mut self, at: &str, mailbox: &str) {
        if mailbox.is_empty() {
            return self.missing(at);
        }
        if mailbox.starts_with(EXAMPLE_BEGINS) {
            return self.line(at, mailbox);
        }
        let is_good = mailbox.len() <= MAILBOX_BYTES_MAX
            && !mailbox.contains(|c: char| c.is_whitespace() || texts::is_unsafe(c))
            && mailbox
                .split_once('@')
                .is_some_and(|(a, b)| !a.is_empty() && !b.is_empty() && !b.contains('@'));
        if !is_good {
            self.refuse(at, "is no mailbox", "write one such as desk@example.org");
        }
    }

    /// A telephone number if one is given.
    pub(super) fn phone(&mut self, at: &str, phone: &str) {
        let rest = phone.strip_prefix('+');
        let is_of_number = |c: char| c.is_ascii_digit() || " -()".contains(c);
        let is_good = rest.is_some_and(|rest| {
            rest.chars().all(is_of_number) && rest.contains(|c: char| c.is_ascii_digit())
        });
        if !phone.is_empty() && !is_good {
            self.refuse(
                at,
                "is no telephone number",
                "begin with + and the country code",
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(act: impl FnOnce(&mut Checks)) -> Vec<String> {
        let mut checks = Checks::default();
        act(&mut checks);
        let found = checks.finish().err().unwrap_or_default();
        found.into_iter().map(|violation| violation.field).collect()
    }

    fn good(act: impl Fn(&mut Checks, &str), given: &[&str]) {
        for text in given {
            assert_eq!(found(|checks| act(checks, text)), [""; 0], "{text}");
        }
    }

    fn bad(act: impl Fn(&mut Checks, &str), given: &[&str]) {
        for text in given {
            assert_eq!(found(|checks| act(checks, text)), ["at"], "{text}");
        }
    }

    #[test]
    fn times_of_day() {
        let clock = |checks: &mut Checks, text: &str| checks.clock("at", text);
        good(clock, &["", "00:00", "09:30", "23:59"]);
        bad(
            clock,
            &[
                "24:00",
                "09:60",
                "9:30",
                "09:3",
                "0930",
                "09:30:00",
                "+9:30",
                "٠٩:٣٠",
            ],
        );
    }

    #[test]
    fn time_zones() {
        let zone = |checks: &mut Checks, text: &str| checks.time_zone("at", text);
        good(
            zone,
            &[
                "",
                "UTC",
                "Asia/Dubai",
                "America/Argentina/Buenos_Aires",
                "Etc/GMT+3",
            ],
        );
        let long = format!("Asia/{}", "x".repeat(60));
        bad(
            zone,
            &[
                "Dubai",
                "/Dubai",
                "Asia/",
                "Asia/Du bai",
                "Азия/Дубай",
                &long,
            ],
        );
    }

    #[test]
    fn mailboxes_and_telephone_numbers() {
        let mailbox = |checks: &mut Checks, text: &str| checks.mailbox("at", text);
        good(
            mailbox,
            &[
                "desk@example.org",
                "مكتب@example.org",
                &format!("{}@x", "a".repeat(252)),
            ],
        );
        let long = format!("{}@x", "a".repeat(253));
        bad(
            mailbox,
            &[
                "",
                "desk",
                "@example.org",
                "desk@",
                "a@b@c",
                "a b@c",
                "a@b\u{202E}c",
                &long,
            ],
        );
        let phone = |checks: &mut Checks, text: &str| checks.phone("at", text);
        good(phone, &["", "+971 2 123-45 67", "+1 (613) 5550100"]);
        bad(phone, &["0049 30", "+", "+ -", "+49x", "٤٩+"]);
    }

    #[test]
    fn keys() {
        let key = |checks: &mut Checks, text: &str| checks.key("at", text, "imrf");
        good(
            key,
            &["imrf", "smuggling-of-migrants", "1", &"x".repeat(64)],
        );
        bad(key, &["", "IMRF", "a b", "é", &"x".repeat(65)]);
    }

    #[test]
    fn dates_in_order() {
        let order = |date, from| found(|checks| checks.not_before(("at", date), ("from", from)));
        assert_eq!(order("2026-05-12", "2026-05-13"), ["at"]);
        for (date, from) in [
            ("2026-05-12", "2026-05-12"),
            ("2026", "2026-05"),
            ("", "2026"),
        ] {
            assert_eq!(order(date, from), [""; 0]);
        }
    }
}
