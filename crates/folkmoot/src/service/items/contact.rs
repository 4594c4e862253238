//! A contact as a card: vCard 3.0 (RFC 2426), which Graph itself writes and every address book reads.
//!
//! **Invariant:** it has a name, whatever the contact lacks.

use ics::components::{Component, Parameter, Property};
use odata::json::Json;

use super::{line, list, text, value};
use crate::store::attachments::Item;

/// The parts of a name in the order of its line.
const NAME: [&str; 5] = ["surname", "givenName", "middleName", "title", "generation"];
/// Telephone numbers, and of which kind they are.
const PHONES: [(&str, &str); 2] = [("businessPhones", "WORK,VOICE"), ("homePhones", "HOME,VOICE")];

pub(super) fn write(item: &Item, contact: &Json) -> Vec<u8> {
    let mut card = Component::new("VCARD");
    card.add_property(Property::new("VERSION", "3.0"));
    card.add_property(line("FN", &known_as(item, contact)));
    let name = NAME.map(|it| value(text(contact, &[it]).unwrap_or_default()));
    card.add_property(Property::new("N", name.join(";")));
    for address in list(contact, "emailAddresses").iter().filter_map(|it| text(it, &["address"])) {
        card.add_property(typed("EMAIL", "INTERNET", address));
    }
    for (name, kind) in PHONES {
        for number in list(contact, name).iter().filter_map(|it| text(it, &[])) {
            card.add_property(typed("TEL", kind, number));
        }
    }
    if let Some(number) = text(contact, &["mobilePhone"]) {
        card.add_property(typed("TEL", "CELL,VOICE", number));
    }
    let (company, department) = (text(contact, &["companyName"]), text(contact, &["department"]));
    if company.is_some() || department.is_some() {
        let parts = [company, department].map(|it| value(it.unwrap_or_default()));
        let parts = if department.is_some() { &parts[..] } else { &parts[..1] };
        card.add_property(Property::new("ORG", parts.join(";")));
    }
    if let Some(title) = text(contact, &["jobTitle"]) {
        card.add_property(line("TITLE", title));
    }
    card.to_string().into_bytes()
}

/// By what name a contact goes; the attachment's, where it has none.
fn known_as(item: &Item, contact: &Json) -> String {
    if let Some(name) = text(contact, &["displayName"]) {
        return name.to_owned();
    }
    let parts = ["givenName", "surname"].into_iter().filter_map(|it| text(contact, &[it]));
    let name = parts.collect::<Vec<_>>().join(" ");
    let company = || text(contact, &["companyName"]).unwrap_or(&item.name).to_owned();
    if name.is_empty() { company() } else { name }
}

fn typed(name: &'static str, kind: &'static str, text: &str) -> Property<'static> {
    let mut property = line(name, text);
    property.add(Parameter::new("TYPE", kind));
    property
}
