//! PostgreSQL is killed under load: nothing acknowledged is lost, and the server goes on by itself.

use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::cluster::{Postgres, launch};
use crate::support::{Client, Response, Server, postgres};

const WRITERS: usize = 8;
/// No answer may take longer, whatever state the database is in.
const ANSWER_MAX: Duration = Duration::from_secs(15);
/// How soon after the database's start writes must succeed again.
const RECOVERY_MAX: Duration = Duration::from_secs(30);

/// An answer that a client got.
struct Answer {
    /// Who asked; the last one is a reader.
    client: usize,
    /// The topic sent, where it was a conversation.
    topic: String,
    asked: Instant,
    took: Duration,
    response: Response,
}

/// What clients have been told, until now.
struct Told {
    answers: Receiver<Answer>,
    /// Id and topic of each conversation acknowledged.
    acknowledged: Vec<(String, String)>,
}

#[test]
fn a_killed_postgres_loses_nothing_acknowledged_and_the_server_goes_on_by_itself() {
    if std::env::var_os("FOLKMOOT_TEST_POSTGRES").is_none() {
        eprintln!("left out: FOLKMOOT_TEST_POSTGRES does not name a PostgreSQL");
        return;
    }
    let mut cluster = Postgres::start().unwrap();
    postgres::run(&format!("{}/postgres", cluster.url), "create database folkmoot");
    let server = Server::on_database(&format!("{}/folkmoot", cluster.url));
    let ada = server.user("ada@example.org");
    let group = ada.group("readers", "Private");

    let stopped = AtomicBool::new(false);
    let (tell, answers) = channel();
    let mut told = Told { answers, acknowledged: Vec::new() };
    std::thread::scope(|scope| {
        for client in 0..=WRITERS {
            let (ada, group, stopped, tell) = (&ada, &group, &stopped, tell.clone());
            scope.spawn(move || ask(client, ada, group, stopped, &tell));
        }
        // However this ends, so do the clients.
        let _stop = StopAtDrop(&stopped);
        while told.acknowledged.len() < 200 {
            told.next();
        }
        let killed = kill(&mut cluster);
        let mut put_off = [0; WRITERS + 1];
        while put_off.iter().any(|it| *it < 20) {
            let answer = told.next();
            if answer.asked > killed {
                put_off[answer.client] += u32::from(answer.response.status == 503);
            }
            let why = "not everybody was told that the database is gone";
            assert!(killed.elapsed() < ANSWER_MAX, "{why}: {put_off:?}");
        }
        let started = Instant::now();
        cluster.child = launch(&cluster.folder, cluster.port).unwrap();
        let mut served = [false; WRITERS + 1];
        while served.contains(&false) {
            let answer = told.next();
            served[answer.client] |= answer.asked > started && answer.response.status < 300;
            let why = "not everybody is served again";
            assert!(started.elapsed() < RECOVERY_MAX, "{why}: {served:?}");
        }
        // From here on it is as it was before.
        let recovered = Instant::now();
        let enough = told.acknowledged.len() + 200;
        while told.acknowledged.len() < enough {
            let answer = told.next();
            let good = answer.response.status < 300;
            assert!(answer.asked < recovered || good, "{}", answer.response.text());
        }
    });
    drop(tell);
    while let Ok(answer) = told.answers.recv() {
        told.take(&answer);
    }
    whole(&server, &ada, &group, &told.acknowledged);
    let log = std::fs::read_to_string(server.data.join("log")).unwrap();
    assert!(!log.contains("panicked"), "{log}");
}

struct StopAtDrop<'a>(&'a AtomicBool);

impl Drop for StopAtDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Posts conversations one after another, or reads them.
fn ask(client: usize, ada: &Client, group: &str, stopped: &AtomicBool, tell: &Sender<Answer>) {
    let path = format!("/v1.0/groups/{group}/conversations");
    for number in 0.. {
        if stopped.load(Ordering::Relaxed) {
            return;
        }
        let topic = if client < WRITERS { format!("{number} of {client}") } else { String::new() };
        let asked = Instant::now();
        let response = if topic.is_empty() {
            ada.get(&format!("{path}?$top=5&$expand=threads"))
        } else {
            let post = json!({"body": {"content": topic}, "attachments": [{
                "@odata.type": "#microsoft.graph.fileAttachment",
                "name": format!("{topic}.txt"), "contentBytes": "aGVsbG8="
            }]});
            ada.post(&path, &json!({"topic": topic, "threads": [{"posts": [post]}]}))
        };
        let took = asked.elapsed();
        if tell.send(Answer { client, topic, asked, took, response }).is_err() {
            return;
        }
    }
}

