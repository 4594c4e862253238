//! The table.
//!
//! **Invariant:** the only figures here that were not measured are the aims.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::dear::Kind;

/// A row of the table: what is measured, and what is aimed at first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Row {
    /// Durable POST over 64 connections.
    PostMany,
    /// The same over one.
    PostOne,
    /// The first over the second.
    PostGain,
    /// Calls that wait for the disk, a POST.
    Syncs,
    /// GET of the newest 10.
    Newest,
    /// GET of what the client has already.
    Unchanged,
    /// The time of a read in a large group over that in a small one.
    Size(Store, Sized),
    /// The longest time to an answer of queries that are meant to be dear, in the large group.
    Dear(Store, Kind),
    /// Reads with writers over reads alone.
    Beside(Beside),
    /// The same of their slowest hundredth.
    BesideP99(Beside),
    /// Durable POST over many groups on PostgreSQL.
    PostgresMany,
    /// The same over one group.
    PostgresOne,
    /// GET of the newest 10 on PostgreSQL.
    PostgresNewest,
    /// Start to first answer, on nothing.
    StartEmpty,
    /// The same on a million posts, over the first.
    StartFull,
    /// Memory of a server that has done nothing.
    MemoryIdle,
    /// Memory after load.
    MemoryLoaded,
}

/// Where the data are.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Store {
    Sqlite,
    Postgres,
}

/// What is read in groups of different sizes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Sized {
    Newest,
    ById,
    Page,
    /// A search for a word that all posts have.
    Common,
    /// For one that few have.
    Rare,
    /// For two.
    Both,
    /// For two, one after the other.
    Phrase,
}

impl Sized {
    /// Whether it is a search, which has a number of its own in the list of aims.
    pub(crate) fn is_search(self) -> bool {
        matches!(self, Sized::Common | Sized::Rare | Sized::Both | Sized::Phrase)
    }
}

/// What is read beside writers.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Beside {
    /// The group that is written to.
    Same,
    /// The same, and no kept answer fits.
    SameAnew,
    /// Another group.
    Other,
}

/// What a row aims at.
enum Aim {
    /// At least this ratio.
    Ratio(f64),
    /// At most this ratio.
    RatioAtMost(f64),
    /// At most this figure of Folkmoot's own.
    AtMost(f64),
}

