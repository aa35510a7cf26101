//! From what a person typed to a registry that can be asked: the catalogue is read, the state of the entry checked, nothing connected.

use std::sync::Arc;

use super::args::TargetArgs;
use super::{Context, Exit, Refusal, prompt};
use crate::catalogue::{Address, Catalogue, Entry, Name, Place, RetentionRule, Target, TargetOptions};
use crate::connect::Way;
use crate::credentials::Credential;
use crate::oci::{Digest, Repository, Selector, Tag};
use crate::operations::Failure;
use crate::registry::Registry;

/// A registry that was meant, and the repository in it.
pub struct Opened {
    /// The registry.
    pub registry: Arc<dyn Registry>,
    /// Its address.
    pub address: String,
    /// The repository, in full.
    pub repository: Repository,
    /// What names a manifest in it.
    pub selector: Selector,
    /// The tag, if one was given.
    pub tag: Option<Tag>,
    /// The digest, if one was given.
    pub digest: Option<Digest>,
}

impl Opened {
    /// Whether both are the same repository of the same registry.
    pub fn is_same_repository(&self, other: &Opened) -> bool {
        self.registry.name() == other.registry.name() && self.address == other.address && self.repository == other.repository
    }
}

/// An image that was meant, with the way to its registry.
pub struct OpenedImage {
    /// The way to the registry.
    pub way: Way,
    /// The registry's address.
    pub address: Address,
    /// Its name and entry in the catalogue, if it is there.
    pub entry: Option<(Name, Entry)>,
    /// The repository, in full.
    pub repository: Repository,
    /// What names the image in it.
    pub selector: Selector,
}

/// A whole registry that was meant.
#[derive(Clone)]
pub struct OpenedRegistry {
    /// The registry.
    pub registry: Arc<dyn Registry>,
    /// Its address.
    pub address: String,
    /// The part of it that the entry is for.
    pub namespace: Option<String>,
    /// Repositories that the entry names, for servers that don't list.
    pub configured: Vec<Repository>,
}

/// A repository that was meant.
pub struct OpenedRepository {
    /// The registry.
    pub registry: Arc<dyn Registry>,
    /// Its address.
    pub address: String,
    /// The repository, in full.
    pub repository: Repository,
}

/// A registry of which all, or some repositories, were meant.
pub struct OpenedPart {
    /// The registry.
    pub opened: OpenedRegistry,
    /// Its name in the catalogue, if it is there.
    pub entry: Option<Name>,
    /// The rules that its entry has for cleaning up.
    pub retention: Vec<RetentionRule>,
    /// The repositories that were named; `None` means all.
    pub repositories: Option<Vec<Repository>>,
}

impl Context {
    /// Registries and repositories in any mixture; the default registry when none is named. Each registry is opened once.
    pub fn open_parts(&self, args: &TargetArgs, texts: &[String]) -> anyhow::Result<Vec<OpenedPart>> {
        let catalogue = self.catalogue()?;
        let shell_default = self.shell_default();
        let options = self.options(args, shell_default.as_deref());
        let mut wanted: Vec<(Place, Option<Vec<Repository>>)> = Vec::new();
        if texts.is_empty() {
            wanted.push((catalogue.target_registry(None, &options)?.place, None));
        }
        for text in texts {
            let target = catalogue.target(text, &options)?;
            if target.tag.is_some() || target.digest.is_some() {
                return Err(
                    Refusal::usage(format!("`{text}` names one image; this command takes registries and repositories")).into()
                );
            }
            let at = wanted.iter().position(|(place, _)| *place == target.place).unwrap_or_else(|| {
                wanted.push((target.place.clone(), Some(Vec::new())));
                wanted.len() - 1
            });
            match (&mut wanted[at].1, target.repository) {
                (Some(named), Some(repository)) if !named.contains(&repository) => named.push(repository),
                (Some(_), Some(_)) | (None, _) => {}
                (all, None) => *all = None,
            }
        }
        let places: Vec<&Place> = wanted.iter().map(|(place, _)| place).collect();
        let opened = self.open_places(&catalogue, &places, self.explicit(args)?)?;
        Ok(wanted
            .into_iter()
            .zip(opened)
            .map(|((place, repositories), opened)| part(&catalogue, place, opened, repositories))
            .collect())
    }

