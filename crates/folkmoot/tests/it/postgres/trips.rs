//! How often the server and its database wait for each other.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use serde_json::json;

use crate::support::Server;
use crate::support::postgres::Database;

/// Passes bytes on, and raises `turns` where the server speaks after the database did.
fn pass_on(
    mut from: TcpStream,
    mut to: TcpStream,
    is_server: bool,
    spoke: &AtomicBool,
    turns: &AtomicU32,
) {
    let mut buffer = vec![0; 1 << 16];
    while let Ok(length @ 1..) = from.read(&mut buffer) {
        if spoke.swap(is_server, Ordering::SeqCst) != is_server && is_server {
            turns.fetch_add(1, Ordering::SeqCst);
        }
        if to.write_all(&buffer[..length]).is_err() {
            return;
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
    let turns = Arc::new(AtomicU32::new(0));
    let (counted, behind) = (turns.clone(), target.to_owned());
    std::thread::spawn(move || {
        for server in listener.incoming() {
            let server = server.unwrap();
            let Ok(database) = TcpStream::connect(&behind) else { continue };
            for stream in [&server, &database] {
                stream.set_nodelay(true).unwrap();
            }
            let spoke = Arc::new(AtomicBool::new(false));
            let ways = [
                (server.try_clone().unwrap(), database.try_clone().unwrap(), true),
                (database, server, false),
            ];
            for (from, to, is_server) in ways {
                let (spoke, turns) = (spoke.clone(), counted.clone());
                std::thread::spawn(move || pass_on(from, to, is_server, &spoke, &turns));
            }
        }
    });
    let server = Server::on_database(&database.url.replace(target, &between));
    let ada = server.user("ada@example.org");
    let group = ada.group("readers", "Private");
    let path = format!("/v1.0/groups/{group}/conversations");
    let body = json!({"topic": "x", "threads": [{"posts": [{"body": {"content": "y"}}]}]});
    // The first asks what the others remember; and now and then the feed is worked on meanwhile.
    let trips = (0..30).map(|_| {
        turns.store(0, Ordering::SeqCst);
        ada.post(&path, &body).created();
        turns.load(Ordering::SeqCst)
    });
    assert_eq!(trips.min(), Some(1));
}
