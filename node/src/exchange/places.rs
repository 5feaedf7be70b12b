//! Places for connections: there are so many, and nobody holds one against others by doing nothing.
//!
//! When all are taken and somebody knocks, a connection that has not yet proved itself gives way.
//! Chance picks it, so that whoever floods does not choose whom it puts out. **Invariant:** a place
//! is a descriptor: no more are open than there are places, but for the one that knocks; what was
//! kept never gives way.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::cut::Cut;
use crate::edge;

/// The places of one listener.
#[derive(Debug)]
pub struct Places {
    max: usize,
    inner: Mutex<Inner>,
    freed: Notify,
}

#[derive(Debug, Default)]
struct Inner {
    next: u64,
    /// Those that must give way when somebody knocks.
    loose: BTreeMap<u64, (Cut, Arc<Notify>)>,
    /// How many are taken, with those that are kept.
    taken: usize,
}

impl Places {
    /// So many.
    pub fn new(max: usize) -> Arc<Self> {
        Arc::new(Self {
            max,
            inner: Mutex::default(),
            freed: Notify::new(),
        })
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place for a connection that this cuts; somebody else is cut for it if need be.
    pub async fn take(self: &Arc<Self>, cut: &Cut) -> Place {
        loop {
            let freed = self.freed.notified();
            if let Some(place) = self.take_free(cut) {
                return place;
            }
            freed.await;
        }
    }

    fn take_free(self: &Arc<Self>, cut: &Cut) -> Option<Place> {
        let mut inner = self.inner();
        if inner.taken >= self.max {
            let count = u64::try_from(inner.loose.len()).unwrap_or(u64::MAX);
            let which = usize::try_from(edge::jitter(count)).unwrap_or(0);
            let id = inner.loose.keys().nth(which).copied();
            if let Some((cut, ended)) = id.and_then(|id| inner.loose.remove(&id)) {
                cut.now();
                ended.notify_one();
            }
            return None;
        }
        inner.taken += 1;
        inner.next += 1;
        let (id, ended) = (inner.next, Arc::new(Notify::new()));
        inner.loose.insert(id, (cut.clone(), Arc::clone(&ended)));
        drop(inner);
        Some(Place {
            places: Arc::clone(self),
            id,
            ended,
        })
    }
}

/// A connection's place; dropping it frees it.
#[derive(Debug)]
pub struct Place {
    places: Arc<Places>,
    id: u64,
    ended: Arc<Notify>,
}

impl Place {
    /// Whatever keeps it.
    pub fn keeper(&self) -> Keeper {
        Keeper {
            places: Arc::clone(&self.places),
            id: self.id,
        }
    }

    /// Ends when the connection has to give way.
    pub async fn must_go(&self) {
        self.ended.notified().await;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut inner = self.places.inner();
        inner.loose.remove(&self.id);
        inner.taken -= 1;
        drop(inner);
        self.places.freed.notify_one();
    }
}

/// Keeps a place once its connection has proved itself.
#[derive(Clone, Debug)]
pub struct Keeper {
    places: Arc<Places>,
    id: u64,
}

impl Keeper {
    /// From now on it gives way to nobody.
    pub fn keep(&self) {
        self.places.inner().loose.remove(&self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn whoever_knocks_gets_the_place_of_one_that_was_not_kept() {
        let places = Places::new(3);
        let cuts: [Cut; 3] = std::array::from_fn(|_| Cut::default());
        let mut held = Vec::new();
        for cut in &cuts {
            held.push(places.take(cut).await);
        }
        held[0].keeper().keep();
        held[2].keeper().keep();
        let (one, another) = (places.clone(), Cut::default());
        let knocks = tokio::spawn(async move { one.take(&another).await });
        held[1].must_go().await;
        assert!(!knocks.is_finished(), "there are three places");
        drop(held.remove(1));
        let place = knocks.await.expect("a place");
        place.keeper().keep();
        // All are kept now: the next one waits until somebody goes by itself.
        let (one, another) = (places.clone(), Cut::default());
        let waits = tokio::spawn(async move { one.take(&another).await });
        tokio::task::yield_now().await;
        assert!(!waits.is_finished());
        drop(held.pop());
        waits.await.expect("a place");
    }
}
