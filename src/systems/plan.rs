//! What an import changes: a pure function of what documents describe and what is in the catalogue.
//!
//! A registry is known again by its system and the id it has there. Of a known one only the fields that the document speaks of are looked
//! at, so labels, rules and other things that people added here are theirs. What differs, and what stands in the way of a new entry, is
//! a conflict, and the person says what happens with conflicts.

use std::collections::{BTreeMap, HashMap, HashSet};

use uuid::Uuid;

use super::{Exported, Imported, Shown, System, extra, fields};
use crate::catalogue::{self, Adding, BecomeDefault, Catalogue, Entry, Name, Origin, State};
use crate::credentials::SourceKind;

/// What happens with what is here already and differs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum OnConflict {
    /// Nothing is imported.
    #[default]
    Fail,
    /// It stays as it is.
    Skip,
    /// It becomes as the document says.
    Update,
}

/// How to decide.
#[derive(Debug, Clone, Copy, Default)]
pub struct Deciding {
    /// What happens with conflicts.
    pub on_conflict: OnConflict,
    /// Whether registries that are removed there come along.
    pub include_removed: bool,
    /// Whether the default there becomes the default here although there is one.
    pub take_default: bool,
    /// Where secrets are to be kept; the keyring if unsaid.
    pub credential: Option<SourceKind>,
    /// The time.
    pub now: jiff::Timestamp,
}

/// What becomes of one registry.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// A new entry.
    Add(Box<Entry>),
    /// An entry that changes.
    Update {
        /// As it will be.
        entry: Box<Entry>,
        /// The fields that change.
        changed: Vec<String>,
        /// Where a secret is that doesn't belong to it any more, because it is at another host.
        detached: Option<SourceKind>,
    },
    /// It is so already.
    Unchanged,
    /// It stays out, or as it is.
    Skip(String),
    /// It can't be done.
    Conflict {
        /// Why.
        message: String,
        /// What to do about it.
        hint: String,
    },
}

/// What becomes of one registry, and under which name.
#[derive(Debug, Clone)]
pub struct Step {
    /// Which of the registries it is.
    pub of: usize,
    /// The entry's name.
    pub name: Name,
    /// The entry's id, under which its secret is kept.
    pub id: Uuid,
    /// What becomes of it.
    pub action: Action,
}

/// What an import changes.
#[derive(Debug, Clone, Default)]
pub struct Plan {
    /// One step a registry.
    pub steps: Vec<Step>,
    /// What becomes the default.
    pub default: Option<Name>,
    /// What a person should know, by the name it is about.
    pub warnings: Vec<(String, String)>,
}

/// Everything that deciding knows.
struct Decider<'a> {
    catalogue: &'a Catalogue,
    how: Deciding,
    names: HashSet<String>,
    ids: HashSet<Uuid>,
    /// Entries that are known to be one of the registries, and of which system.
    claimed: BTreeMap<Name, System>,
    /// New entries and their systems, for telling that two are the same place.
    added: Vec<(Name, Entry, System)>,
    plan: Plan,
}

impl Plan {
    /// Decides.
    pub fn make(catalogue: &Catalogue, registries: &[Imported], how: Deciding) -> Plan {
        let known = Known::new(catalogue);
        let found: Vec<Option<&Name>> = registries.iter().map(|imported| known.find(imported)).collect();
        let mut decider = Decider {
            catalogue,
            how,
            names: catalogue.entries().map(|(name, _)| name.to_string()).collect(),
            ids: catalogue.entries().map(|(name, entry)| entry.id(name)).collect(),
            claimed: found.iter().zip(registries).filter_map(|(name, one)| Some(((*name)?.clone(), one.system))).collect(),
            added: Vec::new(),
            plan: Plan::default(),
        };
        for (of, (imported, known)) in registries.iter().zip(found).enumerate() {
            decider.decide(of, imported, known);
        }
        decider.choose_default(registries);
        decider.plan
    }

    /// The conflicts.
    pub fn conflicts(&self) -> impl Iterator<Item = &Step> {
        self.steps.iter().filter(|step| matches!(step.action, Action::Conflict { .. }))
    }

