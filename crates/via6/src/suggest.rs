//! What was probably meant by a word that is not known.

/// The known word that is closest to `word`, if it is close enough to be a slip of the finger.
pub(crate) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = plain(word);
    // Two thirds of the word have to be right.
    let bound = word.chars().count().div_ceil(3).min(3);
    let distance = |known: &str| strsim::damerau_levenshtein(&word, known);
    let distances = known.into_iter().map(|known| (distance(known), known));
    let near = distances.filter(|(distance, _)| *distance <= bound);
    near.min_by_key(|(distance, _)| *distance)
        .map(|(_, known)| known)
}

/// A word without the ways in which programs differ: case, and what joins its parts.
pub(crate) fn plain(word: &str) -> String {
    let joined = |c: char| if c == '_' || c == ' ' { '-' } else { c };
    word.to_lowercase().chars().map(joined).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_recognised_and_another_word_is_not() {
        const KNOWN: [&str; 5] = ["game", "port", "listen", "tcp", "trust-relay"];
        for (word, meant) in [
            ("prot", Some("port")),
            ("PORT", Some("port")),
            ("lissen", Some("listen")),
            ("tpc", Some("tcp")),
            ("trust_relays", Some("trust-relay")),
            ("x", None),
            ("", None),
            ("colour", None),
            ("ssl", None),
        ] {
            assert_eq!(nearest(word, KNOWN), meant, "{word}");
        }
    }
}
