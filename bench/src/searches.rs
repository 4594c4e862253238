//! `$search`: four ordinary questions, and many that are meant to be dear.
//!
//! **Invariant:** the words are those that `texts.rs` makes, and the name of their one sender, so how many
//! posts each is in follows the size of the group.

use std::collections::BTreeMap;
use std::time::Instant;

use anyhow::Context;

use crate::load::{self, Prepared, Target};
use crate::report::Sized;
use crate::site::SELECT;
use crate::texts;

/// Posts of a page.
const PAGE: usize = 25;
/// Dear questions.
const DEAR: usize = 200;

/// The words of all posts, the rarest first: at the end two of their sender, who is in all of them.
fn words() -> Vec<String> {
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

/// Asks questions that are meant to be dear, each once: the longest time to an answer, in milliseconds,
/// and how many were refused as too dear.
pub(crate) async fn dear(conversations: &str, target: &Target) -> anyhow::Result<(f64, usize)> {
    let words = words();
    let (mut longest, mut refused) = (0.0, 0);
    for at in 0..DEAR {
        let search =
            dear_one(&words, at).replace(' ', "%20").replace('"', "%22").replace('<', "%3C");
        let rest =
            ["$top=25", "$top=1000&$select=id", "$top=25&$filter=topic%20eq%20'none'"][at % 3];
        let path = format!("{conversations}?{rest}&$search={search}");
        let asked = Instant::now();
        let answer = load::once(target, &Prepared::get(&path, target)?).await;
        let taken = asked.elapsed().as_secs_f64() * 1e3;
        if let Err(error) = answer {
            anyhow::ensure!(error.to_string().contains("InefficientFilter"), "{path}: {error}");
            refused += 1;
        }
        if taken > longest {
            longest = taken;
            eprintln!("the dearest search so far, {taken:.1} ms: {rest} {search}");
        }
    }
    Ok((longest, refused))
}

/// Common words with rare ones, long lists, much that is not wanted, phrases of common words that stand
/// nowhere, and parentheses as deep as they go.
fn dear_one(words: &[String], at: usize) -> String {
    let word = |back: usize| words[words.len() - 1 - (back * 31 + at * 7) % 60].as_str();
    let rare = &words[at * 13 % 200];
    match at % 8 {
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
    }
}
