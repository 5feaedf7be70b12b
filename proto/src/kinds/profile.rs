//! The rules of an RCP's profile.
//!
//! It imports the shared rules. **Invariant:** no key and no address of a node: those are in the
//! card, which is signed and ordered in its own way.

use super::checks::{Checks, TextRule};
use super::envelope::{self, Rules};
use super::shown::Summary;
use super::tidy::{self, Tidy};
use super::{Body, Kind};
use crate::v1::{self, Chair, Predecessor, Profile, Secretariat};

/// Days of embargo that a draft may start with: ten years is no embargo but a closed record.
const EMBARGO_DAYS_MAX: u32 = 3_650;

impl Body for Profile {
    const MESSAGE: &'static str = "Profile";

    fn check(&self, checks: &mut Checks) {
        let source_texts = [("name", &self.name[..])];
        envelope::check(self.envelope.as_ref(), &Rules::of(&source_texts), checks);
        checks.text("name", &self.name, &TextRule::TITLE);
        checks.required_line("acronym", &self.acronym);
        checks.required_lines("also_known_as", &self.also_known_as);
        checks.set("also_known_as", &self.also_known_as);
        checks.choice::<v1::RcpKind>("rcp_kind", self.rcp_kind);
        checks.choice::<v1::RcpStatus>("status", self.status);
        checks.years(("founded", self.founded), ("ended", self.ended));
        checks.text("description", &self.description, &TextRule::OPTIONAL);
        checks.countries("member_states", &self.member_states);
        checks.required_lines("member_organisations", &self.member_organisations);
        checks.countries("observer_states", &self.observer_states);
        checks.required_lines("observer_organisations", &self.observer_organisations);
        checks.text(
            "membership_note",
            &self.membership_note,
            &TextRule::OPTIONAL,
        );
        self.check_working(checks);
        for (i, predecessor) in self.successor_of.iter().enumerate() {
            checks.required_line(&format!("successor_of[{i}].name"), &predecessor.name);
            if !predecessor.rcp.is_empty() {
                checks.id::<32>(&format!("successor_of[{i}].rcp"), &predecessor.rcp);
            }
        }
        checks.url("website", &self.website);
    }

    fn into_summary(self, kind: Kind) -> Summary {
        let mut summary = Summary::new(kind, self.envelope, self.name, self.description)
            .with_years(self.founded, self.ended);
        summary.countries = self.member_states;
        summary
    }
}

impl Profile {
    /// How it works: secretariat, chairs, rules.
    fn check_working(&self, checks: &mut Checks) {
        if let Some(secretariat) = &self.secretariat {
            checks.required_line("secretariat.host", &secretariat.host);
            checks.line("secretariat.city", &secretariat.city);
            checks
                .optional_choice::<v1::StaffBand>("secretariat.staff_band", secretariat.staff_band);
            checks.tags("secretariat.languages", &secretariat.languages);
        }
        for (i, chair) in self.chairs.iter().enumerate() {
            self::chair(&format!("chairs[{i}]"), chair, checks);
        }
        checks.text("governance", &self.governance, &TextRule::OPTIONAL);
        if let Some(defaults) = &self.sharing_defaults {
            checks.line("sharing_defaults.audience", &defaults.audience);
            if defaults.embargo_days > EMBARGO_DAYS_MAX {
                let what = format!("is more than {EMBARGO_DAYS_MAX} days");
                checks.refuse("sharing_defaults.embargo_days", what, "give fewer days");
            }
        }
        checks.text(
            "endorsement_rule",
            &self.endorsement_rule,
            &TextRule::OPTIONAL,
        );
    }
}

fn chair(at: &str, chair: &Chair, checks: &mut Checks) {
    if chair.country.is_empty() && chair.organisation.is_empty() && chair.note.is_empty() {
        checks.refuse(
            at,
            "names nobody",
            "name a country or an organisation, or say it in a note",
        );
    }
    if !chair.country.is_empty() {
        checks.country(&format!("{at}.country"), &chair.country);
    }
    checks.line(&format!("{at}.organisation"), &chair.organisation);
    checks.dates(at, &chair.from, &chair.to);
    checks.text(&format!("{at}.note"), &chair.note, &TextRule::OPTIONAL);
}

impl Tidy for Profile {
    fn tidy(&mut self) {
        self.envelope.tidy();
        for text in [
            &mut self.name,
            &mut self.description,
            &mut self.membership_note,
            &mut self.governance,
            &mut self.endorsement_rule,
        ] {
            text.tidy();
        }
        self.acronym.tidy();
        tidy::lines(&mut self.also_known_as);
        tidy::countries(&mut self.member_states);
        tidy::each(&mut self.member_organisations);
        tidy::countries(&mut self.observer_states);
        tidy::each(&mut self.observer_organisations);
        self.secretariat.tidy();
        tidy::each(&mut self.chairs);
        if let Some(defaults) = &mut self.sharing_defaults {
            defaults.audience.tidy();
        }
        tidy::each(&mut self.successor_of);
        self.website.tidy();
    }
}

impl Tidy for Secretariat {
    fn tidy(&mut self) {
        self.host.tidy();
        self.city.tidy();
        tidy::tags(&mut self.languages);
    }
}

impl Tidy for Chair {
    fn tidy(&mut self) {
        tidy::country(&mut self.country);
        self.organisation.tidy();
        self.note.tidy();
    }
}

impl Tidy for Predecessor {
    fn tidy(&mut self) {
        self.name.tidy();
    }
}
