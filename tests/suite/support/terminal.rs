//! The program on a terminal: prompts, colour and progress appear only there.

use std::time::Duration;

use rexpect::process::WaitStatus;
use rexpect::session::{PtySession, spawn_command};

use super::program::{Call, PATIENCE};

/// A run on a pseudo-terminal.
pub struct Terminal {
    session: PtySession,
}

impl Terminal {
    /// Starts `call` on a terminal instead of pipes.
    pub fn start(call: Call) -> Terminal {
        let mut command = call.command();
        command.env("TERM", "xterm-256color");
        let patience = u64::try_from(PATIENCE.as_millis()).expect("a minute fits");
        let mut session = spawn_command(command, Some(patience)).expect("a pseudo-terminal");
        session.process_mut().set_kill_timeout(Some(Duration::from_secs(1).as_millis() as u64));
        Terminal { session }
    }

    /// Waits until `text` appears and gives what came before it.
    #[track_caller]
    pub fn sees(&mut self, text: &str) -> String {
        self.session.exp_string(text).unwrap_or_else(|error| panic!("{text:?} did not appear: {error}"))
    }

    /// Types a line.
    pub fn types(&mut self, line: &str) {
        self.session.send_line(line).expect("the program reads");
    }

    /// Presses a control key, such as `c` for Ctrl-C.
    pub fn presses_control(&mut self, key: char) {
        self.session.send_control(key).expect("the program reads");
    }

    /// Waits for the end: everything that was not yet read, and the exit code.
    #[track_caller]
    pub fn ends(mut self) -> (String, i32) {
        let rest = self.session.exp_eof().expect("the program ends");
        match self.session.process().wait().expect("our own child") {
            WaitStatus::Exited(_, code) => (rest, code),
            other => panic!("the program did not exit: {other:?}"),
        }
    }
}
