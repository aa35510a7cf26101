//! What a person probably meant: the one known word that is close to the one they typed.

/// The candidate nearest to `word`, if it is close enough to be a slip of the fingers and no other is as close.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_lowercase();
    // one slip in short words, one in three characters in longer ones
    let limit = (word.chars().count() / 3).max(1);
    let mut best: Option<(usize, &str)> = None;
    let mut tie = false;
    for candidate in candidates {
        let distance = strsim::damerau_levenshtein(&word, &candidate.to_lowercase());
        if distance > limit || distance >= candidate.chars().count() {
            continue;
        }
        match best {
            Some((least, _)) if distance > least => {}
            Some((least, known)) if distance == least => tie |= known != candidate,
            _ => {
                best = Some((distance, candidate));
                tie = false;
            }
        }
    }
    best.filter(|_| !tie).map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn slips_are_found_and_strangers_are_not() {
        let known = ["prod", "hub", "oldlab", "Monday"];
        for (word, expected) in [
            ("prdo", Some("prod")),
            ("Prod", Some("prod")),
            ("huv", Some("hub")),
            ("Modnday", Some("Monday")),
            ("staging", None),
            ("", None),
            ("x", None),
        ] {
            assert_eq!(nearest(word, known), expected, "{word}");
        }
    }

    #[test]
    fn a_tie_suggests_nothing() {
        assert_eq!(nearest("prod", ["prod1", "prod2"]), None);
    }
}
