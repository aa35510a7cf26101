//! Making the catalogue what a declaration says: entries are created or replaced, and removed if that is asked for. All of it or nothing.
//!
//! Replaced means that a field that the file does not name goes away. What is a person's own stays where the file says nothing about it:
//! user name and place of the secret, because each of a team signs in in their own way; whether the entry is in use; what was learnt about
//! the provider; where it was imported from; its id.

use jiff::Timestamp;
use serde::Serialize;
use uuid::Uuid;

use super::difference::{Difference, differences};
use super::{Declaration, Declared};
use crate::catalogue::error::Result;
use crate::catalogue::provider::HostRules;
use crate::catalogue::{Adding, BecomeDefault, Catalogue, Entry, Invalid, Name, Outcome, State, TrashRetention, timestamp};
use crate::credentials::SourceKind;

/// How to apply a declaration.
#[derive(Debug, Clone, Copy, Default)]
pub struct Applying {
    /// Whether what is not in the file is removed.
    pub prune: bool,
    /// Whether credentials may go to new hosts.
    pub keep_credentials: bool,
    /// Whether entries may be the same account in the same place as others.
    pub allow_duplicate: bool,
}

/// What happens to an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Move {
    /// It is new.
    Add,
    /// Some of its fields change.
    Update,
    /// It was removed and comes back.
    Restore,
    /// It is not in the file.
    Remove,
    /// Nothing.
    Unchanged,
}

/// What happens to one entry.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Change {
    /// Its name from now on.
    pub name: Name,
    /// What happens.
    pub action: Move,
    /// The name that it had.
    pub renamed_from: Option<Name>,
    /// The fields that differ.
    pub fields: Vec<Difference>,
    /// Whether the credential is left behind, because the entry goes to another host.
    pub credential_left_behind: bool,
    /// What was inferred, and what a person should know.
    pub notes: Vec<String>,
    /// Its id.
    #[serde(skip)]
    pub id: Uuid,
    /// Where a secret is that will not belong to the entry any more.
    #[serde(skip)]
    pub orphaned: Option<SourceKind>,
    /// Whether that secret would be taken for the new host's if it were not deleted before.
    #[serde(skip)]
    pub orphan_is_in_the_way: bool,
}

/// What applying does.
#[derive(Debug, Clone, PartialEq)]
pub struct Applied {
    /// Every entry that is in the file or goes away, in the order of the names.
    pub changes: Vec<Change>,
    /// The default before and after, if it changes.
    pub default: Option<(Option<String>, Option<String>)>,
    /// The trash retention before and after, if it changes.
    pub trash_retention: Option<(TrashRetention, TrashRetention)>,
}

impl Applied {
    /// Whether nothing changes.
    pub fn is_unchanged(&self) -> bool {
        self.default.is_none() && self.trash_retention.is_none() && self.count(Move::Unchanged) == self.changes.len()
    }

    /// To how many entries this happens.
    pub fn count(&self, action: Move) -> usize {
        self.changes.iter().filter(|change| change.action == action).count()
    }
}

impl Catalogue {
    /// Makes the catalogue what the declaration says.
    ///
    /// # Errors
    /// When something in the declaration can't be, with its place; then nothing is changed.
    pub fn apply(&mut self, declaration: &Declaration, how: Applying, rules: HostRules, now: Timestamp) -> Result<Applied> {
        let mut new = self.clone();
        let mut changes = Vec::new();
        if how.prune {
            changes = new.prune(declaration, now)?;
        }
        for declared in &declaration.entries {
            changes.push(new.put(declaration, declared, how, rules, now)?);
        }
        if let Some((name, place)) = &declaration.default {
            let chosen =
                name.parse::<Name>().ok().filter(|name| new.entries.get(name).is_some_and(|entry| entry.state == State::Active));
            let Some(chosen) = chosen else {
                let message = format!("{} is no active registry, so it can't be the default", super::super::invalid::shown(name));
                return Err(super::fault(&declaration.file, *place, message, None));
            };
            new.set_default(&chosen)?;
        }
        if let Some(settings) = &declaration.settings {
            new.settings = settings.clone();
        }
        if !how.allow_duplicate {
            for change in changes.iter().filter(|change| matches!(change.action, Move::Add | Move::Update | Move::Restore)) {
                new.check_place(&change.name, &new.entries[&change.name])?;
            }
        }
        changes.sort_by(|one, other| one.name.cmp(&other.name));
        let default = (self.default != new.default).then(|| (self.default.clone(), new.default.clone()));
        let (old_trash, new_trash) = (self.settings.trash_retention, new.settings.trash_retention);
        let trash_retention = (old_trash != new_trash).then_some((old_trash, new_trash));
        *self = new;
        Ok(Applied { changes, default, trash_retention })
    }

