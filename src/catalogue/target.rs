//! Which registry and repository a reference on the command line means (SPEC §5): `[REGISTRY/]REPOSITORY[:TAG][@DIGEST]`.

use super::address::canonical_host;
use super::error::{Error, Result};
use super::invalid::Invalid;
use super::lookup::{ambiguous, split_host};
use super::{Address, Catalogue, Entry, Name, State};
use crate::near_miss::nearest;
use crate::oci::{Digest, Reference, Repository, Selector, Tag};
use crate::registry::Kind;

/// Names shorter than this are never taken for a slip of another: `dev/app` and `deb/app` are both what someone meant.
const SLIP_MIN: usize = 4;

/// What besides the reference itself decides where it points.
#[derive(Debug, Clone, Copy, Default)]
pub struct TargetOptions<'a> {
    /// The registry that was named apart (`-r`): the whole reference is a repository then.
    pub registry: Option<&'a str>,
    /// The default of this shell (`REGCTL_REGISTRY`), before that of the catalogue.
    pub default: Option<&'a str>,
    /// Whether hosts that are not in the catalogue may be asked without TLS.
    pub plain_http: bool,
}

/// Where a registry is found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// In the catalogue.
    Entry(Name),
    /// Nowhere: it was named by its host.
    AdHoc(Address),
}

/// What a reference means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Which registry.
    pub place: Place,
    /// The repository by its full name on the server; `None` means the whole registry.
    pub repository: Option<Repository>,
    /// The tag, if one was given.
    pub tag: Option<Tag>,
    /// The digest, if one was given; it decides when both are there.
    pub digest: Option<Digest>,
}

impl Target {
    fn whole(place: Place) -> Target {
        Target { place, repository: None, tag: None, digest: None }
    }

    /// What to ask the server for: the digest, else the tag.
    pub fn selector(&self) -> Option<Selector> {
        match (&self.digest, &self.tag) {
            (Some(digest), _) => Some(digest.clone().into()),
            (None, Some(tag)) => Some(tag.clone().into()),
            (None, None) => None,
        }
    }
}

impl Catalogue {
    /// Which registry, for commands that take one: `text`, else `-r`, else the default. It may hold a repository too, when the person
    /// gave one.
    ///
    /// # Errors
    /// When there is none, or it can't be told which.
    pub fn target_registry(&self, text: Option<&str>, options: &TargetOptions<'_>) -> Result<Target> {
        match text {
            None => Ok(Target::whole(self.place(options)?)),
            Some(text) if options.registry.is_some() || text.contains('/') => self.target(text, options),
            Some(text) => Ok(Target::whole(self.named(text, options)?)),
        }
    }

    /// Which repository and, if given, which tag and digest. A bare registry means all of it.
    ///
    /// # Errors
    /// When the grammar is broken, no registry fits or more than one, or there is no default and one is needed.
    pub fn target(&self, text: &str, options: &TargetOptions<'_>) -> Result<Target> {
        if text.is_empty() {
            return Err(text.parse::<Reference>().expect_err("nothing is no reference").into());
        }
        if text.starts_with("oci:") {
            return Err(Error::Layout);
        }
        if let Some((_, rest)) = text.split_once("://") {
            return Err(Invalid::value(text, "a reference", "it has no scheme").hint(format!("write {rest}")).into());
        }
        if options.registry.is_some() {
            let place = self.place(options)?;
            return self.within(place, text.strip_prefix("//").unwrap_or(text), text.starts_with("//"));
        }
        if let Some(rest) = text.strip_prefix("//") {
            return self.within(self.place(options)?, rest, true);
        }
        let Some((first, rest)) = text.split_once('/') else { return self.target_of_one_part(text, options) };
        if let Some((name, _)) = self.entries.get_key_value(first) {
            let place = Place::Entry(name.clone());
            return self.within(place, rest.strip_prefix('/').unwrap_or(rest), rest.starts_with('/'));
        }
        if looks_like_host(first) {
            return self.at_host(first, rest, options);
        }
        // no repository is called so: `//` stands behind the name of an entry
        if rest.starts_with('/') {
            return Err(self.not_found(first));
        }
        // `prdo/web` must not quietly become a repository of the default registry when there is a `prod`
        if first.len() >= SLIP_MIN
            && let Some(name) = nearest(first, self.entries.keys().map(Name::as_str))
        {
            return Err(Error::NotFound { given: first.to_owned(), suggestion: Some(name.to_owned()) });
        }
        match self.place(options) {
            Err(Error::NoDefault) => Err(self.not_found(first)),
            place => self.within(place?, text, false),
        }
    }

