//! `Prefer`: what a client would like of its answer (RFC 7240).
//!
//! **Invariant:** a preference that is unknown, malformed or cannot be met is passed over, never
//! refused; `Preference-Applied` names those that were met, and no others.

use http::{HeaderMap, HeaderName, HeaderValue};

use crate::api::lists::{elements, pair, split};
use crate::api::negotiate::is_odata;
use crate::service::BodyType;

const PREFER: HeaderName = HeaderName::from_static("prefer");
const PREFERENCE_APPLIED: HeaderName = HeaderName::from_static("preference-applied");

/// The preferences that are known here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Prefer {
    /// `outlook.body-content-type`
    pub(super) body: Option<BodyType>,
    /// `odata.maxpagesize`, at least 1
    pub(super) page_max: Option<u64>,
    /// `return`
    pub(super) answer: Option<Return>,
    /// `IdType="ImmutableId"`: every id here is one.
    immutable_ids: bool,
    /// `odata.track-changes`
    track_changes: bool,
}

/// What a write is to be answered with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Return {
    /// Nothing but headers.
    Minimal,
    /// The entity as it is now.
    Representation,
}

/// What an answer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answered {
    /// One entity, read.
    Entity,
    /// A page of a collection.
    Page,
    /// The entity that was written.
    Written,
    /// No body, since none was wanted.
    Nothing,
}

impl Prefer {
    /// The preferences of a request. Of two with one name the first counts (section 2).
    pub(super) fn of(headers: &HeaderMap) -> Prefer {
        let (mut prefer, mut seen) = (Prefer::default(), Vec::new());
        for element in elements(headers, PREFER) {
            // Parameters of preferences, after a semicolon, mean nothing to those known here.
            let (name, value) = pair(split(element, b';').next().unwrap_or_default());
            let known = KNOWN.iter().copied().find(|it| is_odata(name, it));
            let Some(name) = known else { continue };
            if !seen.contains(&name) {
                seen.push(name);
                prefer.take(name, value);
            }
        }
        prefer
    }

    fn take(&mut self, name: &str, value: &str) {
        let is = |it: &str| value.eq_ignore_ascii_case(it);
        match name {
            BODY if is("text") => self.body = Some(BodyType::Text),
            BODY if is("html") => self.body = Some(BodyType::Html),
            PAGE if value.bytes().all(|it| it.is_ascii_digit()) => {
                self.page_max = value.parse().ok().filter(|it| *it > 0);
            }
            RETURN if is("minimal") => self.answer = Some(Return::Minimal),
            RETURN if is("representation") => self.answer = Some(Return::Representation),
            ID_TYPE => self.immutable_ids = is("ImmutableId"),
            TRACK => self.track_changes = true,
            _ => {}
        }
    }

    /// Says in an answer's headers which preferences it meets.
    pub(super) fn tell(self, answered: Answered, headers: &mut HeaderMap) {
        if self == Prefer::default() {
            return;
        }
        let (mut met, page) = (Vec::new(), answered == Answered::Page);
        if let Some(body) = self.body.filter(|_| answered != Answered::Nothing) {
            met.push(format!("{BODY}=\"{}\"", body.name()));
        }
        if let Some(max) = self.page_max.filter(|_| page) {
            met.push(format!("odata.{PAGE}={max}"));
        }
        match (self.answer, answered) {
            (Some(Return::Minimal), Answered::Nothing) => met.push("return=minimal".into()),
            (Some(Return::Representation), Answered::Written) => {
                met.push("return=representation".into());
            }
            _ => {}
        }
        if self.immutable_ids {
            met.push("IdType=\"ImmutableId\"".into());
        }
        if self.track_changes && page {
            met.push(format!("odata.{TRACK}"));
        }
        if let (false, Ok(value)) = (met.is_empty(), HeaderValue::from_str(&met.join(", "))) {
            headers.insert(PREFERENCE_APPLIED, value);
        }
    }
}

const BODY: &str = "outlook.body-content-type";
const PAGE: &str = "maxpagesize";
const RETURN: &str = "return";
const ID_TYPE: &str = "IdType";
const TRACK: &str = "track-changes";
/// With `odata.` before them or, as in 4.01, without.
const KNOWN: [&str; 5] = [BODY, PAGE, RETURN, ID_TYPE, TRACK];

#[cfg(test)]
mod tests {
    use super::*;

    fn of(lines: &[&'static str]) -> Prefer {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(PREFER, HeaderValue::from_static(line));
        }
        Prefer::of(&headers)
    }

    #[test]
    fn preferences_are_read_in_every_spelling() {
        let text = Prefer { body: Some(BodyType::Text), ..Prefer::default() };
        let five = Prefer { page_max: Some(5), ..Prefer::default() };
        let minimal = Prefer { answer: Some(Return::Minimal), ..Prefer::default() };
        for (lines, expected) in [
            (&["outlook.body-content-type=\"text\""][..], text),
            (&["Outlook.Body-Content-Type = TEXT ; x=\"a,b\""], text),
            (&["odata.maxpagesize=5"], five),
            (&["MaxPageSize=\"5\""], five),
            (&["odata.maxpagesize=5, maxpagesize=7"], five),
            (
                &["respond-async; wait=10", "x=\"return=representation, y\"", "return=minimal"],
                minimal,
            ),
            (&["return=minimal;foo, return=representation"], minimal),
        ] {
            assert_eq!(of(lines), expected, "{lines:?}");
        }
        let all = of(&["IdType=\"ImmutableId\", odata.track-changes"]);
        assert!(all.immutable_ids && all.track_changes);
    }

    #[test]
    fn what_cannot_be_met_is_passed_over() {
        for line in [
            "outlook.body-content-type=\"rtf\"",
            "odata.maxpagesize=0",
            "odata.maxpagesize=-1",
            "odata.maxpagesize=+5",
            "odata.maxpagesize=99999999999999999999",
            "odata.maxpagesize",
            "return=everything",
            "return",
            "IdType=\"Other\"",
            "odata.continue-on-error",
            ",;=\"",
            "return=\"minimal",
            // The first counts, though it means nothing.
            "odata.maxpagesize=x, odata.maxpagesize=5",
        ] {
            assert_eq!(of(&[line]), Prefer::default(), "{line}");
        }
    }

    #[test]
    fn an_answer_names_what_it_meets() {
        let prefer = of(&["return=minimal, outlook.body-content-type=html, maxpagesize=5"]);
        for (answered, expected) in [
            (Answered::Entity, "outlook.body-content-type=\"html\""),
            (Answered::Page, "outlook.body-content-type=\"html\", odata.maxpagesize=5"),
            (Answered::Nothing, "return=minimal"),
        ] {
            let mut headers = HeaderMap::new();
            prefer.tell(answered, &mut headers);
            assert_eq!(headers[PREFERENCE_APPLIED], expected);
        }
    }
}
