//! Timers of the user's own systemd: a service that runs the clean-up, and a timer that starts it.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use super::program::{ProgramError, ask, tell};
use super::{Installed, Job, SchedulerError};
use crate::catalogue::Name;

/// How every file of ours begins.
const MARK: &str = "# Made by regctl";

/// How the names of our files begin.
const PREFIX: &str = "regctl-prune-";

/// What keeps the clean-up to what it needs: the network, the keyring (D-Bus, a socket), its own files, and programs that print a secret.
/// Whatever needs a namespace (`PrivateTmp=`, `ProtectSystem=` and their kind) is left out, because for a user's services it depends on
/// kernel settings that many distributions switch off, and the service would not start; so is `MemoryDenyWriteExecute=`, which kills
/// programs with a compiler inside, such as some that print secrets.
const HARDENING: &str = "\
UMask=0077
NoNewPrivileges=yes
LockPersonality=yes
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallErrorNumber=EPERM
";

/// The two files of a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Units {
    /// Its service.
    pub service: String,
    /// Its timer.
    pub timer: String,
}

/// What the files of a job say.
///
/// # Errors
/// When the command can't stand in one line.
pub fn units(job: &Job) -> Result<Units, SchedulerError> {
    let name = &job.name;
    let head = format!("{MARK}. Changes are lost when `regctl schedule install {name}` writes it again.\n");
    // in arguments, systemd puts variables in place of `$NAME`; in the program's own path it doesn't
    let words = job.words("a unit")?.into_iter().enumerate();
    let words: Vec<String> = words.map(|(at, word)| if at == 0 { quoted(word) } else { quoted(word).replace('$', "$$") }).collect();
    let environment: String =
        job.environment.iter().map(|(key, value)| format!("Environment={}\n", quoted(&format!("{key}={value}")))).collect();
    let service = format!(
        "{head}[Unit]\nDescription=Clean up the registry {name}\n\n[Service]\nType=oneshot\nExecStart={}\n{environment}{HARDENING}",
        words.join(" ")
    );
    let timer = format!(
        "{head}[Unit]\nDescription=When to clean up the registry {name}\n\n[Timer]\nOnCalendar={}\nPersistent=yes\n\n\
         [Install]\nWantedBy=timers.target\n",
        job.schedule.on_calendar()
    );
    Ok(Units { service, timer })
}

/// A word as systemd reads it back.
fn quoted(word: &str) -> String {
    let word = word.replace('%', "%%");
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+=:,@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word
    } else {
        format!("\"{}\"", word.replace('\\', r"\\").replace('"', "\\\""))
    }
}

/// What the timer of a registry is called.
pub fn timer_name(name: &Name) -> String {
    format!("{PREFIX}{name}.timer")
}

/// What the service of a registry is called.
pub fn service_name(name: &Name) -> String {
    format!("{PREFIX}{name}.service")
}

/// The folder in which the user's own units are.
#[derive(Debug, Clone)]
pub struct UnitFolder {
    /// Where it is; it need not be there.
    pub path: PathBuf,
}

impl UnitFolder {
    /// Checks that the user's systemd can be asked, before anything is written.
    ///
    /// # Errors
    /// When it can't.
    pub fn reach(&self) -> Result<(), ProgramError> {
        tell("systemctl", &["--user", "show", "--property=Version"], None)
    }

    /// The registries that have a timer of ours.
    pub fn names(&self) -> Vec<Name> {
        let names = fs::read_dir(&self.path).into_iter().flatten().flatten().filter_map(|entry| {
            let file = entry.file_name();
            let name: Name = file.to_str()?.strip_prefix(PREFIX)?.strip_suffix(".timer")?.parse().ok()?;
            matches!(ours(&entry.path()), Ok(Some(_))).then_some(name)
        });
        let mut names: Vec<Name> = names.collect();
        names.sort();
        names
    }

    /// Whether the job is there as it should be.
    ///
    /// # Errors
    /// When the files can't be read.
    pub fn status(&self, job: &Job) -> Result<Installed, SchedulerError> {
        let wanted = units(job)?;
        let (service, timer) = self.files(&job.name);
        let (is_service, is_timer) = (ours(&service)?, ours(&timer)?);
        if is_service.is_none() && is_timer.is_none() {
            return Ok(Installed::No);
        }
        let mut drift = Vec::new();
        for (path, found, wanted) in [(&service, is_service, wanted.service), (&timer, is_timer, wanted.timer)] {
            match found {
                None => drift.push(format!("{} is missing", path.display())),
                Some(found) => drift.extend(different_line(&found, &wanted)),
            }
        }
        match ask("systemctl", &["--user", "is-enabled", &timer_name(&job.name)], None) {
            Ok(answer) if answer.success => {}
            Ok(answer) if answer.stdout.trim().is_empty() => {
                drift.push("systemd can't be asked whether the timer is enabled".to_owned())
            }
            Ok(answer) => drift.push(format!("the timer is {}", answer.stdout.trim())),
            Err(error) => drift.push(format!("systemd can't be asked: {error}")),
        }
        Ok(if drift.is_empty() { Installed::AsWanted } else { Installed::Drifted(drift) })
    }

