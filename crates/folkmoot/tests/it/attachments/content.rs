//! `$value`: files as they came, items as mails, calendars and cards, references not at all.

use serde_json::{Value, json};

use super::{Scene, event, file, item, reference};
use crate::support::Response;

/// Content lines without their folding (RFC 5545, section 3.1); none of them is longer than 75 octets
/// and what marks a continuation.
#[track_caller]
fn lines(answer: &Response) -> Vec<String> {
    let text = answer.text();
    assert!(text.ends_with("\r\n") && !text.replace("\r\n", "").contains(['\r', '\n']), "{text:?}");
    assert!(text.split("\r\n").all(|it| it.len() <= 76), "{text}");
    text.replace("\r\n ", "").split_terminator("\r\n").map(str::to_owned).collect()
}

#[track_caller]
fn assert_saved(answer: &Response, content_type: &str, name: &str) {
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.header("Content-Type"), Some(content_type));
    let disposition = format!("attachment; filename*=UTF-8''{name}");
    assert_eq!(answer.header("Content-Disposition"), Some(disposition.as_str()));
    assert_eq!(answer.header("X-Content-Type-Options"), Some("nosniff"));
    assert_eq!(answer.header("Content-Security-Policy"), Some("sandbox"));
}

/// The `$value` of an item that is attached under a name.
fn value(scene: &Scene, name: &str, of: &Value) -> Response {
    let mut body = item();
    body["name"] = json!(name);
    body["item"] = of.clone();
    let address = format!("{}/$value", scene.attach(&body));
    let answer = scene.ada.get(&address);
    assert_eq!(scene.ada.get(&address).body, answer.body, "the same each time");
    answer
}

#[test]
fn a_file_is_what_it_was_and_a_reference_has_no_content() {
    let scene = Scene::new();
    let answer = scene.ada.get(&format!("{}/$value", scene.attach(&file())));
    assert_saved(&answer, "text/plain", "menu%2Etxt");
    assert_eq!(answer.text(), "soup");
    let answer = scene.ada.get(&format!("{}/$value", scene.attach(&reference())));
    let why = answer.refused(405, "ErrorInvalidRequest");
    assert!(why.contains("reference attachment"), "{why}");
    assert_eq!(answer.header("Allow"), Some(""));
}

#[test]
fn an_event_is_a_calendar() {
    let scene = Scene::new();
    let answer = value(&scene, "Holiday", &event());
    assert_saved(&answer, "text/calendar; charset=utf-8", "Holiday%2Eics");
    let calendar = lines(&answer);
    let id = scene.ada.all(&scene.attachments())[0]["id"].as_str().unwrap().to_owned();
    let of_time = calendar.iter().position(|it| it.starts_with("DTSTAMP:")).unwrap();
    assert_eq!(calendar[of_time].len(), "DTSTAMP:20190409T211833Z".len());
    let mut rest = calendar.clone();
    rest.remove(of_time);
    assert_eq!(
        rest,
        [
            "BEGIN:VCALENDAR",
            "VERSION:2.0",
            "PRODID:-//Folkmoot//Folkmoot//EN",
            "BEGIN:VEVENT",
            &format!("UID:{id}"),
            "SUMMARY:Discuss gifts",
            "DTSTART;TZID=\"Pacific Standard Time\":20191202T180000",
            "DTEND;TZID=\"Pacific Standard Time\":20191202T190000",
            "DESCRIPTION:Let's look for funding!",
            "END:VEVENT",
            "END:VCALENDAR",
        ]
    );
}

