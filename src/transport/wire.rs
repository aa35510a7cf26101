//! Sending a request until there is an answer: turns, attempts, pauses and redirects. Knows nothing of credentials except where a header
//! that it is given may go: to the origin of the request, and not one redirect further.

use std::sync::Arc;

use bytes::Bytes;
use http_body_util::Full;
use hyper::Method;
use hyper::header::{ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, HeaderMap, HeaderValue, LOCATION, RANGE};
use jiff::Timestamp;
use tokio::time::Instant;
use url::Url;

use super::body::{self, Excess, Incoming};
use super::limit::{Limiter, Sort};
use super::pool::{Pool, Response};
use super::retry::{self, Failure};
use super::warning::Warnings;
use super::{Answer, Request, SMALL_LIMIT, Settings, origin, trace};
use crate::registry::{self, Error, ErrorKind};

/// How many redirects are followed: registries send to storage in one or two.
const MAX_REDIRECTS: usize = 5;

/// The way to one registry and its token server.
pub(super) struct Wire {
    pub settings: Settings,
    pub limiter: Arc<Limiter>,
    pub pool: Pool,
    pub warnings: Warnings,
}

impl Wire {
    /// Sends until there is an answer that is worth having.
    pub async fn send(&self, request: &Request, authorization: Option<&HeaderValue>) -> registry::Result<Answer> {
        let host = || origin::shown(&request.url);
        let mut attempts = 0;
        let mut perhaps_done = false;
        loop {
            attempts += 1;
            let permit = self.limiter.enter().await;
            if !permit.held_back.is_zero() {
                self.settings.stats.waited(permit.held_back);
            }
            let signed = request
                .signed_anew()
                .map_err(|why| Error::new(ErrorKind::Unsupported, "sign in to the API of", &self.settings.name).because(why))?;
            let outgoing = signed.as_deref().unwrap_or(request);
            let began = Instant::now();
            let failure = match self.attempt(outgoing, authorization).await {
                Ok(mut answer) => {
                    answer.repeated = perhaps_done;
                    let overloaded = matches!(answer.status.as_u16(), 429 | 503);
                    if overloaded {
                        permit.was_too_much()
                    } else {
                        permit.went_well(Sort::of(&outgoing.method), began.elapsed())
                    }
                    if !retry::status_may_repeat(answer.status, request.repeatable, attempts) {
                        // whoever has the turn next sends first, so that the server has work while this answer is worked on
                        drop(permit);
                        tokio::task::yield_now().await;
                        return Ok(answer);
                    }
                    // who answers 429 has not looked at the request
                    perhaps_done |= answer.status.is_server_error();
                    #[expect(clippy::disallowed_methods, reason = "the server says when by the real clock")]
                    let asked = retry::retry_after(&answer.headers, Timestamp::now());
                    let pause = asked.unwrap_or_else(|| retry::pause(attempts, random()));
                    drop(permit);
                    tracing::info!("{} answered {}; again in {} ms", host(), answer.status.as_u16(), pause.as_millis());
                    self.settings.stats.retried();
                    if overloaded {
                        self.limiter.pause(pause);
                    } else {
                        tokio::time::sleep(pause).await;
                    }
                    continue;
                }
                Err(failure) => failure,
            };
            drop(permit);
            if !failure.may_repeat(request.repeatable, attempts) {
                return Err(failure.into_error(&host()));
            }
            perhaps_done |= !failure.never_arrived();
            let pause = retry::pause(attempts, random());
            tracing::info!("{}: {}; again in {} ms", host(), failure.clause(), pause.as_millis());
            self.settings.stats.retried();
            tokio::time::sleep(pause).await;
        }
    }

    /// One attempt: the request, its redirects, and the content unless it is wanted piece by piece.
    async fn attempt(&self, request: &Request, authorization: Option<&HeaderValue>) -> Result<Answer, Failure> {
        let (mut response, url) = self.follow(request, authorization).await?;
        let status = response.status();
        let headers = std::mem::take(response.headers_mut());
        if origin::same_origin(&self.settings.base, &url) {
            self.warnings.show(&self.settings.name, &headers);
        }
        let mut answer = Answer {
            status,
            headers,
            body: Default::default(),
            incoming: None,
            url,
            signed_in: false,
            missing: None,
            repeated: false,
        };
        let stats = &self.settings.stats;
        if request.method == Method::HEAD {
            // Has no content, whatever its headers say.
        } else if !status.is_success() {
            // What an error says is welcome, but not worth failing for.
            answer.body = body::read(response.into_body(), SMALL_LIMIT, Excess::IsCut, stats).await.unwrap_or_default();
        } else if request.streamed {
            let url = answer.url.clone();
            let on_failure = move |failure: Failure| failure.into_error(&origin::shown(&url));
            answer.incoming = Some(Incoming::new(response.into_body(), Arc::clone(stats), on_failure));
        } else {
            answer.body = body::read(response.into_body(), request.limit, Excess::Fails, stats).await?;
        }
        Ok(answer)
    }

