//! Pages, fetched one ahead: the server makes the next while this one is worked on.

use std::pin::pin;

use futures_util::stream::{self, LocalBoxStream};
use futures_util::{FutureExt, Stream, StreamExt};
use tokio::sync::mpsc;

/// What `work` makes of `pages`, of which the next is fetched as soon as the one before it is taken.
///
/// Fetching goes on whenever the result is asked for more, whether or not `work` has a use for another page yet. A request under way that
/// nobody drives would keep its turn from the very requests that have to end before it is driven again.
pub(super) fn ahead<'a, P, W>(
    pages: impl Stream<Item = P> + 'a,
    work: impl FnOnce(LocalBoxStream<'a, P>) -> W,
) -> impl Stream<Item = W::Item>
where
    P: 'a,
    W: Stream,
{
    let (send, mut receive) = mpsc::channel(1);
    let mut fetching = Box::pin(async move {
        let mut pages = pin!(pages);
        // a place first, and only then the page that will stand in it
        while let Ok(place) = send.reserve().await {
            let Some(page) = pages.next().await else { break };
            place.send(page);
        }
    })
    .fuse();
    let mut work = Box::pin(work(stream::poll_fn(move |context| receive.poll_recv(context)).boxed_local()));
    stream::poll_fn(move |context| {
        let _ = fetching.poll_unpin(context);
        work.poll_next_unpin(context)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    use tokio::sync::Semaphore;

    #[tokio::test]
    async fn one_page_is_fetched_while_another_is_worked_on() {
        let begun = Cell::new(0);
        let pages = stream::iter(1..=4).inspect(|page| begun.set(*page));
        let worked = |page| {
            let begun = &begun;
            async move {
                tokio::task::yield_now().await;
                (page, begun.get())
            }
        };
        let seen = ahead(pages, |pages| pages.then(worked));
        assert_eq!(seen.collect::<Vec<_>>().await, [(1, 2), (2, 3), (3, 4), (4, 4)]);
    }

    /// Each page needs the one turn that there is, and so does the work.
    #[tokio::test]
    async fn a_single_turn_is_enough() {
        let turns = Semaphore::new(1);
        let turn = async |item: u32| {
            let _turn = turns.acquire().await.expect("never closed");
            tokio::task::yield_now().await;
            item
        };
        let pages = stream::iter(0..3).then(&turn).map(|page| (0..5).map(move |item| page * 5 + item));
        let done = ahead(pages, |pages| pages.map(stream::iter).flatten().map(&turn).buffered(2));
        let done = tokio::time::timeout(std::time::Duration::from_secs(10), done.collect::<Vec<_>>()).await;
        assert_eq!(done.expect("it goes on"), (0..15).collect::<Vec<_>>());
    }
}
