//! From documents to the registries they describe: several files are one list, pages are put together, what appears twice is told.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::detect::{self, Undetected};
use super::item::{self, Map};
use super::{Broken, Imported, Page, Problem, System, extra, json as text, rancher};
use crate::catalogue::{Changes, HostRules};

/// Most registries of one import: far more than anybody was seen to have, and few enough that comparing each with each takes no time.
const REGISTRIES_MAX: usize = 5000;

/// A document that was read and not yet understood.
#[derive(Debug)]
pub struct Document {
    name: String,
    value: Value,
}

impl Document {
    /// Reads the text of a document. `name` is for messages.
    ///
    /// # Errors
    /// When it is no JSON, or too large.
    pub fn parse(name: impl Into<String>, bytes: &[u8]) -> Result<Document, Broken> {
        Ok(Document { name: name.into(), value: text::parse(bytes)? })
    }
}

/// Two registries say that they are the default.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{one} and {other} both say that they are the default")]
pub struct TwoDefaults {
    /// One of them.
    pub one: String,
    /// The other.
    pub other: String,
}

/// What the documents describe.
#[derive(Debug, Default)]
pub struct Sources {
    /// The registries, in the order of the documents.
    pub registries: Vec<Imported>,
    /// What could not be understood, by the name it has there.
    pub failed: Vec<(String, Problem)>,
    /// The systems of which these documents are not the whole list, and why that is known.
    pub partial: Vec<(System, String)>,
}

/// What the pages of one list say about being all of it.
#[derive(Default)]
struct Pages {
    last: bool,
    first: bool,
    count: u64,
    total: u64,
}

impl Sources {
    /// Understands documents. With `system` they are all of that system, else each tells by its shape. `rules` say what host names tell.
    ///
    /// # Errors
    /// When a document is of no system, or of several.
    pub fn read(system: Option<System>, documents: Vec<Document>, rules: HostRules) -> Result<Sources, Undetected> {
        let mut sources = Sources::default();
        let mut pages: BTreeMap<(System, bool), Pages> = BTreeMap::new();
        let mut credentials = (Vec::new(), Map::new());
        for document in documents {
            let system = detect::system_of(&document.name, &document.value, system)?;
            let page = match system.dialect().split(document.value) {
                Ok(page) => page,
                Err(problem) => {
                    sources.failed.push((document.name, problem));
                    continue;
                }
            };
            if sources.registries.len() + page.items.len() > REGISTRIES_MAX {
                sources.failed.push((document.name, Problem::new(format!("these are more than {REGISTRIES_MAX} registries"))));
                continue;
            }
            if !page.single {
                let known = pages.entry((system, !page.credentials.is_empty())).or_default();
                known.last |= !page.more;
                known.first |= !page.before;
                known.count += page.items.len() as u64;
                known.total = known.total.max(page.total.unwrap_or(0));
            }
            sources.take(system, page, &mut credentials, rules);
        }
        sources.failed.extend(rancher::credentials::join(&mut sources.registries, credentials.0, credentials.1));
        for imported in &mut sources.registries {
            if imported.entry.username.is_none() && imported.secret.take().is_some() {
                imported.warnings.push("its password is not taken: there is no user name with it".to_owned());
            }
        }
        sources.partial = pages.iter().filter_map(|((system, _), pages)| Some((*system, pages.missing()?))).collect();
        Ok(sources)
    }

