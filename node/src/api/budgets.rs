//! How much each caller may ask in a time.
//!
//! A token has a budget of its own; whoever shows none has that of the network address that it
//! comes from, and all of those together have one more. A call costs one, and one more for every
//! few hundred records that it looks at; what it looks at is known afterwards, so that a caller may
//! be in debt by one call. How many calls each has under way is bounded as well, and with them what
//! waits in memory for callers that are slow to take it. **Invariant:** what is remembered of
//! callers has a bound, and one that is not remembered has asked for nothing lately.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use corridor_rules::budget::{Bucket, Rate};
use http::Request;

use super::Came;
use super::audit::bearer;
use crate::edge;
use crate::limits::{CALLERS_MAX, CALLS_AT_ONCE_MAX, ROWS_PER_UNIT};
use crate::operate::access::Access;
use crate::operate::config::Reading;

/// Of whom a budget is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Who {
    /// The holder of a token, by what names the token.
    Token(String),
    /// Whoever comes from a place and shows no good token.
    Place(IpAddr),
    /// All of those together.
    AnyPlace,
}

/// The budgets of all callers.
#[derive(Debug)]
pub struct Budgets {
    access: Arc<Access>,
    rates: [Rate; 3],
    buckets: Mutex<HashMap<Who, Bucket>>,
    under_way: Mutex<HashMap<Who, usize>>,
}

/// Minutes that a caller may use up at once.
const BURST_MINUTES: u64 = 2;
/// How many addresses may use up their budgets at the same time.
const PLACES_AT_ONCE: u64 = 16;

impl Budgets {
    /// With the rates that are configured.
    pub fn new(access: Arc<Access>, reading: &Reading) -> Self {
        let rate = |per_minute: u64| Rate {
            burst: per_minute.saturating_mul(BURST_MINUTES),
            per_minute,
        };
        let anonymous = reading.anonymous_calls_per_minute;
        let rates = [
            rate(reading.calls_per_minute),
            rate(anonymous),
            rate(anonymous.saturating_mul(PLACES_AT_ONCE)),
        ];
        Self {
            access,
            rates,
            buckets: Mutex::default(),
            under_way: Mutex::default(),
        }
    }

    const fn rate(&self, who: &Who) -> &Rate {
        let [token, place, any_place] = &self.rates;
        match who {
            Who::Token(_) => token,
            Who::Place(_) => place,
            Who::AnyPlace => any_place,
        }
    }

    /// Takes from budgets unless one of them is in debt, or even then; gives how long until none
    /// is.
    fn take(&self, who: &[Who], units: u64, even_then: bool) -> u64 {
        let now = edge::now();
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() > CALLERS_MAX {
            // Whoever has its whole budget need not be remembered.
            buckets.retain(|who, bucket| !bucket.is_full(self.rate(who), now));
        }
        if buckets.len() > CALLERS_MAX {
            buckets.retain(|who, _| !matches!(who, Who::Place(_)));
        }
        let mut wait_ms = 0;
        for one in who {
            let rate = self.rate(one);
            let bucket = buckets.entry(one.clone());
            let bucket = bucket.or_insert_with(|| Bucket::full(rate, now));
            wait_ms = wait_ms.max(bucket.wait_ms(rate, now));
        }
        for one in who.iter().filter(|_| wait_ms == 0 || even_then) {
            let rate = self.rate(one);
            if let Some(bucket) = buckets.get_mut(one) {
                bucket.take(rate, units, now);
            }
        }
        wait_ms
    }
}

/// From whose budgets a call takes.
#[derive(Clone, Debug)]
pub struct Charge {
    budgets: Arc<Budgets>,
    who: Vec<Who>,
}

impl Charge {
    /// Of whoever makes a call.
    pub fn of<B>(budgets: &Arc<Budgets>, request: &Request<B>) -> Self {
        let token = bearer(request.headers());
        let holder = token.and_then(|token| budgets.access.holder(token, edge::now()));
        let place = request.extensions().get::<Came>().map(|came| came.0);
        let who = match (holder, place) {
            (Some(holder), _) => vec![Who::Token(holder.id().to_owned())],
            (None, Some(place)) => vec![Who::Place(network(place)), Who::AnyPlace],
            (None, None) => vec![Who::AnyPlace],
        };
        Self {
            budgets: Arc::clone(budgets),
            who,
        }
    }

    /// Of a call that came through the gate.
    pub fn of_call<T>(request: &tonic::Request<T>) -> Option<Self> {
        request.extensions().get::<Self>().cloned()
    }

    /// Takes so much, unless there is a debt; gives how long until there is none.
    pub fn take(&self, units: u64) -> u64 {
        self.budgets.take(&self.who, units, false)
    }

    /// Begins a call, unless the caller has as many under way as it may.
    pub fn begin(&self) -> Option<UnderWay> {
        let counts = self.budgets.under_way.lock();
        let mut counts = counts.unwrap_or_else(PoisonError::into_inner);
        let is_free = |who: &Who| counts.get(who).is_none_or(|count| *count < at_once(who));
        if !self.who.iter().all(is_free) {
            return None;
        }
        for who in &self.who {
            *counts.entry(who.clone()).or_default() += 1;
        }
        Some(UnderWay(self.clone()))
    }

