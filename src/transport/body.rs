//! Reading what a server sends: never more than allowed, never waiting for ever.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::Stream;
use futures_util::stream::BoxStream;
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming as Content};

use super::retry::{Failure, Stage};
use super::trace::Stats;

/// How long a body may stand still. Servers that stream from slow storage pause for seconds, not for a minute.
const IDLE_TIMEOUT: Duration = Duration::from_secs(60);
/// How much is set aside before anything has come: a server's `Content-Length` is a claim, not a reason to allocate.
const FIRST_ALLOCATION: usize = 64 << 10;

/// How a body is meant to be read.
#[derive(Clone, Copy)]
pub(super) enum Excess {
    /// Longer than the limit is an error.
    Fails,
    /// What is over the limit is left unread.
    IsCut,
}

/// Reads a body to its end or the limit.
pub(super) async fn read(mut content: Content, limit: usize, excess: Excess, stats: &Stats) -> Result<Bytes, Failure> {
    let stated = stated_length(&content).and_then(|length| usize::try_from(length).ok());
    if matches!(excess, Excess::Fails) && stated.is_some_and(|length| length > limit) {
        return Err(Failure::TooLarge { limit });
    }
    // A body that fits one piece is handed on without copying it.
    let Some(first) = next(&mut content, stats).await? else { return Ok(Bytes::new()) };
    let mut all: Option<BytesMut> = None;
    let mut length = first.len();
    while length <= limit {
        match next(&mut content, stats).await? {
            Some(piece) => {
                length += piece.len();
                all.get_or_insert_with(|| {
                    let mut all =
                        BytesMut::with_capacity(stated.unwrap_or(0).clamp(first.len(), FIRST_ALLOCATION.max(first.len())));
                    all.extend_from_slice(&first);
                    all
                })
                .extend_from_slice(&piece);
            }
            None => return Ok(all.map_or(first, BytesMut::freeze)),
        }
    }
    match excess {
        Excess::Fails => Err(Failure::TooLarge { limit }),
        Excess::IsCut => {
            let mut all = all.map_or(first, BytesMut::freeze);
            all.truncate(limit);
            Ok(all)
        }
    }
}

/// How long the content is by what the server says.
pub(super) fn stated_length(content: &Content) -> Option<u64> {
    content.size_hint().exact()
}

async fn next(content: &mut Content, stats: &Stats) -> Result<Option<Bytes>, Failure> {
    loop {
        match tokio::time::timeout(IDLE_TIMEOUT, content.frame()).await {
            Err(_) => return Err(Failure::Stalled(IDLE_TIMEOUT)),
            Ok(Some(Err(error))) => return Err(Failure::Network(Stage::Reading, error.into())),
            Ok(Some(Ok(frame))) => {
                // trailers say nothing that is wanted
                let Ok(piece) = frame.into_data() else { continue };
                stats.received(piece.len());
                return Ok(Some(piece));
            }
            Ok(None) => return Ok(None),
        }
    }
}

/// Content that is still on its way.
pub struct Incoming {
    content: Content,
    stats: Arc<Stats>,
    on_failure: Box<dyn Fn(Failure) -> crate::registry::Error + Send + Sync>,
}

impl Incoming {
    pub(super) fn new(
        content: Content,
        stats: Arc<Stats>,
        on_failure: impl Fn(Failure) -> crate::registry::Error + Send + Sync + 'static,
    ) -> Incoming {
        Incoming { content, stats, on_failure: Box::new(on_failure) }
    }

    /// The next piece, or `None` at the end.
    ///
    /// # Errors
    /// When the connection is lost or stands still.
    pub async fn next(&mut self) -> crate::registry::Result<Option<Bytes>> {
        next(&mut self.content, &self.stats).await.map_err(|failure| (self.on_failure)(failure))
    }

    /// The pieces as a stream.
    pub fn into_stream(self) -> BoxStream<'static, crate::registry::Result<Bytes>> {
        Box::pin(self.pieces())
    }

    fn pieces(mut self) -> impl Stream<Item = crate::registry::Result<Bytes>> + Send {
        async_stream::try_stream! {
            while let Some(piece) = self.next().await? {
                yield piece;
            }
        }
    }
}