impl Row {
    /// Number in the list of aims, what it is, unit, first aim.
    fn about(self) -> (&'static str, &'static str, &'static str, Aim) {
        match self {
            Row::PostMany => (
                "1",
                "durable POST of a conversation with a post, 64 connections / rusqlite, FULL and FTS5, 100 a transaction",
                "/s",
                Aim::Ratio(0.5),
            ),
            Row::PostOne => {
                ("2", "the same, 1 connection / rusqlite, 1 a transaction", "/s", Aim::Ratio(0.6))
            }
            Row::PostGain => ("3", "POST at 64 connections / at 1", "/s", Aim::Ratio(5.0)),
            Row::Syncs => ("3", "fsyncs a POST at 64 connections", "", Aim::AtMost(0.05)),
            Row::Newest => (
                "4",
                "GET newest 10 with token and $select, 64 connections / bare axum, same bytes",
                "/s",
                Aim::Ratio(0.45),
            ),
            Row::Unchanged => (
                "5",
                "GET by id with If-None-Match, 304, 64 connections / bare axum, 304",
                "/s",
                Aim::Ratio(0.5),
            ),
            Row::Size(store, what) if what.is_search() => (
                "7",
                match (store, what) {
                    (Store::Sqlite, Sized::Common) => {
                        "search of conversations on SQLite, newest 25, a word that all posts have, asked the same way;"
                    }
                    (Store::Sqlite, Sized::Rare) => "a word in one of 512 posts;",
                    (Store::Sqlite, Sized::Both) => "a word that all posts have and a rarer one;",
                    (Store::Sqlite, _) => "a phrase of two words;",
                    (Store::Postgres, Sized::Common) => {
                        "the same on PostgreSQL, a word that all posts have;"
                    }
                    (Store::Postgres, Sized::Rare) => "a word in one of 512 posts on PostgreSQL;",
                    (Store::Postgres, Sized::Both) => {
                        "a word that all posts have and a rarer one on PostgreSQL;"
                    }
                    (Store::Postgres, _) => "a phrase of two words on PostgreSQL;",
                },
                " us",
                Aim::RatioAtMost(4.0),
            ),
            Row::Dear(store, kind) => (
                "7",
                match (kind, store) {
                    (Kind::Search, Store::Sqlite) => {
                        "the longest answer of 200 searches meant to be dear, SQLite;"
                    }
                    (Kind::Search, Store::Postgres) => "the same on PostgreSQL;",
                    (Kind::Filter, Store::Sqlite) => {
                        "the longest answer of 200 filters meant to be dear, SQLite;"
                    }
                    (Kind::Filter, Store::Postgres) => "the same filters on PostgreSQL;",
                },
                " ms",
                // A search is asked often, and has an index; a filter may look at everything for a
                // read's second, and what it holds up then must not be more.
                Aim::AtMost(if kind == Kind::Search { 100.0 } else { 1_200.0 }),
            ),
            Row::Size(store, what) => (
                "6",
                match (store, what) {
                    (Store::Sqlite, Sized::Newest) => {
                        "newest 10 on SQLite, 1 connection, each time asked with another `n=` so that no kept answer fits;"
                    }
                    (Store::Sqlite, Sized::ById) => {
                        "by id on SQLite, 30,000 random ids (or all there are), asked the same way;"
                    }
                    (Store::Sqlite, _) => {
                        "page of 1,000 on SQLite, all pages in random order, asked the same way (there is no delta to measure yet);"
                    }
                    (Store::Postgres, Sized::Newest) => "newest 10 on PostgreSQL;",
                    (Store::Postgres, Sized::ById) => "by id on PostgreSQL;",
                    (Store::Postgres, _) => "page of 1,000 on PostgreSQL;",
                },
                " us",
                Aim::RatioAtMost(1.25),
            ),
            Row::Beside(what) => (
                "8",
                match what {
                    Beside::Same => {
                        "GET newest 10 of the group that is written to, 16 connections, with 64 writers / alone"
                    }
                    Beside::SameAnew => {
                        "the same, each time asked with another `n=`: no kept answer"
                    }
                    Beside::Other => "GET newest 10 of another group than is written to",
                },
                "/s",
                Aim::Ratio(0.5),
            ),
            Row::BesideP99(what) => (
                "8",
                match what {
                    Beside::Same => "its p99 with writers / alone",
                    Beside::SameAnew => "its p99 with no kept answer",
                    Beside::Other => "its p99 in another group",
                },
                " ms",
                Aim::RatioAtMost(5.0),
            ),
            Row::PostgresMany => (
                "12",
                "durable POST on PostgreSQL, 32 connections over 1,000 groups / bare pipelined transactions, GIN",
                "/s",
                Aim::Ratio(0.5),
            ),
            Row::PostgresOne => ("12", "the same, over 1 group", "/s", Aim::Ratio(0.5)),
            Row::PostgresNewest => (
                "12",
                "GET newest 10 on PostgreSQL, 32 connections over 1,000 groups / the bare query",
                "/s",
                Aim::Ratio(0.5),
            ),
            Row::StartEmpty => {
                ("13", "start to first answer, in an empty folder", " ms", Aim::AtMost(300.0))
            }
            Row::StartFull => (
                "13",
                "start to first answer, on 10^6 posts / on none",
                " ms",
                Aim::RatioAtMost(1.5),
            ),
            Row::MemoryIdle => ("14", "memory, idle", " MB", Aim::AtMost(40.0)),
            Row::MemoryLoaded => ("14", "memory, after mixed load", " MB", Aim::AtMost(300.0)),
        }
    }
}

/// What one round found for a row.
#[derive(Clone, Debug, Default)]
pub(crate) struct Figure {
    /// Folkmoot's.
    pub(crate) ours: f64,
    /// What it is compared with.
    pub(crate) other: Option<f64>,
    /// Median and 99th percentile of Folkmoot's times to an answer, in microseconds.
    pub(crate) times: Option<(u64, u64)>,
}

/// All that was found.
#[derive(Default)]
pub(crate) struct Report {
    figures: BTreeMap<Row, Vec<Figure>>,
    missing: BTreeMap<Row, String>,
    notes: BTreeMap<Row, String>,
}

impl Report {
    /// Takes in what a round found.
    pub(crate) fn add(&mut self, row: Row, figure: Figure) {
        self.figures.entry(row).or_default().push(figure);
    }

    /// Says why a row has no figure.
    pub(crate) fn missing(&mut self, row: Row, why: &str) {
        self.missing.insert(row, why.to_owned());
    }

    /// Says more of what a row is.
    pub(crate) fn note(&mut self, row: Row, what: &str) {
        self.notes.insert(row, what.to_owned());
    }

