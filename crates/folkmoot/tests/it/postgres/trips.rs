//! How often the server and its database wait for each other.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use serde_json::json;

use crate::support::Server;
use crate::support::postgres::Database;

/// What stands in each post, and so in what is sent of it to the database.
const MARK: &[u8] = b"what is said in every post here";

/// A connection of the server to its database.
#[derive(Default)]
struct Line {
    /// Whether the server spoke last.
    server_spoke: AtomicBool,
    /// How often the server spoke after the database did.
    turns: AtomicU32,
    /// Whether a post went over it.
    is_marked: AtomicBool,
}

impl Line {
    fn pass_on(&self, mut from: TcpStream, mut to: TcpStream, is_server: bool) {
        let mut buffer = vec![0; 1 << 16];
        while let Ok(length @ 1..) = from.read(&mut buffer) {
            if self.server_spoke.swap(is_server, Ordering::SeqCst) != is_server && is_server {
                self.turns.fetch_add(1, Ordering::SeqCst);
            }
            if buffer[..length].windows(MARK.len()).any(|it| it == MARK) {
                self.is_marked.store(true, Ordering::SeqCst);
            }
            if to.write_all(&buffer[..length]).is_err() {
                return;
            }
        }
    }
}

#[test]
fn a_create_is_one_round_trip_to_the_database() {
    let Some(database) = Database::new() else { return };
    let (_, address) = database.url.split_once('@').unwrap();
    let (target, _) = address.split_once('/').unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let between = listener.local_addr().unwrap().to_string();
    let lines = Arc::new(Mutex::new(Vec::<Arc<Line>>::new()));
    let (known, behind) = (lines.clone(), target.to_owned());
    std::thread::spawn(move || {
        for server in listener.incoming() {
            let server = server.unwrap();
            let Ok(database) = TcpStream::connect(&behind) else { continue };
            for stream in [&server, &database] {
                stream.set_nodelay(true).unwrap();
            }
            let line = Arc::new(Line::default());
            known.lock().unwrap().push(line.clone());
            let ways = [
                (server.try_clone().unwrap(), database.try_clone().unwrap(), true),
                (database, server, false),
            ];
            for (from, to, is_server) in ways {
                let line = line.clone();
                std::thread::spawn(move || line.pass_on(from, to, is_server));
            }
        }
    });
    let server = Server::on_database(&database.url.replace(target, &between));
    let ada = server.user("ada@example.org");
    let group = ada.group("readers", "Private");
    let path = format!("/v1.0/groups/{group}/conversations");
    let said = std::str::from_utf8(MARK).unwrap();
    let body = json!({"topic": "x", "threads": [{"posts": [{"body": {"content": said}}]}]});
    // The first asks what the others remember; and now and then the feed is worked on over the same connection
    // before the turns are read.
    let trips = (0..30).map(|_| {
        for line in lines.lock().unwrap().iter() {
            line.turns.store(0, Ordering::SeqCst);
            line.is_marked.store(false, Ordering::SeqCst);
        }
        ada.post(&path, &body).created();
        let lines = lines.lock().unwrap();
        let line = lines.iter().find(|it| it.is_marked.load(Ordering::SeqCst));
        line.expect("a post goes to the database").turns.load(Ordering::SeqCst)
    });
    let trips: Vec<_> = trips.collect();
    assert_eq!(trips.iter().min(), Some(&1), "{trips:?}");
}
