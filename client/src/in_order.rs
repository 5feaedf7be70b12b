//! Work that goes on several at a time and is given in the order in which it was begun.
//!
//! **Invariant:** nothing is given before what was begun earlier, and nothing is left out.

use std::collections::BTreeMap;
use std::future::Future;

use tokio::task::JoinSet;

/// Work under way; what is dropped with it is ended.
#[derive(Debug)]
pub(crate) struct InOrder<T> {
    running: JoinSet<(u64, T)>,
    done: BTreeMap<u64, T>,
    begun: u64,
    given: u64,
}

impl<T: Send + 'static> InOrder<T> {
    pub(crate) fn new() -> Self {
        Self {
            running: JoinSet::new(),
            done: BTreeMap::new(),
            begun: 0,
            given: 0,
        }
    }

    /// Begins one more.
    pub(crate) fn begin(&mut self, work: impl Future<Output = T> + Send + 'static) {
        let number = self.begun;
        self.begun += 1;
        self.running.spawn(async move { (number, work.await) });
    }

    /// How many were begun and not yet given.
    pub(crate) const fn len(&self) -> u64 {
        self.begun - self.given
    }

    /// The outcome of the earliest not yet given; `None` if there is none. Cancel safe.
    pub(crate) async fn next(&mut self) -> Option<T> {
        loop {
            if let Some(outcome) = self.done.remove(&self.given) {
                self.given += 1;
                return Some(outcome);
            }
            match self.running.join_next().await? {
                Ok((number, outcome)) => {
                    self.done.insert(number, outcome);
                }
                Err(error) => {
                    if let Ok(panic) = error.try_into_panic() {
                        std::panic::resume_unwind(panic);
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::sync::oneshot;

    #[tokio::test]
    async fn the_order_is_that_of_the_beginning() {
        let mut work = InOrder::new();
        assert_eq!(work.next().await, None);
        let (first, waits) = oneshot::channel();
        work.begin(async move { waits.await.unwrap_or(0) });
        work.begin(async { 2 });
        assert_eq!(work.len(), 2);
        let early = tokio::time::timeout(std::time::Duration::ZERO, work.next()).await;
        assert!(early.is_err(), "the second waits for the first");
        first.send(1).expect("it waits");
        assert_eq!(work.next().await, Some(1));
        assert_eq!(work.next().await, Some(2));
        assert_eq!((work.next().await, work.len()), (None, 0));
    }
}
