//! What waits for another process waits for so long, and says that it may be tried again.

use serde_json::json;

use crate::support::postgres::Database;
use crate::support::{Server, postgres};

#[test]
fn a_write_that_another_process_keeps_waiting_is_told_to_come_again() {
    let Some(database) = Database::new() else { return };
    let server = Server::on_database(&database.url);
    let ada = server.user("ada@example.org");
    let [group, other] = ["first", "second"].map(|name| ada.group(name, "Private"));
    let path = |group: &str| format!("/v1.0/groups/{group}/conversations");
    let post = |group: &str| ada.post(&path(group), &json!({"topic": "x"}));
    // As a process does that hangs in the middle of a command on the group: see conn.rs, `begin`.
    let bytes = *uuid::Uuid::try_parse(&group).unwrap().as_bytes();
    let [a, b, c, d, e, f, g, h, ..] = bytes;
    let [.., i, j] = bytes;
    let key = i64::from_le_bytes([a ^ g, b ^ h, c, d, e, f, i, j]);
    std::thread::scope(|scope| {
        let hung = scope.spawn(|| {
            let sql = format!("begin; select pg_advisory_xact_lock({key}), pg_sleep(6); commit");
            postgres::run(&database.url, &sql);
        });
        let held = "select count(*) from pg_locks where locktype = 'advisory' and granted";
        while postgres::number(&database.url, held) == 0 {
            std::thread::yield_now();
        }
        let answer = post(&group);
        answer.refused(503, "serviceNotAvailable");
        assert!(answer.header("Retry-After").is_some());
        assert!(!hung.is_finished(), "it waited for the other to end");
        // Nobody else waits.
        post(&other).created();
    });
    post(&group).created();
    assert_eq!(ada.all(&path(&group)).len(), 1);
}