    /// All of an entry. `alone` says that no other registry is in play.
    pub fn open_entry(&self, args: &TargetArgs, name: &Name, alone: bool) -> anyhow::Result<OpenedPart> {
        let catalogue = self.catalogue()?;
        let explicit = self.explicit(args)?;
        if explicit.is_some() && !alone {
            return Err(for_one_only());
        }
        let place = Place::Entry(name.clone());
        let opened = self.open_place(&catalogue, &place, explicit, alone)?;
        Ok(part(&catalogue, place, opened, None))
    }

    /// A whole registry: by name, or the default one.
    pub fn open_registry(&self, args: &TargetArgs, text: Option<&str>) -> anyhow::Result<OpenedRegistry> {
        let catalogue = self.catalogue()?;
        let target = catalogue.target_registry(text, &self.options(args, self.shell_default().as_deref()))?;
        if let Some(repository) = &target.repository {
            return Err(Refusal::usage(format!("`{repository}` is a repository; this command takes a registry"))
                .hint(format!("regctl tag list {}", text.unwrap_or_default()))
                .into());
        }
        self.open_place(&catalogue, &target.place, self.explicit(args)?, true)
    }

    /// The way to the registry of an entry.
    pub fn entry_way(&self, name: &Name) -> anyhow::Result<Way> {
        self.way(&self.catalogue()?, &Place::Entry(name.clone()), None, true)
    }

    /// A repository.
    pub fn open_repository(&self, args: &TargetArgs, text: &str) -> anyhow::Result<OpenedRepository> {
        let (catalogue, place, repository) = self.find_repository(args, text)?;
        let opened = self.open_place(&catalogue, &place, self.explicit(args)?, true)?;
        Ok(OpenedRepository { registry: opened.registry, address: opened.address, repository })
    }

    /// A repository and the way to its registry.
    pub fn open_way(&self, args: &TargetArgs, text: &str) -> anyhow::Result<(Way, Repository)> {
        let (catalogue, place, repository) = self.find_repository(args, text)?;
        Ok((self.way(&catalogue, &place, self.explicit(args)?, true)?, repository))
    }

    fn find_repository(&self, args: &TargetArgs, text: &str) -> anyhow::Result<(Catalogue, Place, Repository)> {
        let catalogue = self.catalogue()?;
        let target = catalogue.target(text, &self.options(args, self.shell_default().as_deref()))?;
        if target.tag.is_some() || target.digest.is_some() {
            return Err(Refusal::usage(format!("`{text}` names one image; this command takes a repository")).into());
        }
        let repository = repository(&target, text)?;
        Ok((catalogue, target.place, repository))
    }

    /// A manifest by tag or digest.
    pub fn open_manifest(&self, args: &TargetArgs, text: &str) -> anyhow::Result<Opened> {
        self.open_one(args, text, None)
    }

    /// A manifest by tag or digest, or the tag `latest`.
    pub fn open_manifest_or_latest(&self, args: &TargetArgs, text: &str) -> anyhow::Result<Opened> {
        self.open_one(args, text, Some("latest".parse().expect("latest is a tag")))
    }

    /// An image by tag or digest, or the tag `latest`, for commands that need more of its registry than answers.
    pub fn open_image(&self, args: &TargetArgs, text: &str) -> anyhow::Result<OpenedImage> {
        let catalogue = self.catalogue()?;
        let target = catalogue.target(text, &self.options(args, self.shell_default().as_deref()))?;
        let repository = repository(&target, text)?;
        let selector = target.selector().unwrap_or_else(|| Selector::Tag("latest".parse().expect("latest is a tag")));
        let way = self.way(&catalogue, &target.place, self.explicit(args)?, true)?;
        let (address, entry) = match target.place {
            Place::AdHoc(address) => (address, None),
            Place::Entry(name) => {
                let entry = entry_of(&catalogue, &name).clone();
                (entry.address.clone().expect("there is no way to an entry without an address"), Some((name, entry)))
            }
        };
        Ok(OpenedImage { way, address, entry, repository, selector })
    }

