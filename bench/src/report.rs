//! The table.
//!
//! **Invariant:** the only figures here that were not measured are the aims.

use std::collections::BTreeMap;
use std::fmt::Write as _;

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
    /// Start to first answer, on nothing.
    StartEmpty,
    /// The same on a million posts, over the first.
    StartFull,
    /// Memory of a server that has done nothing.
    MemoryIdle,
    /// Memory after load.
    MemoryLoaded,
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
            let (number, what, _, aim) = row.about();
            // Writing to a String cannot fail.
            let _ = writeln!(out, "| {number} | {what} | {why} | | | {} | |", shown(&aim));
        }
        out
    }

    fn line(&self, row: Row, figures: &[Figure], out: &mut String) {
        let (number, what, unit, aim) = row.about();
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
