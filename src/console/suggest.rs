//! Finds the known word that a mistyped one probably means.

/// The known word that is nearest to `word`, ignoring case. At most a third of its letters may
/// differ; `None` if no word is that near.
pub fn did_you_mean<'k>(word: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    let lower = word.to_lowercase();
    known
        .into_iter()
        // Comparing takes memory in proportion to the product of both lengths.
        .filter(|known| word.len() <= 2 * known.len())
        .map(|known| (strsim::damerau_levenshtein(&lower, &known.to_lowercase()), known))
        .filter(|(changes, known)| *changes <= (known.len() / 3).max(1))
        .min()
        .map(|(_, known)| known)
}

#[cfg(test)]
mod tests {
    use super::did_you_mean;

    const KNOWN: [&str; 4] = ["branch", "keep", "installer=pip", "installer=uv"];

    #[test]
    fn the_nearest_word_is_suggested() {
        assert_eq!(did_you_mean("brnach", KNOWN), Some("branch"));
        assert_eq!(did_you_mean("KEEPS", KNOWN), Some("keep"));
        assert_eq!(did_you_mean("installer=uvx", KNOWN), Some("installer=uv"));
    }

    #[test]
    fn a_word_that_is_too_far_away_has_no_suggestion() {
        for word in ["", "xy", "color", "kp", &"branch".repeat(100_000)] {
            assert_eq!(did_you_mean(word, KNOWN), None, "{word}");
        }
    }
}
