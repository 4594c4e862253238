//! In which form and version a client wants its answer: `Accept`, `$format`, `OData-MaxVersion`.
//!
//! **Invariant:** what a client says that it cannot read is not sent to it: 406, before anything is
//! done. `$format` stands above `Accept` (OData 4.0, part 1, section 8.2.1).

use http::{HeaderMap, header};
use odata::syntax::Options;

use crate::api::error::Error;
use crate::api::lists::{elements, pair, split};
use crate::service::Metadata;

/// What an `Accept` or `$format` says of one form.
#[derive(Debug)]
struct Range<'h> {
    media: &'h str,
    /// The level of metadata that is named with it.
    metadata: Option<Metadata>,
    /// Between 0, which excludes, and 1.
    quality: f32,
}

impl<'h> Range<'h> {
    fn parse(text: &'h str) -> Range<'h> {
        let mut parts = split(text, b';');
        let media = parts.next().unwrap_or_default();
        let mut range = Range { media, metadata: None, quality: 1.0 };
        for (name, value) in parts.map(pair) {
            if name.eq_ignore_ascii_case("q") {
                range.quality = value.parse().unwrap_or(1.0);
            } else if is_odata(name, "metadata") {
                range.metadata = level(value);
            }
        }
        range
    }

    /// How closely it names a form of `media`; `None` where it does not.
    fn closeness(&self, media: &str, level: Option<Metadata>) -> Option<u8> {
        let kind = media.split('/').next().unwrap_or_default();
        let any_of_kind = || {
            let (of, sub) = self.media.split_once('/')?;
            (sub == "*" && of.eq_ignore_ascii_case(kind)).then_some(1)
        };
        match self.media {
            "*/*" | "*" => Some(0),
            it if it.eq_ignore_ascii_case(media) => match self.metadata {
                None => Some(2),
                named => (named == level).then_some(3),
            },
            _ => any_of_kind(),
        }
    }
}

/// Whether a parameter or preference goes by this name, as it is written in OData 4.0 or in 4.01.
pub(super) fn is_odata(name: &str, plain: &str) -> bool {
    let prefixed = name.get(..6).is_some_and(|it| it.eq_ignore_ascii_case("odata."));
    name[if prefixed { 6 } else { 0 }..].eq_ignore_ascii_case(plain)
}

fn level(value: &str) -> Option<Metadata> {
    let levels =
        [("none", Metadata::None), ("minimal", Metadata::Minimal), ("full", Metadata::Full)];
    levels.iter().find(|(name, _)| value.eq_ignore_ascii_case(name)).map(|(_, level)| *level)
}

/// The level of metadata of the JSON that `Accept` asks for most; `None` where it takes no JSON.
pub(super) fn json(headers: &HeaderMap) -> Option<Metadata> {
    let Some(ranges) = accept(headers) else { return Some(Metadata::Minimal) };
    let mut best = (None, (0.0, 0));
    for level in [Metadata::Minimal, Metadata::None, Metadata::Full] {
        let wish = wish(&ranges, "application/json", Some(level));
        if wish.0 > 0.0 && wish > best.1 {
            best = (Some(level), wish);
        }
    }
    best.0
}

/// Refuses a client that does not take XML.
pub(super) fn xml(headers: &HeaderMap, format: Option<&str>) -> Result<(), Error> {
    let served = "$metadata is served as application/xml";
    match format {
        Some(it) if is_named(Range::parse(it).media, "xml") => Ok(()),
        Some(it) => Err(Error::Url(format!("$format={it} is not served here; {served}"))),
        None => match accept(headers) {
            Some(ranges) if wish(&ranges, "application/xml", None).0 <= 0.0 => {
                Err(Error::NotAcceptable(served))
            }
            _ => Ok(()),
        },
    }
}

/// The level of metadata to answer with, given the one that `Accept` asks for. `$format`, which
/// stands above that, is taken out of `options`.
pub(super) fn settle(options: &mut Options, accepted: Option<Metadata>) -> Result<Metadata, Error> {
    let Some(format) = options.format.take() else {
        return accepted.ok_or(Error::NotAcceptable("answers are application/json"));
    };
    let range = Range::parse(&format);
    if is_named(range.media, "json") {
        return Ok(range.metadata.unwrap_or_default());
    }
    Err(Error::Url(format!("$format={format} is not served; answers are application/json")))
}

fn is_named(media: &str, subtype: &str) -> bool {
    let short = media.rsplit_once('/').map_or(media, |(kind, short)| {
        if kind.eq_ignore_ascii_case("application") { short } else { "" }
    });
    short.eq_ignore_ascii_case(subtype)
}

/// What `Accept` lists; `None` where it is not sent.
fn accept(headers: &HeaderMap) -> Option<Vec<Range<'_>>> {
    headers.get(header::ACCEPT)?;
    let ranges: Vec<_> = elements(headers, header::ACCEPT).map(Range::parse).collect();
    (!ranges.is_empty()).then_some(ranges)
}

