//! The program as a process: cleared environment, own home, fixed clock zone and width, and an end even if it hangs.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::io::{Read, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use regex::Regex;
use tempfile::TempDir;

use super::keyring::Keyring;

/// After this time a run is killed and the test fails: it keeps a hang from stopping the whole suite and measures nothing.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// The width of tables, as `COLUMNS` gives it where there is no terminal.
const COLUMNS: &str = "100";

/// The program in a home of its own.
pub struct Program {
    home: TempDir,
    environment: BTreeMap<OsString, OsString>,
}

impl Program {
    /// A new, empty home without a keyring.
    pub fn new() -> Program {
        let home = TempDir::new().expect("a temporary folder");
        let mut program = Program { environment: BTreeMap::new(), home };
        for (variable, folder) in [
            ("HOME", ""),
            ("XDG_CONFIG_HOME", "config"),
            ("XDG_DATA_HOME", "data"),
            ("XDG_RUNTIME_DIR", "run"),
            ("REGCTL_STATE_DIR", "state"),
            ("REGCTL_CACHE_DIR", "cache"),
            ("TMPDIR", ""),
        ] {
            let folder = program.home.path().join(folder);
            program.set(variable, folder);
        }
        std::fs::create_dir(program.home.path().join("run")).expect("the home is new");
        // the kernel's keys are not below the home
        program.set("REGCTL_KEEP_TOKENS", "never");
        program.set("TZ", "UTC");
        program.set("LANG", "C.UTF-8");
        program.set("COLUMNS", COLUMNS);
        program
    }

    /// The same with a keyring.
    pub fn with_keyring(keyring: &Keyring) -> Program {
        let mut program = Program::new();
        program.set("DBUS_SESSION_BUS_ADDRESS", keyring.address());
        program
    }

    /// Sets a variable for every run from now on.
    pub fn set(&mut self, variable: impl Into<OsString>, value: impl Into<OsString>) {
        self.environment.insert(variable.into(), value.into());
    }

    /// The folder below which everything is that the program may write.
    pub fn home(&self) -> &Path {
        self.home.path()
    }

    /// Where the catalogue is.
    pub fn catalogue(&self) -> PathBuf {
        self.home().join("config/regctl/catalogue.toml")
    }

    /// Writes the catalogue as a person would with an editor; the schema line is added.
    pub fn write_catalogue(&self, text: &str) {
        let path = self.catalogue();
        std::fs::create_dir_all(path.parent().expect("it is in a folder")).expect("the home is ours");
        std::fs::write(path, format!("schema = 1\n{text}")).expect("the home is ours");
    }

    /// Every file below the home with its content, by path below the home.
    pub fn files(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let mut found = BTreeMap::new();
        let mut folders = vec![self.home().to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(&folder).expect("the home is ours").flatten() {
                let (path, kind) = (entry.path(), entry.file_type().expect("the entry is there"));
                if kind.is_dir() {
                    folders.push(path);
                } else if kind.is_file() {
                    let name = path.strip_prefix(self.home()).expect("we started there").to_owned();
                    found.insert(name, std::fs::read(&path).expect("the home is ours"));
                }
            }
        }
        found
    }

    /// A command line that can still be given input or variables.
    pub fn call<I: IntoIterator<Item: AsRef<OsStr>>>(&self, arguments: I) -> Call {
        let mut command = Command::new(env!("CARGO_BIN_EXE_regctl"));
        command.args(arguments).env_clear().envs(&self.environment).current_dir(self.home());
        Call { command, input: None, home: self.home().to_owned() }
    }

    /// Runs a command line to its end.
    pub fn run<I: IntoIterator<Item: AsRef<OsStr>>>(&self, arguments: I) -> Finished {
        self.call(arguments).run()
    }
}

/// One run to be.
pub struct Call {
    command: Command,
    input: Option<Vec<u8>>,
    home: PathBuf,
}

impl Call {
    /// Gives it something to read; without this there is nothing to read.
    pub fn stdin(mut self, text: impl Into<Vec<u8>>) -> Call {
        self.input = Some(text.into());
        self
    }

    /// Sets a variable for this run.
    pub fn env(mut self, variable: &str, value: impl AsRef<OsStr>) -> Call {
        self.command.env(variable, value);
        self
    }