    /// A blob.
    pub fn open_blob(&self, args: &TargetArgs, text: &str) -> anyhow::Result<(Opened, Digest)> {
        let opened = self.open_one(args, text, None)?;
        match opened.digest.clone() {
            Some(digest) => Ok((opened, digest)),
            None => Err(Refusal::usage(format!("`{text}` names no blob")).hint("name it as REPOSITORY@DIGEST").into()),
        }
    }

    /// The registries and repositories of saved plans, by exactly the names in them. Each registry is opened once.
    pub fn open_planned(&self, planned: &[(&str, &Repository)]) -> anyhow::Result<Vec<OpenedRepository>> {
        let catalogue = self.catalogue()?;
        let find = |registry| Ok(catalogue.target_registry(Some(registry), &TargetOptions::default())?.place);
        let places = planned.iter().map(|(registry, _)| find(registry)).collect::<anyhow::Result<Vec<Place>>>()?;
        let opened = self.open_places(&catalogue, &places.iter().collect::<Vec<_>>(), None)?;
        let repositories = planned.iter().map(|(_, repository)| (*repository).clone());
        Ok(opened
            .into_iter()
            .zip(repositories)
            .map(|(opened, repository)| OpenedRepository { registry: opened.registry, address: opened.address, repository })
            .collect())
    }

    /// Manifests by tag or digest. Each registry is opened once.
    pub fn open_manifests(&self, args: &TargetArgs, texts: &[String]) -> anyhow::Result<Vec<Opened>> {
        self.open(args, texts, None)
    }

    fn open_one(&self, args: &TargetArgs, text: &str, otherwise: Option<Tag>) -> anyhow::Result<Opened> {
        Ok(self.open(args, &[text.to_owned()], otherwise)?.remove(0))
    }

    fn open(&self, args: &TargetArgs, texts: &[String], otherwise: Option<Tag>) -> anyhow::Result<Vec<Opened>> {
        let catalogue = self.catalogue()?;
        let default = self.shell_default();
        let options = self.options(args, default.as_deref());
        let mut named = Vec::with_capacity(texts.len());
        for text in texts {
            let target = catalogue.target(text, &options)?;
            let repository = repository(&target, text)?;
            let Some(selector) = target.selector().or_else(|| otherwise.clone().map(Selector::Tag)) else {
                return Err(Refusal::usage(format!("`{text}` has no tag and no digest"))
                    .hint(format!("regctl tag list {text}"))
                    .into());
            };
            named.push((target, repository, selector));
        }
        let places: Vec<&Place> = named.iter().map(|(target, ..)| &target.place).collect();
        let opened = self.open_places(&catalogue, &places, self.explicit(args)?)?;
        let meant = named.into_iter().zip(opened).map(|((target, repository, selector), opened)| {
            let tag = if let Selector::Tag(tag) = &selector { Some(tag.clone()) } else { target.tag };
            let (registry, address, digest) = (opened.registry, opened.address, target.digest);
            Opened { registry, address, repository, selector, tag, digest }
        });
        Ok(meant.collect())
    }

    /// Registries in the order of `places`, each opened once.
    ///
    /// # Errors
    /// When one of them may not be asked, or one credential was given for several of them.
    fn open_places(
        &self,
        catalogue: &Catalogue,
        places: &[&Place],
        explicit: Option<Credential>,
    ) -> anyhow::Result<Vec<OpenedRegistry>> {
        let alone = places.iter().all(|place| *place == places[0]);
        if explicit.is_some() && !alone {
            return Err(for_one_only());
        }
        let mut known: Vec<(&Place, OpenedRegistry)> = Vec::new();
        let mut opened = Vec::with_capacity(places.len());
        for place in places {
            let registry = match known.iter().find(|(other, _)| other == place) {
                Some((_, registry)) => registry.clone(),
                None => {
                    let registry = self.open_place(catalogue, place, explicit.clone(), alone)?;
                    known.push((place, registry.clone()));
                    registry
                }
            };
            opened.push(registry);
        }
        Ok(opened)
    }

