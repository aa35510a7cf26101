//! The life of an entry and of the default (SPEC §3): added, updated, deactivated, activated, removed, restored, purged.
//!
//! Every function either does all of what it says or leaves the catalogue as it was.

use jiff::Timestamp;
use uuid::Uuid;

use super::changes::Changes;
use super::error::{Error, Result};
use super::provider::HostRules;
use super::{Catalogue, Entry, Name, State, timestamp};
use crate::credentials::SourceKind;

/// Whether a new entry becomes the default.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum BecomeDefault {
    /// If there is no default and nothing else in use.
    #[default]
    IfFirst,
    /// Instead of the one there is.
    Yes,
    /// Under no circumstances.
    No,
}

/// How to add an entry.
#[derive(Debug, Clone, Copy, Default)]
pub struct Adding {
    /// Whether it becomes the default.
    pub default: BecomeDefault,
    /// Whether it may be the same account in the same place as another.
    pub allow_duplicate: bool,
}

/// What adding did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Added {
    /// The id that the entry got.
    pub id: Uuid,
    /// Whether it is the default now.
    pub is_default: bool,
    /// The default until now, if that was another one.
    pub previous_default: Option<String>,
}

/// How to update an entry.
#[derive(Debug, Clone, Default)]
pub struct Updating {
    /// The new name.
    pub name: Option<Name>,
    /// Whether it may be the same account in the same place as another.
    pub allow_duplicate: bool,
    /// Whether the credential may go to a new host.
    pub keep_credentials: bool,
}

/// What updating did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Updated {
    /// The entry's name from now on.
    pub name: Name,
    /// Its id.
    pub id: Uuid,
    /// The fields that changed; none means that nothing did.
    pub changed: Vec<String>,
    /// Whether the credential was left behind, because the entry is at another host now.
    pub detached: bool,
    /// Where a secret may still be that doesn't belong to the entry any more, and has to be forgotten.
    pub orphaned: Option<SourceKind>,
    /// What was inferred.
    pub notes: Vec<String>,
}

/// What becomes of a credential when its entry changes.
pub(super) struct Left {
    /// Whether it was left behind, because the entry is at another host now.
    pub detached: bool,
    /// Where a secret may still be that doesn't belong to the entry any more.
    pub orphaned: Option<SourceKind>,
}

impl Entry {
    /// Leaves the credential behind if the entry becomes one at another host or port, unless it was `said` where the secret is there.
    pub(super) fn leave_credential(&self, after: &mut Entry, said: bool, keep: bool) -> Left {
        let moved = match (&self.address, &after.address) {
            (Some(old), Some(new)) => !old.same_server(new),
            _ => false,
        };
        let place = self.credential_store();
        // Docker's logins are kept by host, so a new host finds its own
        let movable = !matches!(place, SourceKind::None | SourceKind::Docker);
        let detached = moved && movable && !keep;
        if detached && !said {
            after.credential = Some(SourceKind::None);
        }
        let orphaned = (place.is_store() && (detached || place != after.credential_store())).then_some(place);
        Left { detached, orphaned }
    }
}

/// What a step in an entry's life did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It took place.
    Changed,
    /// It took place and there is no default any more.
    ChangedAndNoDefault,
    /// It was so already.
    Already,
}

impl Catalogue {
    /// Adds an entry, which gets an id and times.
    ///
    /// # Errors
    /// When the name is taken, also by a removed entry; when it is the same account in the same place as another; when it should become
    /// the default and is not active.
    pub fn add(&mut self, name: Name, mut entry: Entry, how: Adding, now: Timestamp) -> Result<Added> {
        self.check_free(&name)?;
        if !how.allow_duplicate {
            self.check_place(&name, &entry)?;
        }
        if how.default == BecomeDefault::Yes && entry.state != State::Active {
            return Err(not_as_default(&name, entry.state));
        }
        let first = self.default.is_none() && !self.entries.values().any(|other| other.state == State::Active);
        let is_default = match how.default {
            BecomeDefault::Yes => true,
            BecomeDefault::IfFirst => first && entry.state == State::Active,
            BecomeDefault::No => false,
        };
        let id = entry.assign_id();
        entry.created_at.get_or_insert(timestamp::whole(now));
        entry.updated_at = Some(timestamp::whole(now));
        let previous_default = if is_default { self.default.replace(name.to_string()) } else { None };
        self.entries.insert(name, entry);
        Ok(Added { id, is_default, previous_default })
    }

