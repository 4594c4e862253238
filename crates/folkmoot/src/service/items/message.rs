//! A message as a mail (RFC 5322).
//!
//! **Invariant:** it has an id and a time of its own, so that the library never asks the system for
//! either.

use mail_builder::MessageBuilder;
use mail_builder::headers::address::Address;
use mail_builder::headers::date::Date;
use odata::json::Json;

use super::{body, list, mailbox, text, time};
use crate::store::attachments::Item;

/// Headers that hold people, and where they stand in a message.
const MANY: [(&str, &str); 3] =
    [("To", "toRecipients"), ("Cc", "ccRecipients"), ("Reply-To", "replyTo")];

pub(super) fn write(item: &Item, message: &Json) -> Vec<u8> {
    let mut mail = MessageBuilder::new();
    for (header, name) in [("From", "from"), ("Sender", "sender")] {
        if let Some((name, address)) = message.get(name).and_then(mailbox) {
            mail = mail.header(header, Address::new_address(name, address));
        }
    }
    for (header, name) in MANY {
        let people: Vec<_> = list(message, name).iter().filter_map(mailbox).collect();
        if !people.is_empty() {
            let people =
                people.into_iter().map(|(name, address)| Address::new_address(name, address));
            mail = mail.header(header, Address::new_list(people.collect()));
        }
    }
    let subject = text(message, &["subject"]).unwrap_or(&item.name);
    let sent = time(message, &["sentDateTime", "receivedDateTime", "createdDateTime"]);
    let id = text(message, &["internetMessageId"]).map(|it| it.trim_matches(['<', '>']));
    // The library writes an id as it is given.
    let id = id.filter(|it| it.bytes().all(|it| it.is_ascii_graphic() && !b"<>".contains(&it)));
    let id = id.map_or_else(|| format!("{}@folkmoot.invalid", item.id), str::to_owned);
    mail = mail
        .subject(subject)
        .date(Date::new(sent.unwrap_or(item.modified).unix_seconds()))
        .message_id(id);
    mail = match body(message) {
        Some(("html", content)) => mail.html_body(content),
        Some((_, content)) => mail.text_body(content),
        None => mail.text_body(""),
    };
    let mut bytes = Vec::new();
    mail.serialize(&mut bytes);
    bytes
}
