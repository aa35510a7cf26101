//! One run of a program: how long, how soon the first line, how much memory.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// How often the kernel is asked for the memory: the last look is at most this old when a process ends.
const LOOK: Duration = Duration::from_millis(1);

/// What a run took.
#[derive(Debug, Clone, Copy)]
pub struct Measured {
    /// From before it was started until after it had ended.
    pub wall: Duration,
    /// Until it had written a line.
    pub first_line: Option<Duration>,
    /// The most memory that it held, where the kernel tells.
    pub peak: Option<u64>,
    /// How many lines it wrote.
    pub lines: usize,
}

/// Runs it to its end. What it says on stderr is shown, as far as it fails.
pub fn run(command: &mut Command, input: &[u8], memory: bool) -> Measured {
    command.stdin(if input.is_empty() { Stdio::null() } else { Stdio::piped() }).stdout(Stdio::piped()).stderr(Stdio::piped());
    let started = Instant::now();
    let mut child = command.spawn().unwrap_or_else(|error| panic!("{:?}: {error}", command.get_program()));
    if let Some(mut pipe) = child.stdin.take() {
        pipe.write_all(input).expect("it reads");
    }
    let ended = Arc::new(AtomicBool::new(false));
    let watch = memory.then(|| {
        let (ended, status) = (Arc::clone(&ended), format!("/proc/{}/status", child.id()));
        std::thread::spawn(move || {
            let mut peak = None;
            while !ended.load(Ordering::Relaxed) {
                peak = high_water(&status).or(peak);
                std::thread::sleep(LOOK);
            }
            peak
        })
    });
    let mut errors = child.stderr.take().expect("it is piped");
    let errors = std::thread::spawn(move || {
        let mut text = String::new();
        let _ = errors.read_to_string(&mut text);
        text
    });
    let mut lines = BufReader::new(child.stdout.take().expect("it is piped"));
    let (mut line, mut count, mut first_line) = (Vec::new(), 0, None);
    while lines.read_until(b'\n', &mut line).expect("a pipe") > 0 {
        first_line.get_or_insert_with(|| started.elapsed());
        count += 1;
        line.clear();
    }
    let status = child.wait().expect("our own child");
    let wall = started.elapsed();
    ended.store(true, Ordering::Relaxed);
    let peak = watch.and_then(|thread| thread.join().expect("it only reads"));
    let errors = errors.join().expect("it only reads");
    assert!(status.success(), "{command:?}: {status}\n{errors}");
    Measured { wall, first_line, peak, lines: count }
}

/// The kernel's high-water mark of a process. Not that of `wait4`, which counts the memory of the process that forked.
fn high_water(status: &str) -> Option<u64> {
    let text = std::fs::read_to_string(status).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kilobytes: u64 = line.trim().trim_end_matches("kB").trim().parse().ok()?;
    Some(kilobytes * 1024)
}

/// The one in the middle.
pub fn median(mut runs: Vec<Measured>) -> Measured {
    runs.sort_by_key(|run| run.wall);
    runs[runs.len() / 2]
}