    /// Carries it out, except for steps in `without`.
    ///
    /// # Errors
    /// When the catalogue is not the one on which it was decided.
    pub fn apply(&self, catalogue: &mut Catalogue, without: &HashSet<usize>, now: jiff::Timestamp) -> catalogue::Result<()> {
        for step in self.steps.iter().filter(|step| !without.contains(&step.of)) {
            match &step.action {
                Action::Add(entry) => {
                    let how = Adding { default: BecomeDefault::No, allow_duplicate: true };
                    catalogue.add(step.name.clone(), (**entry).clone(), how, now)?;
                }
                Action::Update { entry, .. } => catalogue.replace(&step.name, (**entry).clone(), now)?,
                Action::Unchanged | Action::Skip(_) | Action::Conflict { .. } => {}
            }
        }
        if let Some(name) = self.default.as_ref().filter(|name| catalogue.get(name.as_str()).is_some()) {
            catalogue.set_default(name)?;
        }
        Ok(())
    }
}

/// The entries that were made of registries, by their system and their id there.
struct Known<'a> {
    by_id: HashMap<(&'a str, &'a str), &'a Name>,
    without_id: Vec<(&'a str, &'a Name, &'a Entry)>,
}

impl<'a> Known<'a> {
    fn new(catalogue: &'a Catalogue) -> Known<'a> {
        let mut known = Known { by_id: HashMap::new(), without_id: Vec::new() };
        for (name, entry) in catalogue.entries() {
            let Some(source) = &entry.source else { continue };
            match (&source.id, source.system.parse::<System>()) {
                (Some(id), Ok(system)) => {
                    known.by_id.entry((system.word(), system.dialect().identity(id))).or_insert(name);
                }
                (None, Ok(system)) => known.without_id.push((system.word(), name, entry)),
                (_, Err(_)) => {}
            }
        }
        known
    }

    /// The entry that was made of this registry before.
    fn find(&self, imported: &Imported) -> Option<&'a Name> {
        let word = imported.system.word();
        match &imported.source_id {
            Some(id) => self.by_id.get(&(word, imported.system.dialect().identity(id))).copied(),
            None => {
                let fits = |(system, _, entry): &&(&str, &Name, &Entry)| *system == word && entry.same_place(&imported.entry);
                self.without_id.iter().find(fits).map(|(_, name, _)| *name)
            }
        }
    }
}

