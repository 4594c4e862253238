//! A running server with a group, and the requests that are sent to it.
//!
//! **Invariant:** whatever is measured on one site belongs to one server and one database.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, ensure};
use hyper::header::ETAG;
use serde_json::Value;

use crate::fill::{self, Amount};
use crate::load::{self, Prepared, Target};
use crate::process::{Folkmoot, Running};
use crate::rounds::Settings;
use crate::texts;

/// The properties that lists are asked for.
pub(crate) const SELECT: &str =
    "id,topic,lastDeliveredDateTime,preview,uniqueSenders,hasAttachments";

/// A running server with a group, and where its conversations are.
pub(crate) struct Site {
    pub(crate) running: Running,
    pub(crate) target: Target,
    pub(crate) group: String,
    pub(crate) conversations: String,
    /// The data folder: it is dropped after the server, which still writes to it.
    pub(crate) folkmoot: Folkmoot,
}

impl Site {
    /// A server on an empty folder, under strace where `traced` says where its lines go.
    pub(crate) fn open(settings: &Settings, traced: Option<&Path>) -> anyhow::Result<Site> {
        let folkmoot = Folkmoot::new(&settings.server, &settings.folder)?;
        let running = match traced {
            None => folkmoot.start()?,
            Some(lines) => folkmoot.start_traced(lines)?,
        };
        Site::of(folkmoot, running)
    }

    /// A server on an empty database of PostgreSQL.
    pub(crate) fn on(settings: &Settings, store: &str) -> anyhow::Result<Site> {
        let folkmoot = Folkmoot::new(&settings.server, &settings.folder)?.on(store);
        let running = folkmoot.start()?;
        Site::of(folkmoot, running)
    }

    fn of(folkmoot: Folkmoot, running: Running) -> anyhow::Result<Site> {
        let mut target = running.target.clone();
        target.token = Some(folkmoot.token()?);
        let group = folkmoot.group("bench")?;
        let conversations = conversations(&group);
        Ok(Site { running, target, group, conversations, folkmoot })
    }

    /// A server on the embedded store, restarted after this much was filled in.
    pub(crate) async fn filled(settings: &Settings, amount: Amount) -> anyhow::Result<Site> {
        let mut site = Site::open(settings, None)?;
        site.running.stop()?;
        fill::fill(&site.folkmoot.data.path().join("folkmoot.db"), &site.group, amount)?;
        site.running = site.folkmoot.start()?;
        site.target.address = site.running.target.address.clone();
        site.check().await?;
        Ok(site)
    }

    /// What was filled in is what the server shows, or the figures would say nothing.
    pub(crate) async fn check(&self) -> anyhow::Result<()> {
        let answer = load::once(&self.target, &self.newest()?).await?;
        let page: Value = serde_json::from_slice(answer.body())?;
        ensure!(
            page["value"][9]["topic"].is_string(),
            "the server does not show what was filled in"
        );
        Ok(())
    }

    /// Conversations to post, in turn, to each of `places` in turn.
    pub(crate) fn posts_to(&self, places: &[String]) -> anyhow::Result<Arc<Vec<Prepared>>> {
        let texts = texts::all();
        let mut posts = Vec::new();
        for at in 0..texts.len().max(places.len()) {
            let (text, place) = (&texts[at % texts.len()], &places[at % places.len()]);
            let body = serde_json::json!({ "contentType": "text", "content": text.body });
            let threads = serde_json::json!([{ "posts": [{ "body": body }] }]);
            let json = serde_json::json!({ "topic": text.topic, "threads": threads }).to_string();
            posts.push(Prepared::post(place, json, &self.target)?);
        }
        Ok(Arc::new(posts))
    }

    /// Conversations to post to the group.
    pub(crate) fn posts(&self) -> anyhow::Result<Arc<Vec<Prepared>>> {
        self.posts_to(std::slice::from_ref(&self.conversations))
    }

    /// The question for the newest ten of `conversations`.
    pub(crate) fn newest_of(&self, conversations: &str) -> anyhow::Result<Prepared> {
        Prepared::get(&format!("{conversations}?$top=10&$select={SELECT}"), &self.target)
    }

    /// The question for the newest ten of the group.
    pub(crate) fn newest(&self) -> anyhow::Result<Prepared> {
        self.newest_of(&self.conversations)
    }

    /// The address of one conversation and its ETag.
    pub(crate) async fn one(&self) -> anyhow::Result<(String, String)> {
        let answer = load::once(&self.target, &self.newest()?).await?;
        let page: Value = serde_json::from_slice(answer.body())?;
        let id = page["value"][5]["id"].as_str().context("there are no ten conversations")?;
        let path = format!("{}/{id}", self.conversations);
        let answer = load::once(&self.target, &Prepared::get(&path, &self.target)?).await?;
        let etag = answer.headers().get(ETAG).context("a conversation without an ETag")?;
        Ok((path, etag.to_str()?.to_owned()))
    }
}

/// Where the conversations of a group are.
pub(crate) fn conversations(group: &str) -> String {
    format!("/v1.0/groups/{group}/conversations")
}
