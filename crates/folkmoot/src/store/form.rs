//! How an answer is written: what its reader asked for beside the query.
//!
//! **Invariant:** a form never changes which entities an answer is about; only how each is written, and
//! how many of them stand on one page.

use crate::store::plan::PageSizes;

/// How much an answer says about itself (OData JSON 4.0, section 3.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Metadata {
    /// Only counts and links to further pages.
    None,
    /// What cannot be worked out from the model.
    #[default]
    Minimal,
    /// Types, addresses and ways onward too.
    Full,
}

/// What the body of a post is written as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BodyType {
    /// Plain text.
    Text,
    /// HTML.
    Html,
}

impl BodyType {
    /// The name of it in `itemBody/contentType`.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            BodyType::Text => "text",
            BodyType::Html => "html",
        }
    }
}

/// What a request asks of the form of its answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Wanted {
    /// How much the answer says about itself.
    pub(crate) metadata: Metadata,
    /// What bodies are written as; `None`: as they were sent.
    pub(crate) body: Option<BodyType>,
    /// Entities of a page at most; the server's own limit stands beside it.
    pub(crate) page_max: Option<u64>,
}

/// The form of one answer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Form<'a> {
    /// What was asked for.
    pub(crate) wanted: Wanted,
    /// What links begin with, such as `https://host/v1.0`.
    pub(crate) root: &'a str,
    /// The server's own sizes of pages.
    pub(crate) pages: PageSizes,
}

impl Form<'_> {
    /// Whether every link and type is written.
    pub(super) fn is_full(&self) -> bool {
        self.wanted.metadata == Metadata::Full
    }

    /// Whether it is the beta version's.
    pub(crate) fn is_beta(&self) -> bool {
        self.root.ends_with("/beta")
    }

    /// How many entities a page has where `$top` says `top`.
    pub(super) fn page(&self, top: Option<u64>) -> u64 {
        let max = self.wanted.page_max.map_or(self.pages.max, |it| it.min(self.pages.max));
        let default = self.wanted.page_max.unwrap_or(self.pages.default);
        top.unwrap_or(default).min(max)
    }
}
