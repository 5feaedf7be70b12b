//! The rules of a meeting, of an invitation to one and of a presentation at one.
//!
//! It imports the shared rules. **Invariant:** no clock: whether a day has passed is asked by those
//! who show it.

use super::checks::{Checks, TextRule};
use super::date::{self, Precision};
use super::envelope::{self, Rules};
use super::shown::Summary;
use super::tidy::{self, Tidy};
use super::{Body, Kind};
use crate::v1::{self, Meeting, MeetingInvitation, Presentation};

/// Other processes of a joint meeting.
const JOINT_MAX: usize = 64;
/// Minutes of a day.
const SLOT_MINUTES_MAX: u32 = 1_440;

impl Body for Meeting {
    const MESSAGE: &'static str = "Meeting";

    fn check(&self, checks: &mut Checks) {
        let source_texts = [("title", &self.title[..]), ("summary", &self.summary[..])];
        envelope::check(self.envelope.as_ref(), &Rules::of(&source_texts), checks);
        checks.text("title", &self.title, &TextRule::TITLE);
        checks.text("summary", &self.summary, &TextRule::OPTIONAL);
        checks.choice::<v1::MeetingLevel>("level", self.level);
        self.check_days(checks);
        self.check_times(checks);
        checks.required_line("host", &self.host);
        if !self.host_country.is_empty() {
            checks.country("host_country", &self.host_country);
        }
        let named = !self.host_country.is_empty();
        envelope::names_no_state(self.envelope.as_ref(), "host_country", named, checks);
        checks.line("place", &self.place);
        checks.choice::<v1::MeetingMode>("mode", self.mode);
        checks.lines("chairs", &self.chairs);
        checks.ids("joint_with", &self.joint_with, JOINT_MAX);
        checks.passages("topics", &self.topics, false);
        checks.choice::<v1::MeetingOpenness>("openness", self.openness);
        checks.tags("languages", &self.languages);
        checks.links("agenda", &self.agenda);
        checks.links("outcome", &self.outcome);
        checks.choice::<v1::MeetingStatus>("status", self.status);
        checks.day("register_by", &self.register_by);
    }

    fn into_summary(self, kind: Kind) -> Summary {
        let year = |date: &str| date::year(date).unwrap_or(0);
        let years = (year(&self.starts_on), year(&self.ends_on));
        Summary::new(kind, self.envelope, self.title, self.summary).with_years(years.0, years.1)
    }
}

impl Meeting {
    fn check_days(&self, checks: &mut Checks) {
        for (at, date) in [("starts_on", &self.starts_on), ("ends_on", &self.ends_on)] {
            if date.is_empty() {
                checks.missing(at);
            }
            checks.date(at, date, Precision::Year);
        }
        let exact = [&self.starts_on, &self.ends_on].map(|date| date::precision(date));
        if exact[0].is_some() && exact[1].is_some() && exact[0] != exact[1] {
            let remedy = "give both as years, as months or as days";
            checks.refuse("ends_on", "is not as exact as starts_on", remedy);
        }
        checks.not_before(("ends_on", &self.ends_on), ("starts_on", &self.starts_on));
        if self.by_quarter && !is_quarter(&self.starts_on, &self.ends_on) {
            let remedy = "give its first and its last month, such as 2026-04 and 2026-06";
            checks.refuse("by_quarter", "is set, but the dates are no quarter", remedy);
        }
    }

    fn check_times(&self, checks: &mut Checks) {
        checks.clock("start_time", &self.start_time);
        let has_day = date::precision(&self.starts_on) == Some(Precision::Day);
        let may = has_day && !self.time_zone.is_empty();
        let where_ = "beside days and a time zone";
        checks.only_if(may, "start_time", !self.start_time.is_empty(), where_);
        checks.clock("end_time", &self.end_time);
        let begins = !self.start_time.is_empty();
        let ends = !self.end_time.is_empty();
        checks.only_if(begins, "end_time", ends, "beside start_time");
        let one_day = self.starts_on == self.ends_on;
        if begins && ends && one_day && self.end_time < self.start_time {
            checks.refuse("end_time", "is before start_time", "correct one of the two");
        }
        checks.time_zone("time_zone", &self.time_zone);
    }
}

/// Whether two months are the first and the last of a quarter.
fn is_quarter(first: &str, last: &str) -> bool {
    const QUARTERS: [(&str, &str); 4] = [("01", "03"), ("04", "06"), ("07", "09"), ("10", "12")];
    let months = first.split_once('-').zip(last.split_once('-'));
    months.is_some_and(|(first, last)| first.0 == last.0 && QUARTERS.contains(&(first.1, last.1)))
}

