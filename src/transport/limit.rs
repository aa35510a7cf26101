//! How many requests run at once, and how fast they follow each other.
//!
//! Without a setting the number adapts: more after each full round of good answers, half as many when the server says 429 or 503, or when
//! its answers take much longer than they did. A pause that the server asks for holds all requests back, not only the one that was told.

use std::num::{NonZeroU32, NonZeroUsize};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hyper::Method;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

/// Where the adaptive number starts: measured against distribution, eight give the most that two cores serve, and sixteen take nothing from
/// it; over a slow network a round with half as many costs as much.
const START: usize = 16;
/// How many more each round, once the server has complained. Before that it is as many again: over a slow network every round costs its
/// delay.
const STEP: usize = 1;
/// The most requests at once: beyond it a slow network gains little, and a small registry suffers.
const CAP: usize = 32;

/// Answers that take so many times as long as in the quickest round tell of a server that is behind: twice as many requests may take
/// twice as long where it has no more cores, and that costs nobody anything.
const SLOWER: u32 = 4;
/// And so much longer: below it the difference is as likely the network's, or our own.
const NOTICEABLE: Duration = Duration::from_millis(200);
/// Slowness alone never lowers the number further: a server may just be slow.
const FEWEST_IF_SLOW: usize = START / 4;

/// Requests of which one takes about as long as another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sort {
    /// HEAD.
    Look,
    /// GET.
    Fetch,
    /// What changes something.
    Change,
}

impl Sort {
    pub fn of(method: &Method) -> Sort {
        match *method {
            Method::HEAD => Sort::Look,
            Method::GET => Sort::Fetch,
            _ => Sort::Change,
        }
    }
}

/// How long answers of one sort take.
#[derive(Debug, Clone, Copy, Default)]
struct Pace {
    /// The mean of the quickest round.
    quickest: Option<Duration>,
    total: Duration,
    count: u32,
}

impl Pace {
    /// Ends a round; whether it was much slower than the quickest.
    fn end_round(&mut self) -> bool {
        let (total, count) = (std::mem::take(&mut self.total), std::mem::take(&mut self.count));
        let Some(mean) = total.checked_div(count) else { return false };
        let quickest = self.quickest.map_or(mean, |quickest| quickest.min(mean));
        let slow = mean > quickest * SLOWER + NOTICEABLE;
        // what goes on being slow is what this server is like, and no reason to go on lowering
        self.quickest = Some(if slow { quickest + quickest / 2 + NOTICEABLE / 4 } else { quickest });
        slow
    }
}

/// Lets requests through.
pub(super) struct Limiter {
    permits: Arc<Semaphore>,
    state: Mutex<State>,
    fixed: bool,
    most: usize,
    interval: Option<Duration>,
}

struct State {
    limit: usize,
    /// Permits that are out and must not come back, because the number was lowered meanwhile.
    owed: usize,
    /// Good answers since the number last changed.
    good: usize,
    /// Counts the times the number was lowered, so that one burst of refusals lowers it once.
    epoch: u64,
    paused_until: Option<Instant>,
    next_slot: Option<Instant>,
    paces: [Pace; 3],
}

/// The right to have one request under way.
pub(super) struct Permit {
    limiter: Arc<Limiter>,
    permit: Option<OwnedSemaphorePermit>,
    epoch: u64,
    /// How long the server's pause and the pace held it back.
    pub held_back: Duration,
}

impl Limiter {
    pub fn new(concurrency: Option<NonZeroUsize>, requests_per_second: Option<NonZeroU32>) -> Limiter {
        let limit = concurrency.map_or(START, NonZeroUsize::get).min(Semaphore::MAX_PERMITS);
        Limiter {
            permits: Arc::new(Semaphore::new(limit)),
            state: Mutex::new(State {
                limit,
                owed: 0,
                good: 0,
                epoch: 0,
                paused_until: None,
                next_slot: None,
                paces: Default::default(),
            }),
            fixed: concurrency.is_some(),
            most: concurrency.map_or(CAP, NonZeroUsize::get),
            interval: requests_per_second.map(|rate| Duration::from_secs(1) / rate.get()),
        }
    }

