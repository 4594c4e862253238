//! Queries that are meant to be dear: each is asked once, and the longest answer is what counts.
//!
//! **Invariant:** the same number makes the same query, in every run and on both stores.

use std::time::Instant;

use crate::load::{self, Prepared, Target};
use crate::{searches, texts};

/// Dear queries of each kind.
pub(crate) const QUERIES: usize = 200;

/// What a dear query asks for most of all.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Kind {
    /// `$search`.
    Search,
    /// `$filter`, `$orderby`, `$expand`, `$count`.
    Filter,
}

/// Asks them all: the longest time to an answer, in milliseconds, and how many were refused as too dear.
pub(crate) async fn ask(
    kind: Kind,
    conversations: &str,
    target: &Target,
) -> anyhow::Result<(f64, usize)> {
    let words = searches::words();
    let (mut longest, mut refused) = (0.0, 0);
    for at in 0..QUERIES {
        let query = match kind {
            Kind::Search => searches::dear(&words, at),
            Kind::Filter => filter(&mut Choice(at as u64 + 1)),
        };
        let encoded =
            query.replace(' ', "%20").replace('"', "%22").replace('<', "%3C").replace('+', "%2B");
        let path = format!("{conversations}?{encoded}");
        let asked = Instant::now();
        let answer = load::once(target, &Prepared::get(&path, target)?).await;
        let taken = asked.elapsed().as_secs_f64() * 1e3;
        if let Err(error) = answer {
            anyhow::ensure!(error.to_string().contains("InefficientFilter"), "{path}: {error}");
            refused += 1;
        }
        if taken > longest {
            longest = taken;
            eprintln!("the dearest query so far, {taken:.1} ms: {query}");
        }
    }
    Ok((longest, refused))
}

/// Choices that look random and are the same for the same seed.
struct Choice(u64);

impl Choice {
    fn below(&mut self, end: usize) -> usize {
        texts::next(&mut self.0) % end
    }

    fn of<'a>(&mut self, these: &[&'a str]) -> &'a str {
        these[self.below(these.len())]
    }
}

/// Long conditions of computed values, lambdas in lambdas, orders that no index has, expansions that each
/// filter, and everything counted.
fn filter(choice: &mut Choice) -> String {
    let depth = 1 + choice.below(2);
    let condition = condition(choice, depth);
    let top = choice.of(&["$top=10", "$top=1000&$select=id", "$top=1000"]);
    let more = choice.of(&[
        "",
        "&$count=true",
        "&$orderby=preview desc,topic",
        "&$orderby=hasAttachments,topic desc",
        "&$skip=9999",
        "&$expand=threads($filter=posts/any(p:contains(p/body/content,'con'));$expand=posts)",
        "&$expand=threads($orderby=preview;$expand=posts($filter=length(body/content) gt 100))",
    ]);
    format!("{top}&$filter={condition}{more}")
}

fn condition(choice: &mut Choice, depth: usize) -> String {
    if depth > 0 {
        let join = choice.of(&[" and ", " or ", " eq ", " ne "]);
        // What is compared are two.
        let count = if matches!(join, " eq " | " ne ") { 2 } else { 2 + choice.below(3) };
        let parts: Vec<_> =
            (0..count).map(|_| format!("({})", condition(choice, depth - 1))).collect();
        let not = choice.of(&["", "not "]);
        return format!("{not}({})", parts.join(join));
    }
    let text = text(choice, "", 3);
    match choice.below(10) {
        0 => format!("contains({text},'zor')"),
        1 => format!("length({text}) gt 5000"),
        2 => format!("indexof({text},'nowhere') ge 0"),
        3 => format!("endswith({text},'wa')"),
        4 => format!("uniqueSenders/all(s:length(concat(s,{text})) lt 9000)"),
        5 => "threads/any(t:t/posts/any(p:contains(tolower(p/body/content),'nowhere')))".to_owned(),
        6 => {
            let of_post = self::text(choice, "p/", 3);
            format!("threads/all(t:t/posts/all(p:indexof({of_post},'nowhere') lt 0))")
        }
        7 => "threads/any(t:t/posts/any(p:p/attachments/any(a:contains(a/name,'x')) or \
              p/extensions/any() or p/from/emailAddress/address eq 'nobody'))"
            .to_owned(),
        8 => "threads/any(t:t/posts/any(p:p/receivedDateTime add duration'P1D' lt \
              lastDeliveredDateTime) and t/posts/$count gt 50)"
            .to_owned(),
        _ => "year(lastDeliveredDateTime) mul 10000 add day(lastDeliveredDateTime) mod 7 eq -1"
            .to_owned(),
    }
}

/// A text that is computed from others, and longer than each.
fn text(choice: &mut Choice, of: &str, depth: usize) -> String {
    if depth == 0 {
        return match of {
            "" => choice.of(&["topic", "preview"]).to_owned(),
            _ => format!("{of}{}", choice.of(&["body/content", "from/emailAddress/name"])),
        };
    }
    let (a, b) = (text(choice, of, depth - 1), text(choice, of, depth - 1));
    match choice.below(4) {
        0 => format!("concat({a},{b})"),
        1 => format!("tolower(concat({a},{b}))"),
        2 => format!("substring(concat({a},{b}),3)"),
        _ => format!("trim(toupper({a}))"),
    }
}