impl Body for MeetingInvitation {
    const MESSAGE: &'static str = "MeetingInvitation";

    fn check(&self, checks: &mut Checks) {
        let source_texts = [("topic", &self.topic[..]), ("note", &self.note[..])];
        envelope::check(self.envelope.as_ref(), &Rules::of(&source_texts), checks);
        checks.required_link("meeting", self.meeting.as_ref());
        checks.choice::<v1::InvitationDirection>("direction", self.direction);
        checks.id::<32>("to", &self.to);
        checks.choice::<v1::InvitationPurpose>("purpose", self.purpose);
        let presents = self.purpose() == v1::InvitationPurpose::Present;
        let topic = if presents {
            &TextRule::TITLE
        } else {
            &TextRule::NAME
        };
        checks.text("topic", &self.topic, topic);
        checks.link("requested_practice", self.requested_practice.as_ref());
        if !self.language.is_empty() {
            checks.tag("language", &self.language);
        }
        if self.slot_minutes > SLOT_MINUTES_MAX {
            let what = format!("is more than {SLOT_MINUTES_MAX} minutes");
            checks.refuse("slot_minutes", what, "give fewer");
        }
        checks.line("travel_paid_by", &self.travel_paid_by);
        checks.required_day("reply_by", &self.reply_by);
        checks.text("note", &self.note, &TextRule::OPTIONAL);
    }

    fn into_summary(self, kind: Kind) -> Summary {
        let year = date::year(&self.reply_by).unwrap_or(0);
        Summary::new(kind, self.envelope, self.topic, self.note).with_years(year, 0)
    }
}

impl Body for Presentation {
    const MESSAGE: &'static str = "Presentation";

    fn check(&self, checks: &mut Checks) {
        let source_texts = [("title", &self.title[..]), ("summary", &self.summary[..])];
        envelope::check(self.envelope.as_ref(), &Rules::of(&source_texts), checks);
        checks.link("invitation", self.invitation.as_ref());
        checks.text("title", &self.title, &TextRule::TITLE);
        checks.text("summary", &self.summary, &TextRule::REQUIRED);
        checks.required_day("given_on", &self.given_on);
        checks.links("practices", &self.practices);
        checks.link("meeting", self.meeting.as_ref());
        checks.id::<32>("host", &self.host);
    }

    fn into_summary(self, kind: Kind) -> Summary {
        let year = date::year(&self.given_on).unwrap_or(0);
        Summary::new(kind, self.envelope, self.title, self.summary).with_years(year, year)
    }
}

impl Tidy for Meeting {
    fn tidy(&mut self) {
        self.envelope.tidy();
        self.title.tidy();
        self.summary.tidy();
        self.host.tidy();
        tidy::country(&mut self.host_country);
        self.place.tidy();
        tidy::lines(&mut self.chairs);
        tidy::set(&mut self.joint_with);
        tidy::each(&mut self.topics);
        tidy::tags(&mut self.languages);
        tidy::links(&mut self.agenda);
        tidy::links(&mut self.outcome);
    }
}

impl Tidy for MeetingInvitation {
    fn tidy(&mut self) {
        self.envelope.tidy();
        self.topic.tidy();
        tidy::tag(&mut self.language);
        self.travel_paid_by.tidy();
        self.note.tidy();
    }
}

impl Tidy for Presentation {
    fn tidy(&mut self) {
        self.envelope.tidy();
        self.title.tidy();
        self.summary.tidy();
        tidy::links(&mut self.practices);
    }
}

#[cfg(test)]
mod tests {
    use super::super::samples::{invitation, link, meeting, presentation};
    use super::super::tests::refuses;
    use super::*;

    fn in_meeting(spoil: fn(&mut Meeting), expect: &[&str]) {
        refuses(Kind::Meeting, meeting(), spoil, expect);
    }

    fn on(from: &str, to: &str, by_quarter: bool, expect: &[&str]) {
        let spoil = |m: &mut Meeting| {
            *m = Meeting {
                starts_on: from.into(),
                ends_on: to.into(),
                by_quarter,
                start_time: String::new(),
                end_time: String::new(),
                ..m.clone()
            };
        };
        refuses(Kind::Meeting, meeting(), spoil, expect);
    }