impl Decider<'_> {
    fn decide(&mut self, of: usize, imported: &Imported, known: Option<&Name>) {
        let in_the_way = known.cloned().or_else(|| self.same_place(imported));
        let (name, id, action) = match in_the_way.and_then(|name| Some((name.clone(), self.catalogue.get(name.as_str())?))) {
            Some((name, entry)) => {
                let action = match self.claimed.insert(name.clone(), imported.system) {
                    Some(_) if known.is_none() => self.in_the_way(format!("{name} is the same account in the same place")),
                    _ => self.existing(imported, &name, entry, known.is_some()),
                };
                let id = entry.id(&name);
                (name, id, action)
            }
            None => self.new_entry(imported),
        };
        // what is unchanged was warned about when it came
        if action != Action::Unchanged {
            let warnings = imported.warnings.iter().map(|warning| (imported.title.clone(), warning.clone()));
            self.plan.warnings.extend(warnings);
        }
        self.plan.steps.push(Step { of, name, id, action });
    }

    /// The entry of another origin that is the same account in the same place.
    fn same_place(&self, imported: &Imported) -> Option<Name> {
        if imported.entry.state == State::Removed {
            return None;
        }
        // a system that allows two registries in one place has its reasons
        let other_of_theirs = |entry: &Entry| {
            entry.source.as_ref().is_some_and(|source| source.system == imported.system.word() && source.id.is_some())
        };
        let fits = |(name, entry): &(&Name, &Entry)| {
            entry.state != State::Removed
                && entry.same_place(&imported.entry)
                && !other_of_theirs(entry)
                && self.claimed.get(*name) != Some(&imported.system)
        };
        self.catalogue.entries().find(fits).map(|(name, _)| name.clone())
    }

    fn existing(&self, imported: &Imported, name: &Name, entry: &Entry, by_id: bool) -> Action {
        let (after, changed, detached) = merged(imported, name, entry);
        if changed.is_empty() {
            return Action::Unchanged;
        }
        let gone = entry.state == State::Removed && imported.entry.state != State::Removed;
        let message = match by_id {
            _ if gone => format!("{name} was removed here"),
            true => format!("{name} is different here: {}", changed.join(", ")),
            false => format!("{name} is the same account in the same place"),
        };
        match self.how.on_conflict {
            OnConflict::Update if !gone => Action::Update { entry: Box::new(after), changed, detached },
            _ => self.in_the_way(message),
        }
    }

    /// What becomes of a registry that can't be taken over as things are.
    fn in_the_way(&self, message: String) -> Action {
        match self.how.on_conflict {
            OnConflict::Skip | OnConflict::Update => Action::Skip(message),
            OnConflict::Fail => Action::Conflict {
                message,
                hint: "take the document's with --on-conflict update, or keep what is here with --on-conflict skip".to_owned(),
            },
        }
    }

    fn new_entry(&mut self, imported: &Imported) -> (Name, Uuid, Action) {
        let wish = imported.name.clone().unwrap_or_else(|| imported.system.word().parse().expect("the systems' words are names"));
        let name = self.free(&wish);
        let mut entry = imported.entry.clone();
        if entry.state == State::Removed {
            if !self.how.include_removed {
                let why = "removed there (--include-removed)".to_owned();
                return (name, Uuid::nil(), Action::Skip(why));
            }
            // the time in the trash begins here, or it would be over at once
            entry.removed_at = jiff::Timestamp::from_second(self.how.now.as_second()).ok();
        }
        self.names.insert(name.to_string());
        if let Some(uuid) = imported.uuid.filter(|uuid| !uuid.is_nil() && !uuid.is_max() && !self.ids.contains(uuid)) {
            entry.take_id(uuid);
        }
        let id = entry.assign_id();
        self.ids.insert(id);
        fit_title(&mut entry, imported, &name);
        if imported.secret.is_some() {
            entry.credential = Some(self.how.credential.unwrap_or(SourceKind::Keyring));
        } else if entry.username.is_some() && self.how.credential.is_some() {
            entry.credential = self.how.credential;
        }
        entry.source = Some(origin(imported, &name, &entry));
        if let Some((other, _, system)) = self.added.iter().find(|(_, other, _)| other.same_place(&entry)) {
            let message = format!("it is the same account in the same place as {other}");
            if *system != imported.system {
                self.names.remove(name.as_str());
                return (name, Uuid::nil(), self.in_the_way(message));
            }
            self.plan.warnings.push((name.to_string(), format!("{message}, as it was there")));
        }
        self.added.push((name.clone(), entry.clone(), imported.system));
        (name, id, Action::Add(Box::new(entry)))
    }

    /// The name itself, or with the first number that makes it free.
    fn free(&self, wish: &Name) -> Name {
        if !self.names.contains(wish.as_str()) {
            return wish.clone();
        }
        (2..)
            .find_map(|number: u32| {
                let end = format!("-{number}");
                let room = catalogue::Name::LONGEST - end.len();
                let start = wish.as_str().get(..room).unwrap_or(wish.as_str()).trim_end_matches('-');
                format!("{start}{end}").parse().ok().filter(|name: &Name| !self.names.contains(name.as_str()))
            })
            .expect("there are more numbers than names")
    }

    fn choose_default(&mut self, registries: &[Imported]) {
        for step in &self.plan.steps {
            if !registries[step.of].is_default {
                continue;
            }
            let state = match &step.action {
                Action::Add(entry) | Action::Update { entry, .. } => Some(entry.state),
                Action::Unchanged | Action::Skip(_) => self.catalogue.get(step.name.as_str()).map(|entry| entry.state),
                Action::Conflict { .. } => None,
            };
            let name = step.name.to_string();
            match (state, self.catalogue.default_name()) {
                (None, _) => {}
                (Some(_), Some(default)) if default == name => {}
                (Some(state), _) if state != State::Active => {
                    self.plan
                        .warnings
                        .push((name, "it is the default there and not active, so it can't be the default here".to_owned()));
                }
                (Some(_), Some(default)) if !self.how.take_default => {
                    let text = format!("it is the default there; here {default} stays the default unless --take-default is given");
                    self.plan.warnings.push((name, text));
                }
                _ => self.plan.default = Some(step.name.clone()),
            }
        }
    }
}