impl Told {
    /// The next answer that somebody gets.
    fn next(&mut self) -> Answer {
        let answer = self.answers.recv_timeout(2 * ANSWER_MAX).expect("nobody gets an answer");
        self.take(&answer);
        answer
    }

    /// Looks that an answer is one of those that clients can deal with, and notes what it acknowledges.
    fn take(&mut self, answer: &Answer) {
        let Answer { topic, took, response, .. } = answer;
        assert!(*took < ANSWER_MAX, "an answer took {took:?}: {}", response.text());
        match response.status {
            201 => self.acknowledged.push((response.id(), topic.clone())),
            200 if topic.is_empty() => {}
            503 => {
                response.refused(503, "serviceNotAvailable");
                assert_eq!(response.header("Retry-After"), Some("1"));
            }
            status => panic!("{status}: {}", response.text()),
        }
    }
}

/// Kills every process of it at once, as a power cut would; the time from which on it is gone.
fn kill(cluster: &mut Postgres) -> Instant {
    let signal = |name: &str, pids: &[String]| {
        let status = Command::new("kill").args(["-s", name]).args(pids).status().unwrap();
        assert!(status.success());
    };
    // Stopped first, so that it does not start its children again.
    let parent = cluster.child.id().to_string();
    signal("STOP", std::slice::from_ref(&parent));
    let mut all = children(&parent);
    assert!(all.len() > WRITERS, "{all:?}");
    all.push(parent);
    signal("KILL", &all);
    cluster.child.wait().unwrap();
    Instant::now()
}

/// The processes that have this one for their parent.
fn children(parent: &str) -> Vec<String> {
    let mut found = Vec::new();
    for process in std::fs::read_dir("/proc").unwrap() {
        let process = process.unwrap();
        // A process may end meanwhile. After the name, in parentheses, come the state and the parent.
        let stat = std::fs::read_to_string(process.path().join("stat")).unwrap_or_default();
        let after = stat.rsplit_once(") ").map_or("", |it| it.1);
        if after.split(' ').nth(1) == Some(parent) {
            found.push(process.file_name().into_string().unwrap());
        }
    }
    found
}

/// Looks that all that was acknowledged is there, that nothing is there by half, and that the feed
/// tells of it.
fn whole(server: &Server, ada: &Client, group: &str, acknowledged: &[(String, String)]) {
    let expand = "$expand=threads($expand=posts($expand=attachments))";
    let all = ada.all(&format!("/v1.0/groups/{group}/conversations?$top=100&{expand}"));
    let topics: std::collections::HashMap<_, _> =
        all.iter().map(|it| (it["id"].as_str().unwrap(), it["topic"].as_str().unwrap())).collect();
    for (id, topic) in acknowledged {
        assert_eq!(topics.get(id.as_str()), Some(&topic.as_str()), "{id} was acknowledged");
    }
    // What was on its way when the database died may be there too, but once and whole.
    assert!(all.len() <= acknowledged.len() + WRITERS * 2, "{} {}", all.len(), acknowledged.len());
    let distinct: std::collections::BTreeSet<_> = topics.values().collect();
    assert_eq!((distinct.len(), topics.len()), (all.len(), all.len()));
    for conversation in &all {
        let topic = conversation["topic"].as_str().unwrap();
        let one = |from: &serde_json::Value, name: &str| {
            let list = from[name].as_array().unwrap();
            assert_eq!(list.len(), 1, "{name} of {conversation}");
            list[0].clone()
        };
        let post = one(&one(conversation, "threads"), "posts");
        assert_eq!(post["body"]["content"], topic);
        let attachment = one(&post, "attachments");
        assert_eq!(attachment["name"], format!("{topic}.txt"));
        assert_eq!(attachment["contentBytes"], "aGVsbG8=");
    }
    let stored = i64::try_from(all.len()).unwrap();
    for sql in
        ["select count(*) from feed", "select max(seq) from feed", "select seq from feed_heads"]
    {
        assert_eq!(server.number(sql), 3 * stored, "{sql}");
    }
    let check = server.check();
    assert_eq!(check.status, Some(0), "{}{}", check.stdout, check.stderr);
    let sound = format!("{stored} conversations, {stored} threads, {stored} posts, {stored} att");
    assert!(check.stdout.contains(&sound), "{}", check.stdout);
}