    #[test]
    fn a_meeting_has_dates_as_exact_as_they_are_known() {
        on("2026-05-12", "2026-05-12", false, &[]);
        on("2026", "2027", false, &[]);
        on("2026-05", "2026-06", false, &[]);
        on("", "2026", false, &["starts_on"]);
        on("2026-05-12", "2026-05", false, &["ends_on"]);
        on("2026-05-12", "2026-05-11", false, &["ends_on"]);
        on("2026-02-30", "2026-03-01", false, &["starts_on"]);
        on("2026-04", "2026-06", true, &[]);
        on("2026-10", "2026-12", true, &[]);
        on("2026-05", "2026-07", true, &["by_quarter"]);
        on("2026-10", "2027-12", true, &["by_quarter"]);
        on("2026-04-01", "2026-06-30", true, &["by_quarter"]);
        on("2026", "2026", true, &["by_quarter"]);
    }

    #[test]
    fn times_need_days_and_a_zone() {
        in_meeting(|m| m.time_zone.clear(), &["start_time"]);
        in_meeting(|m| m.time_zone = "Dubai".into(), &["time_zone"]);
        in_meeting(|m| m.start_time = "9:30".into(), &["start_time"]);
        in_meeting(|m| m.start_time.clear(), &["end_time"]);
        in_meeting(|m| m.end_time = "25:00".into(), &["end_time"]);
        let one_day = |m: &mut Meeting| {
            m.ends_on = m.starts_on.clone();
            m.end_time = "09:00".into();
        };
        in_meeting(one_day, &["end_time"]);
        let months = |m: &mut Meeting| {
            m.starts_on = "2026-05".into();
            m.ends_on = "2026-05".into();
        };
        in_meeting(months, &["start_time"]);
    }

    #[test]
    fn a_meeting_has_a_host_and_a_state() {
        in_meeting(|m| m.host.clear(), &["host"]);
        in_meeting(|m| m.host_country = "Portugal".into(), &["host_country"]);
        in_meeting(|m| m.mode = 0, &["mode"]);
        let unnamed = |m: &mut Meeting| {
            let envelope = m.envelope.get_or_insert_default();
            envelope.no_attribution = true;
            envelope.countries.clear();
        };
        in_meeting(unnamed, &["host_country"]);
        in_meeting(|m| m.level = 11, &["level"]);
        in_meeting(|m| m.openness = 0, &["openness"]);
        in_meeting(|m| m.status = 6, &["status"]);
        in_meeting(
            |m| m.joint_with = vec![vec![1; 32], vec![0; 32]],
            &["joint_with[1]", "joint_with[1]"],
        );
        in_meeting(|m| m.register_by = "2026-05".into(), &["register_by"]);
        let many = |m: &mut Meeting| m.joint_with = (1..=65).map(|n| vec![n; 32]).collect();
        in_meeting(many, &["joint_with"]);
    }

    #[test]
    fn an_invitation_says_who_asks_whom_what_for_and_until_when() {
        let spoil = |spoil: fn(&mut MeetingInvitation), expect: &[&str]| {
            refuses(Kind::Invitation, invitation(), spoil, expect);
        };
        spoil(|i| i.meeting = None, &["meeting"]);
        spoil(|i| i.direction = 0, &["direction"]);
        spoil(|i| i.to.clear(), &["to"]);
        spoil(|i| i.topic.clear(), &["topic"]);
        spoil(|i| i.reply_by = "2026".into(), &["reply_by"]);
        spoil(|i| i.slot_minutes = 1_441, &["slot_minutes"]);
        spoil(|i| i.slot_minutes = 1_440, &[]);
        spoil(|i| i.language = "EN".into(), &["language"]);
        let attends = |i: &mut MeetingInvitation| {
            i.purpose = v1::InvitationPurpose::Attend.into();
            i.topic.clear();
        };
        spoil(attends, &[]);
    }

    #[test]
    fn a_presentation_was_given_on_a_day() {
        let spoil = |spoil: fn(&mut Presentation), expect: &[&str]| {
            refuses(Kind::Presentation, presentation(), spoil, expect);
        };
        spoil(|p| p.invitation = None, &[]);
        spoil(|p| p.host.clear(), &["host"]);
        spoil(|p| p.given_on.clear(), &["given_on"]);
        spoil(|p| p.given_on = "2026-05".into(), &["given_on"]);
        spoil(|p| p.practices = vec![link(2), link(1)], &["practices[1]"]);
    }
}
