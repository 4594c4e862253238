//! What is posted: conversations of a few hundred bytes made of some two thousand words.
//!
//! **Invariant:** the same number gives the same text, so both sides of a ratio store the same.

/// How many different conversations are made; they are posted in turn.
pub(crate) const VARIANTS: usize = 512;

const SYLLABLES: [&str; 24] = [
    "ba", "con", "de", "fer", "gal", "hu", "in", "jor", "ka", "lum", "mi", "nor", "o", "per",
    "qua", "ri", "sol", "ta", "un", "ver", "wa", "xi", "yel", "zor",
];

/// A conversation with a thread and a post.
#[derive(Clone, Debug)]
pub(crate) struct Text {
    pub(crate) topic: String,
    pub(crate) body: String,
}

/// The text with this number.
pub(crate) fn text(number: usize) -> Text {
    let mut seed = 0x9e37_79b9_7f4a_7c15 ^ (number as u64).wrapping_mul(0xd134_2543_de82_ef95);
    let topic = words(&mut seed, 5);
    // 50 words: near 300 bytes.
    let body = words(&mut seed, 50);
    Text { topic, body }
}

/// All texts that are posted in turn.
pub(crate) fn all() -> Vec<Text> {
    (0..VARIANTS).map(text).collect()
}

/// Puts things into an order of no meaning, always the same (Fisher and Yates).
pub(crate) fn shuffle<T>(things: &mut [T]) {
    let mut seed = 0x9e37_79b9_7f4a_7c15;
    for at in (1..things.len()).rev() {
        things.swap(at, next(&mut seed) % (at + 1));
    }
}

fn words(seed: &mut u64, count: usize) -> String {
    let mut out = String::new();
    for at in 0..count {
        if at > 0 {
            out.push(' ');
        }
        // The smaller of two is drawn more often: words are not equally common.
        let word = (next(seed) % 2_000).min(next(seed) % 2_000);
        let mut rest = word + 24;
        while rest > 0 {
            out.push_str(SYLLABLES[rest % SYLLABLES.len()]);
            rest /= SYLLABLES.len();
        }
    }
    out
}

/// Xorshift (Marsaglia): good enough to mix words.
pub(crate) fn next(seed: &mut u64) -> usize {
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    (*seed >> 16) as usize
}
