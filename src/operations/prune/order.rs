//! The order of tags that says what came first when dates don't: digits count as numbers, so that `ci-10` is after `ci-9`.

use std::cmp::Ordering;

/// Compares two names as a person does.
pub fn natural(a: &str, b: &str) -> Ordering {
    let (mut left, mut right) = (a, b);
    while let (Some(one), Some(other)) = (left.chars().next(), right.chars().next()) {
        let order = if one.is_ascii_digit() && other.is_ascii_digit() {
            let (number, rest) = number(left);
            let (other_number, other_rest) = self::number(right);
            (left, right) = (rest, other_rest);
            // no leading zeros: more digits are a larger number
            number.len().cmp(&other_number.len()).then_with(|| number.cmp(other_number))
        } else {
            (left, right) = (&left[one.len_utf8()..], &right[other.len_utf8()..]);
            one.cmp(&other)
        };
        if order.is_ne() {
            return order;
        }
    }
    // what differs in leading zeros only still needs an order
    left.len().cmp(&right.len()).then_with(|| a.cmp(b))
}

/// The digits that `text` begins with, less leading zeros, and what follows them.
fn number(text: &str) -> (&str, &str) {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    (text[..end].trim_start_matches('0'), &text[end..])
}

/// A name with each run of digits as `#`: names of one shape are a series, such as `ci-1` and `ci-20`.
pub fn shape(name: &str) -> String {
    let mut shape = String::with_capacity(name.len());
    for c in name.chars() {
        match c {
            '0'..='9' if shape.ends_with('#') => {}
            '0'..='9' => shape.push('#'),
            c => shape.push(c),
        }
    }
    shape
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn digits_are_numbers() {
        let mut names = ["ci-10", "ci-9", "ci-010", "ci-100", "ci", "b", "v1.10.0", "v1.9.1", "ci-9a"];
        names.sort_by(|a, b| natural(a, b));
        assert_eq!(names, ["b", "ci", "ci-9", "ci-9a", "ci-010", "ci-10", "ci-100", "v1.9.1", "v1.10.0"]);
        assert_eq!(
            (shape("ci-2210").as_str(), shape("v1.20.3-rc.1").as_str(), shape("latest").as_str()),
            ("ci-#", "v#.#.#-rc.#", "latest")
        );
    }

    proptest! {
        #[test]
        fn it_is_an_order(a in "[a-b0-2.]{0,6}", b in "[a-b0-2.]{0,6}", c in "[a-b0-2.]{0,6}") {
            prop_assert_eq!(natural(&a, &b), natural(&b, &a).reverse());
            prop_assert_eq!(natural(&a, &b).is_eq(), a == b);
            if natural(&a, &b).is_lt() && natural(&b, &c).is_lt() {
                prop_assert!(natural(&a, &c).is_lt());
            }
        }
    }
}