    async fn follow(&self, request: &Request, authorization: Option<&HeaderValue>) -> Result<(Response, Url), Failure> {
        let mut url = request.url.clone();
        let mut response = self.hop(request, &url, Some(&request.headers), authorization).await?;
        let mut own = true;
        for _ in 0..MAX_REDIRECTS {
            let Some(next) = redirect_target(&request.method, &response, &url) else { return Ok((response, url)) };
            let mut next = next.map_err(|why| self.refused(ErrorKind::Protocol, &url, why))?;
            if let Some(why) = origin::redirect_refusal(&url, &next) {
                return Err(self.refused(ErrorKind::Refused, &url, why));
            }
            if !origin::same_origin(&url, &next) {
                if request.stays {
                    let why = format!("it redirects to {}, which would get the credential", origin::shown(&next));
                    return Err(self.refused(ErrorKind::Refused, &url, why));
                }
                // Once away, nothing that belongs to the registry is sent again, even if the way leads back.
                own = false;
            }
            // Neither do names and passwords that a server writes into an address.
            origin::forget_user(&mut next);
            response = match own {
                true => self.hop(request, &next, Some(&request.headers), authorization).await?,
                false => self.hop(request, &next, None, None).await?,
            };
            url = next;
        }
        match redirect_target(&request.method, &response, &url) {
            None => Ok((response, url)),
            Some(_) => Err(self.refused(ErrorKind::Protocol, &url, format!("it redirects more than {MAX_REDIRECTS} times"))),
        }
    }

    fn refused(&self, kind: ErrorKind, url: &Url, why: String) -> Failure {
        let host = origin::shown(url);
        let clause = format!("{host}: {why}");
        Failure::Final(Error::new(kind, "reach", host).because(clause))
    }

    /// One request on the wire.
    async fn hop(
        &self,
        request: &Request,
        url: &Url,
        headers: Option<&HeaderMap>,
        authorization: Option<&HeaderValue>,
    ) -> Result<Response, Failure> {
        let content = match request.method {
            Method::PUT | Method::POST | Method::PATCH => request.body.clone(),
            _ => Bytes::new(),
        };
        let mut outgoing = hyper::Request::new(Full::new(content));
        *outgoing.method_mut() = request.method.clone();
        let to = outgoing.headers_mut();
        // with room for what is added here and in the pool
        to.reserve(request.headers.len() + 5);
        match headers {
            Some(headers) => to.extend(headers.iter().map(|(name, value)| (name.clone(), value.clone()))),
            None => {
                let kept = [ACCEPT, RANGE].into_iter().filter_map(|name| Some((name.clone(), request.headers.get(name)?.clone())));
                to.extend(kept);
            }
        }
        // A digest is of the bytes as they are; nothing may unpack them on the way.
        to.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        if let Some(value) = authorization {
            to.insert(AUTHORIZATION, value.clone());
        }
        let answering = self.pool.send(&self.settings, url, outgoing).map_err(Failure::Final)?;
        self.settings.stats.requested(&request.method, request.body.len());
        let own = origin::same_origin(&self.settings.base, url);
        let started = tracing::enabled!(tracing::Level::INFO).then(Instant::now);
        let result = match tokio::time::timeout(request.patience, answering).await {
            Err(_) => Err(Failure::Slow(request.patience)),
            Ok(result) => result,
        };
        match &result {
            Ok(response) => {
                let length = body::stated_length(response.body()).filter(|_| request.method != Method::HEAD);
                let took = started.map(|started| started.elapsed()).unwrap_or_default();
                trace::request(&request.method, url, own, response.status(), took, length);
            }
            Err(failure) => trace::failed(&request.method, url, own, &failure.clause()),
        }
        result
    }
}

/// Where the answer sends a reader; `None` when it is an answer to keep.
fn redirect_target(method: &Method, response: &Response, url: &Url) -> Option<Result<Url, String>> {
    let moved = [301, 302, 303, 307, 308].contains(&response.status().as_u16());
    if !moved || !matches!(*method, Method::GET | Method::HEAD) {
        return None;
    }
    let location = response.headers().get(LOCATION)?;
    let target = location.to_str().ok().and_then(|text| url.join(text).ok());
    Some(target.ok_or_else(|| "it redirects to something that is no address".to_owned()))
}

/// Randomness for jitter; its absence does no harm.
fn random() -> u64 {
    getrandom::u64().unwrap_or(0)
}
