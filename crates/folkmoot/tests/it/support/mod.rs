//! A running server and a client that sends exactly the bytes it is told to.

pub(crate) mod browser;
#[path = "../../../../../xtask/src/postgres.rs"]
pub(crate) mod cluster;
mod http;
pub(crate) mod issuer;
pub(crate) mod other_issuer;
pub(crate) mod postgres;
mod talk;
mod world;

use std::io::{BufRead, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;

pub(crate) use http::{Response, over_one_connection};
pub(crate) use talk::{Talk, Trio};
pub(crate) use world::{Place, UNKNOWN, World};

pub(crate) const BINARY: &str = env!("CARGO_BIN_EXE_folkmoot");

/// A server of the built program, stopped when it is dropped.
pub(crate) struct Server {
    child: Child,
    pub(crate) address: String,
    pub(crate) data: PathBuf,
    /// The address of its database, where it is on PostgreSQL.
    database: Option<String>,
    /// Whether that database goes with the server.
    owned: bool,
    ephemeral: bool,
    _folder: TempDir,
}

impl Server {
    /// A server for a test that does not care whether anything is kept: an ephemeral one, or one on
    /// PostgreSQL where the tests are run on that.
    pub(crate) fn ephemeral() -> Server {
        Server::with(&[])
    }

    /// The same with these arguments.
    pub(crate) fn with(args: &[&str]) -> Server {
        let kept = std::env::var_os("FOLKMOOT_TEST_POSTGRES").is_some();
        let first: &[&str] = if kept { &[] } else { &["--ephemeral"] };
        Server::start(TempDir::new().unwrap(), &[first, args].concat())
    }

    /// A server that keeps its data, on a folder that is removed after the test.
    pub(crate) fn durable() -> Server {
        Server::start(TempDir::new().unwrap(), &[])
    }

    /// The same with these `[limits]`.
    pub(crate) fn limited(limits: &str) -> Server {
        Server::limited_with(limits, &[])
    }

    /// The same with these arguments.
    pub(crate) fn limited_with(limits: &str, args: &[&str]) -> Server {
        let folder = TempDir::new().unwrap();
        let config = folder.path().join("folkmoot.toml");
        std::fs::write(&config, format!("[limits]\n{limits}\n")).unwrap();
        let config = config.to_str().unwrap().to_owned();
        Server::start(folder, &[&["--config", &config], args].concat())
    }

    pub(crate) fn start(folder: TempDir, args: &[&str]) -> Server {
        let ephemeral = args.contains(&"--ephemeral");
        let database = if ephemeral { None } else { postgres::new_database() };
        Server::start_on(folder, database, args)
    }

    /// A server on SQLite, whatever the tests are run on: for those about the data folder itself.
    pub(crate) fn on_sqlite(folder: TempDir) -> Server {
        Server::on_sqlite_with(folder, &[])
    }

    /// The same with these arguments.
    pub(crate) fn on_sqlite_with(folder: TempDir, args: &[&str]) -> Server {
        Server::start_on(folder, None, args)
    }

    /// A server on a PostgreSQL database that is there and stays; what it logs is in `log` beside its
    /// data.
    pub(crate) fn on_database(url: &str) -> Server {
        Server::on_database_with(url, &[])
    }

    /// The same with these arguments.
    pub(crate) fn on_database_with(url: &str, args: &[&str]) -> Server {
        let folder = TempDir::new().unwrap();
        let log = std::fs::File::create(folder.path().join("log")).unwrap();
        let mut server = Server::start_with(folder, Some(url.to_owned()), args, None, log.into());
        server.owned = false;
        server
    }

    fn start_on(folder: TempDir, database: Option<String>, args: &[&str]) -> Server {
        Server::start_with(folder, database, args, None, Stdio::inherit())
    }

    /// A server that keeps its data and logs all that it can, in `log` beside it.
    pub(crate) fn logging() -> Server {
        let folder = TempDir::new().unwrap();
        let log = std::fs::File::create(folder.path().join("log")).unwrap();
        Server::start_with(folder, postgres::new_database(), &[], Some("trace"), log.into())
    }

    /// A server that keeps its data, with these arguments; what it logs is in `log` beside them.
    pub(crate) fn logging_with(folder: TempDir, args: &[&str]) -> Server {
        let log = std::fs::File::create(folder.path().join("log")).unwrap();
        Server::start_with(folder, postgres::new_database(), args, None, log.into())
    }

    fn start_with(
        folder: TempDir,
        database: Option<String>,
        args: &[&str],
        log_level: Option<&str>,
        stderr: Stdio,
    ) -> Server {
        let ephemeral = args.contains(&"--ephemeral");
        let data = folder.path().to_owned();
        let mut command = Command::new(BINARY);
        command.args(["serve", "--listen", "127.0.0.1:0", "--data"]).arg(&data).args(args);
        if let Some(url) = &database {
            command.args(["--store", url]);
        }
        command.envs(log_level.map(|it| ("FOLKMOOT_LOG", it)));
        let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(stderr);
        let mut child = child.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let url = line.trim().strip_prefix("ready ").expect(&line);
        let address = url.split_once("://").expect(&line).1.to_owned();
        Server { child, address, data, database, owned: true, ephemeral, _folder: folder }
    }

    /// Two servers on one database, where the tests are run on PostgreSQL: one process alone has a
    /// SQLite file.
    pub(crate) fn two() -> Option<(Server, Server)> {
        let first = Server::durable();
        let second = first.on_postgres().then(|| first.beside())?;
        Some((first, second))
    }

    /// Another server on the same database.
    fn beside(&self) -> Server {
        Server::on_database(self.database.as_deref().unwrap())
    }

    /// Kills the server as a power cut would, and starts another on the same data.
    pub(crate) fn kill_and_restart(self) -> Server {
        self.kill_and_restart_with(&[])
    }

    /// The same, the other with these arguments.
    pub(crate) fn kill_and_restart_with(mut self, args: &[&str]) -> Server {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        let folder = std::mem::replace(&mut self._folder, TempDir::new().unwrap());
        Server::start_on(folder, self.database.take(), args)
    }

    /// Ends the server; what it has kept.
    pub(crate) fn stop(mut self) -> Stopped {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        let folder = std::mem::replace(&mut self._folder, TempDir::new().unwrap());
        Stopped { folder, database: self.database.take() }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits for the server to end by itself; its exit status.
    pub(crate) fn wait(mut self) -> Option<i32> {
        self.child.wait().unwrap().code()
    }

    /// A client that calls as this user, with the scopes that a token has by default.
    pub(crate) fn user(&self, name: &str) -> Client {
        self.user_with(name, &[])
    }

    pub(crate) fn user_with(&self, name: &str, scopes: &[&str]) -> Client {
        let mut args = vec!["token", "--user", name];
        for scope in scopes {
            args.extend(["--scope", scope]);
        }
        self.client(&args)
    }

    /// A client that calls as an application with these roles.
    pub(crate) fn app(&self, roles: &[&str]) -> Client {
        let mut args = vec!["token", "--app", "robot"];
        for role in roles {
            args.extend(["--role", role]);
        }
        self.client(&args)
    }

    fn client(&self, args: &[&str]) -> Client {
        // An ephemeral server's data is in a folder of its own: it hands tokens out by itself.
        let token = if !self.ephemeral {
            let done = folkmoot(args, &self.data);
            assert_eq!(done.status, Some(0), "{}", done.stderr);
            done.stdout.trim().to_owned()
        } else {
            self.ephemeral_token(args)
        };
        Client { address: self.address.clone(), token }
    }

    fn ephemeral_token(&self, args: &[&str]) -> String {
        let mut body = json!({});
        let mut names = Vec::new();
        for pair in args[1..].chunks(2) {
            match pair {
                ["--user", name] => body["user"] = json!(name),
                ["--app", name] => body["app"] = json!(name),
                [_, name] => names.push(*name),
                _ => panic!("odd arguments"),
            }
        }
        let kind = if body["user"].is_null() { "roles" } else { "scopes" };
        if !names.is_empty() {
            body[kind] = json!(names);
        }
        let answer = self.anonymous().post("/_test/token", &body);
        answer.ok()["access_token"].as_str().unwrap().to_owned()
    }

    /// The body that names a user for a list of people.
    pub(crate) fn reference(&self, user: &str) -> Value {
        json!({"@odata.id": format!("http://{}/v1.0/users/{user}", self.address)})
    }

    /// The body that names a user or a group for a list of either.
    pub(crate) fn principal(&self, id: &str) -> Value {
        json!({"@odata.id": format!("http://{}/v1.0/directoryObjects/{id}", self.address)})
    }

    /// A server with a second tenant, and a user of each tenant with the same name.
    pub(crate) fn with_two_tenants() -> (Server, Client, Client) {
        Server::two_tenants(None, |_| Stdio::inherit())
    }

    /// The same; every statement to its database is in `log` beside its data.
    pub(crate) fn tracing_two_tenants() -> (Server, Client, Client) {
        let log = |folder: &Path| std::fs::File::create(folder.join("log")).unwrap().into();
        Server::two_tenants(Some("folkmoot::sql=trace"), log)
    }

    fn two_tenants(
        log_level: Option<&str>,
        stderr: impl FnOnce(&Path) -> Stdio,
    ) -> (Server, Client, Client) {
        let folder = TempDir::new().unwrap();
        let config = folder.path().join("folkmoot.toml");
        let second = "11111111-2222-4333-8444-555555555555";
        let text = format!("[[tenant]]\nid = \"{second}\"\ndomains = [\"second.example\"]\n");
        std::fs::write(&config, text).unwrap();
        let config = config.to_str().unwrap().to_owned();
        let (database, stderr) = (postgres::new_database(), stderr(folder.path()));
        let args = ["--config", &config];
        let server = Server::start_with(folder, database, &args, log_level, stderr);
        let ada = server.user("ada@example.org");
        let args = ["token", "--user", "ada@example.org", "--tenant", second, "--config", &config];
        let done = folkmoot(&args, &server.data);
        assert_eq!(done.status, Some(0), "{}", done.stderr);
        let eve = Client { token: done.stdout.trim().to_owned(), ..ada.clone() };
        (server, ada, eve)
    }

    /// A client without a token.
    pub(crate) fn anonymous(&self) -> Client {
        Client { address: self.address.clone(), token: String::new() }
    }

    /// Whether it is on PostgreSQL.
    pub(crate) fn on_postgres(&self) -> bool {
        self.database.is_some()
    }

    /// `folkmoot check` of what it keeps.
    pub(crate) fn check(&self) -> Done {
        match &self.database {
            Some(url) => folkmoot(&["check", "--store", url], &self.data),
            None => folkmoot(&["check"], &self.data),
        }
    }

    /// Changes the database behind the server's back.
    pub(crate) fn change(&self, sql: &str) {
        match &self.database {
            Some(url) => postgres::run(url, sql),
            None => {
                let database = rusqlite::Connection::open(self.data.join("folkmoot.db")).unwrap();
                database.execute_batch(sql).unwrap();
            }
        }
    }

    /// Keeps the server from writing a conversation for as long as what is returned is there.
    pub(crate) fn hold_writes(&self) -> Box<dyn std::any::Any> {
        match &self.database {
            Some(url) => {
                Box::new(postgres::hold(url, "lock table conversations in exclusive mode"))
            }
            None => {
                let database = rusqlite::Connection::open(self.data.join("folkmoot.db")).unwrap();
                database.execute_batch("begin immediate").unwrap();
                Box::new(database)
            }
        }
    }

    /// The rows that a query of our own to the database finds, as text.
    pub(crate) fn rows(&self, sql: &str) -> Vec<Vec<String>> {
        match &self.database {
            Some(url) => postgres::rows(url, sql),
            None => sqlite_rows(&self.data, sql),
        }
    }

    /// Waits until the feed's consumers have come to its end.
    pub(crate) fn settle(&self) {
        while self.number("select count(*) from feed_work where head > cursor") > 0 {
            std::thread::yield_now();
        }
    }

    /// An id as it stands in a query of our own.
    pub(crate) fn id_literal(&self, id: &str) -> String {
        match &self.database {
            Some(_) => format!("'{id}'"),
            None => format!("x'{}'", id.replace('-', "")),
        }
    }

    /// The number that a query of our own to the database finds.
    pub(crate) fn number(&self, sql: &str) -> i64 {
        match &self.database {
            Some(url) => postgres::number(url, sql),
            None => {
                let database = rusqlite::Connection::open(self.data.join("folkmoot.db")).unwrap();
                database.query_row(sql, [], |row| row.get(0)).unwrap()
            }
        }
    }
}

/// What a server has left, until this is dropped.
pub(crate) struct Stopped {
    folder: TempDir,
    database: Option<String>,
}

impl Stopped {
    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// How a command finds its database.
    pub(crate) fn args(&self) -> Vec<&str> {
        self.database.iter().flat_map(|it| ["--store", it]).collect()
    }
}

impl Drop for Stopped {
    fn drop(&mut self) {
        if let Some(url) = &self.database {
            postgres::drop_database(url);
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if let Some(url) = self.database.as_ref().filter(|_| self.owned) {
            postgres::drop_database(url);
        }
    }
}

/// What a command printed, and how it ended.
pub(crate) struct Done {
    pub(crate) status: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Runs a command of the program on a data folder.
pub(crate) fn folkmoot(args: &[&str], data: &Path) -> Done {
    with_input(args, data, "")
}

/// The same with this at its standard input.
pub(crate) fn with_input(args: &[&str], data: &Path, input: &str) -> Done {
    let mut command = Command::new(BINARY);
    let command = command.args(args).arg("--data").arg(data).stdin(Stdio::piped());
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // One that does not read it is done before.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let output = child.wait_with_output().unwrap();
    Done {
        status: output.status.code(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// The rows that a query to the SQLite database in a data folder finds, as text.
pub(crate) fn sqlite_rows(data: &Path, sql: &str) -> Vec<Vec<String>> {
    let database = rusqlite::Connection::open(data.join("folkmoot.db")).unwrap();
    let mut statement = database.prepare(sql).unwrap();
    let columns = statement.column_count();
    let text = |value: rusqlite::types::ValueRef<'_>| match value {
        rusqlite::types::ValueRef::Text(text) => String::from_utf8_lossy(text).into_owned(),
        rusqlite::types::ValueRef::Integer(number) => number.to_string(),
        other => format!("{other:?}"),
    };
    let rows =
        statement.query_map([], |row| (0..columns).map(|at| row.get_ref(at).map(text)).collect());
    rows.unwrap().collect::<Result<_, _>>().unwrap()
}

/// Who calls, and where.
#[derive(Clone)]
pub(crate) struct Client {
    pub(crate) address: String,
    pub(crate) token: String,
}

impl Client {
    /// The same caller at another server that knows them.
    pub(crate) fn at(&self, server: &Server) -> Client {
        Client { address: server.address.clone(), token: self.token.clone() }
    }

    pub(crate) fn get(&self, path: &str) -> Response {
        self.send("GET", path, &[], b"")
    }

    pub(crate) fn delete(&self, path: &str) -> Response {
        self.send("DELETE", path, &[], b"")
    }

    pub(crate) fn post(&self, path: &str, body: &Value) -> Response {
        self.post_text(path, &body.to_string())
    }

    pub(crate) fn patch(&self, path: &str, body: &Value) -> Response {
        let json = ("Content-Type", "application/json");
        self.send("PATCH", path, &[json], body.to_string().as_bytes())
    }

    pub(crate) fn post_text(&self, path: &str, body: &str) -> Response {
        self.send("POST", path, &[("Content-Type", "application/json")], body.as_bytes())
    }

    /// Sends a request; the path goes out as it is given.
    pub(crate) fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Response {
        let bearer = format!("Bearer {}", self.token);
        let mut all = headers.to_vec();
        if !self.token.is_empty() {
            all.push(("Authorization", &bearer));
        }
        http::send(&self.address, method, path, &all, body)
    }

    /// The id of the user who calls.
    pub(crate) fn me(&self) -> String {
        self.get("/v1.0/me").ok()["id"].as_str().unwrap().to_owned()
    }

    /// Makes a group without a mailbox; its id.
    pub(crate) fn security_group(&self, nickname: &str) -> String {
        let body = json!({
            "displayName": format!("The {nickname}"),
            "mailNickname": nickname,
            "groupTypes": [],
            "mailEnabled": false,
            "securityEnabled": true,
        });
        self.post("/v1.0/groups", &body).id()
    }

    /// Makes a group; its id.
    pub(crate) fn group(&self, nickname: &str, visibility: &str) -> String {
        let body = json!({
            "displayName": format!("The {nickname}"),
            "mailNickname": nickname,
            "groupTypes": ["Unified"],
            "mailEnabled": true,
            "securityEnabled": false,
            "visibility": visibility,
        });
        self.post("/v1.0/groups", &body).id()
    }

    /// Adds a conversation as it is declared, without posts; its id.
    pub(crate) fn declare(&self, group: &str, body: &Value) -> String {
        self.post(&format!("/v1.0/groups/{group}/conversations/$ref"), body).id()
    }

    /// Starts a conversation with a first post; the ids of conversation, thread and post.
    pub(crate) fn talk(&self, group: &str, topic: &str, content: &str) -> [String; 3] {
        let answer = self.post(
            &format!("/v1.0/groups/{group}/conversations"),
            &json!({"topic": topic, "threads": [{"posts": [
                {"body": {"contentType": "text", "content": content}}
            ]}]}),
        );
        let body = answer.created();
        let id = |it: &Value| it["id"].as_str().unwrap().to_owned();
        let (conversation, thread) = (id(&body), id(&body["threads"][0]));
        // In strict mode the answer does not tell.
        let post = match &body["threads"][0]["posts"] {
            Value::Array(posts) => id(&posts[0]),
            _ => {
                let posts = self.get(&format!("/v1.0/groups/{group}/threads/{thread}/posts"));
                id(&posts.ok()["value"][0])
            }
        };
        [conversation, thread, post]
    }

    /// The ids of all entities of a collection, page by page.
    pub(crate) fn all(&self, path: &str) -> Vec<Value> {
        let (mut items, mut next) = (Vec::new(), path.to_owned());
        loop {
            let page = self.get(&next).ok();
            items.extend(page["value"].as_array().unwrap().iter().cloned());
            match page["@odata.nextLink"].as_str() {
                None => return items,
                Some(link) => {
                    let origin = format!("http://{}", self.address);
                    next = link.strip_prefix(&origin).expect(link).to_owned();
                }
            }
        }
    }
}
