//! The file on disk: read by anyone at any time, changed by one at a time.

use std::path::{Path, PathBuf};

use toml_edit::DocumentMut;

use super::error::{Error, Result};
use super::{Catalogue, document, format};
use crate::files::{self, Guarded};

/// The catalogue's file.
#[derive(Debug, Clone)]
pub struct Store {
    path: PathBuf,
}

/// What a change gave, and whether it changed anything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edited<T> {
    /// What the change gave.
    pub value: T,
    /// Whether the file was written.
    pub changed: bool,
}

impl Store {
    /// The catalogue in this file, which need not exist.
    pub fn new(path: impl Into<PathBuf>) -> Store {
        Store { path: path.into() }
    }

    /// Which file it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Reads it. Takes no lock and creates nothing; no file is an empty catalogue.
    ///
    /// # Errors
    /// When the file can't be read or is not a catalogue that this program knows.
    pub fn load(&self) -> Result<Catalogue> {
        match files::read(&self.path)? {
            Some(text) => format::parse(&text, &self.path),
            None => Ok(Catalogue::default()),
        }
    }

    /// Changes it under the lock, on what it says by then. If `change` fails or changes nothing, the file is not touched.
    ///
    /// `change` runs while everyone else waits, so it must ask no server, keyring or person.
    ///
    /// # Errors
    /// What `change` says, or that the file can't be read or written.
    pub fn edit<T>(&self, change: impl FnOnce(&mut Catalogue) -> Result<T>) -> Result<Edited<T>> {
        let file = Guarded::open(&self.path)?;
        let text = file.read()?.unwrap_or_default();
        let old = format::parse(&text, &self.path)?;
        let mut new = old.clone();
        let value = change(&mut new)?;
        if new == old {
            return Ok(Edited { value, changed: false });
        }
        let mut document: DocumentMut = text.parse().expect("it was just parsed");
        document::carry(&mut document, &old, &new);
        let text = document.to_string();
        if format::parse(&text, &self.path).ok().as_ref() != Some(&new) {
            return Err(Error::Unfaithful { path: self.path.clone() });
        }
        file.replace(text.as_bytes())?;
        Ok(Edited { value, changed: true })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::{Adding, Address, Changes, Entry, HostFacts, Name, State, Updating};
    use jiff::Timestamp;
    use std::fs;

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    fn name(text: &str) -> Name {
        text.parse().unwrap()
    }

    fn at(address: &str) -> Entry {
        Entry::at(address.parse::<Address>().unwrap())
    }

    fn store(text: &str) -> (tempfile::TempDir, Store) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("catalogue.toml");
        fs::write(&path, text).unwrap();
        (folder, Store::new(path))
    }

    fn update(catalogue: &mut Catalogue, of: &str, changes: Changes) -> Result<()> {
        catalogue.update(&name(of), &changes, &Updating::default(), |_| HostFacts::default(), NOW).map(|_| ())
    }

    const WRITTEN: &str = r#"# Registries of the platform team.
schema = 1
default = "prod" # where we deploy

[settings] # rarely changed
trash_retention = "7d"

# the one that matters
[registry.prod]
x-cost-centre = 4711
id = "0198c0de-0000-7000-8000-000000000001"
address = "https://Registry.example.com:443/" # behind the load balancer
colour = "red"            # nobody knows what for
username = 'robot$ci'
description = "old"    # shown in the wiki
tls.verify = false # until March

[registry.lab]
address = "http://10.0.0.7:5000"
labels = { env = "lab", team = "x" } # for the dashboard
retention = [{ keep_last = 3 }]

[registry.lab.tls]
# own CA
ca_file = "/etc/ssl/lab.pem"
# the end
"#;