/// How much a form is wished for, and how closely it is named: the closest range decides (RFC 9110,
/// section 12.5.1).
fn wish(ranges: &[Range<'_>], media: &str, level: Option<Metadata>) -> (f32, u8) {
    let mut wish = None;
    for range in ranges {
        let Some(closeness) = range.closeness(media, level) else { continue };
        if wish.is_none_or(|(quality, close)| (closeness, range.quality) > (close, quality)) {
            wish = Some((range.quality, closeness));
        }
    }
    wish.unwrap_or((0.0, 0))
}

/// Refuses versions of OData that are not spoken here (part 1, sections 8.1.5 and 8.2.6).
pub(super) fn check_version(headers: &HeaderMap) -> Result<(), Error> {
    for (name, is_most) in [("odata-version", false), ("odata-maxversion", true)] {
        let Some(value) = headers.get(name) else { continue };
        let text = value.to_str().unwrap_or("?");
        // Some clients say what they are made with after a semicolon.
        let version = text.split(';').next().unwrap_or_default().trim();
        let (major, minor) = version.split_once('.').unwrap_or((version, "0"));
        let digits = |it: &str| !it.is_empty() && it.bytes().all(|it| it.is_ascii_digit());
        let spoken = match (major.parse::<u32>(), is_most) {
            _ if !digits(major) || !digits(minor) => false,
            (Ok(major), true) => major >= 4,
            (Ok(major), false) => major == 4 && ["0", "01"].contains(&minor),
            (Err(_), _) => false,
        };
        if !spoken {
            return Err(Error::Version { header: name, value: text.to_owned() });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: &'static str, lines: &[&'static str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(name, http::HeaderValue::from_static(line));
        }
        headers
    }

    #[test]
    fn the_level_that_is_asked_for_most_is_answered() {
        let (none, minimal, full) =
            (Some(Metadata::None), Some(Metadata::Minimal), Some(Metadata::Full));
        for (accept, expected) in [
            (&[][..], minimal),
            (&[""], minimal),
            (&["*/*"], minimal),
            (&["*;q=.2"], minimal),
            (&["application/*"], minimal),
            (&["Application/JSON;charset=utf-8;IEEE754Compatible=false"], minimal),
            (&["application/json;odata.metadata=none"], none),
            (&["application/json; Metadata=\"FULL\""], full),
            (&["application/json;odata.metadata=verbose"], minimal),
            (&["application/json;odata.metadata=none, text/plain, */*"], none),
            (&["application/json;odata.metadata=full;q=0.2", "application/json;q=0.1"], full),
            (&["application/json;odata.metadata=none;q=0", "*/*;q=0.5"], minimal),
            (&["application/json;odata.metadata=minimal;q=0, */*;q=0.5"], none),
            (&["text/html, application/xml;q=0.9, */*;q=0.8"], minimal),
            (&["text/html"], None),
            (&["application/json;q=0, */*"], None),
            (&["application/json;q=0.000"], None),
            (&["*/*;q=0"], None),
            (&["text/*, json"], None),
        ] {
            assert_eq!(json(&headers("accept", accept)), expected, "{accept:?}");
        }
    }

    #[test]
    fn versions_from_4_0_are_spoken() {
        for (name, value, spoken) in [
            ("odata-maxversion", "4.0", true),
            ("odata-maxversion", "4.01", true),
            ("odata-maxversion", "4.0;NetFx", true),
            ("odata-maxversion", "5.0", true),
            ("odata-maxversion", "3.0", false),
            ("odata-maxversion", "4.x", false),
            ("odata-maxversion", "", false),
            ("odata-version", "4.01", true),
            ("odata-version", "4", true),
            ("odata-version", "5.0", false),
            ("odata-version", "+4.0", false),
        ] {
            let checked = check_version(&headers(name, &[value]));
            assert_eq!(checked.is_ok(), spoken, "{name}: {value}");
        }
    }
}