    /// Removes what is not in the file, as `remove` does.
    fn prune(&mut self, declaration: &Declaration, now: Timestamp) -> Result<Vec<Change>> {
        if declaration.entries.is_empty() {
            // an empty file is more likely a mistake than the wish to have nothing
            return Err(Invalid::new(format!("{} holds no registry, and --prune would remove all", declaration.file))
                .hint("to remove all, name them: regctl remove NAME…")
                .into());
        }
        let wanted = |name: &Name, entry: &Entry| {
            declaration.entries.iter().any(|declared| declared.name == *name || declared.id == Some(entry.id(name)))
        };
        let here = self.entries.iter().filter(|(name, entry)| entry.state != State::Removed && !wanted(name, entry));
        let unwanted: Vec<Name> = here.map(|(name, _)| name.clone()).collect();
        unwanted
            .into_iter()
            .map(|name| {
                let was_default = self.remove(&name, now)? == Outcome::ChangedAndNoDefault;
                let notes = was_default.then(|| format!("{name} was the default")).into_iter().collect();
                let id = self.entries[&name].id(&name);
                Ok(Change { notes, ..Change::new(name, Move::Remove, id) })
            })
            .collect()
    }

    /// Creates or replaces one entry.
    fn put(
        &mut self,
        declaration: &Declaration,
        declared: &Declared,
        how: Applying,
        rules: HostRules,
        now: Timestamp,
    ) -> Result<Change> {
        let known = self.known_as(declaration, declared)?;
        let before = known.as_ref().map(|name| self.entries[name].clone());
        check_fixed(declaration, declared, before.as_ref())?;
        let (mut after, mut notes) = replaced(declaration, declared, before.as_ref(), rules)?;
        let Some((known, before)) = known.zip(before) else {
            warn_about(None, &after, &mut notes);
            let default = if declaration.entries.len() == 1 { BecomeDefault::IfFirst } else { BecomeDefault::No };
            (after.id, after.created_at) = (declared.id, declared.created_at);
            let fields = differences(None, &after);
            let added = self.add(declared.name.clone(), after, Adding { default, allow_duplicate: true }, now)?;
            return Ok(Change { fields, notes, ..Change::new(declared.name.clone(), Move::Add, added.id) });
        };
        let id = before.id(&known);
        let said = declared.changes.credential.is_some() || declared.changes.credential_command.is_some();
        let left = before.leave_credential(&mut after, said, how.keep_credentials);
        warn_about(Some(&before), &after, &mut notes);
        let fields = differences(Some(&before), &after);
        let renamed_from = (known != declared.name).then(|| known.clone());
        let action = match before.state {
            State::Removed => Move::Restore,
            _ if fields.is_empty() && renamed_from.is_none() => Move::Unchanged,
            _ => Move::Update,
        };
        if action == Move::Unchanged {
            return Ok(Change::new(known, action, id));
        }
        let orphan_is_in_the_way = left.detached && left.orphaned == Some(after.credential_store());
        (after.id, after.updated_at) = (Some(id), Some(timestamp::whole(now)));
        if self.is_default(&known) {
            self.default = Some(declared.name.to_string());
        }
        self.entries.remove(&known);
        self.entries.insert(declared.name.clone(), after);
        Ok(Change {
            renamed_from,
            fields,
            credential_left_behind: left.detached,
            notes,
            orphaned: left.orphaned,
            orphan_is_in_the_way,
            ..Change::new(declared.name.clone(), action, id)
        })
    }