    /// Takes what looking at records costs; what was done was done, so nothing is refused.
    pub fn looked_at(&self, rows: usize) {
        let units = u64::try_from(rows)
            .unwrap_or(u64::MAX)
            .div_ceil(ROWS_PER_UNIT);
        if units > 0 {
            self.budgets.take(&self.who, units, true);
        }
    }
}

/// Calls that one may have under way.
const fn at_once(who: &Who) -> usize {
    match who {
        Who::Token(_) => CALLS_AT_ONCE_MAX,
        // Sixteen addresses, so that a few cannot keep all others away.
        Who::AnyPlace => 2 * CALLS_AT_ONCE_MAX,
        Who::Place(_) => CALLS_AT_ONCE_MAX / 8,
    }
}

/// A call under way, until it is dropped.
#[derive(Debug)]
pub struct UnderWay(Charge);

impl Drop for UnderWay {
    fn drop(&mut self) {
        let Charge { budgets, who } = &self.0;
        let counts = budgets.under_way.lock();
        let mut counts = counts.unwrap_or_else(PoisonError::into_inner);
        for who in who {
            if let Entry::Occupied(mut count) = counts.entry(who.clone()) {
                *count.get_mut() -= 1;
                if *count.get() == 0 {
                    count.remove();
                }
            }
        }
    }
}

/// What one subscriber is given of the network: an address of version 4, half of one of version 6.
fn network(place: IpAddr) -> IpAddr {
    match place.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::V6([a, b, c, d, 0, 0, 0, 0].into())
        }
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn budgets(calls: u64) -> Arc<Budgets> {
        let access = Arc::new(Access::of(std::path::Path::new("/nowhere")));
        Arc::new(Budgets::new(
            access,
            &Reading {
                anonymous: true,
                calls_per_minute: 100,
                anonymous_calls_per_minute: calls,
            },
        ))
    }

    fn from(budgets: &Arc<Budgets>, place: &str) -> Charge {
        let mut request = Request::new(());
        let place = place.parse().expect("an address");
        request.extensions_mut().insert(Came(place));
        Charge::of(budgets, &request)
    }

    #[test]
    fn whoever_asks_too_often_waits_and_others_do_not() {
        let budgets = budgets(5);
        let one = from(&budgets, "192.0.2.1");
        let taken = (0..100).take_while(|_| one.take(1) == 0).count();
        assert_eq!(taken, 11, "its burst, and one more");
        assert!(one.take(1) > 0, "and it waits");
        assert_eq!(from(&budgets, "192.0.2.2").take(1), 0, "another does not");
    }

    #[test]
    fn one_subscriber_has_one_budget() {
        let budgets = budgets(5);
        for host in 0..12 {
            from(&budgets, &format!("2001:db8:1:2::{host}")).take(1);
        }
        assert!(from(&budgets, "2001:db8:1:2:ffff::").take(1) > 0);
        assert_eq!(from(&budgets, "2001:db8:1:3::").take(1), 0);
        assert_eq!(
            network("::ffff:192.0.2.1".parse().expect("mapped")).to_string(),
            "192.0.2.1"
        );
    }

    #[test]
    fn all_who_show_no_token_share_one_more() {
        let budgets = budgets(1);
        let some = (0..200).map(|host| from(&budgets, &format!("192.0.2.{host}")));
        let taken = some.take_while(|one| one.take(1) == 0).count();
        assert_eq!(taken, 33, "sixteen times the burst of one, and one more");
    }

    #[test]
    fn one_has_so_many_calls_under_way_and_leaves_room_for_others() {
        let budgets = budgets(u64::MAX / 64);
        let begin = |place: &str| from(&budgets, place).begin();
        let mut some: Vec<_> = std::iter::from_fn(|| begin("192.0.2.1")).take(99).collect();
        assert_eq!(some.len(), CALLS_AT_ONCE_MAX / 8);
        assert!(begin("192.0.2.2").is_some(), "another one calls");
        some.pop();
        assert!(begin("192.0.2.1").is_some(), "one of them has ended");
        for host in 2..40 {
            some.extend(std::iter::from_fn(|| begin(&format!("192.0.2.{host}"))).take(99));
        }
        assert_eq!(some.len(), 2 * CALLS_AT_ONCE_MAX, "all of them together");
        drop(some);
        assert!(budgets.under_way.lock().expect("no panic").is_empty());
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let budgets = budgets(u64::MAX / 64);
        for host in 0..u32::try_from(2 * CALLERS_MAX).expect("few") {
            from(&budgets, &std::net::Ipv4Addr::from(host).to_string()).take(1);
        }
        let remembered = budgets.buckets.lock().expect("no panic").len();
        assert!(remembered <= CALLERS_MAX + 2, "{remembered}");
    }
}
