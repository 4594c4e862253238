//! Random searches over random posts in several scripts: what is found, and in which order, is what an
//! evaluator finds that shares no code with the server.

use serde_json::json;

use super::{found, reply, setup};

/// Words as they stand in a text, and their tokens.
const TEXTS: [(&str, &str); 14] = [
    ("budget", "budget"),
    ("Budget,", "budget"),
    ("PIZZA!", "pizza"),
    ("Café", "cafe"),
    ("cafe\u{301}", "cafe"),
    ("Straße", "strasse"),
    ("don't", "don t"),
    ("e-mail", "e mail"),
    ("mail", "mail"),
    ("мир", "мир"),
    ("ΣΟΦΟΣ", "σοφοσ"),
    ("日本語 so", "日本 本語 so"),
    ("한국 so", "한국 so"),
    ("\u{1f355}", ""),
];
/// The same as they are searched for.
const WORDS: [(&str, &str); 15] = [
    ("BUDGET", "budget"),
    ("pizza", "pizza"),
    ("CAFÉ", "cafe"),
    ("strasse", "strasse"),
    ("don't", "don t"),
    ("e-mail", "e mail"),
    ("t", "t"),
    ("mail", "mail"),
    ("Мир", "мир"),
    ("σοφος", "σοφοσ"),
    ("日本語", "日本 本語"),
    ("本語", "本語"),
    ("한국", "한국"),
    ("so", "so"),
    ("absent", "absent"),
];
const FIELDS: [&str; 4] = ["topic", "body", "from", "attachment"];

struct Post {
    conversation: usize,
    /// The tokens of topic, body, sender and attachments.
    fields: [Vec<String>; 4],
}

enum Search {
    Term(Option<usize>, String, Vec<String>),
    And(Vec<Search>, Vec<Search>),
    Or(Vec<Search>),
}

/// A generator of numbers that are the same in each run (Knuth's linear congruential one).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % end
    }

    /// A text of some words, and its tokens.
    fn text(&mut self, least: usize, most: usize) -> (String, Vec<String>) {
        let count = least + self.below(most - least + 1);
        let words: Vec<_> = (0..count).map(|_| TEXTS[self.below(TEXTS.len())]).collect();
        let text = words.iter().map(|it| it.0).collect::<Vec<_>>().join(" ");
        (text, words.iter().flat_map(|it| tokens(it.1)).collect())
    }

    fn search(&mut self, depth: usize) -> Search {
        match self.below(if depth == 0 { 3 } else { 6 }) {
            3 | 4 => {
                let count = 1 + self.below(2);
                let of = (0..count).map(|_| self.search(depth - 1)).collect();
                let but = (0..self.below(2)).map(|_| self.search(depth - 1)).collect();
                Search::And(of, but)
            }
            5 => Search::Or((0..2 + self.below(2)).map(|_| self.search(depth - 1)).collect()),
            kind => {
                let field = (self.below(3) == 0).then(|| self.below(4));
                if field == Some(2) {
                    let name = ["ada", "bo"][self.below(2)];
                    return Search::Term(field, name.into(), tokens(name));
                }
                let word = WORDS[self.below(WORDS.len())];
                if kind > 0 {
                    return Search::Term(field, word.0.into(), tokens(word.1));
                }
                let second = WORDS[self.below(9)];
                let phrase = format!("\"{} {}\"", word.0, second.0);
                Search::Term(field, phrase, [tokens(word.1), tokens(second.1)].concat())
            }
        }
    }
}

fn tokens(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}

impl Search {
    fn finds(&self, post: &Post) -> bool {
        match self {
            Search::Term(field, _, tokens) => {
                let within = |it: &Vec<String>| it.windows(tokens.len()).any(|it| it == tokens);
                match field {
                    Some(field) => within(&post.fields[*field]),
                    None => post.fields.iter().any(within),
                }
            }
            Search::And(of, but) => {
                of.iter().all(|it| it.finds(post)) && !but.iter().any(|it| it.finds(post))
            }
            Search::Or(any) => any.iter().any(|it| it.finds(post)),
        }
    }