    /// The name that a declared entry has in the catalogue now: its own, or another if the id says that it was renamed.
    fn known_as(&self, declaration: &Declaration, declared: &Declared) -> Result<Option<Name>> {
        let by_id = declared.id.and_then(|id| self.entries.iter().find(|(name, entry)| entry.id(name) == id).map(|(name, _)| name));
        let by_name = self.entries.get_key_value(&declared.name);
        let fault = |message, hint: &str| Err(super::fault(&declaration.file, declared.place_of("id"), message, Some(hint.into())));
        match (by_id, by_name) {
            (Some(id), Some((name, _))) if id != name => {
                fault(format!("this is the id of {id}, and {name} has another one"), "leave it out; an id never changes")
            }
            (None, Some((name, _))) if declared.id.is_some() => fault(
                format!("{name} has another id here, and an id never changes"),
                "leave it out; it differs from place to place",
            ),
            (Some(id), None) if declaration.names().any(|name| name == id) => {
                fault(format!("this is the id of {id}, which is in the file too"), "leave it out; a new entry gets one")
            }
            (Some(name), _) => Ok(Some(name.clone())),
            (None, found) => Ok(found.map(|(name, _)| name.clone())),
        }
    }
}

impl Change {
    fn new(name: Name, action: Move, id: Uuid) -> Change {
        Change {
            name,
            action,
            renamed_from: None,
            fields: Vec::new(),
            credential_left_behind: false,
            notes: Vec::new(),
            id,
            orphaned: None,
            orphan_is_in_the_way: false,
        }
    }
}

/// Times that the program keeps may stand in the file as long as they say what is so.
fn check_fixed(declaration: &Declaration, declared: &Declared, before: Option<&Entry>) -> Result<()> {
    let updated = (declared.updated_at, before.and_then(|entry| entry.updated_at), "updated_at");
    let created = before.map(|entry| (declared.created_at, entry.created_at, "created_at"));
    for (given, known, field) in created.into_iter().chain([updated]) {
        if given.is_some() && given != known {
            let message = format!("{field} is kept by the program and can't be changed");
            return Err(super::fault(&declaration.file, declared.place_of(field), message, Some("leave it out".to_owned())));
        }
    }
    Ok(())
}

/// The entry as the file says, on what stays of the one there was.
fn replaced(
    declaration: &Declaration,
    declared: &Declared,
    before: Option<&Entry>,
    rules: HostRules,
) -> Result<(Entry, Vec<String>)> {
    let mut entry = before.map_or_else(Entry::default, kept);
    let mut notes = declared.notes.clone();
    let applied = declared.changes.apply(&mut entry, rules);
    notes.extend(applied.map_err(|error| {
        let field = if entry.location != declared.changes.location { "location" } else { "" };
        let place = declared.place_of(field);
        super::fault(&declaration.file, place, format!("{}: {error}", declared.name), error.hint)
    })?);
    entry.state = match (declared.state, before.map(|before| before.state)) {
        (Some(state), _) => state,
        (None, Some(State::Inactive)) => State::Inactive,
        (None, Some(State::Active | State::Removed) | None) => State::Active,
    };
    if let Some(source) = &declared.source {
        entry.source = Some(source.clone());
    }
    let nowhere = declared.changes.address.is_none();
    if nowhere && (entry.state == State::Active || entry.address.is_some()) {
        let message = format!("{} has no address", declared.name);
        return Err(super::fault(&declaration.file, declared.place, message, Some("write address = \"https://HOST\"".to_owned())));
    }
    Ok((entry, notes))
}

/// What of an entry stays where the file says nothing.
fn kept(before: &Entry) -> Entry {
    let before = before.clone();
    Entry {
        id: before.id,
        address: before.address,
        location: before.location,
        provider: before.provider,
        username: before.username,
        credential: before.credential,
        credential_command: before.credential_command,
        credential_expires_at: before.credential_expires_at,
        source: before.source,
        created_at: before.created_at,
        updated_at: before.updated_at,
        ..Entry::default()
    }
}

