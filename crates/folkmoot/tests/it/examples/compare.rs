//! What an answer is compared by, and how a difference is written.

use serde_json::Value;

use super::Example;
use crate::support::Response;

/// Names that are not looked for in the answer to an example on a message or an event: a post has no
/// such thing (GRAPH.md has all of a post's properties).
const OF_A_MESSAGE: [&str; 18] = [
    "bccRecipients",
    "bodyPreview",
    "ccRecipients",
    "conversationId",
    "createDateTime",
    "importance",
    "inferenceClassification",
    "isDeliveryReceiptRequested",
    "isDraft",
    "isRead",
    "isReadReceiptRequested",
    "parentFolderId",
    "replyTo",
    "sentDateTime",
    "subject",
    "toRecipients",
    "webLink",
    // Pages of 2015 show the address of an entity. It belongs to odata.metadata=full, and no newer page
    // shows it.
    "@odata.id",
];

/// How the answer differs from the example: the status, the code of an error, and for the others what is
/// wrong with the body. `None`: it does not.
pub(super) fn differences(example: &Example, response: &Response, strict: bool) -> Option<String> {
    let body = serde_json::from_slice::<Value>(&response.body).ok();
    let code = body.as_ref().and_then(|it| it["error"]["code"].as_str());
    let answered = match code {
        Some(code) => format!("{} {code}", response.status),
        None => response.status.to_string(),
    };
    let expected_code = example.answer["error"]["code"].as_str();
    let wrong_code = example.compare == "code" && code != expected_code;
    if response.status != example.status || wrong_code {
        return Some(answered);
    }
    let mut found = Vec::new();
    if example.compare.ends_with("shape") {
        // Of users and groups, the pages show an excerpt.
        let exact = strict && example.compare == "exact-shape" && example.tier == "core";
        if matches!(response.status, 202 | 204) && !response.body.is_empty() {
            found.push("a body".to_owned());
        }
        match expected(&example.answer) {
            Expected::Nothing => {}
            Expected::Text(text) => of_text(text, &response.text(), &mut found),
            Expected::Json(value) => {
                let walk = Walk { analogous: example.tier == "analogous", exact };
                walk.value("", &value, &body.unwrap_or_default(), &mut found);
                media_type(example, response, &mut found);
            }
        }
    }
    (!found.is_empty()).then(|| format!("{answered}: {}", found.join(", ")))
}

enum Expected<'a> {
    Nothing,
    Text(&'a str),
    Json(Value),
}

/// An example's body. Some pages break a line inside a string: their text is JSON without the break.
fn expected(body: &Value) -> Expected<'_> {
    match body {
        Value::Null => Expected::Nothing,
        Value::String(text) => match serde_json::from_str(&text.replace("\n(", "(")) {
            Ok(value) => Expected::Json(value),
            Err(_) => Expected::Text(text),
        },
        value => Expected::Json(value.clone()),
    }
}

/// Of a file, the page shows that there is one; of a calendar, what it begins with.
fn of_text(example: &str, answer: &str, found: &mut Vec<String>) {
    let calendar = "BEGIN:VCALENDAR";
    if answer.is_empty() || example.starts_with(calendar) != answer.starts_with(calendar) {
        found.push("another text".to_owned());
    }
}

fn media_type(example: &Example, response: &Response, found: &mut Vec<String>) {
    let media = |it: &str| it.split(';').next().unwrap_or(it).trim().to_owned();
    let answered = response.header("Content-Type").map(media);
    let expected = example.answer_type.as_deref().map(media);
    if expected.is_some() && answered != expected {
        found.push(format!("is {}", answered.unwrap_or_default()));
    }
}

struct Walk {
    analogous: bool,
    exact: bool,
}

impl Walk {
    fn value(&self, path: &str, example: &Value, answer: &Value, found: &mut Vec<String>) {
        match (example, answer) {
            (Value::Null, _) => {}
            (_, Value::Null) => found.push(format!("{path} is null")),
            (Value::Object(_), Value::Object(_)) => self.object(path, example, answer, found),
            (Value::Array(example), Value::Array(answer)) => {
                match (example.first(), answer.first()) {
                    (Some(example), Some(answer)) => {
                        self.value(&format!("{path}/0"), example, answer, found);
                    }
                    (Some(_), None) => found.push(format!("{path} is empty")),
                    (None, _) => {}
                }
            }
            (example, answer) if kind(example) == kind(answer) => {}
            (_, answer) => found.push(format!("{path} is {}", kind(answer))),
        }
    }

    fn object(&self, path: &str, example: &Value, answer: &Value, found: &mut Vec<String>) {
        let (Some(example), Some(answer)) = (example.as_object(), answer.as_object()) else {
            return;
        };
        for (name, value) in example {
            // An annotation of a name that the example itself does not have is a slip of its page.
            let of = name.split_once('@').map(|(of, _)| of).filter(|it| !it.is_empty());
            let slip = of.is_some_and(|of| !example.contains_key(of));
            if slip || self.analogous && OF_A_MESSAGE.contains(&&name[..]) {
                continue;
            }
            match answer.get(name) {
                Some(answer) => self.value(&format!("{path}/{name}"), value, answer, found),
                None => found.push(format!("no {path}/{name}")),
            }
        }
        if self.exact {
            let more = answer.keys().filter(|it| !it.contains('@') && !example.contains_key(*it));
            found.extend(more.map(|it| format!("also {path}/{it}")));
        }
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}
