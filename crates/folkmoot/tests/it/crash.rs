//! What was acknowledged is there after a kill, and nothing is there by half.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use serde_json::json;

use crate::support::{Client, Server};

const WRITERS: usize = 8;

#[test]
fn every_acknowledged_conversation_survives_a_kill_and_none_is_half_there() {
    let server = Server::durable();
    let ada = server.user("ada@example.org");
    let group = ada.group("readers", "Private");
    let acknowledged = Arc::new(Mutex::new(Vec::new()));
    let stopped = Arc::new(AtomicBool::new(false));
    let writers: Vec<_> = (0..WRITERS)
        .map(|writer| {
            let (ada, group) = (ada.clone(), group.clone());
            let (acknowledged, stopped) = (acknowledged.clone(), stopped.clone());
            std::thread::spawn(move || write(&ada, &group, writer, &acknowledged, &stopped))
        })
        .collect();
    // In the middle of the load: once a good number is through.
    while acknowledged.lock().unwrap().len() < 200 {
        std::thread::yield_now();
    }
    let server = server.kill_and_restart();
    stopped.store(true, Ordering::Relaxed);
    for writer in writers {
        writer.join().unwrap();
    }

    let ada = ada.at(&server);
    let path =
        format!("/v1.0/groups/{group}/conversations?$top=1000&$expand=threads($expand=posts)");
    let all = ada.all(&path);
    let acknowledged = acknowledged.lock().unwrap();
    for id in acknowledged.iter() {
        assert!(all.iter().any(|it| it["id"] == id.as_str()), "{id} was acknowledged and is lost");
    }
    for conversation in &all {
        assert_eq!(conversation["threads"].as_array().unwrap().len(), 1, "{conversation}");
        let posts = conversation["threads"][0]["posts"].as_array().unwrap();
        assert_eq!(posts.len(), 1, "{conversation}");
        assert_eq!(posts[0]["body"]["content"], conversation["topic"], "{conversation}");
    }
    let count = |sql: &str| server.number(sql);
    let stored = i64::try_from(all.len()).unwrap();
    assert_eq!(count("select count(*) from posts"), stored);
    assert_eq!(count("select count(*) from post_index"), stored);
    // The feed: three rows a conversation, numbered without gaps.
    assert_eq!(count("select count(*) from feed"), 3 * stored);
    assert_eq!(count("select max(seq) from feed"), 3 * stored);
    assert_eq!(count("select seq from feed_heads"), 3 * stored);
    let check = server.check();
    assert_eq!(check.status, Some(0), "{}{}", check.stdout, check.stderr);
}

/// Posts until the server is gone, noting what was acknowledged.
fn write(
    ada: &Client,
    group: &str,
    writer: usize,
    acknowledged: &Mutex<Vec<String>>,
    stopped: &AtomicBool,
) {
    let path = format!("/v1.0/groups/{group}/conversations");
    for number in 0.. {
        let topic = format!("post {number} of {writer}");
        let body = json!({"topic": topic, "threads": [{"posts": [{"body": {"content": topic}}]}]});
        let sent = std::panic::catch_unwind(|| ada.post(&path, &body));
        match sent {
            Ok(answer) if answer.status == 201 => {
                acknowledged.lock().unwrap().push(answer.id());
            }
            _ => return,
        }
        if stopped.load(Ordering::Relaxed) {
            return;
        }
    }
}
