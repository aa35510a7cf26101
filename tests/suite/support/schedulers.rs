//! `systemctl` and `crontab` as scripts that keep what they are told in the program's home.

use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use super::program::Program;

/// Both, first on the program's `PATH`.
pub struct Schedulers {
    folder: PathBuf,
}

/// Says yes to everything, remembers it, and knows which timers it was told to enable.
const SYSTEMCTL: &str = r#"#!/bin/sh
echo "$*" >> "$0.log"
[ -e "$0.down" ] && { echo 'Failed to connect to bus: No medium found' >&2; exit 1; }
[ "$1" = --user ] || { echo "not --user: $*" >&2; exit 1; }
case $2 in
  enable) : > "$0.enabled.$3" ;;
  disable) rm -f "$0.enabled.$4" ;;
  is-enabled) if [ -e "$0.enabled.$3" ]; then echo enabled; else echo disabled; exit 1; fi ;;
esac
"#;

/// As Debian's: the table is a file, and there is none at first.
const CRONTAB: &str = r#"#!/bin/sh
[ -e "$0.down" ] && { echo "You (nobody) are not allowed to use this program (crontab)" >&2; exit 1; }
case $1 in
  -l) if [ -e "$0.table" ]; then cat "$0.table"; else echo "no crontab for nobody" >&2; exit 1; fi ;;
  -) cat > "$0.table"; echo written >> "$0.log" ;;
esac
"#;

impl Schedulers {
    /// Puts both on the `PATH` of a program.
    pub fn for_program(program: &mut Program) -> Schedulers {
        let folder = program.home().join("bin");
        std::fs::create_dir(&folder).expect("the home is ours");
        for (name, script) in [("systemctl", SYSTEMCTL), ("crontab", CRONTAB)] {
            let path = folder.join(name);
            std::fs::write(&path, script).expect("the home is ours");
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).expect("the home is ours");
        }
        let mut path = folder.clone().into_os_string();
        path.push(":/usr/bin:/bin");
        program.set("PATH", path);
        Schedulers { folder }
    }

    /// Makes one of them answer as it does where it can't be used.
    pub fn take_down(&self, name: &str) {
        std::fs::write(self.folder.join(format!("{name}.down")), "").expect("the home is ours");
    }

    /// Every command line that `systemctl` got so far; the next call begins anew.
    pub fn systemctl_was_told(&self) -> Vec<String> {
        self.take("systemctl.log")
    }

    /// How often the table of cron was written since the last call.
    pub fn tables_written(&self) -> usize {
        self.take("crontab.log").len()
    }

    fn take(&self, file: &str) -> Vec<String> {
        let path = self.folder.join(file);
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        let _ = std::fs::remove_file(path);
        text.lines().map(str::to_owned).collect()
    }

    /// The table of cron.
    pub fn table(&self) -> Option<String> {
        std::fs::read_to_string(self.folder.join("crontab.table")).ok()
    }

    /// Writes the table of cron as a person would.
    pub fn write_table(&self, text: &str) {
        std::fs::write(self.folder.join("crontab.table"), text).expect("the home is ours");
    }
}
