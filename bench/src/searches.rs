//! `$search`: four ordinary questions, and many that are meant to be dear.
//!
//! **Invariant:** the words are those that `texts.rs` makes, and the name of their one sender, so how many
//! posts each is in follows the size of the group.

use std::collections::BTreeMap;

use anyhow::Context;

use crate::load::{Prepared, Target};
use crate::report::Sized;
use crate::site::SELECT;
use crate::texts;

/// Posts of a page.
const PAGE: usize = 25;

/// The words of all posts, the rarest first: at the end two of their sender, who is in all of them.
pub(crate) fn words() -> Vec<String> {
    let mut counts = BTreeMap::<String, usize>::new();
    for text in texts::all() {
        let mut words: Vec<_> = text.body.split(' ').map(str::to_owned).collect();
        words.sort();
        words.dedup();
        for word in words {
            *counts.entry(word).or_default() += 1;
        }
    }
    let mut words: Vec<_> = counts.into_iter().collect();
    words.sort_by_key(|(_, count)| *count);
    let words = words.into_iter().map(|(word, _)| word);
    words.chain(["example".to_owned(), "ada".to_owned()]).collect()
}

/// What is asked of `conversations` for a row of the table.
pub(crate) fn question(
    what: Sized,
    conversations: &str,
    target: &Target,
) -> anyhow::Result<Prepared> {
    let words = words();
    let (rare, common) = (words.first(), words.last());
    let (rare, common) = (rare.context("no words")?, common.context("no words")?);
    let body = texts::text(0).body;
    let pair: Vec<_> = body.split(' ').take(2).collect();
    let search = match what {
        Sized::Rare => rare.clone(),
        Sized::Both => format!("{common}%20{}", words[words.len() - 20]),
        Sized::Phrase => format!("body:%22{}%22", pair.join("%20")),
        _ => common.clone(),
    };
    let path = format!("{conversations}?$top={PAGE}&$select={SELECT}&$search={search}");
    Ok(Prepared::get(&path, target)?.anew())
}

/// Common words with rare ones, long lists, much that is not wanted, phrases of common words that stand
/// nowhere, and parentheses as deep as they go.
pub(crate) fn dear(words: &[String], at: usize) -> String {
    let word = |back: usize| words[words.len() - 1 - (back * 31 + at * 7) % 60].as_str();
    let rare = &words[at * 13 % 200];
    let search = match at % 8 {
        0 => format!("{} {rare} {}", word(0), word(1)),
        1 => (0..50).map(word).collect::<Vec<_>>().join(" OR "),
        2 => format!("{} -{} -{} -(x OR {})", word(0), word(1), word(2), word(3)),
        3 => format!("\"{} {} {}\" OR \"{} {rare}\"", word(0), word(0), word(0), word(1)),
        4 => {
            let deep = (0..8).map(|it| format!("({} OR ", word(it))).collect::<String>();
            format!("{deep}{rare}{}", ")".repeat(8))
        }
        5 => (0..50).map(word).collect::<Vec<_>>().join(" "),
        6 => format!(
            "({}) -({})",
            (0..25).map(word).collect::<Vec<_>>().join(" OR "),
            (25..49).map(word).collect::<Vec<_>>().join(" OR ")
        ),
        _ => format!("hasAttachments:true {} received<1990-01-01", word(0)),
    };
    let rest = ["$top=25", "$top=1000&$select=id", "$top=25&$filter=topic eq 'none'"][at % 3];
    format!("{rest}&$search={search}")
}
