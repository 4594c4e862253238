//! How much of the store's queue one group may have.
//!
//! **Invariant:** commands on one scope never take the whole queue, so those on another find room in it; a
//! scope that nothing waits for takes no memory.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use uuid::Uuid;

use crate::store::Error;

/// Counts the commands of each scope that wait or run.
#[derive(Debug)]
pub(super) struct Shares {
    max: usize,
    waiting: Mutex<HashMap<Uuid, usize>>,
}

/// One command's place; given back when it is dropped.
pub(super) struct Place<'s> {
    shares: &'s Shares,
    scope: Uuid,
}

impl Shares {
    /// So many places for each scope.
    pub(super) fn new(max: usize) -> Shares {
        Shares { max, waiting: Mutex::default() }
    }

    /// A place among the commands of a scope, if one is left. What is of no scope in particular is the
    /// server's own work and always has one.
    pub(super) fn take(&self, scope: Uuid) -> Result<Option<Place<'_>>, Error> {
        if scope.is_nil() {
            return Ok(None);
        }
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let count = waiting.entry(scope).or_default();
        if *count >= self.max {
            return Err(Error::Crowded);
        }
        *count += 1;
        Ok(Some(Place { shares: self, scope }))
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut waiting = self.shares.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = waiting.get_mut(&self.scope) {
            *count -= 1;
            if *count == 0 {
                waiting.remove(&self.scope);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::time::Duration;

    use futures_util::future::BoxFuture;

    use super::*;
    use crate::clock::Clock;
    use crate::store::both::on_each;
    use crate::store::{Store, Tx};

    type Input = (mpsc::Sender<()>, Mutex<mpsc::Receiver<()>>);

    /// What a command says when it begins, and what lets it end.
    fn channels() -> (Input, mpsc::Receiver<()>, mpsc::Sender<()>) {
        let ((began, begun), (end, ended)) = (mpsc::channel(), mpsc::channel());
        ((began, Mutex::new(ended)), begun, end)
    }

    fn held<'t>(_: &'t mut Tx, (began, end): &'t Input) -> BoxFuture<'t, Result<(), Error>> {
        began.send(()).unwrap();
        end.lock().unwrap().recv().unwrap();
        Box::pin(async { Ok(()) })
    }

    async fn one(store: &Store, scope: Uuid) -> Result<(), Error> {
        store.write(scope, (), |_: &mut Tx, ()| Box::pin(async { Ok::<_, Error>(()) })).await
    }

    /// The server's own work on a group that has all its places waits with it, and takes none of them.
    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn the_servers_own_work_has_no_part_in_a_share() {
        on_each(8, Duration::from_secs(5), async |mut store, _| {
            std::sync::Arc::get_mut(&mut store.open).unwrap().shares = Shares::new(1);
            let (scope, store) = (Clock::System.id(), &store);
            let (input, begun, end) = channels();
            let own = async { store.tend(scope, input, held).await.unwrap() };
            let meanwhile = async {
                tokio::task::block_in_place(|| begun.recv().unwrap());
                // A place is left: the next waits behind the server's own work, and one more finds none.
                let (first, more) = (one(store, scope), async {
                    let crowded = one(store, scope).await;
                    end.send(()).unwrap();
                    crowded
                });
                let (first, more) = tokio::join!(biased; first, more);
                first.unwrap();
                assert!(matches!(more, Err(Error::Crowded)), "{more:?}");
            };
            tokio::join!(own, meanwhile);
            let (input, begun, end) = channels();
            let busy = async { store.write(scope, input, held).await.unwrap() };
            let meanwhile = async {
                tokio::task::block_in_place(|| begun.recv().unwrap());
                let tidied =
                    store.tend(scope, (), |_: &mut Tx, ()| Box::pin(async { Ok::<_, Error>(()) }));
                let crowded = async {
                    let crowded = one(store, scope).await;
                    end.send(()).unwrap();
                    crowded
                };
                let (tidied, crowded) = tokio::join!(biased; tidied, crowded);
                tidied.unwrap();
                assert!(matches!(crowded, Err(Error::Crowded)), "{crowded:?}");
            };
            tokio::join!(busy, meanwhile);
        })
        .await;
    }
}
