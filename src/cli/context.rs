//! What a command is given: its output, its options, the time, and a way to do network work.

use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use jiff::Timestamp;
use tokio::runtime::Runtime;

use super::{Environment, Exit, Globals, Refusal};
use crate::cache::Cache;
use crate::connect::Stats;
use crate::credentials::{Secret, Wallet};
use crate::output::{Format, Printer};

/// What a command is given.
pub struct Context {
    /// Where results and messages go.
    pub printer: Arc<Printer>,
    /// Options that every command takes.
    pub globals: Globals,
    /// The environment.
    pub environment: Environment,
    /// Requests are counted here.
    pub stats: Arc<Stats>,
    /// The password from standard input, which can be read once only.
    pub(super) password: OnceLock<Secret>,
    /// The command line, for the journal.
    pub command_line: String,
    /// The time at which the command began.
    pub now: Timestamp,
    /// See [`Context::wallet`].
    pub(super) wallet: OnceLock<Arc<Wallet>>,
    /// See [`Context::runtime`].
    pub(super) runtime: OnceLock<Runtime>,
    /// See [`Context::cache`].
    pub(super) cache: OnceLock<Option<Arc<Cache>>>,
    /// Whether signing in may be spared by what another run got.
    pub(super) keeps_tokens: bool,
}

impl Context {
    /// Whether results are shown field by field, as programs and templates want them, and not as a table that is made for people.
    pub(super) fn shows_fields(&self) -> bool {
        self.globals.format.is_some() || matches!(self.printer.format(), Format::Json | Format::Jsonl | Format::Yaml)
    }

    /// Runs network work that can be given up at any moment: Ctrl-C ends it with exit 130.
    pub fn block_on<T>(&self, work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
        self.runtime()?.block_on(async {
            tokio::select! {
                result = work => result,
                _ = tokio::signal::ctrl_c() => Err(Refusal::new(Exit::Interrupted, "interrupted; nothing was changed").into()),
            }
        })
    }

    /// Runs work that changes things: Ctrl-C asks it to stop after the step under way, a second one gives it up.
    pub fn block_on_changes<T>(&self, work: impl AsyncFnOnce(Stop) -> anyhow::Result<T>) -> anyhow::Result<T> {
        self.runtime()?.block_on(async {
            let stop = Stop::default();
            let asked = stop.clone();
            let interrupts = async {
                interrupt().await;
                asked.0.store(true, Ordering::Relaxed);
                self.printer.warn("interrupted; finishing the step under way (Ctrl-C again gives it up)");
                interrupt().await;
            };
            tokio::select! {
                result = work(stop) => result,
                () = interrupts => Err(Refusal::new(Exit::Interrupted, "given up in the middle of a step; look before you go on").into()),
            }
        })
    }

    /// Waits for Ctrl-C, which is how a server is told to end.
    pub fn until_interrupted(&self) -> anyhow::Result<()> {
        Ok(self.runtime()?.block_on(tokio::signal::ctrl_c())?)
    }

    /// What all network work of the run is done on, so that connections last from one piece of work to the next. One thread is enough for a
    /// client that waits, and starts in no time.
    fn runtime(&self) -> anyhow::Result<&Runtime> {
        if let Some(runtime) = self.runtime.get() {
            return Ok(runtime);
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        Ok(self.runtime.get_or_init(|| runtime))
    }
}

/// Waits for Ctrl-C, or for what a scheduler sends when it wants a program to end.
async fn interrupt() {
    #[cfg(unix)]
    if let Ok(mut terminate) = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
        tokio::select! {
            _ = tokio::signal::ctrl_c() => {}
            _ = terminate.recv() => {}
        }
        return;
    }
    let _ = tokio::signal::ctrl_c().await;
}

/// Says that the person wants to stop. Work looks at it between steps.
#[derive(Debug, Clone, Default)]
pub struct Stop(Arc<AtomicBool>);

impl Stop {
    /// Whether to take no further step.
    pub fn is_asked(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}
