//! An event as a calendar of its own (RFC 5545).
//!
//! **Invariant:** times stand as they were given, in the time zone that they were given in. The zone goes
//! by its name alone: its rules are not known here, and calendars know Windows' names and IANA's (RFC 7809
//! leaves the rules out for the same reason).

use ics::components::{Component, Parameter, Property};
use odata::json::Json;
use odata::value::DateTimeOffset;

use super::{line, list, mailbox, mailto, plain_body, quoted, text, time};
use crate::store::attachments::Item;

pub(super) fn write(item: &Item, document: &Json) -> Vec<u8> {
    let made =
        time(document, &["lastModifiedDateTime", "createdDateTime"]).unwrap_or(item.modified);
    let uid = text(document, &["iCalUId"]).or(text(document, &["id"]));
    let mut event = Component::new("VEVENT");
    event.add_property(line("UID", uid.unwrap_or(&item.id.to_string())));
    event.add_property(Property::new("DTSTAMP", stamp(DateTimeOffset::utc(made.ticks), "Z")));
    event.add_property(line("SUMMARY", text(document, &["subject"]).unwrap_or(&item.name)));
    let is_day = document.get("isAllDay") == Some(&Json::Bool(true));
    for (name, at) in [("DTSTART", "start"), ("DTEND", "end")] {
        if let Some(property) = document.get(at).and_then(|it| point(name, it, is_day)) {
            event.add_property(property);
        }
    }
    let location = text(document, &["location", "displayName"]);
    let description = plain_body(document);
    for (name, text) in [("LOCATION", location), ("DESCRIPTION", description.as_deref())] {
        if let Some(text) = text {
            event.add_property(line(name, text));
        }
    }
    if let Some(organizer) = document.get("organizer").and_then(|it| person("ORGANIZER", it)) {
        event.add_property(organizer);
    }
    for attendee in list(document, "attendees") {
        if let Some(property) = invited(attendee) {
            event.add_property(property);
        }
    }
    if document.get("isCancelled") == Some(&Json::Bool(true)) {
        event.add_property(Property::new("STATUS", "CANCELLED"));
    }
    let mut calendar = Component::new("VCALENDAR");
    calendar.add_property(Property::new("VERSION", "2.0"));
    calendar.add_property(Property::new("PRODID", "-//Folkmoot//Folkmoot//EN"));
    calendar.add_component(event);
    calendar.to_string().into_bytes()
}

/// A `dateTimeTimeZone`; `None` where its time cannot be read.
fn point(name: &'static str, it: &Json, is_day: bool) -> Option<Property<'static>> {
    let said = text(it, &["dateTime"])?;
    let zone = text(it, &["timeZone"]);
    // With an offset, against what the type says, it is an instant.
    let (at, zone) = match DateTimeOffset::parse(said) {
        Some(at) => (DateTimeOffset::utc(at.ticks), Some("UTC")),
        None => (DateTimeOffset::parse(&format!("{said}Z"))?, zone),
    };
    if is_day {
        let day = stamp(at, "").chars().take_while(|it| *it != 'T').collect::<String>();
        let mut property = Property::new(name, day);
        property.add(Parameter::new("VALUE", "DATE"));
        return Some(property);
    }
    Some(match zone {
        Some(zone) if zone.eq_ignore_ascii_case("UTC") => Property::new(name, stamp(at, "Z")),
        Some(zone) => {
            let mut property = Property::new(name, stamp(at, ""));
            property.add(quoted("TZID", zone));
            property
        }
        // A time without a zone is the reader's own (section 3.3.5, form 1).
        None => Property::new(name, stamp(at, "")),
    })
}

/// `20190409T140000` of a time in UTC, and what comes after it.
fn stamp(at: DateTimeOffset, tail: &str) -> String {
    let text = at.to_string();
    let whole = text.split(['.', 'Z']).next().unwrap_or_default();
    let digits: String = whole.chars().filter(|it| !matches!(it, '-' | ':')).collect();
    format!("{digits}{tail}")
}

/// Somebody with an address, by name where they have one.
fn person(name: &'static str, it: &Json) -> Option<Property<'static>> {
    let (known_as, address) = mailbox(it)?;
    let mut property = Property::new(name, mailto(address));
    if let Some(known_as) = known_as {
        property.add(quoted("CN", known_as));
    }
    Some(property)
}

fn invited(it: &Json) -> Option<Property<'static>> {
    let mut property = person("ATTENDEE", it)?;
    let role = match text(it, &["type"]).unwrap_or_default() {
        "optional" => "OPT-PARTICIPANT",
        "resource" => "NON-PARTICIPANT",
        _ => "REQ-PARTICIPANT",
    };
    let answer = match text(it, &["status", "response"]).unwrap_or_default() {
        "accepted" | "organizer" => "ACCEPTED",
        "declined" => "DECLINED",
        "tentativelyAccepted" => "TENTATIVE",
        _ => "NEEDS-ACTION",
    };
    property.add(Parameter::new("ROLE", role));
    property.add(Parameter::new("PARTSTAT", answer));
    Some(property)
}