    /// Changes fields of an entry.
    ///
    /// # Errors
    /// When there is no such entry or it is removed, when a value can't be, when the new name is taken, or when it would be the same
    /// account in the same place as another.
    pub fn update(&mut self, name: &Name, changes: &Changes, how: &Updating, rules: HostRules, now: Timestamp) -> Result<Updated> {
        let before = self.entry(name)?;
        if before.state == State::Removed {
            return Err(Error::conflict(format!("{name} is removed"), format!("bring it back first: regctl restore {name}")));
        }
        let id = before.id(name);
        let mut after = before.clone();
        let notes = changes.apply(&mut after, rules)?;
        let said = changes.credential.is_some() || changes.credential_command.is_some();
        let Left { detached, orphaned } = before.leave_credential(&mut after, said, how.keep_credentials);
        let mut changed = differences(before, &after);
        if !changed.is_empty() && !how.allow_duplicate && !before.same_place(&after) {
            self.check_place(name, &after)?;
        }
        let new_name = how.name.clone().filter(|new| new != name);
        if let Some(new) = &new_name {
            self.check_free(new)?;
            changed.insert(0, "name".to_owned());
        }
        let new_name = new_name.unwrap_or_else(|| name.clone());
        if !changed.is_empty() {
            after.id = Some(id);
            after.updated_at = Some(timestamp::whole(now));
            if self.is_default(name) {
                self.default = Some(new_name.to_string());
            }
            self.entries.remove(name);
            self.entries.insert(new_name.clone(), after);
        }
        Ok(Updated { name: new_name, id, changed, detached, orphaned, notes })
    }

    /// Puts an entry in use.
    ///
    /// # Errors
    /// When there is none, or it is removed.
    pub fn activate(&mut self, name: &Name, now: Timestamp) -> Result<Outcome> {
        self.step(name, State::Active, "activate", now)
    }

    /// Takes an entry out of use. It keeps its secret, and stays the default if it is.
    ///
    /// # Errors
    /// When there is none, or it is removed.
    pub fn deactivate(&mut self, name: &Name, now: Timestamp) -> Result<Outcome> {
        self.step(name, State::Inactive, "deactivate", now)
    }

    fn step(&mut self, name: &Name, state: State, verb: &str, now: Timestamp) -> Result<Outcome> {
        let entry = self.entry(name)?;
        if entry.state == State::Removed {
            return Err(Error::conflict(
                format!("can't {verb} {name}: it is removed"),
                format!("bring it back first: regctl restore {name}"),
            ));
        }
        if entry.state == state {
            return Ok(Outcome::Already);
        }
        self.touch(name, now).state = state;
        Ok(Outcome::Changed)
    }

    /// Hides an entry until it is restored or its time is over. Nothing else becomes the default in its place.
    ///
    /// # Errors
    /// When there is none.
    pub fn remove(&mut self, name: &Name, now: Timestamp) -> Result<Outcome> {
        if self.entry(name)?.state == State::Removed {
            return Ok(Outcome::Already);
        }
        let entry = self.touch(name, now);
        entry.state = State::Removed;
        entry.removed_at = Some(timestamp::whole(now));
        if self.is_default(name) {
            self.default = None;
            return Ok(Outcome::ChangedAndNoDefault);
        }
        Ok(Outcome::Changed)
    }

    /// Brings a removed entry back, inactive and not the default.
    ///
    /// # Errors
    /// When there is none, it isn't removed, or its place has been taken meanwhile.
    pub fn restore(&mut self, name: &Name, allow_duplicate: bool, now: Timestamp) -> Result<()> {
        let entry = self.removed(name, "restore")?;
        if !allow_duplicate {
            self.check_place(name, entry)?;
        }
        let entry = self.touch(name, now);
        entry.state = State::Inactive;
        entry.removed_at = None;
        Ok(())
    }