    /// The most requests that will ever be let through at once.
    pub fn most(&self) -> usize {
        self.most
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for a turn.
    pub async fn enter(self: &Arc<Limiter>) -> Permit {
        let permit = Arc::clone(&self.permits).acquire_owned().await.expect("the semaphore is never closed");
        let mut held_back = Duration::ZERO;
        let mut epoch = loop {
            let (until, epoch) = {
                let state = self.state();
                (state.held_until(Instant::now), state.epoch)
            };
            let Some(until) = until else { break epoch };
            let begin = Instant::now();
            tokio::time::sleep_until(until).await;
            held_back += until - begin;
        };
        if let Some(interval) = self.interval {
            let begin = Instant::now();
            let slot = self.state().take_slot(begin, interval);
            tokio::time::sleep_until(slot).await;
            held_back += slot - begin;
            epoch = self.state().epoch;
        }
        Permit { limiter: Arc::clone(self), permit: Some(permit), epoch, held_back }
    }

    /// Holds all requests back for this long.
    pub fn pause(&self, time: Duration) {
        self.state().hold_until(Instant::now() + time);
    }
}

impl State {
    /// Until when nothing may go out, if that is not over.
    fn held_until(&self, now: impl FnOnce() -> Instant) -> Option<Instant> {
        self.paused_until.filter(|until| *until > now())
    }

    /// Lets nothing out before `until`; of several such wishes the longest counts.
    fn hold_until(&mut self, until: Instant) {
        self.paused_until = self.paused_until.max(Some(until));
    }

    /// When the next request may go out at this pace.
    fn take_slot(&mut self, now: Instant, interval: Duration) -> Instant {
        let slot = self.next_slot.map_or(now, |next| next.max(now));
        self.next_slot = Some(slot + interval);
        slot
    }
}

impl Permit {
    /// Reports an answer that came without complaint, and how long it took.
    pub fn went_well(&self, sort: Sort, took: Duration) {
        let mut state = self.limiter.state();
        if self.limiter.fixed || self.epoch != state.epoch {
            return;
        }
        let pace = &mut state.paces[sort as usize];
        pace.total += took;
        pace.count += 1;
        state.good += 1;
        if state.good < state.limit {
            return;
        }
        state.good = 0;
        let slow = state.paces.iter_mut().fold(false, |slow, pace| pace.end_round() | slow);
        if slow && state.limit > FEWEST_IF_SLOW {
            let lower = (state.limit / 2).max(FEWEST_IF_SLOW);
            self.lower(&mut state, lower);
        } else if !slow && state.limit < self.limiter.most {
            let step = if state.epoch == 0 { state.limit } else { STEP }.min(self.limiter.most - state.limit);
            state.limit += step;
            let paid = step.min(state.owed);
            state.owed -= paid;
            self.limiter.permits.add_permits(step - paid);
        }
    }

    /// Reports that the server found it too much. Only requests that began after the last such report count.
    pub fn was_too_much(&self) {
        let mut state = self.limiter.state();
        if self.limiter.fixed || self.epoch != state.epoch {
            return;
        }
        let lower = (state.limit / 2).max(1);
        self.lower(&mut state, lower);
    }