    #[test]
    fn what_a_person_wrote_survives() {
        let (_folder, store) = store(WRITTEN);
        assert!(!store.edit(|catalogue| update(catalogue, "prod", Changes::default())).unwrap().changed);
        assert_eq!(fs::read_to_string(store.path()).unwrap(), WRITTEN);
        let edited = store.edit(|catalogue| {
            update(
                catalogue,
                "prod",
                Changes { description: Some("new".parse().unwrap()), tls_verify: Some(true), ..Changes::default() },
            )?;
            update(
                catalogue,
                "lab",
                Changes { labels: vec![("env".parse().unwrap(), "test".parse().unwrap())], ..Changes::default() },
            )?;
            catalogue.add(name("hub"), Entry { id: Some(uuid::Uuid::nil()), ..at("https://docker.io") }, Adding::default(), NOW)?;
            Ok(())
        });
        assert!(edited.unwrap().changed);
        insta::assert_snapshot!(fs::read_to_string(store.path()).unwrap(), @r#"
        # Registries of the platform team.
        schema = 1
        default = "prod" # where we deploy

        [settings] # rarely changed
        trash_retention = "7d"

        # the one that matters
        [registry.prod]
        x-cost-centre = 4711
        id = "0198c0de-0000-7000-8000-000000000001"
        address = "https://Registry.example.com:443/" # behind the load balancer
        colour = "red"            # nobody knows what for
        username = 'robot$ci'
        description = "new"    # shown in the wiki
        updated_at = 1970-01-01T00:00:00Z

        [registry.lab]
        address = "http://10.0.0.7:5000"
        labels = { env = "test", team = "x" } # for the dashboard
        retention = [{ keep_last = 3 }]
        id = "411d559e-cdb9-8019-8d8c-40a2d989491f"
        updated_at = 1970-01-01T00:00:00Z

        [registry.lab.tls]
        # own CA
        ca_file = "/etc/ssl/lab.pem"

        [registry.hub]
        id = "00000000-0000-0000-0000-000000000000"
        address = "https://docker.io"
        state = "active"
        created_at = 1970-01-01T00:00:00Z
        updated_at = 1970-01-01T00:00:00Z
        # the end
        "#);
    }

    #[test]
    fn a_renamed_entry_keeps_its_place_and_comments() {
        let (_folder, store) = store(WRITTEN);
        store
            .edit(|catalogue| {
                let how = Updating { name: Some(name("main")), ..Updating::default() };
                catalogue.update(&name("prod"), &Changes::default(), &how, |_| HostFacts::default(), NOW).map(|_| ())
            })
            .unwrap();
        let text = fs::read_to_string(store.path()).unwrap();
        for kept in
            ["# the one that matters\n[registry.main]", "x-cost-centre = 4711", "colour = \"red\"", "default = \"main\" # where"]
        {
            assert!(text.contains(kept), "{kept} is missing from:\n{text}");
        }
        assert!(text.find("registry.main").unwrap() < text.find("registry.lab").unwrap());
        assert!(store.load().unwrap().get("prod").is_none());
    }

    #[test]
    fn a_new_file_is_worth_reading() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::new(folder.path().join("new/catalogue.toml"));
        assert_eq!(store.load().unwrap(), Catalogue::default());
        assert!(!folder.path().join("new").exists(), "reading creates nothing");
        let mut entry = at("https://registry.example.com");
        let changes = Changes {
            namespace: Some("team-a".parse().unwrap()),
            allow_subnets: vec!["198.51.100.0/24".parse().unwrap(), "2001:db8::1".parse().unwrap()],
            gc_days: Some("sun,sat".parse().unwrap()),
            gc_time: Some("19:30".parse().unwrap()),
            retention: Some(vec!["repositories=team-a/** keep_last=10 keep=latest keep=v*".parse().unwrap()]),
            tls_verify: Some(false),
            vulnerability_scanning: Some(true),
            credential_command: Some(vec!["aws".into(), "ecr".into(), "get-login-password".into()]),
            credential_expires_at: Some("2027-01-01T00:00:00Z".parse().unwrap()),
            labels: vec![("env".parse().unwrap(), "prod".parse().unwrap())],
            ..Changes::default()
        };
        changes.apply(&mut entry, |_| HostFacts::default()).unwrap();
        entry.id = Some(uuid::Uuid::nil());
        store.edit(|catalogue| catalogue.add(name("prod"), entry.clone(), Adding::default(), NOW)).unwrap();
        insta::assert_snapshot!(fs::read_to_string(store.path()).unwrap(), @r#"
        schema = 1
        default = "prod"

        [registry.prod]
        id = "00000000-0000-0000-0000-000000000000"
        address = "https://registry.example.com"
        namespace = "team-a"
        labels = { env = "prod" }
        state = "active"
        credential = "command"
        credential_command = ["aws", "ecr", "get-login-password"]
        credential_expires_at = 2027-01-01T00:00:00Z
        allow_subnets = ["198.51.100.0/24", "2001:db8::1"]
        created_at = 1970-01-01T00:00:00Z
        updated_at = 1970-01-01T00:00:00Z

        [registry.prod.tls]
        verify = false

        [registry.prod.features]
        vulnerability_scanning = true

        [registry.prod.garbage_collection_schedule]
        days = ["Saturday", "Sunday"]
        time = "19:30:00+00:00"

        [[registry.prod.retention]]
        repositories = "team-a/**"
        keep_last = 10
        keep = ["latest", "v*"]
        "#);
        // and what is in it can be taken away again
        store
            .edit(|catalogue| {
                update(catalogue, "prod", Changes { unset: crate::catalogue::Field::ALL.to_vec(), ..Changes::default() })
            })
            .unwrap();
        insta::assert_snapshot!(fs::read_to_string(store.path()).unwrap(), @r#"
        schema = 1
        default = "prod"

        [registry.prod]
        id = "00000000-0000-0000-0000-000000000000"
        address = "https://registry.example.com"
        state = "active"
        created_at = 1970-01-01T00:00:00Z
        updated_at = 1970-01-01T00:00:00Z
        "#);
    }

    #[test]
    fn a_failed_change_leaves_the_file_alone() {
        let (_folder, store) = store(WRITTEN);
        assert!(
            store
                .edit(|catalogue| {
                    catalogue.remove(&name("lab"), NOW)?;
                    catalogue.remove(&name("missing"), NOW)
                })
                .is_err()
        );
        assert_eq!(fs::read_to_string(store.path()).unwrap(), WRITTEN);
    }

    #[test]
    fn an_inline_catalogue_can_be_changed() {
        let (_folder, store) = store("registry = { a = { address = \"https://a.example\", tls = { verify = false } } }\n");
        store
            .edit(|catalogue| {
                update(
                    catalogue,
                    "a",
                    Changes { description: Some("x".parse().unwrap()), tls_verify: Some(true), ..Changes::default() },
                )?;
                catalogue.add(name("b"), at("https://b.example"), Adding::default(), NOW)
            })
            .unwrap();
        let catalogue = store.load().unwrap();
        assert!(catalogue.get("a").unwrap().tls.verify && catalogue.get("b").is_some());
    }

    #[test]
    fn fifty_threads_lose_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("catalogue.toml");
        std::thread::scope(|scope| {
            for thread in 0..50 {
                let store = Store::new(&path);
                scope.spawn(move || {
                    for turn in 0..2 {
                        let (entry, to) = (at(&format!("https://h{thread}-{turn}.example")), name(&format!("r{thread}-{turn}")));
                        store.edit(|catalogue| catalogue.add(to, entry, Adding::default(), NOW)).unwrap();
                        store.load().unwrap();
                    }
                });
            }
        });
        let catalogue = Store::new(&path).load().unwrap();
        assert_eq!(catalogue.entries().filter(|(_, entry)| entry.state == State::Active).count(), 100);
    }
}