    /// What a row is, with all that was said of it.
    fn what(&self, row: Row) -> String {
        let what = row.about().1;
        self.notes.get(&row).map_or(what.to_owned(), |note| format!("{what} {note}"))
    }

    /// The table, in Markdown.
    pub(crate) fn table(&self) -> String {
        let mut out = String::from(
            "| # | what | Folkmoot | ceiling | ratio (median, least to most) | first aim | met |\n\
             | --- | --- | --- | --- | --- | --- | --- |\n",
        );
        for (row, figures) in &self.figures {
            self.line(*row, figures, &mut out);
        }
        for (row, why) in &self.missing {
            let (number, _, _, aim) = row.about();
            let what = self.what(*row);
            // Writing to a String cannot fail.
            let _ = writeln!(out, "| {number} | {what} | {why} | | | {} | |", shown(&aim));
        }
        out
    }

    fn line(&self, row: Row, figures: &[Figure], out: &mut String) {
        let (number, _, unit, aim) = row.about();
        let what = self.what(row);
        let ours = spread(figures.iter().map(|it| it.ours));
        let others = spread(figures.iter().filter_map(|it| it.other));
        let ratios = spread(figures.iter().filter_map(|it| Some(it.ours / it.other?)));
        let mut left = ours.map_or(String::new(), |it| format!("{}{unit}", number_of(it.0)));
        let p50 = spread(figures.iter().filter_map(|it| Some(it.times?.0 as f64 / 1e3)));
        let p99 = spread(figures.iter().filter_map(|it| Some(it.times?.1 as f64 / 1e3)));
        if let (Some(p50), Some(p99)) = (p50, p99) {
            let _ = write!(left, ", p50 {}, p99 {} ms", number_of(p50.0), number_of(p99.0));
        }
        let right = others.map_or(String::new(), |it| format!("{}{unit}", number_of(it.0)));
        let ratio = ratios.map_or(String::new(), |(middle, least, most)| {
            format!("{middle:.2} ({least:.2} to {most:.2})")
        });
        let middle = |it: Option<(f64, f64, f64)>| it.map(|it| it.0);
        let met = match aim {
            Aim::Ratio(aim) => middle(ratios).map(|it| it >= aim),
            Aim::RatioAtMost(aim) => middle(ratios).map(|it| it <= aim),
            Aim::AtMost(aim) => middle(ours).map(|it| it <= aim),
        };
        let met = met.map_or("", |it| if it { "yes" } else { "no" });
        let aim = shown(&aim);
        let _ = writeln!(out, "| {number} | {what} | {left} | {right} | {ratio} | {aim} | {met} |");
    }
}

fn shown(aim: &Aim) -> String {
    match aim {
        Aim::Ratio(aim) => format!("{aim}"),
        Aim::RatioAtMost(aim) | Aim::AtMost(aim) => format!("at most {aim}"),
    }
}

/// Median, least and most.
fn spread(values: impl Iterator<Item = f64>) -> Option<(f64, f64, f64)> {
    let mut values: Vec<_> = values.collect();
    values.sort_by(f64::total_cmp);
    let (first, last) = (*values.first()?, *values.last()?);
    let half = values.len() / 2;
    let middle =
        if values.len() % 2 == 1 { values[half] } else { (values[half - 1] + values[half]) / 2.0 };
    Some((middle, first, last))
}

/// Three digits that count, or all before the point.
fn number_of(value: f64) -> String {
    let digits = match value.abs() {
        it if it >= 100.0 => 0,
        it if it >= 10.0 => 1,
        it if it >= 1.0 => 2,
        _ => 3,
    };
    format!("{value:.digits$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_shows_the_middle_of_the_ratios() {
        let mut report = Report::default();
        for (ours, other) in [(10.0, 100.0), (60.0, 100.0), (90.0, 100.0)] {
            report.add(Row::PostMany, Figure { ours, other: Some(other), times: None });
        }
        report.missing(Row::Syncs, "not counted");
        let table = report.table();
        assert!(table.contains("| 60.0/s | 100/s | 0.60 (0.10 to 0.90) | 0.5 | yes |"), "{table}");
        assert!(table.contains("| not counted | | | at most 0.05 | |"), "{table}");
    }

    #[test]
    fn the_middle_of_an_even_number_lies_between_two() {
        assert_eq!(spread([4.0, 1.0, 2.0, 3.0].into_iter()), Some((2.5, 1.0, 4.0)));
        assert_eq!(spread(std::iter::empty()), None);
    }
}