    /// Text without a slash: a registry by its name or by the host of an entry, else a repository of the default registry.
    fn target_of_one_part(&self, text: &str, options: &TargetOptions<'_>) -> Result<Target> {
        if let Some((name, _)) = self.entries.get_key_value(text) {
            return Ok(Target::whole(Place::Entry(name.clone())));
        }
        if looks_like_host(text) {
            let here = self.on_host(text);
            match here.as_slice() {
                [] if is_address(text) => return Ok(Target::whole(Place::AdHoc(Address::read(text, options.plain_http)?.0))),
                [] => {}
                [(name, _)] => return Ok(Target::whole(Place::Entry((*name).clone()))),
                many => return Err(ambiguous(text, many.iter().map(|(name, _)| *name))),
            }
        }
        self.within(self.place(options)?, text, false)
    }

    /// The registry that is meant when the reference doesn't say: `-r`, else the shell's default, else the catalogue's.
    fn place(&self, options: &TargetOptions<'_>) -> Result<Place> {
        if let Some(given) = options.registry {
            return self.named(given, options);
        }
        if let Some(given) = options.default {
            return match self.named(given, options) {
                Err(Error::NotFound { given, .. }) => Err(Error::GhostDefault { name: given }),
                place => place,
            };
        }
        let name = self.default_name().ok_or(Error::NoDefault)?;
        match self.entries.get_key_value(name) {
            Some((name, _)) => Ok(Place::Entry(name.clone())),
            None => Err(Error::GhostDefault { name: name.to_owned() }),
        }
    }

    /// A registry by itself: an entry by any of its names, else a host.
    fn named(&self, given: &str, options: &TargetOptions<'_>) -> Result<Place> {
        match self.find(given) {
            Ok((name, _)) => Ok(Place::Entry(name.clone())),
            Err(Error::NotFound { .. }) if looks_like_host(given) => Ok(Place::AdHoc(Address::read(given, options.plain_http)?.0)),
            Err(error) => Err(error),
        }
    }

    /// A reference within a registry. `absolute` leaves the namespace out.
    fn within(&self, place: Place, text: &str, absolute: bool) -> Result<Target> {
        if text.is_empty() {
            return Ok(Target::whole(place));
        }
        let reference: Reference = text.parse()?;
        let mut repository = reference.repository;
        let entry = match &place {
            Place::Entry(name) => self.entries.get(name),
            Place::AdHoc(_) => None,
        };
        if let Some(namespace) = entry.and_then(|entry| entry.namespace.as_ref())
            && !absolute
            && !is_inside(&repository, namespace)
        {
            repository = format!("{namespace}/{repository}").parse()?;
        }
        let is_hub = match (&place, entry) {
            (Place::AdHoc(address), _) => address.is_docker_hub(),
            (_, Some(entry)) => entry.is_docker_registry() || entry.kind() == Kind::Dockerhub,
            (_, None) => false,
        };
        if is_hub && !repository.as_str().contains('/') {
            repository = format!("library/{repository}").parse()?;
        }
        Ok(Target { place, repository: Some(repository), tag: reference.tag, digest: reference.digest })
    }

