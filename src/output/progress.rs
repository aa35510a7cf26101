//! One line on a terminal while work takes longer than a blink; it goes away when the work is done.

use std::fmt::Write;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};

/// Shorter work shows nothing: a flash would only disturb.
const BLINK: Duration = Duration::from_millis(300);

/// Progress of one piece of work.
pub struct Progress {
    bar: ProgressBar,
    started: Instant,
}

impl Progress {
    /// Progress called `what`, such as `resolving tags`; silent unless `shown`.
    pub fn new(what: &'static str, shown: bool) -> Progress {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden());
        bar.set_message(what);
        bar.set_style(ProgressStyle::with_template("{msg}  {human_pos}").expect("the template is a constant"));
        if !shown {
            bar.finish();
        }
        Progress { bar, started: Instant::now() }
    }

    /// Says how far the work is; `total` may become known on the way.
    pub fn tick(&self, done: u64, total: Option<u64>) {
        if self.bar.is_finished() {
            return;
        }
        if let Some(total) = total.filter(|total| self.bar.length() != Some(*total)) {
            self.bar.set_length(total);
            let style = ProgressStyle::with_template("{msg}  {human_pos} / {human_len}  {bar:8}  {rate}  {eta} left");
            let rate = |state: &ProgressState, out: &mut dyn Write| {
                let _ = write!(out, "{:.0}/s", state.per_sec());
            };
            let style = style.expect("the template is a constant").with_key("rate", rate);
            self.bar.set_style(style.progress_chars("▇▇▁"));
        }
        self.bar.set_position(done);
        if self.bar.is_hidden() && self.started.elapsed() >= BLINK {
            self.bar.set_draw_target(ProgressDrawTarget::stderr_with_hz(8));
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