    fn lower(&self, state: &mut State, limit: usize) {
        state.epoch += 1;
        state.good = 0;
        let surplus = state.limit - limit;
        state.limit = limit;
        state.owed += surplus - self.limiter.permits.forget_permits(surplus);
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut state = self.limiter.state();
        if state.owed > 0 {
            state.owed -= 1;
            if let Some(permit) = self.permit.take() {
                permit.forget();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;

    fn limiter(concurrency: Option<usize>, rate: Option<u32>) -> Arc<Limiter> {
        Arc::new(Limiter::new(concurrency.and_then(NonZeroUsize::new), rate.and_then(NonZeroU32::new)))
    }

    fn well(permit: &Permit) {
        permit.went_well(Sort::Look, Duration::from_millis(1));
    }

    /// As many permits as are given out without waiting.
    async fn fill(limiter: &Arc<Limiter>) -> Vec<Permit> {
        // tokio makes a task wait that has done much without a rest.
        tokio::task::yield_now().await;
        let mut permits = Vec::new();
        while let Some(permit) = limiter.enter().now_or_never() {
            permits.push(permit);
        }
        permits
    }

    #[tokio::test]
    async fn grows_each_round_up_to_the_cap() {
        let limiter = limiter(None, None);
        for round in 0..6 {
            let permits = fill(&limiter).await;
            assert_eq!(permits.len(), (START << round).min(CAP));
            permits.iter().for_each(well);
        }
    }

    #[tokio::test]
    async fn grows_slowly_after_a_complaint() {
        let limiter = limiter(None, None);
        fill(&limiter).await.iter().for_each(Permit::was_too_much);
        for round in 0..40 {
            let permits = fill(&limiter).await;
            assert_eq!(permits.len(), (START / 2 + round * STEP).min(CAP));
            permits.iter().for_each(well);
        }
    }

    /// One round of answers that all take as long.
    async fn round(limiter: &Arc<Limiter>, sort: Sort, took: u64) -> usize {
        let permits = fill(limiter).await;
        permits.iter().for_each(|permit| permit.went_well(sort, Duration::from_millis(took)));
        permits.len()
    }

    #[tokio::test]
    async fn answers_that_take_much_longer_halve_it() {
        let limiter = limiter(None, None);
        let rounds = [(50, 16), (60, 32), (80, 32), (190, 32), (500, 32), (60, 16), (60, 17)];
        for (took, allowed) in rounds {
            assert_eq!(round(&limiter, Sort::Fetch, took).await, allowed, "{took} ms");
        }
    }

    #[tokio::test]
    async fn slowness_alone_leaves_some_and_is_got_used_to() {
        let limiter = limiter(None, None);
        round(&limiter, Sort::Fetch, 20).await;
        let mut allowed = Vec::new();
        for _ in 0..60 {
            allowed.push(round(&limiter, Sort::Fetch, 3_000).await);
        }
        assert_eq!(allowed.iter().min(), Some(&FEWEST_IF_SLOW));
        assert_eq!(allowed.last(), Some(&CAP), "{allowed:?}");
    }

    #[tokio::test]
    async fn a_deletion_may_take_longer_than_a_look() {
        let limiter = limiter(None, None);
        for _ in 0..4 {
            round(&limiter, Sort::Look, 2).await;
        }
        assert_eq!(round(&limiter, Sort::Change, 2_000).await, CAP);
        assert_eq!(round(&limiter, Sort::Change, 2_000).await, CAP);
    }

    #[tokio::test]
    async fn a_burst_of_refusals_halves_once() {
        let limiter = limiter(None, None);
        let permits = fill(&limiter).await;
        permits.iter().for_each(Permit::was_too_much);
        drop(permits);
        let permits = fill(&limiter).await;
        assert_eq!(permits.len(), START / 2);
        permits.iter().for_each(Permit::was_too_much);
        drop(permits);
        assert_eq!(fill(&limiter).await.len(), START / 4);
    }

    #[tokio::test]
    async fn one_request_always_gets_through() {
        let limiter = limiter(None, None);
        for _ in 0..20 {
            fill(&limiter).await.iter().for_each(Permit::was_too_much);
        }
        assert_eq!(fill(&limiter).await.len(), 1);
    }

    #[tokio::test]
    async fn a_setting_is_kept() {
        let limiter = limiter(Some(3), None);
        for _ in 0..5 {
            let permits = fill(&limiter).await;
            assert_eq!(permits.len(), 3);
            permits.iter().for_each(well);
            permits.iter().for_each(Permit::was_too_much);
        }
        assert_eq!(limiter.most(), 3);
    }

    #[tokio::test]
    async fn a_pause_holds_all_back_and_the_longest_counts() {
        let limiter = limiter(None, None);
        limiter.pause(Duration::from_secs(20));
        limiter.pause(Duration::from_secs(5));
        assert_eq!(fill(&limiter).await.len(), 0);
        let now = Instant::now();
        let until = limiter.state().held_until(|| now).unwrap();
        assert!(until - now > Duration::from_secs(5));
        assert_eq!(limiter.state().held_until(|| until), None, "it ends");
    }

    #[tokio::test]
    async fn the_pace_spreads_requests() {
        let limiter = limiter(None, Some(4));
        assert_eq!(limiter.interval, Some(Duration::from_millis(250)));
        let (mut state, now, interval) = (limiter.state(), Instant::now(), Duration::from_millis(250));
        let slots: Vec<u128> = (0..4).map(|_| (state.take_slot(now, interval) - now).as_millis()).collect();
        assert_eq!(slots, [0, 250, 500, 750]);
        let later = now + Duration::from_secs(10);
        assert_eq!(state.take_slot(later, interval), later, "a rest is not saved up");
    }
}
