//! The rules of a contact.
//!
//! It imports the shared rules. **Invariant:** a person is named only with the person's consent.

use super::checks::Checks;
use super::date;
use super::envelope::{self, Rules};
use super::shown::Summary;
use super::tidy::{self, Tidy};
use super::{Body, Kind};
use crate::v1::{self, Contact, LanguageText};

/// The language of a name that is in none.
const NO_LANGUAGE: &str = "und";

impl Body for Contact {
    const MESSAGE: &'static str = "Contact";

    fn check(&self, checks: &mut Checks) {
        envelope::check(self.envelope.as_ref(), &Rules::of(&[]), checks);
        checks.choice::<v1::ContactRole>("role", self.role);
        checks.short_line("organisation", &self.organisation);
        checks.mailbox("email", &self.email);
        checks.phone("phone", &self.phone);
        checks.tags("languages", &self.languages);
        checks.line("person_name", &self.person_name);
        let names = !self.person_name.is_empty();
        if names && !self.person_consented {
            let remedy = "leave the name out, or ask the person and set it";
            checks.refuse(
                "person_consented",
                "is not set, but a person is named",
                remedy,
            );
        }
        let where_ = "beside a name";
        checks.only_if(names, "person_consented", self.person_consented, where_);
        checks.day("valid_to", &self.valid_to);
    }

    fn into_summary(self, kind: Kind) -> Summary {
        let name = LanguageText {
            tag: NO_LANGUAGE.to_owned(),
            text: self.organisation,
        };
        let last = date::year(&self.valid_to).unwrap_or(0);
        Summary::new(kind, self.envelope, vec![name], Vec::new()).with_years(0, last)
    }
}

impl Tidy for Contact {
    fn tidy(&mut self) {
        self.envelope.tidy();
        self.organisation.tidy();
        self.email.tidy();
        self.phone.tidy();
        tidy::tags(&mut self.languages);
        self.person_name.tidy();
    }
}

#[cfg(test)]
mod tests {
    use super::super::samples::contact;
    use super::super::tests::refuses;
    use super::*;

    #[test]
    fn a_contact_is_a_mailbox_of_a_role() {
        let holds = |spoil: fn(&mut Contact), expect: &[&str]| {
            refuses(Kind::Contact, contact(), spoil, expect);
        };
        holds(|c| c.role = 0, &["role"]);
        holds(|c| c.organisation.clear(), &["organisation"]);
        holds(|c| c.email = "desk".into(), &["email"]);
        holds(|c| c.phone = "030".into(), &["phone"]);
        holds(|c| c.valid_to = "2027".into(), &["valid_to"]);
        holds(
            |c| c.person_name = "A. Person".into(),
            &["person_consented"],
        );
        holds(|c| c.person_consented = true, &["person_consented"]);
        let consents = |c: &mut Contact| {
            c.person_name = "A. Person".into();
            c.person_consented = true;
        };
        holds(consents, &[]);
    }
}