    /// Checks that an entry may be purged, and gives its id, under which its secret has to be deleted first.
    ///
    /// # Errors
    /// When there is none, or it isn't removed.
    pub fn purgeable(&self, name: &Name) -> Result<Uuid> {
        Ok(self.removed(name, "purge")?.id(name))
    }

    /// Takes a removed entry out of the catalogue for good.
    ///
    /// # Errors
    /// When there is none, or it isn't removed.
    pub fn purge(&mut self, name: &Name) -> Result<()> {
        self.removed(name, "purge")?;
        self.entries.remove(name);
        Ok(())
    }

    /// The removed entries whose time is over.
    pub fn expired(&self, now: Timestamp) -> Vec<Name> {
        let over = |entry: &Entry| self.purge_after(entry).is_some_and(|end| end <= now);
        self.entries.iter().filter(|(_, entry)| over(entry)).map(|(name, _)| name.clone()).collect()
    }

    /// Makes an active entry the default; gives the previous one.
    ///
    /// # Errors
    /// When there is none, or it is not active.
    pub fn set_default(&mut self, name: &Name) -> Result<Option<String>> {
        let state = self.entry(name)?.state;
        if state != State::Active {
            return Err(not_as_default(name, state));
        }
        Ok(self.default.replace(name.to_string()))
    }

    /// Leaves no default; gives the one there was.
    pub fn clear_default(&mut self) -> Option<String> {
        self.default.take()
    }

    /// The entry, if its contents may be looked at.
    ///
    /// # Errors
    /// When there is none, it is not active, or it has no address yet.
    pub fn usable(&self, name: &Name) -> Result<&Entry> {
        let entry = self.entry(name)?;
        match entry.state {
            State::Active => {}
            State::Inactive => {
                return Err(Error::conflict(format!("{name} is inactive"), format!("put it in use: regctl activate {name}")));
            }
            State::Removed => {
                return Err(Error::conflict(format!("{name} is removed"), format!("bring it back: regctl restore {name}")));
            }
        }
        if entry.address.is_none() {
            return Err(Error::conflict(
                format!("{name} has no hostname yet"),
                format!("give it one: regctl update {name} --address ADDRESS"),
            ));
        }
        Ok(entry)
    }

    fn entry(&self, name: &Name) -> Result<&Entry> {
        self.entries.get(name).ok_or_else(|| self.not_found(name.as_str()))
    }

    fn removed(&self, name: &Name, verb: &str) -> Result<&Entry> {
        let entry = self.entry(name)?;
        if entry.state != State::Removed {
            let hint = match verb {
                "purge" => format!("remove it first: regctl remove {name}"),
                _ => format!("it is {} already: regctl get {name}", entry.state),
            };
            return Err(Error::conflict(format!("can't {verb} {name}: it is not removed"), hint));
        }
        Ok(entry)
    }

    /// The entry, about to change.
    fn touch(&mut self, name: &Name, now: Timestamp) -> &mut Entry {
        let entry = self.entries.get_mut(name).expect("looked up before");
        entry.id = Some(entry.id(name));
        entry.updated_at = Some(timestamp::whole(now));
        entry
    }

    fn check_free(&self, name: &Name) -> Result<()> {
        match self.entries.get(name) {
            None => Ok(()),
            Some(entry) if entry.state == State::Removed => Err(Error::conflict(
                format!("{name} is the name of a removed registry"),
                format!("bring it back with `regctl restore {name}`, or free the name with `regctl purge {name}`"),
            )),
            Some(_) => Err(Error::conflict(
                format!("there is a registry called {name} already"),
                format!("change it: regctl update {name}"),
            )),
        }
    }

    pub(super) fn check_place(&self, name: &Name, entry: &Entry) -> Result<()> {
        let there = |(known, other): &(&Name, &Entry)| *known != name && other.state != State::Removed && other.same_place(entry);
        match self.entries.iter().find(there) {
            None => Ok(()),
            Some((known, _)) => Err(Error::conflict(
                format!("{known} is the same account in the same place"),
                "give another --namespace or --username, or --allow-duplicate to have both",
            )),
        }
    }
}