/// The entry as the document wants it, which fields that changes, and where a secret is that has to be left behind.
fn merged(imported: &Imported, name: &Name, entry: &Entry) -> (Entry, Vec<String>, Option<SourceKind>) {
    let mut described = imported.entry.clone();
    fit_title(&mut described, imported, name);
    if imported.given.is_some() && entry.display_name.as_ref().map(|text| text.as_str()) == imported.given.as_deref() {
        described.display_name = entry.display_name.clone();
    }
    let mut after = fields::carried(&described, entry, &imported.speaks_of);
    let place = entry.credential_store();
    let moved = matches!((&entry.address, &after.address), (Some(old), Some(new)) if !old.same_server(new));
    let mut detached = None;
    match &imported.secret {
        Some(_) if place.is_store() => after.credential = Some(place),
        Some(_) if moved || place == SourceKind::None => after.credential = Some(SourceKind::Keyring),
        Some(_) => {}
        // a secret goes to no host only because a document names it
        None if moved && !matches!(place, SourceKind::None | SourceKind::Docker) => {
            after.credential = Some(SourceKind::None);
            detached = Some(place);
        }
        None => {}
    }
    let mut marked = after.clone();
    marked.take_id(entry.id(name));
    after.source = Some(origin(imported, name, &described_as(&described, &marked)));
    let mut changed: Vec<String> = fields::differing(entry, &after).into_iter().collect();
    if !same_origin(entry.source.as_ref(), after.source.as_ref()) {
        changed.push("source".to_owned());
    }
    (after, changed, detached)
}

/// What the document says, with the identity and the store of the entry: what it would be written as.
fn described_as(described: &Entry, entry: &Entry) -> Entry {
    let mut described = described.clone();
    described.credential = entry.credential;
    let mut marked = entry.clone();
    described.take_id(marked.assign_id());
    described
}

/// Keeps the text of a name that the entry could not have.
fn fit_title(entry: &mut Entry, imported: &Imported, name: &Name) {
    if entry.display_name.is_none()
        && let Some(given) = imported.given.as_deref().filter(|given| *given != name.as_str())
    {
        entry.display_name = given.parse().ok();
    }
}

/// Where it came from, with everything that its entry doesn't say.
fn origin(imported: &Imported, name: &Name, entry: &Entry) -> Origin {
    let bare = Origin { system: imported.system.word().to_owned(), id: imported.source_id.clone(), extra: toml::Table::new() };
    let mut entry = entry.clone();
    entry.source = Some(bare.clone());
    entry.removed_at = None;
    let written = Exported {
        system: imported.system,
        name,
        entry: &entry,
        is_default: imported.is_default,
        shown: Shown::Hidden,
        authority: entry.tls.ca_pem.as_ref().map(|pem| pem.as_str().to_owned()),
    };
    let usual = imported.system.dialect().write(&written).unwrap_or_default();
    let difference = extra::difference(&imported.original, &usual);
    Origin { extra: extra::to_toml(difference, imported.around.clone()), ..bare }
}

/// Whether both say the same about the registry itself. What stood around it changes with every fetch.
fn same_origin(one: Option<&Origin>, other: Option<&Origin>) -> bool {
    let (Some(one), Some(other)) = (one, other) else { return one == other };
    let by_itself = |origin: &Origin| {
        let (difference, _) = extra::from_toml(&origin.extra);
        extra::to_toml(difference, extra::Around::default())
    };
    one.system == other.system && one.id == other.id && by_itself(one) == by_itself(other)
}