    /// A reference that begins with a host. What follows is the full name on that server: the entry's namespace helps to choose among
    /// several entries, and is not put before it.
    fn at_host(&self, host: &str, rest: &str, options: &TargetOptions<'_>) -> Result<Target> {
        let mut candidates: Vec<(&Name, &Entry, &str)> = self
            .on_host(host)
            .into_iter()
            .filter_map(|(name, entry)| {
                let path = entry.address.as_ref()?.path().trim_start_matches('/');
                let rest = if path.is_empty() { rest } else { rest.strip_prefix(path)?.strip_prefix('/')? };
                Some((name, entry, rest))
            })
            .collect();
        if candidates.iter().any(|(_, entry, _)| entry.state == State::Active) {
            candidates.retain(|(_, entry, _)| entry.state == State::Active);
        }
        // longest namespace that the repository lies in; an entry without one holds everything
        let depth = |(_, entry, rest): &(&Name, &Entry, &str)| match &entry.namespace {
            None => Some(0),
            Some(namespace) => rest.strip_prefix(namespace.as_str())?.starts_with('/').then(|| namespace.as_str().len()),
        };
        if let Some(deepest) = candidates.iter().filter_map(depth).max() {
            candidates.retain(|candidate| depth(candidate) == Some(deepest));
        }
        match candidates.as_slice() {
            [] => self.within(Place::AdHoc(Address::read(host, options.plain_http)?.0), rest, true),
            [(name, _, rest)] => self.within(Place::Entry((*name).clone()), rest, true),
            many => Err(ambiguous(&format!("{host}/{rest}"), many.iter().map(|(name, ..)| *name))),
        }
    }

    /// The entries at `host[:port]` that are not removed. Without a port the scheme's own is meant.
    fn on_host(&self, text: &str) -> Vec<(&Name, &Entry)> {
        let text = text.to_ascii_lowercase();
        let (host, port) = split_host(&text);
        let fits = |address: &Address| {
            let expected = port.map_or(Ok(address.scheme().default_port()), str::parse);
            canonical_host(address.host()) == canonical_host(host) && expected == Ok(address.port())
        };
        let here = |entry: &Entry| entry.state != State::Removed && entry.address.as_ref().is_some_and(fits);
        self.entries.iter().filter(|(_, entry)| here(entry)).collect()
    }
}

fn is_inside(repository: &Repository, namespace: &Repository) -> bool {
    repository.as_str().strip_prefix(namespace.as_str()).is_some_and(|rest| rest.starts_with('/'))
}

/// Whether the first part of a reference is a host rather than the beginning of a repository, by the rule that Docker set.
fn looks_like_host(text: &str) -> bool {
    text.contains(['.', ':']) || text == "localhost"
}

