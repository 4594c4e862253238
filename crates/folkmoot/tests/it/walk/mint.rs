//! Tokens of every kind, signed with the server's own key: read from its store, where operators have it too.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jsonwebtoken::{EncodingKey, Header};
use serde_json::{Value, json};

use crate::support::{Client, Server};

/// Signs as the server does.
pub(crate) struct Mint {
    header: Header,
    key: EncodingKey,
}

impl Mint {
    /// The server's; `client` has a token of it.
    pub(crate) fn of(server: &Server, client: &Client) -> Mint {
        let header = jsonwebtoken::decode_header(&client.token).unwrap();
        let hex = if server.on_postgres() { "encode(secret, 'hex')" } else { "hex(secret)" };
        let kid = header.kid.as_deref().unwrap();
        let rows = server.rows(&format!("select {hex} from keys where kid = '{kid}'"));
        let digits = rows[0][0].as_bytes();
        let byte = |it: &[u8]| u8::from_str_radix(std::str::from_utf8(it).unwrap(), 16).unwrap();
        let secret: Vec<_> = digits.chunks(2).map(byte).collect();
        Mint { header, key: EncodingKey::from_ec_der(&secret) }
    }

    /// The client with another token: what its own says, changed.
    pub(crate) fn change(&self, client: &Client, change: impl FnOnce(&mut Value)) -> Client {
        let mut claims = claims(client);
        change(&mut claims);
        let token = jsonwebtoken::encode(&self.header, &claims, &self.key).unwrap();
        Client { token, ..client.clone() }
    }

    /// The client with these permissions and no others.
    pub(crate) fn with(&self, client: &Client, permissions: &[&str]) -> Client {
        self.change(client, |claims| match claims["idtyp"] == "app" {
            true => claims["roles"] = json!(permissions),
            false => claims["scp"] = json!(permissions.join(" ")),
        })
    }
}

/// What a client's token says.
pub(crate) fn claims(client: &Client) -> Value {
    let payload = client.token.split('.').nth(1).unwrap();
    serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap()
}