    /// `alone` says that no other registry is in play.
    fn open_place(
        &self,
        catalogue: &Catalogue,
        place: &Place,
        explicit: Option<Credential>,
        alone: bool,
    ) -> anyhow::Result<OpenedRegistry> {
        let registry = Arc::clone(self.way(catalogue, place, explicit, alone)?.registry());
        Ok(match place {
            Place::AdHoc(address) => {
                OpenedRegistry { registry, address: address.to_string(), namespace: None, configured: Vec::new() }
            }
            Place::Entry(name) => {
                let entry = entry_of(catalogue, name);
                OpenedRegistry {
                    registry,
                    address: entry.address.as_ref().map(ToString::to_string).unwrap_or_default(),
                    namespace: entry.namespace.as_ref().map(ToString::to_string),
                    configured: entry.repositories.clone(),
                }
            }
        })
    }

    /// The way to a registry, unless its state forbids to go it.
    fn way(&self, catalogue: &Catalogue, place: &Place, explicit: Option<Credential>, alone: bool) -> anyhow::Result<Way> {
        let connector = self.connector(explicit);
        let name = match place {
            Place::AdHoc(address) => return Ok(connector.ad_hoc_way(address)?),
            Place::Entry(name) => name,
        };
        let entry = catalogue.usable(name)?;
        self.warn_of_unverified(name, entry);
        Ok(connector.way(name, entry, alone)?)
    }

    /// Says so at every use, when certificates are not verified (SPEC §3).
    pub(super) fn warn_of_unverified(&self, name: &Name, entry: &Entry) {
        if entry.address.as_ref().is_some_and(Address::is_ssl) && !entry.tls.is_verified() {
            self.printer.warn(format!("certificates of {name} are not verified"));
        }
    }

    /// The credential of the command line.
    pub(super) fn explicit(&self, args: &TargetArgs) -> anyhow::Result<Option<Credential>> {
        match (&args.username, args.password_stdin) {
            (Some(username), true) => {
                if let Some(known) = self.password.get() {
                    return Ok(Some(Credential::new(username, known.clone())));
                }
                let password = prompt::password_from_stdin()?;
                let password = self.password.get_or_init(|| password).clone();
                Ok(Some(Credential::new(username, password)))
            }
            _ => Ok(None),
        }
    }

    fn shell_default(&self) -> Option<String> {
        self.environment.var("REGCTL_REGISTRY")
    }

    fn options<'a>(&self, args: &'a TargetArgs, default: Option<&'a str>) -> TargetOptions<'a> {
        TargetOptions { registry: args.registry.as_deref(), default, plain_http: false }
    }

    /// Tells what failed while the rest went on, and how the command ends.
    pub fn report_failures(&self, failed: Vec<Failure>) -> Exit {
        for failure in &failed {
            self.printer.failed(format!("{}: {}", failure.name, failure.error));
        }
        if failed.is_empty() { Exit::Done } else { Exit::Partial }
    }
}

/// One credential can't be meant for several registries.
fn for_one_only() -> anyhow::Error {
    Refusal::usage("--username and --password-stdin are for one registry, and this is about several")
        .hint("store one for each: regctl login NAME; or set REGCTL_<NAME>_USERNAME and REGCTL_<NAME>_PASSWORD")
        .into()
}

fn part(catalogue: &Catalogue, place: Place, opened: OpenedRegistry, repositories: Option<Vec<Repository>>) -> OpenedPart {
    let entry = if let Place::Entry(name) = place { Some(name) } else { None };
    let known = entry.as_ref().and_then(|name| catalogue.get(name.as_str()));
    let retention = known.map(|entry| entry.retention.clone()).unwrap_or_default();
    OpenedPart { opened, entry, retention, repositories }
}

fn entry_of<'a>(catalogue: &'a Catalogue, name: &Name) -> &'a Entry {
    catalogue.get(name.as_str()).expect("a target's entry is in the catalogue it came from")
}

/// The repository of a target that has to have one.
fn repository(target: &Target, text: &str) -> anyhow::Result<Repository> {
    target.repository.clone().ok_or_else(|| {
        Refusal::usage(format!("`{text}` is a registry; this command takes a repository"))
            .hint(format!("regctl repo list {text}"))
            .into()
    })
}
