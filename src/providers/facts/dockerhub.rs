//! Docker Hub: each repository of a namespace has its size in the list of them. There is no quota of bytes to be seen, and no rule.

use crate::registry::Storage;

/// What asking takes.
pub(crate) const NEEDS: &str = "your Docker ID and a personal access token";

/// The sum of what repositories use, where all of them tell.
pub(crate) fn storage(namespace: &str, sizes: &[Option<u64>]) -> Storage {
    let used = sizes.iter().try_fold(0_u64, |sum, size| Some(sum.saturating_add((*size)?)));
    Storage::used(namespace, used)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_unknown_size_makes_the_sum_unknown() {
        assert_eq!(storage("acme", &[Some(1), Some(2)]).used, Some(3));
        assert_eq!(storage("acme", &[Some(1), None]).used, None);
        assert_eq!(storage("acme", &[]).used, Some(0));
    }
}