/// Whether text that stands alone can only be a host: `app:8080` and `my.app` may be repositories, these can't.
fn is_address(text: &str) -> bool {
    let (host, port) = split_host(text);
    let numbered = port.is_none_or(|port| port.parse::<u16>().is_ok());
    numbered && (host == "localhost" || host.starts_with('[') || host.parse::<std::net::Ipv4Addr>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::Adding;
    use jiff::Timestamp;
    use proptest::prelude::*;

    fn catalogue() -> Catalogue {
        let mut catalogue = Catalogue::default();
        for (name, address, namespace, state) in [
            ("prod", "https://harbor.example.com", Some("team-a"), State::Active),
            ("deep", "https://harbor.example.com", Some("team-a/deep"), State::Active),
            ("all", "https://harbor.example.com:8443", None, State::Active),
            ("hub", "https://docker.io", None, State::Active),
            ("lab", "http://localhost:5000", None, State::Active),
            ("twin", "http://twins.example", None, State::Active),
            ("twin-off", "http://twins.example", None, State::Inactive),
            ("one", "https://same.example", None, State::Active),
            ("two", "https://same.example", None, State::Active),
            ("inner", "https://proxy.example/docker/v", Some("x"), State::Active),
        ] {
            let namespace = namespace.map(|text| text.parse().unwrap());
            let entry = Entry { namespace, state, ..Entry::at(address.parse().unwrap()) };
            let how = Adding { allow_duplicate: true, ..Adding::default() };
            catalogue.add(name.parse().unwrap(), entry, how, Timestamp::UNIX_EPOCH).unwrap();
        }
        catalogue
    }

    /// `registry | repository | tag-or-digest` in short.
    fn shown(target: Result<Target>) -> String {
        match target {
            Ok(target) => {
                let place = match &target.place {
                    Place::Entry(name) => name.to_string(),
                    Place::AdHoc(address) => address.to_string(),
                };
                let repository = target.repository.as_ref().map_or("*", Repository::as_str);
                let selector = target.selector().map_or(String::new(), |selector| format!(" {selector}"));
                format!("{place} {repository}{selector}")
            }
            Err(error) => format!("! {error}"),
        }
    }

    #[test]
    fn references() {
        let catalogue = catalogue();
        let digest = format!("sha256:{}", "a".repeat(64));
        for (text, expected) in [
            // the default, which is prod
            ("web", "prod team-a/web"),
            ("web:v1", "prod team-a/web v1"),
            ("web:8080", "prod team-a/web 8080"),
            ("my.app", "prod team-a/my.app"),
            ("my.app:1.0", "prod team-a/my.app 1.0"),
            ("sub/web", "prod team-a/sub/web"),
            ("team-a/web", "prod team-a/web"),
            ("//other/app", "prod other/app"),
            ("//app:v1", "prod app v1"),
            // an entry by name
            ("prod/web:v1", "prod team-a/web v1"),
            ("prod/team-a/web", "prod team-a/web"),
            ("prod//other/app", "prod other/app"),
            ("prod", "prod *"),
            ("prod/", "prod *"),
            ("lab/app", "lab app"),
            (&format!("lab/app:v1@{digest}"), &format!("lab app {digest}")),
            // Docker Hub alone has a library
            ("hub/nginx", "hub library/nginx"),
            ("hub/acme/web", "hub acme/web"),
            ("docker.io/nginx:1", "hub library/nginx 1"),
            ("registry-1.docker.io/library/nginx", "hub library/nginx"),
            ("ghcr.io/nginx", "https://ghcr.io nginx"),
            // an entry by host, where the name is the full one
            ("harbor.example.com/team-a/web", "prod team-a/web"),
            ("HARBOR.example.com:443/team-a/web", "prod team-a/web"),
            ("harbor.example.com/team-a/deep/web", "deep team-a/deep/web"),
            ("harbor.example.com/team-a/deepest/web", "prod team-a/deepest/web"),
            ("harbor.example.com:8443/any/thing", "all any/thing"),
            ("harbor.example.com:8443", "all *"),
            ("localhost:5000/app", "lab app"),
            ("twins.example/app", "twin app"),
            ("proxy.example/docker/v/x/app", "inner x/app"),
            // hosts that nobody has added
            ("127.0.0.1:5000/app:v1", "http://127.0.0.1:5000 app v1"),
            ("localhost/app", "http://localhost app"),
            ("localhost:5001", "http://localhost:5001 *"),
            ("quay.io/org/app", "https://quay.io org/app"),
            ("proxy.example/elsewhere/app", "https://proxy.example elsewhere/app"),
        ] {
            assert_eq!(shown(catalogue.target(text, &TargetOptions::default())), expected, "{text}");
        }
    }

    #[test]
    fn a_registry_named_apart() {
        let catalogue = catalogue();
        for (registry, text, expected) in [
            ("lab", "prod/web", "lab prod/web"),
            ("lab", "localhost/web:v1", "lab localhost/web v1"),
            ("prod", "web", "prod team-a/web"),
            ("prod", "//web", "prod web"),
            ("quay.io", "org/app", "https://quay.io org/app"),
            ("prdo", "web", "! no registry called prdo"),
        ] {
            let options = TargetOptions { registry: Some(registry), ..TargetOptions::default() };
            assert_eq!(shown(catalogue.target(text, &options)), expected, "-r {registry} {text}");
        }
    }

    #[test]
    fn the_default_of_the_shell_comes_first() {
        let catalogue = catalogue();
        let with = |default| TargetOptions { default: Some(default), ..TargetOptions::default() };
        assert_eq!(shown(catalogue.target("app", &with("lab"))), "lab app");
        assert_eq!(shown(catalogue.target("app", &with("localhost:5000"))), "lab app");
        assert_eq!(shown(catalogue.target("app", &with("quay.io"))), "https://quay.io app");
        assert!(matches!(catalogue.target("app", &with("ghost")), Err(Error::GhostDefault { .. })));
        let mut none = catalogue.clone();
        none.clear_default();
        assert!(matches!(none.target("app", &TargetOptions::default()), Err(Error::NoDefault)));
        assert!(matches!(none.target("xy/app", &TargetOptions::default()), Err(Error::NotFound { .. })));
    }

    #[test]
    fn what_can_not_be_told() {
        let catalogue = catalogue();
        for (text, expected) in [
            ("prdo/web", "! no registry called prdo"),
            ("xy//web", "! no registry called xy"),
            ("same.example/app", "! same.example/app fits more than one registry: one, two"),
            ("same.example", "! same.example fits more than one registry: one, two"),
            ("harbor.example.com/other/app", "! harbor.example.com/other/app fits more than one registry: deep, prod"),
        ] {
            assert_eq!(shown(catalogue.target(text, &TargetOptions::default())), expected, "{text}");
        }
        for bad in [
            "",
            "Web",
            "web:",
            "web@sha256:1",
            "prod/Web",
            "prod/web:a b",
            "https://x.example/app",
            "prod///x",
            "quay.io:99999/x",
            "a\u{1b}[2J",
        ] {
            assert!(catalogue.target(bad, &TargetOptions::default()).is_err(), "{bad}");
        }
        assert!(matches!(catalogue.target("oci:./layout:v1", &TargetOptions::default()), Err(Error::Layout)));
    }

    #[test]
    fn where_a_registry_is_wanted() {
        let catalogue = catalogue();
        for (text, expected) in [
            (None, "prod *"),
            (Some("lab"), "lab *"),
            (Some("localhost:5000"), "lab *"),
            (Some("registry.example.org"), "https://registry.example.org *"),
            (Some("lab/app"), "lab app"),
            (Some("prdo"), "! no registry called prdo"),
            (Some("harbor.example.com"), "! harbor.example.com fits more than one registry: all, deep, prod"),
        ] {
            assert_eq!(shown(catalogue.target_registry(text, &TargetOptions::default())), expected, "{text:?}");
        }
    }

    #[test]
    fn plain_http_to_a_stranger_has_to_be_asked_for() {
        let options = TargetOptions { plain_http: true, ..TargetOptions::default() };
        assert_eq!(shown(Catalogue::default().target("10.0.0.7:5000/app", &options)), "http://10.0.0.7:5000 app");
        assert_eq!(shown(Catalogue::default().target("10.0.0.7:5000/app", &TargetOptions::default())), "https://10.0.0.7:5000 app");
    }

    proptest! {
        #[test]
        fn any_text_is_answered(text in "[a-z0-9./:@-]{0,30}|.{0,40}") {
            let catalogue = catalogue();
            let _ = catalogue.target(&text, &TargetOptions::default());
            let _ = catalogue.target_registry(Some(&text), &TargetOptions::default());
        }

        #[test]
        fn full_references_read_back(name in "(prod|lab|hub)", repository in "[a-z0-9]{1,8}(/[a-z0-9]{1,8}){0,2}", tag in "[a-z0-9]{1,8}") {
            let catalogue = catalogue();
            let first = catalogue.target(&format!("{name}/{repository}:{tag}"), &TargetOptions::default()).unwrap();
            let full = format!("{name}/{}:{tag}", first.repository.as_ref().unwrap());
            prop_assert_eq!(catalogue.target(&full, &TargetOptions::default()).unwrap(), first);
        }
    }
}
