//! Who may see what, written out from the protocol's pages ("Circles", "Peer states", "Lines and
//! records"), not from the code that is tested.
//!
//! **Invariant:** nothing of `corridor_rules` is asked here.

use super::world::{Act, Circle, Phase, Record, Who};

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reader {
    /// No token, an unknown one, or one that has ended.
    Nobody,
    /// A token for what is public.
    Anyone,
    /// The secretariat.
    Desk,
    /// A partner's node.
    Peer(Who),
}

/// The table: each partner with all circles that it may read.
fn table(who: Who) -> &'static [Circle] {
    use Circle::{
        Closed, Federation, Observers, Open, Private, Public, SentClosed, SentOpen, SentPublic,
    };
    match who {
        // Hello and nothing else.
        Who::Unknown | Who::Refused | Who::Invited => &[],
        Who::Pending => &[Public],
        Who::Bare => &[Public, Private(Who::Bare)],
        Who::Listed => &[Public, Private(Who::Listed), Federation, Open, Closed],
        // An ended right and an entry that is gone open nothing.
        Who::Lapsed => &[Public, Private(Who::Lapsed)],
        Who::Former => &[Public, Private(Who::Former)],
        // Its private circle alone.
        Who::Paused => &[Private(Who::Paused)],
        Who::Left => &[Private(Who::Left)],
        // What it is listed in, and its own logs.
        Who::Sender => &[
            Public,
            Private(Who::Sender),
            Federation,
            Observers,
            SentPublic,
            SentOpen,
            SentClosed,
        ],
    }
}

pub fn may_exchange(who: Who) -> bool {
    !matches!(who, Who::Unknown | Who::Refused | Who::Invited)
}

pub fn reads(reader: Reader, circle: Circle) -> bool {
    match reader {
        Reader::Nobody => false,
        Reader::Anyone => matches!(circle, Circle::Public | Circle::SentPublic),
        // What came from one that is not confirmed is kept apart.
        Reader::Desk => circle != Circle::ApartPublic,
        Reader::Peer(who) => table(who).contains(&circle),
    }
}

/// Who stands in an open list at the end.
fn listed(circle: Circle) -> &'static [Who] {
    match circle {
        Circle::Federation => &[Who::Listed, Who::Sender],
        Circle::Observers => &[Who::Sender],
        Circle::Open => &[Who::Listed, Who::Lapsed, Who::Paused],
        _ => &[],
    }
}

/// Which partners a reader may learn of.
pub fn hears_of(reader: Reader, who: Who) -> bool {
    match reader {
        Reader::Nobody => false,
        // By its public records.
        Reader::Anyone => who == Who::Sender,
        Reader::Desk => true,
        Reader::Peer(peer) => {
            let together = |circle| reads(reader, circle) && listed(circle).contains(&who);
            let lists = [Circle::Federation, Circle::Observers, Circle::Open];
            peer == who || lists.into_iter().any(together)
        }
    }
}

/// Whether a reader may learn that there is a circle.
pub fn hears_of_circle(reader: Reader, circle: Circle) -> bool {
    let is_its_own = circle == Circle::ApartPublic && reader == Reader::Peer(Who::Pending);
    reads(reader, circle) || reader == Reader::Desk || is_its_own
}

/// Whose circle's name, where it is no common one, a reader may learn.
pub fn hears_name(reader: Reader, circle: Circle) -> bool {
    match circle {
        // Its readers do not learn it.
        Circle::Closed => reader == Reader::Desk,
        _ => reads(reader, circle) && reader != Reader::Anyone,
    }
}

/// How a record stands in a circle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stand {
    Never,
    /// This version is in force.
    Live(usize),
    Gone,
}

pub fn stand(record: &Record, circle: Circle) -> Stand {
    let mut stand = Stand::Never;
    for (_, act) in &record.story {
        match act {
            Act::Publish {
                circle: on,
                version,
            } if *on == circle => stand = Stand::Live(*version),
            Act::Leave(from) if *from == circle => stand = Stand::Gone,
            _ => {}
        }
    }
    match (stand, burnt(record)) {
        (Stand::Live(_), Some(None)) => Stand::Gone,
        (Stand::Live(version), Some(Some(up_to))) if version <= up_to => Stand::Gone,
        (stand, _) => stand,
    }
}

/// Up to which version it is withdrawn; `Some(None)`: all of it.
pub fn burnt(record: &Record) -> Option<Option<usize>> {
    record.story.iter().find_map(|(_, act)| match act {
        Act::Withdraw { up_to } => Some(*up_to),
        _ => None,
    })
}

/// When it first stood in a circle.
fn first(record: &Record, circle: Circle) -> Option<Phase> {
    record.story.iter().find_map(|(phase, act)| match act {
        Act::Publish { circle: on, .. } if *on == circle => Some(*phase),
        _ => None,
    })
}

