//! Pages, asked for one ahead: the server makes the next while this one is worked on.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_util::Stream;

/// A stream whose next item is begun before one is handed over. It goes on whenever the stream is asked again, or whoever drives it lets
/// other work have its turn.
pub(super) struct Ahead<S: Stream> {
    inner: S,
    /// The item after the last one that was handed over, as far as it is known; `Some(None)` is the end.
    next: Option<Option<S::Item>>,
}

impl<S: Stream> Ahead<S> {
    pub fn new(inner: S) -> Ahead<S> {
        Ahead { inner, next: None }
    }
}

impl<S: Stream<Item: Unpin> + Unpin> Stream for Ahead<S> {
    type Item = S::Item;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<S::Item>> {
        let item = match self.next.take() {
            Some(item) => item,
            None => ready!(Pin::new(&mut self.inner).poll_next(context)),
        };
        self.next = match item {
            Some(_) => match Pin::new(&mut self.inner).poll_next(context) {
                Poll::Ready(next) => Some(next),
                Poll::Pending => None,
            },
            // what has ended is not asked again
            None => Some(None),
        };
        Poll::Ready(item)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    use futures_util::{FutureExt, StreamExt, stream};

    #[test]
    fn the_next_is_begun_and_none_is_lost() {
        let begun = Cell::new(0);
        let pages = stream::iter(1..=3).map(|page| {
            begun.set(page);
            page
        });
        let mut ahead = Ahead::new(pages);
        for (page, next) in [(Some(1), 2), (Some(2), 3), (Some(3), 3), (None, 3), (None, 3)] {
            assert_eq!(ahead.next().now_or_never().unwrap(), page);
            assert_eq!(begun.get(), next);
        }
    }

    #[tokio::test]
    async fn it_waits_for_what_takes_time() {
        let pages = stream::iter(1..=3).then(async |page| {
            tokio::task::yield_now().await;
            page
        });
        assert_eq!(Ahead::new(Box::pin(pages)).collect::<Vec<_>>().await, [1, 2, 3]);
    }
}