#[test]
fn an_event_has_its_people_its_place_and_its_times() {
    let scene = Scene::new();
    let person = |name: &str| {
        let address = format!("{}@example.org", name.to_lowercase());
        json!({"emailAddress": {"name": name, "address": address}})
    };
    let mut attendee = person("Bo");
    attendee["emailAddress"]["name"] = json!("Bö, the \"cook\"\r\nX-EVIL:1");
    attendee["type"] = json!("optional");
    attendee["status"] = json!({"response": "tentativelyAccepted"});
    attendee["emailAddress"]["address"] = json!("bo\r\nX-EVIL:1@example.org");
    let of = |start: Value| {
        json!({"@odata.type": "#microsoft.graph.event", "iCalUId": "0400\r\nX-EVIL:1",
            "subject": "Soup; bread, \\ and\r\nmore", "Start": start,
            "end": {"dateTime": "2019-12-02T19:00:00.5000000", "timeZone": "utc"},
            "location": {"displayName": "Küche"}, "organizer": person("Ada"),
            "attendees": [attendee, person("Cy")], "isCancelled": true,
            "lastModifiedDateTime": "2019-04-09T21:18:33+02:00",
            "body": {"contentType": "text", "content": "ü".repeat(200)}})
    };
    let start = |time: &str, zone: Value| json!({"dateTime": time, "timeZone": zone});
    let answer = value(&scene, "X.ICS", &of(start("2019-12-02T18:00:00", json!("UTC"))));
    assert_saved(&answer, "text/calendar; charset=utf-8", "X%2EICS");
    let calendar = lines(&answer);
    for line in [
        "UID:0400\\nX-EVIL:1",
        "DTSTAMP:20190409T191833Z",
        "SUMMARY:Soup\\; bread\\, \\\\ and\\nmore",
        "DTSTART:20191202T180000Z",
        "DTEND:20191202T190000Z",
        "LOCATION:Küche",
        "ORGANIZER;CN=\"Ada\":mailto:ada@example.org",
        "ATTENDEE;CN=\"Bö, the 'cook'X-EVIL:1\";PARTSTAT=TENTATIVE;ROLE=OPT-PARTICIPANT:mailto:bo%0D%0AX-EVIL%3A1@example.org",
        "ATTENDEE;CN=\"Cy\";PARTSTAT=NEEDS-ACTION;ROLE=REQ-PARTICIPANT:mailto:cy@example.org",
        "STATUS:CANCELLED",
        &format!("DESCRIPTION:{}", "ü".repeat(200)),
    ] {
        assert!(calendar.iter().any(|it| it == line), "{line} in {calendar:#?}");
    }
    for (start, expected) in [
        (start("2019-12-02T18:00:00+02:00", json!("Anywhere")), Some("DTSTART:20191202T160000Z")),
        (start("2019-12-02T18:00:00", Value::Null), Some("DTSTART:20191202T180000")),
        (start("tomorrow", json!("UTC")), None),
        (json!("2019-12-02"), None),
    ] {
        let calendar = lines(&value(&scene, "x", &of(start.clone())));
        let got = calendar.iter().find(|it| it.starts_with("DTSTART"));
        assert_eq!(got.map(String::as_str), expected, "{start}");
    }
    let mut day = of(start("2019-12-02T00:00:00", json!("W. Europe Standard Time")));
    day["isAllDay"] = json!(true);
    let calendar = lines(&value(&scene, "x", &day));
    assert!(calendar.contains(&"DTSTART;VALUE=DATE:20191202".to_owned()), "{calendar:#?}");
}

#[test]
fn a_contact_is_a_card() {
    let scene = Scene::new();
    let contact = json!({"@odata.type": "#microsoft.graph.contact", "displayName": "Ada; Lovelace",
        "givenName": "Ada", "surname": "Lovelace", "title": "Countess",
        "emailAddresses": [{"name": "Ada", "address": "ada@example.org"}, {"name": "none"}],
        "businessPhones": ["+1 555 0100", ""], "homePhones": ["+1 555 0101"],
        "mobilePhone": "+1 555 0102\r\nX-EVIL:1", "companyName": "Engines, Ltd.",
        "department": "Analysis", "jobTitle": "Programmer"});
    let answer = value(&scene, "Ada", &contact);
    assert_saved(&answer, "text/vcard; charset=utf-8", "Ada%2Evcf");
    assert_eq!(
        lines(&answer),
        [
            "BEGIN:VCARD",
            "VERSION:3.0",
            "FN:Ada\\; Lovelace",
            "N:Lovelace;Ada;;Countess;",
            "EMAIL;TYPE=INTERNET:ada@example.org",
            "TEL;TYPE=WORK,VOICE:+1 555 0100",
            "TEL;TYPE=HOME,VOICE:+1 555 0101",
            "TEL;TYPE=CELL,VOICE:+1 555 0102\\nX-EVIL:1",
            "ORG:Engines\\, Ltd.;Analysis",
            "TITLE:Programmer",
            "END:VCARD",
        ]
    );
    // With nothing in it, it goes by the attachment's name.
    let answer = value(&scene, "Somebody", &json!({"@odata.type": "microsoft.graph.contact"}));
    assert_eq!(
        lines(&answer),
        ["BEGIN:VCARD", "VERSION:3.0", "FN:Somebody", "N:;;;;", "END:VCARD"]
    );
}

