//! What a token is good for: `repository:team/app:pull,delete` (Docker token authentication, "scope").

use std::borrow::Cow;
use std::fmt;

/// A resource and what may be done with it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Scope {
    /// `type:name`, such as `repository:team/app`.
    resource: String,
    /// In order and without duplicates.
    actions: Vec<Cow<'static, str>>,
}

impl Scope {
    /// These actions (`pull`, `push`, `delete`, `*`) on a repository.
    pub fn repository(name: &str, actions: &[&'static str]) -> Scope {
        let actions = actions.iter().map(|action| Cow::Borrowed(*action)).collect();
        Scope { resource: ["repository:", name].concat(), actions: set(actions) }
    }

    /// Listing the repositories. The one wildcard that is asked for without need: there is no narrower one.
    pub fn catalog() -> Scope {
        Scope { resource: "registry:catalog".to_owned(), actions: vec![Cow::Borrowed("*")] }
    }

    /// Reads one scope. The name may hold a port, so the actions are what follows the last colon. A text without actions is kept as
    /// it is: it is the server's own word and goes back to the server.
    fn parse(text: &str) -> Scope {
        match text.rsplit_once(':') {
            Some((resource, actions)) if resource.contains(':') => Scope {
                resource: resource.to_owned(),
                actions: set(actions
                    .split(',')
                    .filter(|action| !action.is_empty())
                    .map(|action| action.to_owned().into())
                    .collect()),
            },
            _ => Scope { resource: text.to_owned(), actions: Vec::new() },
        }
    }

    /// The actions, for "the credential lacks `delete`".
    pub fn actions(&self) -> String {
        self.actions.join(",")
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.resource)?;
        if !self.actions.is_empty() {
            write!(f, ":{}", self.actions())?;
        }
        Ok(())
    }
}

/// The same as a set.
fn set<T: Ord>(mut members: Vec<T>) -> Vec<T> {
    members.sort_unstable();
    members.dedup();
    members
}

/// Several scopes, in order and without duplicates, so that equal needs share one token.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Scopes(Vec<Scope>);

impl Scopes {
    /// Reads the `scope` parameter of a challenge: scopes with spaces between them. What no scope is made of is left out, because
    /// scopes stand in messages.
    pub(super) fn parse(text: &str) -> Scopes {
        let text: String = text.chars().filter(|c| c.is_ascii_graphic() || *c == ' ').collect();
        Scopes(set(text.split(' ').filter(|scope| !scope.is_empty()).map(Scope::parse).collect()))
    }

    /// Adds one.
    pub fn with(mut self, scope: Scope) -> Scopes {
        self.0.push(scope);
        Scopes(set(self.0))
    }

    /// Whether nothing is asked for.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Each scope.
    pub fn iter(&self) -> impl Iterator<Item = &Scope> {
        self.0.iter()
    }

    /// The same for a token server that doesn't know `delete` (Quay): `*` in its place. `None` when nothing changes.
    pub(super) fn delete_as_wildcard(&self) -> Option<Scopes> {
        let widen = |scope: &Scope| match scope.actions.iter().any(|action| action == "delete") {
            true => Scope { resource: scope.resource.clone(), actions: vec![Cow::Borrowed("*")] },
            false => scope.clone(),
        };
        let widened = Scopes(set(self.0.iter().map(widen).collect()));
        (widened != *self).then_some(widened)
    }

    /// The same for a token server that knows only repositories (Quay): the rest left out. `None` when nothing changes.
    pub(super) fn repositories_only(&self) -> Option<Scopes> {
        let kept: Vec<Scope> = self.0.iter().filter(|scope| scope.resource.starts_with("repository")).cloned().collect();
        (kept.len() != self.0.len()).then_some(Scopes(kept))
    }
}

impl From<Scope> for Scopes {
    fn from(scope: Scope) -> Scopes {
        Scopes::default().with(scope)
    }
}

impl fmt::Display for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, scope) in self.0.iter().enumerate() {
            let gap = if position == 0 { "" } else { " " };
            write!(f, "{gap}{scope}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grammar() {
        for (text, resource, actions) in [
            ("repository:team/app:pull,push", "repository:team/app", "pull,push"),
            ("repository:host:5000/app:pull", "repository:host:5000/app", "pull"),
            ("repository(plugin):a:pull", "repository(plugin):a", "pull"),
            ("registry:catalog:*", "registry:catalog", "*"),
            ("aws", "aws", ""),
            ("a:b", "a:b", ""),
            ("repository:a:", "repository:a", ""),
        ] {
            let scope = Scope::parse(text);
            assert_eq!((scope.resource.as_str(), scope.actions().as_str()), (resource, actions), "{text}");
        }
    }

    #[test]
    fn equal_needs_are_equal() {
        let a = Scopes::parse("repository:b:push,pull  repository:a:pull repository:a:pull");
        assert_eq!(a.to_string(), "repository:a:pull repository:b:pull,push");
        assert_eq!(a, Scopes::from(Scope::repository("a", &["pull"])).with(Scope::repository("b", &["pull", "push"])));
    }

    #[test]
    fn what_a_terminal_obeys_is_no_part_of_a_scope() {
        assert_eq!(Scopes::parse("repository:a\u{1b}[2J\u{202e}:pull").to_string(), "repository:a[2J:pull");
    }

    #[test]
    fn what_quay_understands() {
        let delete = Scopes::from(Scope::repository("a", &["pull", "delete"]));
        assert_eq!(delete.delete_as_wildcard().unwrap().to_string(), "repository:a:*");
        assert_eq!(Scopes::from(Scope::repository("a", &["pull"])).delete_as_wildcard(), None);
        assert!(Scopes::from(Scope::catalog()).repositories_only().unwrap().is_empty());
        assert_eq!(delete.repositories_only(), None);
    }
}