    fn take(&mut self, system: System, page: Page, credentials: &mut (Vec<Value>, Map), rules: HostRules) {
        let mut around = around(system, &page);
        if !page.credentials.is_empty() {
            credentials.0.extend(page.credentials);
            credentials.1 = page.envelope;
        }
        for (number, item) in page.items.into_iter().enumerate() {
            let Value::Object(mut item) = item else {
                self.failed.push((format!("number {}", number + 1), Problem::new("it is no object")));
                continue;
            };
            let read = system.dialect().read(&mut item).and_then(|read| read.map(|read| known(read, rules)).transpose());
            let mut imported = match read {
                Ok(Some(imported)) => imported,
                Ok(None) => continue,
                Err(problem) => {
                    self.failed.push((label(&item, number), problem));
                    continue;
                }
            };
            for field in extra::clean(&mut item) {
                imported.warnings.push(format!("its field `{}` is left out: it may be a secret", field.escape_debug()));
            }
            system.dialect().settle(&mut item);
            imported.original = item;
            match self.registries.iter().find(|known| known.is(&imported)) {
                // pages overlap when something is added between fetching the one and the other
                Some(known) if known.original == imported.original => {}
                Some(_) => {
                    let id = imported.source_id.unwrap_or_default();
                    let problem = Problem::new(format!("another registry has its id {}", id.escape_debug()));
                    self.failed.push((imported.title, problem));
                }
                None => {
                    let place = Some(self.registries.len() as u64);
                    imported.around = extra::Around { place, page: around.take(), credentials: None };
                    self.registries.push(imported);
                }
            }
        }
    }

    /// Checks that no system has two defaults.
    ///
    /// # Errors
    /// When one has.
    pub fn check_defaults(&self) -> Result<(), TwoDefaults> {
        let mut defaults: BTreeMap<System, &Imported> = BTreeMap::new();
        for imported in self.registries.iter().filter(|imported| imported.is_default) {
            if let Some(one) = defaults.insert(imported.system, imported) {
                return Err(TwoDefaults { one: one.title.clone(), other: imported.title.clone() });
            }
        }
        Ok(())
    }
}

impl Imported {
    /// Whether both have the same id in the same system.
    fn is(&self, other: &Imported) -> bool {
        let identity =
            |imported: &Imported| imported.source_id.as_deref().map(|id| imported.system.dialect().identity(id).to_owned());
        self.system == other.system && identity(self).is_some_and(|id| Some(id) == identity(other))
    }
}

impl Pages {
    /// What shows that there is more.
    fn missing(&self) -> Option<String> {
        if !self.last {
            return Some("this is one page of more".to_owned());
        }
        if !self.first {
            return Some("there are pages before this one".to_owned());
        }
        (self.total > self.count).then(|| format!("these are {} of {}: one page of more", self.count, self.total))
    }
}

/// Fills in what the host name tells.
fn known(mut imported: Imported, rules: HostRules) -> Result<Imported, Problem> {
    Changes::default().apply(&mut imported.entry, rules)?;
    Ok(imported)
}

/// What stood around the registries and doesn't follow from them.
fn around(system: System, page: &Page) -> Option<Map> {
    let mut envelope = page.envelope.clone();
    extra::clean(&mut envelope);
    let difference = match page.single {
        true => extra::Difference::default(),
        false => extra::difference(&envelope, &system.dialect().envelope(page.items.len())),
    };
    if !page.single && difference.set.is_empty() && difference.absent.is_empty() {
        return None;
    }
    let mut around = Map::new();
    around.insert("items".to_owned(), json!(page.items.len()));
    if page.single {
        around.insert("single".to_owned(), true.into());
    }
    if !difference.set.is_empty() {
        around.insert("set".to_owned(), difference.set.into());
    }
    if !difference.absent.is_empty() {
        around.insert("absent".to_owned(), difference.absent.into());
    }
    Some(around)
}

/// What to call something that can't be understood.
fn label(item: &Map, number: usize) -> String {
    let properties = item.get("properties").and_then(Value::as_object);
    let places = ["name", "registry_id", "id", "key", "host", "address"];
    let found = places.iter().find_map(|key| properties.unwrap_or(item).get(*key)?.as_str().filter(|text| !text.is_empty()));
    match found {
        // an address may have a password in it
        Some(text) if !text.contains('@') || item::is_masked(text) => text.to_owned(),
        _ => format!("number {}", number + 1),
    }
}