/// What somebody should know who applies a file that somebody else wrote.
fn warn_about(before: Option<&Entry>, after: &Entry, notes: &mut Vec<String>) {
    let is_new = |same: fn(&Entry, &Entry) -> bool| before.is_none_or(|before| !same(before, after));
    if let Some(address) = &after.address
        && !address.is_ssl()
        && !address.is_loopback()
        && is_new(|before, after| before.address == after.address)
    {
        notes.push(format!("{address} is plain http, which sends passwords readable over the network"));
    }
    if !after.tls.is_verified() && is_new(|before, after| before.tls.is_verified() == after.tls.is_verified()) {
        notes.push("certificates of this registry are not verified".to_owned());
    }
    if after.credential_store() == SourceKind::Command
        && is_new(|before, after| before.credential_command == after.credential_command)
    {
        notes.push(format!("its secret comes from running `{}`", after.credential_command.join(" ")));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::{Error, Form, HostFacts};
    use crate::registry::Kind;
    use proptest::prelude::*;
    use std::path::Path;

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    fn rules(host: &str) -> HostFacts {
        let kind = (host == "quay.io").then_some((Kind::Quay, "its host"));
        HostFacts { kind, region: None }
    }

    fn read(text: &str) -> Result<Declaration> {
        Declaration::read(text, Form::of(None, text), "team.toml", Path::new("/team"))
    }

    fn apply(catalogue: &mut Catalogue, text: &str, how: Applying) -> Result<Applied> {
        let later = Timestamp::from_second(1000).unwrap();
        catalogue.apply(&read(text)?, how, rules, later)
    }

    fn applied(text: &str) -> Catalogue {
        let mut catalogue = Catalogue::default();
        catalogue.apply(&read(text).unwrap(), Applying::default(), rules, NOW).unwrap();
        catalogue
    }

    const TWO: &str = "[registry.a]\naddress = \"https://a.example\"\nusername = \"bob\"\nnamespace = \"team\"\n\
                       [registry.b]\naddress = \"https://b.example\"\n";

    #[test]
    fn what_is_applied_twice_changes_nothing() {
        let mut catalogue = applied(TWO);
        let before = catalogue.clone();
        assert!(apply(&mut catalogue, TWO, Applying::default()).unwrap().is_unchanged());
        assert_eq!(catalogue, before);
        assert_eq!(catalogue.default_name(), None, "one of several is not chosen in silence");
        assert_eq!(applied("[registry.a]\naddress = \"https://a.example\"\n").default_name(), Some("a"));
    }

    #[test]
    fn what_the_file_does_not_name_goes_and_what_is_personal_stays() {
        let mut catalogue = applied(TWO);
        let entry = catalogue.entries.get_mut("a").unwrap();
        entry.credential = Some(SourceKind::EncryptedFile);
        entry.provider = Some(Kind::Harbor);
        entry.description = Some("mine".parse().unwrap());
        entry.state = State::Inactive;
        entry.location = Some("de/fra".parse().unwrap());
        let text = "[registry.a]\naddress = \"https://a.example\"\n[registry.b]\naddress = \"https://b.example\"\n";
        let changes = apply(&mut catalogue, text, Applying::default()).unwrap().changes;
        let fields: Vec<&str> = changes[0].fields.iter().map(|difference| difference.field.as_str()).collect();
        assert_eq!(fields, ["description", "namespace"]);
        let entry = catalogue.get("a").unwrap();
        assert_eq!((entry.kind(), entry.state, entry.credential), (Kind::Harbor, State::Inactive, Some(SourceKind::EncryptedFile)));
        assert_eq!(entry.username.as_ref().unwrap().as_str(), "bob");
        assert_eq!(entry.location.as_ref().unwrap().as_str(), "de/fra");
        // null says that it is to go all the same
        let text =
            "{\"name\": \"a\", \"address\": \"https://a.example\", \"username\": null, \"provider\": null, \"state\": \"active\"}";
        apply(&mut catalogue, text, Applying::default()).unwrap();
        let entry = catalogue.get("a").unwrap();
        assert_eq!((entry.kind(), entry.state, entry.username.clone()), (Kind::Native, State::Active, None));
    }

    #[test]
    fn all_or_nothing() {
        let mut catalogue = applied(TWO);
        let before = catalogue.clone();
        for (text, words) in [
            (
                "[registry.c]\naddress = \"https://c.example\"\n[registry.d]\nprovider = \"ecr\"\naddress = \"https://d.example\"\n",
                "line 3, column 11: d: region is required",
            ),
            ("[registry.c]\naddress = \"https://c.example\"\n[registry.d]\n", "d has no address"),
            ("default = \"x\"\n[registry.c]\naddress = \"https://c.example\"\n", "line 1, column 11: x is no active registry"),
            ("[registry.c]\naddress = \"https://b.example\"\n", "b is the same account in the same place"),
            (
                "[registry.a]\naddress = \"https://a.example\"\nid = \"0198c0de-0000-7000-8000-000000000001\"\n",
                "line 3, column 1: a has another id",
            ),
            (
                "[registry.a]\naddress = \"https://a.example\"\nupdated_at = 2026-01-01T00:00:00Z\n",
                "line 3, column 1: updated_at is kept",
            ),
            (
                "[registry.a]\naddress = \"https://a.example\"\nstate = \"removed\"\n",
                "line 3, column 9: what is in the file is wanted",
            ),
        ] {
            let error = apply(&mut catalogue, text, Applying::default()).unwrap_err();
            assert!(error.to_string().contains(words), "{text}: {error}");
            assert_eq!(catalogue, before, "{text}");
        }
        let empty = apply(&mut catalogue, "", Applying { prune: true, ..Applying::default() }).unwrap_err();
        assert!(empty.to_string().contains("would remove all"), "{empty}");
        assert_eq!(catalogue, before);
    }

    /// Two entries that change places are no conflict, although after the first step both would be in the same.
    #[test]
    fn entries_can_change_places() {
        let mut catalogue = applied(TWO);
        let swapped =
            TWO.replace("https://a.", "https://x.").replace("https://b.", "https://a.").replace("https://x.", "https://b.");
        apply(&mut catalogue, &swapped, Applying::default()).unwrap();
        assert_eq!(catalogue.get("a").unwrap().address.as_ref().unwrap().host(), "b.example");
    }

    #[test]
    fn pruning_removes_softly_and_a_later_file_brings_it_back() {
        let mut catalogue = applied(&format!("default = \"b\"\n{TWO}"));
        let id = catalogue.get("b").unwrap().id(&"b".parse().unwrap());
        let one = "[registry.a]\naddress = \"https://a.example\"\nnamespace = \"team\"\n";
        let prune = Applying { prune: true, ..Applying::default() };
        assert!(apply(&mut catalogue, one, Applying::default()).unwrap().is_unchanged(), "without --prune it stays");
        let pruned = apply(&mut catalogue, one, prune).unwrap();
        assert_eq!((pruned.count(Move::Remove), pruned.default), (1, Some((Some("b".into()), None))));
        assert_eq!(catalogue.get("b").unwrap().state, State::Removed);
        assert!(apply(&mut catalogue, one, prune).unwrap().is_unchanged());
        let back = apply(&mut catalogue, TWO, prune).unwrap();
        assert_eq!(back.count(Move::Restore), 1);
        let entry = catalogue.get("b").unwrap();
        assert_eq!((entry.state, entry.removed_at, entry.id(&"b".parse().unwrap())), (State::Active, None, id));
        assert_eq!(catalogue.default_name(), None);
    }

    #[test]
    fn another_host_gets_no_credential() {
        let moved = |more: &str| TWO.replace("a.example\"\n", &format!("c.example\"\n{more}"));
        let change = |text: &str, how| {
            let mut catalogue = applied(TWO);
            let change = apply(&mut catalogue, text, how).unwrap().changes.remove(0);
            let again = apply(&mut catalogue, text, how).unwrap();
            assert!(again.is_unchanged(), "{text}: {again:?}");
            (change.credential_left_behind, change.orphan_is_in_the_way, catalogue.get("a").unwrap().credential_store())
        };
        assert_eq!(change(&moved(""), Applying::default()), (true, false, SourceKind::None));
        let keep = Applying { keep_credentials: true, ..Applying::default() };
        assert_eq!(change(&moved(""), keep), (false, false, SourceKind::Keyring));
        // the file says where the secret is, so the old one has to be out of the way first
        assert_eq!(change(&moved("credential = \"keyring\"\n"), Applying::default()), (true, true, SourceKind::Keyring));
    }

    #[test]
    fn an_id_in_the_file_says_that_an_entry_was_renamed() {
        let mut catalogue =
            applied("[registry.a]\naddress = \"https://a.example\"\nid = \"0198c0de-0000-7000-8000-000000000001\"\n");
        let text = "[registry.b]\naddress = \"https://a.example\"\nid = \"0198c0de-0000-7000-8000-000000000001\"\n";
        let applied = apply(&mut catalogue, text, Applying { prune: true, ..Applying::default() }).unwrap();
        assert_eq!(applied.changes[0].renamed_from.as_ref().map(Name::as_str), Some("a"));
        assert_eq!((catalogue.default_name(), catalogue.get("a").is_some()), (Some("b"), false));
    }

    #[test]
    fn a_copy_of_the_catalogue_changes_nothing() {
        let mut catalogue = applied(TWO);
        catalogue.entries.get_mut("a").unwrap().credential_expires_at = Some("2027-01-01T00:00:00Z".parse().unwrap());
        let mut document = toml_edit::DocumentMut::new();
        crate::catalogue::document::carry(&mut document, &Catalogue::default(), &catalogue);
        let written = document.to_string();
        let declaration = Declaration::read(&written, Form::Toml, "copy", Path::new("/")).unwrap();
        let applied = catalogue.apply(&declaration, Applying::default(), rules, NOW).unwrap();
        assert!(applied.is_unchanged(), "{applied:?} by\n{written}");
    }

    #[test]
    fn places_in_all_three_forms() {
        for (text, line, column) in [
            ("[registry.a]\naddress = \"https://a.example\"\ncolour = 1\n", 3, 1),
            ("[registry.a]\naddress = \"https://a.example\"\ntls = { verfy = true }\n", 3, 9),
            ("[registry.a]\naddress = \"https://a.example\"\n[[registry.a.retention]]\nkeep_lst = 1\n", 4, 1),
            ("[registry.a]\naddress = \"ftp://a.example\"\n", 2, 11),
            ("[registry.a]\naddress = \"https://a.example\"\nallow_subnets = [\"10.0.0.0/8\", \"x\"]\n", 3, 32),
            ("{\"registry\": {\"a\": {\n  \"address\": \"ftp://a\"}}}", 2, 14),
            ("{\"registry\": {\"a\": {\n  \"address\": \"https://a.example\",\n  \"colour\": 1}}}", 3, 3),
            ("registry:\n  a:\n    address: https://a.example\n    state: gone\n", 4, 12),
            ("registry:\n  a:\n    address: https://a.example\n    retention:\n    - keep_lst: 1\n", 5, 7),
            ("- name: a\n  address: https://a.example\n- name: a\n  address: https://a.example\n", 3, 9),
            ("- address: https://a.example\n", 1, 3),
            ("registry:\n- name: a\n", 2, 3),
            ("schema = 2\n", 1, 10),
            ("[settings]\ntrash_retention = \"soon\"\n", 2, 19),
        ] {
            match read(text) {
                Err(Error::Declaration { line: l, column: c, message, .. }) => {
                    assert_eq!((l, c), (line, column), "{text}: {message}")
                }
                other => panic!("{text}: {other:?}"),
            }
        }
    }

    #[test]
    fn secrets_are_refused_and_never_repeated() {
        for text in [
            "[registry.a]\npassword = \"s3cr3t-canary\"",
            "[registry.a]\npasword = \"s3cr3t-canary\"",
            "[registry.a]\nclient-secret = \"s3cr3t-canary\"",
            "[registry.a]\ncredential = \"s3cr3t-canary\"",
            "[registry.a]\naddress = \"https://u:s3cr3t-canary@a.example\"",
            "[registry.a.source]\nsystem = \"x\"\nextra = { a = [{ password = \"s3cr3t-canary\" }] }",
            "[registry.a]\npassword = s3cr3t-canary",
            "{\"registry\": {\"a\": {\"token\": \"s3cr3t-canary\"}}}",
            "registry: {a: {secret_key: s3cr3t-canary}}",
        ] {
            let error = read(text).unwrap_err();
            assert!(!format!("{error} {error:?}").contains("canary"), "{error:?}");
        }
        assert!(read("[registry.a]\npassword = \"x\"").unwrap_err().hints()[0].contains("regctl login"));
    }

    #[test]
    fn paths_start_at_the_file() {
        let text = "[registry.a]\naddress = \"https://a.example\"\ntls = { ca_file = \"ca.pem\" }\n";
        let declaration = read(text).unwrap();
        assert_eq!(declaration.authorities().next().unwrap().path, Path::new("/team/ca.pem"));
    }

    proptest! {
        #[test]
        fn any_text_is_answered(text in "(registry:|name: a|address: |https://a.example|[\\[\\]{}=:,\"' \n-]|[a-z0-9]){0,20}") {
            let mut catalogue = applied(TWO);
            let before = catalogue.clone();
            if apply(&mut catalogue, &text, Applying::default()).is_err() {
                prop_assert_eq!(catalogue, before);
            }
        }
    }
}