    fn text(&self, numbers: &mut Numbers) -> String {
        let mut inner = |it: &Search| match it {
            Search::Term(..) => it.text(numbers),
            _ => format!("({})", it.text(numbers)),
        };
        match self {
            Search::Term(None, text, _) => text.clone(),
            Search::Term(Some(field), text, _) => format!("{}:{text}", FIELDS[*field]),
            Search::And(of, but) => {
                let mut parts: Vec<_> = of.iter().map(&mut inner).collect();
                parts.extend(but.iter().map(|it| format!("NOT {}", inner(it))));
                parts.join([" ", " AND "][numbers.below(2)])
            }
            Search::Or(any) => any.iter().map(inner).collect::<Vec<_>>().join(" OR "),
        }
    }
}

#[test]
fn random_searches_find_what_an_evaluator_finds() {
    const CONVERSATIONS: usize = 25;
    let (server, ada, group) = setup();
    let people = [("ada", ada.clone()), ("bo", server.user("bo@example.org"))];
    let mut numbers = Numbers(7);
    let (mut posts, mut places) = (Vec::new(), Vec::<([String; 3], Vec<String>)>::new());
    for at in 0..250 {
        let (name, client) = &people[numbers.below(2)];
        let (body, body_tokens) = numbers.text(0, 6);
        let mut fields =
            [Vec::new(), body_tokens, tokens(&format!("{name} {name} example org")), Vec::new()];
        let conversation = if at < CONVERSATIONS {
            let (topic, topic_tokens) = numbers.text(1, 4);
            places.push((client.talk(&group, &topic, &body), topic_tokens));
            at
        } else {
            let conversation = numbers.below(CONVERSATIONS);
            let mut post = json!({"body": {"contentType": "text", "content": body}});
            if numbers.below(4) == 0 {
                let (name, tokens) = numbers.text(1, 2);
                post["attachments"] = json!([{"@odata.type": "#microsoft.graph.fileAttachment",
                    "name": format!("{name}."), "contentBytes": ""}]);
                fields[3] = tokens;
            }
            let [_, thread, _] = &places[conversation].0;
            let path = format!("/v1.0/groups/{group}/threads/{thread}/reply");
            client.post(&path, &json!({"post": post})).empty(202);
            conversation
        };
        fields[0].clone_from(&places[conversation].1);
        posts.push(Post { conversation, fields });
    }
    let mut hits = 0;
    for _ in 0..80 {
        let search = numbers.search(2);
        let mut text = search.text(&mut numbers);
        if numbers.below(2) == 0 {
            text = format!("\"{}\"", text.replace('"', "\\\""));
        } else if text.starts_with('"') && text.ends_with('"') && text.matches('"').count() == 2 {
            // Else the phrase would be taken for the whole in Graph's quotes.
            text.push_str(" \u{1f355}");
        }
        let matching: Vec<_> = posts.iter().rev().filter(|it| search.finds(it)).collect();
        let mut expected = Vec::new();
        for post in &matching {
            if !expected.contains(&post.conversation) {
                expected.push(post.conversation);
            }
        }
        hits += expected.len();
        let of =
            |part: usize| expected.iter().map(|it| places[*it].0[part].clone()).collect::<Vec<_>>();
        let top = ["", "?$top=3", "?$top=7"][numbers.below(3)];
        let ids = found(&ada, &format!("/v1.0/groups/{group}/conversations{top}"), &text, "id");
        assert_eq!(ids, of(0), "conversations by {text}");
        let ids = found(&ada, &format!("/v1.0/groups/{group}/threads{top}"), &text, "id");
        assert_eq!(ids, of(1), "threads by {text}");
        let one = numbers.below(CONVERSATIONS);
        let path = format!("/v1.0/groups/{group}/threads/{}/posts", places[one].0[1]);
        let ids = found(&ada, &format!("{path}{top}"), &text, "id");
        let expected = matching.iter().filter(|it| it.conversation == one).count();
        assert_eq!(ids.len(), expected, "posts of a thread by {text}");
        let mut all: Vec<_> =
            ada.all(&path).iter().map(|it| it["id"].as_str().unwrap().to_owned()).collect();
        all.reverse();
        all.retain(|it| ids.contains(it));
        assert_eq!(ids, all, "posts of a thread by {text}");
    }
    assert!(hits > 300, "{hits}");
    reply(&ada, &group, &places[0].0[1], "the end");
}