#[test]
fn a_message_is_a_mail() {
    let scene = Scene::new();
    let person =
        |name: &str, address: &str| json!({"emailAddress": {"name": name, "address": address}});
    let message = json!({"@odata.type": "#microsoft.graph.message", "subject": "Übung",
        "from": person("Ada", "ada@example.org"),
        "toRecipients": [person("Bo", "bo@example.org"), person("", "cy@example.org")],
        "ccRecipients": [person("Zoë", "zoe@example.org")],
        "receivedDateTime": "2019-04-09T21:18:40Z", "sentDateTime": "2019-04-09T23:18:33+02:00",
        "internetMessageId": "<one@example.org>",
        "body": {"contentType": "html", "content": "<p>Soup\u{a0}&amp; bread</p>"}});
    let answer = value(&scene, "Mail", &message);
    assert_saved(&answer, "message/rfc822", "Mail%2Eeml");
    let text = answer.text();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    let head: Vec<_> = head.split("\r\n").collect();
    for line in [
        "From: \"Ada\" <ada@example.org>",
        "To: \"Bo\" <bo@example.org>, <cy@example.org>",
        "Cc: =?utf-8?B?Wm/Dqw==?= <zoe@example.org>",
        "Date: Tue, 9 Apr 2019 21:18:33 +0000",
        "Message-ID: <one@example.org>",
        "MIME-Version: 1.0",
    ] {
        assert!(head.contains(&line), "{line} in {head:#?}");
    }
    assert!(head.iter().any(|it| it.starts_with("Subject: =?utf-8?")), "{head:#?}");
    assert!(head.iter().any(|it| it.starts_with("Content-Type: text/html")), "{head:#?}");
    assert!(body.contains("Soup=C2=A0&amp; bread"), "{body}");

    let mut evil = message.clone();
    for name in ["subject", "internetMessageId"] {
        evil[name] = json!("x\r\nX-Evil: 1\r\n\r\nbody");
    }
    evil["from"] = person("a\r\nX-Evil: 1", "a@example.org\r\nX-Evil: 1");
    evil["body"] = json!({"contentType": "text", "content": "plain"});
    let text = value(&scene, "Mail", &evil).text();
    assert!(!text.contains("\nX-Evil") && text.ends_with("\r\n\r\nplain"), "{text}");
    // What says nothing of itself has the attachment's name, and a body that is empty.
    let text = value(&scene, "Bare", &json!({"@odata.type": "microsoft.graph.message"})).text();
    assert!(text.contains("Subject: Bare\r\n") && text.contains("\r\nDate: "), "{text}");
}

#[test]
fn only_files_have_a_media_stream_at_the_full_level() {
    let scene = Scene::new();
    for it in [file(), item(), reference()] {
        scene.attach(&it);
    }
    let full = [("Accept", "application/json;odata.metadata=full")];
    let listed = scene.ada.send("GET", &scene.attachments(), &full, b"").ok();
    let list = listed["value"].as_array().unwrap();
    let link = format!("{}/$value", list[0]["@odata.id"].as_str().unwrap());
    assert_eq!(list[0]["@odata.mediaReadLink"], link);
    assert_eq!(list[0]["@odata.mediaContentType"], "text/plain");
    for it in &list[1..] {
        let media = it.as_object().unwrap().keys().filter(|it| it.starts_with("@odata.media"));
        assert_eq!(media.count(), 0, "{it}");
    }
}