/// Whether a partner is told of a withdrawal in its private circle: it may hold the record.
fn may_hold(who: Who, record: &Record) -> bool {
    let stood = |circle| first(record, circle);
    let early = |circle| stood(circle) == Some(Phase::Early);
    let ever = |circle| stood(circle).is_some();
    let many = || early(Circle::Open) || early(Circle::Closed);
    match who {
        Who::Unknown | Who::Refused | Who::Invited => false,
        Who::Pending | Who::Bare => ever(Circle::Public),
        Who::Listed => [
            Circle::Public,
            Circle::Federation,
            Circle::Open,
            Circle::Closed,
        ]
        .into_iter()
        .any(ever),
        // What came into the lists later it never had.
        Who::Lapsed | Who::Former => ever(Circle::Public) || many(),
        Who::Paused | Who::Left => early(Circle::Public) || many(),
        Who::Sender => [Circle::Public, Circle::Federation, Circle::Observers]
            .into_iter()
            .any(ever),
    }
}

/// Whether a line of a circle names a record, for a partner that reads the circle.
pub fn is_named(record: &Record, circle: Circle) -> bool {
    let told = match circle {
        Circle::Private(who) => record.of.is_none() && may_hold(who, record),
        _ => false,
    };
    first(record, circle).is_some() || told && burnt(record).is_some()
}

/// What a reader is shown of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sight {
    pub state: Shown,
    /// The version in force.
    pub version: Option<usize>,
    /// The version of which there is a text.
    pub text: Option<usize>,
    /// Where it is in force.
    pub circles: Vec<Circle>,
    pub is_withdrawn: bool,
    pub is_apart: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shown {
    Current,
    Withdrawn,
    Internal,
    Awaited,
    Quarantined,
    Left,
}

/// What somebody at the node's own listener sees of a record when asking for it by name.
pub fn sight(reader: Reader, record: &Record) -> Option<Sight> {
    let is_apart = record.of == Some(Who::Pending);
    let own = reader == Reader::Desk && record.of.is_none();
    let sees = |circle| reads(reader, circle) || reader == Reader::Desk && is_apart;
    let seen: Vec<Circle> = Circle::all()
        .into_iter()
        .filter(|circle| sees(*circle) && first(record, *circle).is_some())
        .collect();
    if seen.is_empty() {
        return None;
    }
    let live = seen
        .iter()
        .filter_map(|circle| match stand(record, *circle) {
            Stand::Live(version) => Some((*circle, version)),
            _ => None,
        });
    let live: Vec<(Circle, usize)> = live.collect();
    let version = live.iter().map(|(_, version)| *version).max();
    let is_withdrawn = burnt(record).is_some();
    let state = match (version, record.state) {
        (Some(_), "awaited") => Shown::Awaited,
        (Some(_), "quarantined") => Shown::Quarantined,
        (Some(_), _) => Shown::Current,
        (None, _) if is_withdrawn => Shown::Withdrawn,
        (None, _) if own => Shown::Internal,
        (None, _) => Shown::Left,
    };
    let newest = record.versions.len() - 1;
    let text = match state {
        Shown::Current => version,
        Shown::Internal => Some(newest),
        _ => None,
    };
    Some(Sight {
        state,
        version,
        text,
        circles: live.into_iter().map(|(circle, _)| circle).collect(),
        is_withdrawn,
        is_apart,
    })
}

/// The same in a list, where only what is in force is shown unless all is asked for.
pub fn listed_sight(reader: Reader, record: &Record, all: bool) -> Option<Sight> {
    sight(reader, record).filter(|sight| all || sight.version.is_some() && !sight.is_apart)
}

/// The same for those who follow changes: what is apart is not told.
pub fn watched_sight(reader: Reader, record: &Record) -> Option<Sight> {
    sight(reader, record).filter(|sight| !sight.is_apart)
}

/// The version that a partner may read now.
pub fn peer_version(who: Who, record: &Record) -> Option<usize> {
    let reader = Reader::Peer(who);
    let live = Circle::all()
        .into_iter()
        .filter_map(|circle| match stand(record, circle) {
            Stand::Live(version) if reads(reader, circle) => Some(version),
            _ => None,
        });
    live.max()
}

/// Something of a record that can be found in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    Id,
    Text(usize),
    Note,
    Draft,
}

/// Whether a reader may come across a part of a record, by any way of reading.
pub fn may_find(reader: Reader, record: &Record, part: Part) -> bool {
    let named = || {
        Circle::all()
            .into_iter()
            .any(|circle| is_named(record, circle) && reads(reader, circle))
    };
    match (reader, part) {
        (Reader::Nobody, _) => false,
        (Reader::Desk, Part::Id | Part::Draft) => true,
        (_, Part::Draft) => false,
        (Reader::Anyone, Part::Id) => sight(reader, record).is_some(),
        (Reader::Desk | Reader::Anyone, Part::Text(version)) => {
            let shown = sight(reader, record).is_some_and(|sight| sight.text == Some(version));
            // A preview has what the partner would see.
            let mut partners = Who::ALL.into_iter();
            let previewed = |who| peer_version(who, record) == Some(version);
            let own = record.of.is_none() && reader == Reader::Desk;
            shown || own && partners.any(previewed)
        }
        (Reader::Desk | Reader::Anyone, Part::Note) => {
            sight(reader, record).is_some_and(|sight| sight.is_withdrawn)
        }
        (Reader::Peer(_), Part::Id) => named(),
        (Reader::Peer(_), Part::Note) => named() && burnt(record).is_some(),
        (Reader::Peer(_), Part::Text(version)) => {
            record.is_held
                && Circle::all().into_iter().any(|circle| {
                    reads(reader, circle) && stand(record, circle) == Stand::Live(version)
                })
        }
    }
}