fn not_as_default(name: &Name, state: State) -> Error {
    let hint = match state {
        State::Removed => format!("bring it back and put it in use: regctl restore {name}, then regctl activate {name}"),
        State::Active | State::Inactive => format!("put it in use first: regctl activate {name}"),
    };
    Error::conflict(format!("{name} is {state} and can't be the default"), hint)
}

/// The names of the fields that differ.
fn differences(before: &Entry, after: &Entry) -> Vec<String> {
    let fields = |entry: &Entry| match serde_json::to_value(entry) {
        Ok(serde_json::Value::Object(fields)) => fields,
        _ => unreachable!("an entry is an object"),
    };
    let (before, after) = (fields(before), fields(after));
    let gone = before.keys().filter(|key| !after.contains_key(*key));
    let new = after.iter().filter(|(key, value)| before.get(*key) != Some(value)).map(|(key, _)| key);
    new.chain(gone).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::{HostFacts, Settings, TrashRetention};
    use proptest::prelude::*;

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    fn rules(_: &str) -> HostFacts {
        HostFacts::default()
    }

    fn name(text: &str) -> Name {
        text.parse().unwrap()
    }

    fn at(address: &str) -> Entry {
        Entry::at(address.parse().unwrap())
    }

    /// Active entries `a`, `b`… at hosts of their own; the first is the default.
    fn catalogue(names: &[&str]) -> Catalogue {
        let mut catalogue = Catalogue::default();
        for text in names {
            catalogue.add(name(text), at(&format!("https://{text}.example")), Adding::default(), NOW).unwrap();
        }
        catalogue
    }

    fn is_conflict<T: std::fmt::Debug>(result: Result<T>) -> bool {
        matches!(result, Err(Error::Conflict { .. }))
    }

    fn state(catalogue: &Catalogue, of: &str) -> State {
        catalogue.get(of).unwrap().state
    }

    #[test]
    fn the_first_becomes_the_default_and_nothing_else_in_silence() {
        let mut list = catalogue(&["a", "b"]);
        assert_eq!(list.default_name(), Some("a"));
        let yes = Adding { default: BecomeDefault::Yes, ..Adding::default() };
        let added = list.add(name("c"), at("https://c.example"), yes, NOW).unwrap();
        assert_eq!((added.is_default, added.previous_default.as_deref()), (true, Some("a")));
        assert_eq!(list.remove(&name("c"), NOW).unwrap(), Outcome::ChangedAndNoDefault);
        assert_eq!(list.default_name(), None);
        assert!(!list.add(name("d"), at("https://d.example"), Adding::default(), NOW).unwrap().is_default, "others are in use");

        let mut list = Catalogue::default();
        let no = Adding { default: BecomeDefault::No, ..Adding::default() };
        assert!(!list.add(name("a"), at("https://a.example"), no, NOW).unwrap().is_default);

        let mut list = Catalogue::default();
        let down = Entry { state: State::Inactive, ..at("https://down.example") };
        assert!(is_conflict(list.add(name("down"), down.clone(), yes, NOW)));
        assert!(!list.add(name("down"), down, Adding::default(), NOW).unwrap().is_default);
        assert!(list.add(name("up"), at("https://up.example"), Adding::default(), NOW).unwrap().is_default);
    }

    #[test]
    fn names_and_places_are_taken_once() {
        let mut list = catalogue(&["a"]);
        let mut add = |to: &str, entry: Entry, allow_duplicate| {
            list.add(name(to), entry, Adding { allow_duplicate, ..Adding::default() }, NOW)
        };
        assert!(is_conflict(add("a", at("https://other.example"), false)));
        assert!(is_conflict(add("two", at("https://A.example:443"), false)));
        assert!(add("two", at("https://a.example"), true).is_ok());
        let team = Entry { namespace: Some("team".parse().unwrap()), ..at("https://a.example") };
        assert!(add("three", team, false).is_ok());
        let user = Entry { username: Some("bob".parse().unwrap()), ..at("https://a.example") };
        assert!(add("four", user, false).is_ok());
        assert!(add("hub", at("https://docker.io"), false).is_ok());
        assert!(is_conflict(add("hub2", at("https://index.docker.io"), false)), "Docker Hub is one place");
        list.remove(&name("a"), NOW).unwrap();
        assert!(
            is_conflict(list.add(name("a"), at("https://new.example"), Adding::default(), NOW)),
            "a removed entry keeps its name"
        );
    }

    #[test]
    fn a_whole_life() {
        let mut list = catalogue(&["a"]);
        let id = list.get("a").unwrap().id(&name("a"));
        let a = name("a");
        assert_eq!(list.activate(&a, NOW).unwrap(), Outcome::Already);
        assert_eq!(list.deactivate(&a, NOW).unwrap(), Outcome::Changed);
        assert_eq!(list.deactivate(&a, NOW).unwrap(), Outcome::Already);
        assert!(is_conflict(list.usable(&a).map(|_| ())) && is_conflict(list.set_default(&a)));
        assert!(is_conflict(list.purge(&a)) && is_conflict(list.restore(&a, false, NOW)));
        list.remove(&a, NOW).unwrap();
        assert_eq!(list.remove(&a, NOW).unwrap(), Outcome::Already);
        assert_eq!(state(&list, "a"), State::Removed);
        for refused in [list.activate(&a, NOW).map(drop), list.deactivate(&a, NOW).map(drop), list.set_default(&a).map(drop)] {
            assert!(is_conflict(refused));
        }
        list.restore(&a, false, NOW).unwrap();
        assert_eq!((state(&list, "a"), list.default_name(), list.get("a").unwrap().removed_at), (State::Inactive, None, None));
        list.activate(&a, NOW).unwrap();
        assert_eq!(list.get("a").unwrap().id(&a), id);
        list.remove(&a, NOW).unwrap();
        assert_eq!(list.purgeable(&a).unwrap(), id);
        list.purge(&a).unwrap();
        assert!(matches!(list.purge(&a), Err(Error::NotFound { .. })));
    }

    #[test]
    fn a_place_taken_meanwhile_is_seen_when_restoring() {
        let mut list = catalogue(&["a"]);
        list.remove(&name("a"), NOW).unwrap();
        list.add(name("b"), at("https://a.example"), Adding::default(), NOW).unwrap();
        assert!(is_conflict(list.restore(&name("a"), false, NOW)));
        assert_eq!(state(&list, "a"), State::Removed);
        list.restore(&name("a"), true, NOW).unwrap();
    }

    #[test]
    fn removed_entries_expire_after_the_retention() {
        let mut list = catalogue(&["a", "b"]);
        list.remove(&name("a"), NOW).unwrap();
        let day = |days: i64| Timestamp::from_second(days * 86_400).unwrap();
        assert_eq!(list.purge_after(list.get("a").unwrap()), Some(day(30)));
        assert!(list.expired(day(29)).is_empty());
        assert_eq!(list.expired(day(30)), [name("a")]);
        list.settings = Settings { trash_retention: TrashRetention::Forever };
        assert!(list.expired(Timestamp::MAX).is_empty());
    }

    #[test]
    fn updating_is_a_patch() {
        let mut list = catalogue(&["a", "b"]);
        let id = list.get("a").unwrap().id(&name("a"));
        let changes = Changes { description: Some("d".parse().unwrap()), ..Changes::default() };
        let later = Timestamp::from_second(60).unwrap();
        let updated = list.update(&name("a"), &changes, &Updating::default(), rules, later).unwrap();
        assert_eq!((updated.changed, updated.id, updated.detached), (vec!["description".to_owned()], id, false));
        assert_eq!(list.get("a").unwrap().updated_at, Some(later));
        let before = list.clone();
        assert!(list.update(&name("a"), &changes, &Updating::default(), rules, Timestamp::MAX).unwrap().changed.is_empty());
        assert_eq!(list, before);
        let rename = |to: &str| Updating { name: Some(name(to)), ..Updating::default() };
        assert!(is_conflict(list.update(&name("a"), &Changes::default(), &rename("b"), rules, later)));
        list.update(&name("a"), &Changes::default(), &rename("c"), rules, later).unwrap();
        assert_eq!((list.default_name(), list.get("c").unwrap().id(&name("c"))), (Some("c"), id));
        let move_on_b = Changes { address: Some("https://b.example".parse().unwrap()), ..Changes::default() };
        assert!(is_conflict(list.update(&name("c"), &move_on_b, &Updating::default(), rules, later)));
        list.remove(&name("b"), later).unwrap();
        assert!(is_conflict(list.update(&name("b"), &changes, &Updating::default(), rules, later)));
    }

    #[test]
    fn a_credential_does_not_follow_to_another_host() {
        let to = |address: &str| Changes { address: Some(address.parse().unwrap()), ..Changes::default() };
        for (address, keep, detached) in [
            ("https://elsewhere.example", false, true),
            ("https://a.example:8443", false, true),
            ("https://elsewhere.example", true, false),
            ("https://a.example/path", false, false),
        ] {
            let mut list = Catalogue::default();
            let entry = Entry { username: Some("bob".parse().unwrap()), ..at("https://a.example") };
            list.add(name("a"), entry, Adding::default(), NOW).unwrap();
            let how = Updating { keep_credentials: keep, ..Updating::default() };
            let updated = list.update(&name("a"), &to(address), &how, rules, NOW).unwrap();
            assert_eq!(updated.detached, detached, "{address}");
            assert_eq!(updated.orphaned, detached.then_some(SourceKind::Keyring), "{address}");
            let left = list.get("a").unwrap().credential_store();
            assert_eq!(left == SourceKind::None, detached);
        }
    }

    #[test]
    fn an_entry_without_address_can_not_be_used() {
        let mut list = Catalogue::default();
        list.add(name("new"), Entry::default(), Adding::default(), NOW).unwrap();
        assert!(list.usable(&name("new")).unwrap_err().to_string().contains("no hostname yet"));
    }

    #[derive(Debug, Clone)]
    enum Step {
        Add(u8, BecomeDefault),
        Activate(u8),
        Deactivate(u8),
        Remove(u8),
        Restore(u8),
        Purge(u8),
        Default(u8),
        Rename(u8, u8),
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let default = prop_oneof![Just(BecomeDefault::IfFirst), Just(BecomeDefault::Yes), Just(BecomeDefault::No)];
        let one = 0u8..4;
        proptest::collection::vec(
            prop_oneof![
                (one.clone(), default).prop_map(|(n, d)| Step::Add(n, d)),
                one.clone().prop_map(Step::Activate),
                one.clone().prop_map(Step::Deactivate),
                one.clone().prop_map(Step::Remove),
                one.clone().prop_map(Step::Restore),
                one.clone().prop_map(Step::Purge),
                one.clone().prop_map(Step::Default),
                (one.clone(), one).prop_map(|(a, b)| Step::Rename(a, b)),
            ],
            0..40,
        )
    }

    proptest! {
        #[test]
        fn any_life_keeps_the_rules(steps in steps()) {
            let n = |number: u8| name(&format!("r{number}"));
            let mut list = Catalogue::default();
            for step in steps {
                let before = list.clone();
                let done = match step {
                    Step::Add(a, default) => list.add(n(a), at(&format!("https://h{a}.example")), Adding { default, allow_duplicate: true }, NOW).map(drop),
                    Step::Activate(a) => list.activate(&n(a), NOW).map(drop),
                    Step::Deactivate(a) => list.deactivate(&n(a), NOW).map(drop),
                    Step::Remove(a) => list.remove(&n(a), NOW).map(drop),
                    Step::Restore(a) => list.restore(&n(a), true, NOW),
                    Step::Purge(a) => list.purge(&n(a)),
                    Step::Default(a) => list.set_default(&n(a)).map(drop),
                    Step::Rename(a, b) => {
                        let how = Updating { name: Some(n(b)), ..Updating::default() };
                        list.update(&n(a), &Changes::default(), &how, rules, NOW).map(drop)
                    }
                };
                if done.is_err() {
                    prop_assert_eq!(&list, &before, "a refused step changes nothing");
                }
                if let Some(default) = list.default_name() {
                    let entry = list.get(default);
                    prop_assert!(entry.is_some_and(|entry| entry.state != State::Removed), "the default is never removed");
                }
                for (_, entry) in list.entries() {
                    prop_assert_eq!(entry.removed_at.is_some(), entry.state == State::Removed);
                }
            }
        }
    }
}