    /// Has `wrapper`, found on the test's own `PATH`, run it: the program and its arguments follow those of the wrapper.
    pub fn inside<I: IntoIterator<Item: AsRef<OsStr>>>(mut self, wrapper: &str, arguments: I) -> Call {
        let mut outer = Command::new(wrapper);
        outer.args(arguments).arg(self.command.get_program()).args(self.command.get_args()).env_clear();
        outer.envs(self.command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        outer.current_dir(&self.home);
        self.command = outer;
        self
    }

    /// The command as it stands, for a caller that needs other pipes or a terminal.
    pub fn command(self) -> Command {
        self.command
    }

    /// Starts it and returns while it works.
    pub fn spawn(mut self) -> Running {
        let stdin = if self.input.is_some() { Stdio::piped() } else { Stdio::null() };
        let line = describe(&self.command);
        let mut child = self
            .command
            .stdin(stdin)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program was built and starts");
        if let (Some(input), Some(mut pipe)) = (self.input, child.stdin.take()) {
            // A thread, because the program may write before it has read everything. It may also end without reading.
            std::thread::spawn(move || {
                let _ = pipe.write_all(&input);
            });
        }
        let stdout = collect(child.stdout.take().expect("stdout is piped"));
        let stderr = collect(child.stderr.take().expect("stderr is piped"));
        Running { child, stdout, stderr, line, home: self.home }
    }

    /// Runs it to its end.
    pub fn run(self) -> Finished {
        self.spawn().wait()
    }
}

/// The command line as a person would type it.
fn describe(command: &Command) -> String {
    let arguments = command.get_args().map(|argument| format!(" {}", argument.to_string_lossy()));
    std::iter::once("regctl".to_owned()).chain(arguments).collect()
}

fn collect(mut pipe: impl Read + Send + 'static) -> JoinHandle<Vec<u8>> {
    std::thread::spawn(move || {
        let mut all = Vec::new();
        let _ = pipe.read_to_end(&mut all);
        all
    })
}

/// A run that goes on.
pub struct Running {
    child: Child,
    stdout: JoinHandle<Vec<u8>>,
    stderr: JoinHandle<Vec<u8>>,
    line: String,
    home: PathBuf,
}

impl Running {
    /// Whether it has ended by itself.
    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().expect("our own child").is_some()
    }

    /// Kills it as `kill -9` does.
    pub fn kill(mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Waits for its end.
    pub fn wait(mut self) -> Finished {
        let started = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("our own child") {
                break status;
            }
            if started.elapsed() > PATIENCE {
                let _ = self.child.kill();
                let _ = self.child.wait();
                panic!("`{}` still ran after {PATIENCE:?}", self.line);
            }
            std::thread::sleep(Duration::from_millis(2));
        };
        let text = |thread: JoinHandle<Vec<u8>>| String::from_utf8(thread.join().expect("reading a pipe")).expect("UTF-8 output");
        Finished { stdout: text(self.stdout), stderr: text(self.stderr), code: status.code(), line: self.line, home: self.home }
    }
}

/// What a run left behind.
pub struct Finished {
    pub stdout: String,
    pub stderr: String,
    /// `None` when a signal ended it.
    pub code: Option<i32>,
    line: String,
    home: PathBuf,
}

impl Finished {
    /// Checks the exit code.
    #[track_caller]
    pub fn exits(self, code: i32) -> Finished {
        assert_eq!(self.code, Some(code), "exit code of\n{self}");
        self
    }

    /// Checks that it went well.
    #[track_caller]
    pub fn succeeds(self) -> Finished {
        self.exits(0)
    }

    /// Checks that it failed with `code` and said so on stderr, and that no half result reached stdout.
    #[track_caller]
    pub fn fails(self, code: i32) -> Finished {
        let finished = self.exits(code);
        assert!(finished.stdout.is_empty(), "a failed command printed data:\n{finished}");
        assert!(!finished.stderr.trim().is_empty(), "a failed command said nothing:\n{finished}");
        finished
    }

    /// Checks that stderr says `words`.
    #[track_caller]
    pub fn says(self, words: &str) -> Finished {
        assert!(self.stderr.contains(words), "no {words:?} on stderr of\n{self}");
        self
    }

    /// Checks that stdout has `words`.
    #[track_caller]
    pub fn shows(self, words: &str) -> Finished {
        assert!(self.stdout.contains(words), "no {words:?} on stdout of\n{self}");
        self
    }

    /// Checks that `secret` is in neither stream.
    #[track_caller]
    pub fn hides(self, secret: &str) -> Finished {
        assert!(!self.stdout.contains(secret) && !self.stderr.contains(secret), "a secret in the output of\n{self}");
        self
    }

    /// stdout as JSON.
    #[track_caller]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("stdout is not JSON ({error}) in\n{self}"))
    }
}

/// The whole run as one text for snapshots. What differs from run to run is replaced: ids, ports, times, the home.
impl fmt::Display for Finished {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = format!("$ {}\n{}", self.line, self.stdout);
        let stderr: String = self.stderr.lines().map(|line| format!("│ {line}").trim_end().to_owned() + "\n").collect();
        let exit = match self.code {
            Some(0) => String::new(),
            Some(code) => format!("(exit {code})\n"),
            None => "(killed)\n".to_owned(),
        };
        let mut text = format!("{text}{stderr}{exit}").replace(&*self.home.to_string_lossy(), "~");
        for (pattern, placeholder) in [
            (r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}", "ID"),
            (r"\b(127\.0\.0\.1|localhost|\[::1\]):\d{4,5}\b", "$1:PORT"),
            (r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?Z", "TIME"),
        ] {
            text = Regex::new(pattern).expect("a valid pattern").replace_all(&text, placeholder).into_owned();
        }
        out.write_str(&text)
    }
}
