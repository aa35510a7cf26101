//! A GNOME keyring in a D-Bus session of its own, from `tests/keyring-session`.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};

use super::left_out::{executable, left_out, search_paths};

/// The states a keyring can be met in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Open.
    Unlocked,
    /// There, but nobody can be asked for its password.
    Locked,
    /// On the bus, and never answers.
    Hung,
    /// A bus without a keyring.
    Missing,
}

/// A session that lasts as long as the value.
pub struct Keyring {
    session: Child,
    /// Its end is what tells the session to end; that also works when the test is killed.
    input: Option<ChildStdin>,
    address: String,
}

impl Keyring {
    /// Starts a session, or records that the test is left out.
    pub fn start(state: State) -> Option<Keyring> {
        for (program, package) in
            [("dbus-run-session", "dbus-daemon"), ("dbus-send", "dbus-bin"), ("gnome-keyring-daemon", "gnome-keyring")]
        {
            if executable(program).is_none() {
                left_out("keyring", &format!("no {program}; tests/run installs {package}"));
                return None;
            }
        }
        let mode = match state {
            State::Unlocked => "--unlocked",
            State::Locked => "--locked",
            State::Hung => "--hung",
            State::Missing => "--without",
        };
        let mut session = Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/keyring-session"))
            .args([mode, "sh", "-c", "echo \"$DBUS_SESSION_BUS_ADDRESS\"; exec cat"])
            .envs(search_paths())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("tests/keyring-session runs");
        let input = session.stdin.take();
        let mut address = String::new();
        let output = session.stdout.take().expect("stdout is piped");
        BufReader::new(output).read_line(&mut address).expect("the session says where it is");
        let address = address.trim_end().to_owned();
        assert!(!address.is_empty(), "the session did not start");
        Some(Keyring { session, input, address })
    }

    /// The value of `DBUS_SESSION_BUS_ADDRESS` that leads to it.
    pub fn address(&self) -> &str {
        &self.address
    }
}

impl Drop for Keyring {
    fn drop(&mut self) {
        drop(self.input.take());
        let _ = self.session.wait();
    }
}