    /// Installs a job; says whether anything had to be changed.
    ///
    /// # Errors
    /// When a file can't be written or systemd does not take it.
    pub fn install(&self, job: &Job) -> Result<bool, SchedulerError> {
        if self.status(job)? == Installed::AsWanted {
            return Ok(false);
        }
        let units = units(job)?;
        let (service, timer) = self.files(&job.name);
        fs::create_dir_all(&self.path).map_err(|source| file_error("make", &self.path, source))?;
        for (path, text) in [(&service, &units.service), (&timer, &units.timer)] {
            replace(&self.path, path, text)?;
        }
        tell("systemctl", &["--user", "daemon-reload"], None)?;
        let timer = timer_name(&job.name);
        tell("systemctl", &["--user", "enable", &timer], None)?;
        // a timer that runs already would keep its old times
        tell("systemctl", &["--user", "restart", &timer], None)?;
        Ok(true)
    }

    /// Takes the files of a registry away; says whether there were any. What systemd has to say about it comes as a complaint only, since
    /// without the files nothing is started.
    ///
    /// # Errors
    /// When a file can't be deleted.
    pub fn uninstall(&self, name: &Name) -> Result<Option<Vec<ProgramError>>, SchedulerError> {
        let (service, timer) = self.files(name);
        if ours(&service)?.is_none() && ours(&timer)?.is_none() {
            return Ok(None);
        }
        let mut complaints: Vec<ProgramError> =
            tell("systemctl", &["--user", "disable", "--now", &timer_name(name)], None).err().into_iter().collect();
        for path in [&timer, &service] {
            match fs::remove_file(path) {
                Err(source) if source.kind() != io::ErrorKind::NotFound => return Err(file_error("delete", path, source)),
                _ => {}
            }
        }
        complaints.extend(tell("systemctl", &["--user", "daemon-reload"], None).err());
        Ok(Some(complaints))
    }

    fn files(&self, name: &Name) -> (PathBuf, PathBuf) {
        (self.path.join(service_name(name)), self.path.join(timer_name(name)))
    }
}

/// What a file of ours says; `None` if there is no file.
fn ours(path: &Path) -> Result<Option<String>, SchedulerError> {
    match fs::read_to_string(path) {
        Ok(text) if text.starts_with(MARK) => Ok(Some(text)),
        Ok(_) => Err(SchedulerError::Foreign(path.to_owned())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) if error.kind() == io::ErrorKind::InvalidData => Err(SchedulerError::Foreign(path.to_owned())),
        Err(source) => Err(file_error("read", path, source)),
    }
}

/// Writes a whole file in the place of the one before.
fn replace(folder: &Path, path: &Path, text: &str) -> Result<(), SchedulerError> {
    let write = || {
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        file.write_all(text.as_bytes())?;
        file.as_file().sync_all()?;
        file.persist(path).map_err(|error| error.error)
    };
    write().map(drop).map_err(|source| file_error("write", path, source))
}

fn file_error(what: &'static str, path: &Path, source: io::Error) -> SchedulerError {
    SchedulerError::File { what, path: path.to_owned(), source }
}

/// The first line in which two texts differ.
fn different_line(found: &str, wanted: &str) -> Option<String> {
    let mut found = found.lines();
    let mut wanted = wanted.lines();
    loop {
        match (found.next(), wanted.next()) {
            (None, None) => return None,
            (is, should) if is == should => {}
            (Some(is), Some(should)) => return Some(format!("`{is}` should be `{should}`")),
            (Some(is), None) => return Some(format!("`{is}` should not be there")),
            (None, Some(should)) => return Some(format!("`{should}` is missing")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scheduler::example;

    #[test]
    fn units_of_a_job() {
        let units = units(&example()).unwrap();
        insta::assert_snapshot!(units.service, @r#"
        # Made by regctl. Changes are lost when `regctl schedule install prod` writes it again.
        [Unit]
        Description=Clean up the registry prod

        [Service]
        Type=oneshot
        ExecStart="/opt/my tools/100%%/regctl" --catalogue "/home/o'neill/$$x \"y\".toml" prune --scheduled prod
        Environment="REGCTL_STATE_DIR=/var/lib/my state"
        UMask=0077
        NoNewPrivileges=yes
        LockPersonality=yes
        RestrictNamespaces=yes
        RestrictRealtime=yes
        RestrictSUIDSGID=yes
        RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK
        SystemCallArchitectures=native
        SystemCallFilter=@system-service
        SystemCallErrorNumber=EPERM
        "#);
        insta::assert_snapshot!(units.timer, @"
        # Made by regctl. Changes are lost when `regctl schedule install prod` writes it again.
        [Unit]
        Description=When to clean up the registry prod

        [Timer]
        OnCalendar=Sat,Sun *-*-* 19:30:00 UTC
        Persistent=yes

        [Install]
        WantedBy=timers.target
        ");
    }

    #[test]
    fn words_are_quoted_for_systemd() {
        for (word, quoted) in [
            ("/usr/bin/regctl", "/usr/bin/regctl"),
            ("a b", "\"a b\""),
            ("100%", "100%%"),
            (r#"a"b\c"#, r#""a\"b\\c""#),
            ("", "\"\""),
            ("$HOME", "\"$HOME\""),
        ] {
            assert_eq!(super::quoted(word), quoted, "{word}");
        }
    }

    #[test]
    fn a_strangers_file_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let units = UnitFolder { path: folder.path().to_owned() };
        let name = example().name;
        let path = folder.path().join(timer_name(&name));
        fs::write(&path, "[Timer]\n").unwrap();
        assert!(units.names().is_empty());
        assert!(matches!(units.status(&example()), Err(SchedulerError::Foreign(_))));
        assert!(matches!(units.install(&example()), Err(SchedulerError::Foreign(_))));
        assert!(matches!(units.uninstall(&name), Err(SchedulerError::Foreign(_))));
        assert_eq!(fs::read_to_string(path).unwrap(), "[Timer]\n");
    }
}
