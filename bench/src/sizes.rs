//! Reads in a small group and in a large one: what depends on size alone.
//!
//! **Invariant:** no question is asked twice in the same words, so what is measured is the database
//! and never an answer that the server has kept.

use anyhow::ensure;
use serde::Deserialize;

use crate::dear::Kind;
use crate::fill::Amount;
use crate::load::{self, Prepared, Target};
use crate::report::{Figure, Report, Row, Sized, Store};
use crate::rounds::Settings;
use crate::site::{SELECT, Site};
use crate::{dear, searches, texts};

/// Conversations of the small group.
pub(crate) const SMALL: u64 = 10_000;
/// Conversations of the large one where there is time to fill it.
const LARGE: u64 = 1_000_000;
/// The same where there is not.
const LESS: u64 = 100_000;
/// What is read in both.
pub(crate) const WHATS: [Sized; 7] = [
    Sized::Newest,
    Sized::ById,
    Sized::Page,
    Sized::Common,
    Sized::Rare,
    Sized::Both,
    Sized::Phrase,
];
/// Rows of a page: the most that the server serves.
const PAGE: usize = 1_000;
/// Conversations that are asked for by id: more than are asked for in one measurement of a few
/// seconds, so that each is found where it lies and not where it was just before.
const IDS: usize = 30_000;

/// Two servers, or two groups of one, with the questions to ask them.
pub(crate) struct Sizes {
    store: Store,
    small: Questions,
    large: Questions,
    /// They live as long as the questions are asked.
    _sites: Vec<Site>,
}

/// How many conversations the large group has.
pub(crate) fn large(settings: &Settings) -> u64 {
    if settings.long { LARGE } else { LESS }
}

impl Sizes {
    /// Fills both on the embedded store.
    pub(crate) async fn open(settings: &Settings, report: &mut Report) -> anyhow::Result<Sizes> {
        let conversations = large(settings);
        let amount = |conversations| Amount { conversations, posts: 1 };
        let few = Site::filled(settings, amount(SMALL)).await?;
        let many = Site::filled(settings, amount(conversations)).await?;
        let small = Questions::new(&few, &few.conversations, SMALL).await?;
        let large = Questions::new(&many, &many.conversations, conversations).await?;
        Ok(Sizes::of(Store::Sqlite, (small, large), conversations, vec![few, many], report))
    }

    /// Questions for a group of [`SMALL`] and one of `conversations`.
    pub(crate) fn of(
        store: Store,
        (small, large): (Questions, Questions),
        conversations: u64,
        sites: Vec<Site>,
        report: &mut Report,
    ) -> Sizes {
        for what in WHATS {
            let power = if conversations == LARGE { 6 } else { 5 };
            report.note(Row::Size(store, what), &format!("p50 at 10^{power} / at 10^4"));
        }
        Sizes { store, small, large, _sites: sites }
    }

    /// All rounds: each question by turns to both. The questions have just been looked for, so whatever
    /// of the databases fits into memory is there.
    pub(crate) async fn rounds(
        &self,
        settings: &Settings,
        report: &mut Report,
    ) -> anyhow::Result<()> {
        let store = self.store;
        for round in 1..=settings.rounds {
            for what in wanted(settings) {
                let (large, small) = (self.large.about(what), self.small.about(what));
                let [ours, other] = load::by_turns(large, small, settings.seconds).await?;
                eprintln!(
                    "round {round}: {what:?} on {store:?}: p50 {ours:.1} us in the large group, \
                     {other:.1} us in the small one"
                );
                let figure = Figure { ours, other: Some(other), times: None };
                report.add(Row::Size(store, what), figure);
            }
        }
        if settings.wants(&[7]) {
            for kind in [Kind::Search, Kind::Filter] {
                let (longest, refused) =
                    dear::ask(kind, &self.large.conversations, &self.large.target).await?;
                let row = Row::Dear(store, kind);
                report.note(row, &format!("{refused} of them refused at their deadline"));
                report.add(row, Figure { ours: longest, ..Figure::default() });
            }
        }
        Ok(())
    }
}

/// What is asked, of what is to be measured.
pub(crate) fn wanted(settings: &Settings) -> impl Iterator<Item = Sized> {
    let [reads, searches] = [6, 7].map(|it| settings.wants(&[it]));
    WHATS.into_iter().filter(move |it| if it.is_search() { searches } else { reads })
}

/// What one group is asked.
pub(crate) struct Questions {
    target: Target,
    conversations: String,
    searches: Vec<(Sized, [Prepared; 1])>,
    newest: Vec<Prepared>,
    by_id: Vec<Prepared>,
    pages: Vec<Prepared>,
}

#[derive(Deserialize)]
struct Page {
    value: Vec<Entity>,
    #[serde(rename = "@odata.nextLink")]
    next: Option<String>,
}

#[derive(Deserialize)]
struct Entity {
    id: String,
}

impl Questions {
    /// Walks through the whole group once to find its ids and the addresses of its pages.
    pub(crate) async fn new(
        site: &Site,
        conversations: &str,
        expected: u64,
    ) -> anyhow::Result<Questions> {
        let origin = format!("http://{}", site.target.address);
        let (mut ids, mut pages) = (Vec::new(), Vec::new());
        let mut next = Some(format!("{conversations}?$top={PAGE}&$select={SELECT}"));
        while let Some(path) = next {
            let question = Prepared::get(&path, &site.target)?;
            let answer = load::once(&site.target, &question).await?;
            let page: Page = serde_json::from_slice(answer.body())?;
            if page.value.len() == PAGE {
                pages.push(question.anew());
            }
            ids.extend(page.value.into_iter().map(|it| it.id));
            next = page.next.map(|it| it.strip_prefix(&origin).unwrap_or(&it).to_owned());
        }
        ensure!(ids.len() as u64 == expected, "the pages show {} of {expected}", ids.len());
        texts::shuffle(&mut ids);
        texts::shuffle(&mut pages);
        let mut by_id = Vec::new();
        for id in ids.iter().take(IDS) {
            by_id.push(Prepared::get(&format!("{conversations}/{id}"), &site.target)?.anew());
        }
        let newest = vec![site.newest_of(conversations)?.anew()];
        let mut searches = Vec::new();
        for what in WHATS.into_iter().filter(|it| it.is_search()) {
            searches.push((what, [searches::question(what, conversations, &site.target)?]));
        }
        let (target, conversations) = (site.target.clone(), conversations.to_owned());
        Ok(Questions { target, conversations, searches, newest, by_id, pages })
    }

    fn about(&self, what: Sized) -> (&Target, &[Prepared]) {
        let questions = match what {
            Sized::Newest => &self.newest,
            Sized::ById => &self.by_id,
            Sized::Page => &self.pages,
            search => {
                let found = self.searches.iter().find(|(it, _)| *it == search);
                found.map_or(&[][..], |(_, question)| question)
            }
        };
        (&self.target, questions)
    }
}
