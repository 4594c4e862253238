// A story told with Microsoft's Graph client for JavaScript, as it comes from npm, against a running
// server.
//
// The server is a Folkmoot over TLS. Its origin is in FOLKMOOT_URL; its CA is in the file that
// NODE_EXTRA_CA_CERTS names. An ephemeral server gives tokens for the asking; where it is a durable one,
// FOLKMOOT_TOKEN_COMMAND is the command that prints them, `folkmoot token` with the server's options, and
// FOLKMOOT_APP holds tenant, id and secret of an application that `folkmoot app add --role Group.ReadWrite.All`
// made, with a space between each. People sign in there to the application with the id in FOLKMOOT_PUBLIC_APP, by the
// user name and the password in FOLKMOOT_USER and FOLKMOOT_PASSWORD.
//
// Invariant: everything goes through the client, and all that the story needs it makes by Graph calls.

import { isDeepStrictEqual, inspect } from "node:util";
import { execFileSync } from "node:child_process";
import { randomUUID } from "node:crypto";
import { ClientSecretCredential } from "@azure/identity";
import { ConfidentialClientApplication, CryptoProvider, PublicClientApplication } from "@azure/msal-node";
import graph from "@microsoft/microsoft-graph-client";

const {
  BatchRequestContent, BatchResponseContent, Client, FileUpload, GraphError, LargeFileUploadTask,
  PageIterator,
  ResponseType,
} = graph;

const URL_OF_SERVER = (process.env.FOLKMOOT_URL ?? "").replace(/\/$/, "");
const TOKEN_COMMAND = process.env.FOLKMOOT_TOKEN_COMMAND;
// Any tenant, id and secret will do for an ephemeral server.
const [TENANT, APP, SECRET] = (process.env.FOLKMOOT_APP
  ?? "8d12587e-587e-4d12-be58-128d7e58128d 11111111-2222-4333-8444-555555555555 secret").split(" ");
const PUBLIC_APP = process.env.FOLKMOOT_PUBLIC_APP ?? "22222222-3333-4444-8555-666666666666";
const SCOPE = "https://graph.microsoft.com/.default";
const UNKNOWN = "8d12587e-587e-8d12-7e58-128d7e58128d";
const MANY = 45;
const ODD_TOPIC = "O'Hara & Söhne #1 + 100 %";
const LARGE = 3_500_000;
const FILE = Buffer.from(Array.from({ length: 5120 }, (_, index) => index % 256));

let passed = 0;

/** One check of the story: `got` is `expected`, or the story ends here. */
function check(what, got, expected) {
  if (!isDeepStrictEqual(got, expected)) {
    throw new Error(`${what}: got ${inspect(got)}, expected ${inspect(expected)}`);
  }
  passed += 1;
}

/** The call is refused, with an error that the client could read. */
async function checkError(what, call, status, code) {
  let error;
  try {
    const answer = await call;
    throw new Error(`${what}: got ${inspect(answer)}, expected an error ${code}`);
  } catch (caught) {
    error = caught;
  }
  if (!(error instanceof GraphError)) throw error;
  check(`${what}: status and code`, [error.statusCode, error.code], [status, code]);
  check(`${what}: has a message`, error.message.length > 0, true);
  check(`${what}: has a request id`, typeof error.requestId, "string");
  check(`${what}: has a date`, Number.isNaN(error.date.getTime()), false);
}

async function userToken(user) {
  if (TOKEN_COMMAND) {
    // It is a line of a shell.
    const line = ["-c", `${TOKEN_COMMAND} "$@"`, "sh", "--user", user];
    return execFileSync("sh", line, { encoding: "utf8" }).trim();
  }
  const answer = await fetch(`${URL_OF_SERVER}/_test/token`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ user }),
  });
  if (!answer.ok) throw new Error(`no token for ${user}: ${answer.status} ${await answer.text()}`);
  return (await answer.json()).access_token;
}

/** A client that calls as this user. */
const signIn = async (user) => withToken(await userToken(user));

/** A client that calls with this token. */
function withToken(token) {
  return Client.init({
    baseUrl: `${URL_OF_SERVER}/`,
    defaultVersion: "v1.0",
    customHosts: new Set([new URL(URL_OF_SERVER).hostname]),
    authProvider: (done) => done(null, token),
  });
}

const post = (content) => ({ body: { contentType: "text", content } });

async function makeGroup(ada, bo) {
  const nickname = `javascript-${randomUUID()}`;
  const group = await ada.api("/groups").post({
    displayName: "Readers & writers",
    mailNickname: nickname,
    groupTypes: ["Unified"],
    mailEnabled: true,
    securityEnabled: false,
    visibility: "Private",
  });
  check("group: name", group.displayName, "Readers & writers");
  check("group: types", group.groupTypes, ["Unified"]);
  check("group: address", group.mail.split("@")[0], nickname);
  const found = await ada.api("/groups").filter(`mailNickname eq '${nickname}'`).select("id").get();
  check("group: found by its nickname", found.value.map((it) => it.id), [group.id]);

  const me = await ada.api("/me").get();
  check("me", [me.userPrincipalName, me.displayName], ["ada@example.org", "ada"]);
  const other = await bo.api("/me").get();
  const here = `/groups/${group.id}`;
  await checkError(
    "an outsider reads", bo.api(`${here}/conversations`).get(), 403, "ErrorAccessDenied",
  );
  await ada.api(`${here}/members/$ref`).post({
    "@odata.id": `https://graph.microsoft.com/v1.0/directoryObjects/${other.id}`,
  });
  const members = (await ada.api(`${here}/members`).get()).value;
  check(
    "members", members.map((it) => it.userPrincipalName).sort(),
    ["ada@example.org", "bo@example.org"],
  );
  check("members are users", members[0]["@odata.type"], "#microsoft.graph.user");
  const joined = (await bo.api("/me/memberOf").get()).value;
  check("groups of the new member", joined.some((it) => it.id === group.id), true);
  return group.id;
}

/** A conversation with its thread and first post in one request; its ids. */
async function talk(ada, here) {
  const content = "<p>Soup &amp; bread, at noon?</p>";
  const made = await ada.api(`${here}/conversations`).post({
    topic: "Lunch",
    threads: [{ posts: [{ body: { contentType: "html", content } }] }],
  });
  check("conversation: topic", made.topic, "Lunch");
  check("conversation: one post", made.threads[0].posts.length, 1);
  const read = await ada.api(`${here}/conversations/${made.id}`).get();
  check(
    "conversation read", [read.topic, read.preview, read.uniqueSenders, read.hasAttachments],
    ["Lunch", "Soup & bread, at noon?", ["ada"], false],
  );
  const thread = await ada.api(`${here}/threads/${made.threads[0].id}`).get();
  check(
    "thread", [thread.id, thread.topic, thread.isLocked], [made.threads[0].id, "Lunch", false],
  );
  const threads = await ada.api(`${here}/conversations/${made.id}/threads`).get();
  check("threads of the conversation", threads.value.map((it) => it.id), [thread.id]);
  return [made.id, thread.id];
}

/** The new member replies with a file; it is read back by the other. */
async function reply(bo, ada, thread) {
  await bo.api(`${thread}/reply`).post({
    post: {
      ...post("Yes, see the menu"),
      attachments: [{
        "@odata.type": "#microsoft.graph.fileAttachment",
        name: "the menu.bin",
        contentType: "application/x-menu",
        contentBytes: FILE.toString("base64"),
      }],
    },
  });
  const posts = (await ada.api(`${thread}/posts`).expand("attachments").get()).value;
  check("two posts", posts.length, 2);
  const [first, second] = posts;
  check("first post", [first.body.contentType, first.hasAttachments, first.attachments], [
    "html", false, [],
  ]);
  check("reply", [second.body.content, second.hasAttachments], ["Yes, see the menu", true]);
  check("reply: sender", second.sender.emailAddress.address, "bo@example.org");
  const [file] = second.attachments;
  check(
    "attachment", [file["@odata.type"], file.name, file.contentType, file.size],
    ["#microsoft.graph.fileAttachment", "the menu.bin", "application/x-menu", FILE.length],
  );
  check("attachment: content", Buffer.from(file.contentBytes, "base64").equals(FILE), true);
  const address = `${thread}/posts/${second.id}/attachments`;
  const one = await ada.api(`${address}/${file.id}`).get();
  check("attachment by its id", one.name, file.name);
  const value = ada.api(`${address}/${file.id}/$value`).responseType(ResponseType.ARRAYBUFFER);
  check("attachment downloaded", Buffer.from(await value.get()).equals(FILE), true);
  const stream = await ada.api(`${address}/${file.id}/$value`).getStream();
  const chunks = [];
  for await (const chunk of stream) chunks.push(chunk);
  check("attachment streamed", Buffer.concat(chunks).equals(FILE), true);
  await upload(ada, address);
}

/** A file that is too large for a request comes in parts, by the client's own task. */
async function upload(ada, address) {
  const bytes = Buffer.alloc(LARGE, FILE);
  const content = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + LARGE);
  const session = await LargeFileUploadTask.createUploadSession(
    ada, `${address}/createUploadSession`,
    { AttachmentItem: { attachmentType: "file", name: "large.bin", size: LARGE } },
  );
  const file = new FileUpload(content, "large.bin", LARGE);
  const task = new LargeFileUploadTask(ada, file, session, { rangeSize: 1024 * 1024 });
  const done = await task.upload();
  const prefix = `${URL_OF_SERVER}/v1.0${address}/`;
  check("upload: where it is", done.location.startsWith(prefix), true);
  const value = ada.api(`${done.location}/$value`).responseType(ResponseType.ARRAYBUFFER);
  check("upload: its bytes", Buffer.from(await value.get()).equals(bytes), true);
  check("upload: beside the other", Number(await ada.api(`${address}/$count`).get()), 2);
}

/** A file and an event are attached to a post that is there, read and removed. */
async function attach(ada, post) {
  const path = `${post}/attachments`;
  const made = await ada.api(path).post({
    "@odata.type": "#microsoft.graph.fileAttachment",
    name: "later.txt",
    contentBytes: Buffer.from("later").toString("base64"),
  });
  check("attached", [made.name, made.contentType, made.size], ["later.txt", "text/plain", 5]);
  const at = (hour) => ({ dateTime: `2026-12-01T${hour}:00:00`, timeZone: "UTC" });
  const event = {
    "@odata.type": "#microsoft.graph.event", subject: "Lunch", start: at(12), end: at(13),
  };
  const item = await ada.api(path).post({
    "@odata.type": "#microsoft.graph.itemAttachment", name: "Lunch", item: event,
  });
  const listed = (await ada.api(path).get()).value;
  check(
    "attached: both", listed.map((it) => it["@odata.type"]),
    ["#microsoft.graph.fileAttachment", "#microsoft.graph.itemAttachment"],
  );
  check("attached: the post says so", (await ada.api(post).get()).hasAttachments, true);
  const expand = "microsoft.graph.itemattachment/item";
  const read = await ada.api(`${path}/${item.id}`).expand(expand).get();
  check("item", read.item, event);
  const value = ada.api(`${path}/${item.id}/$value`).responseType(ResponseType.TEXT);
  check("item: a calendar", (await value.get()).includes("\r\nDTSTART:20261201T120000Z\r\n"), true);
  for (const { id } of [made, item]) await ada.api(`${path}/${id}`).delete();
  await checkError(
    "a removed attachment", ada.api(`${path}/${made.id}`).get(), 404, "ErrorItemNotFound",
  );
  check("removed: the post says so", (await ada.api(post).get()).hasAttachments, false);
}

const extension = (extensionName, data) => ({
  "@odata.type": "microsoft.graph.openTypeExtension", extensionName, ...data,
});

/** What programs keep with a post: sent with a reply, and added to one that is there; the reply's id. */
async function extend(bo, thread, post) {
  const extensions = [extension("com.example.mood", { mood: "hungry", level: 3 })];
  await bo.api(`${thread}/reply`).post({ post: { body: { content: "Extended" }, extensions } });
  const made = (await bo.api(`${thread}/posts`).get()).value.at(-1);
  const read = await bo.api(`${thread}/posts/${made.id}`)
    .expand("extensions($filter=id eq 'com.example.mood')").get();
  check(
    "extension: data", read.extensions.map((it) => [it.extensionName, it.mood, it.level]),
    [["com.example.mood", "hungry", 3]],
  );
  const one = `${post}/extensions/com.example.seen`;
  const seen = extension("com.example.seen", { by: "bo" });
  const added = await bo.api(`${post}/extensions`).post(seen);
  check("extension: added", [added.extensionName, added.by], ["com.example.seen", "bo"]);
  await bo.api(one).patch(extension("com.example.seen", { by: "ada", times: 2 }));
  const changed = await bo.api(one).get();
  check("extension: changed", [changed.by, changed.times], ["ada", 2]);
  await bo.api(one).delete();
  await checkError("a removed extension", bo.api(one).get(), 404, "ErrorItemNotFound");
  return made.id;
}

async function forward(ada, post) {
  const to = [{ emailAddress: { address: "kitchen@example.com" } }];
  const path = `${post}/forward`;
  await ada.api(path).post({ Comment: "For you", ToRecipients: to });
  await checkError(
    "forwarded to nobody", ada.api(path).post({ comment: "For nobody", toRecipients: [] }),
    400, "ErrorInvalidRecipients",
  );
}

/** While a thread is locked, its members read. */
async function lock(ada, bo, thread) {
  check("locked", (await ada.api(thread).patch({ isLocked: true })).isLocked, true);
  const late = { post: post("Too late") };
  await checkError(
    "a reply to a locked thread", bo.api(`${thread}/reply`).post(late), 403, "ErrorAccessDenied",
  );
  check("locked: read", (await bo.api(thread).get()).isLocked, true);
  await ada.api(thread).patch({ isLocked: false });
  check("unlocked", (await bo.api(thread).get()).isLocked, false);
  await bo.api(`${thread}/reply`).post(late);
}

/** A post is changed and removed by its author, which this server offers beyond Graph. */
async function edit(ada, bo, thread, id) {
  const path = `${thread}/posts/${id}`;
  const count = () => ada.api(`${thread}/posts/$count`).responseType(ResponseType.TEXT).get();
  const edited = await bo.api(path).patch(post("Edited"));
  check("edited", [edited.id, edited.body.content], [id, "Edited"]);
  check("edited: read by another", (await ada.api(path).get()).body.content, "Edited");
  const there = Number(await count());
  await bo.api(path).delete();
  await checkError("a removed post", ada.api(path).get(), 404, "ErrorItemNotFound");
  check("removed: one less", Number(await count()), there - 1);
}

/** A second thread of a conversation comes and goes, and leaves the first. */
async function sideThread(ada, here, conversationId, threadId) {
  const path = `${here}/conversations/${conversationId}/threads`;
  const ids = async () => (await ada.api(path).get()).value.map((it) => it.id).sort();
  const made = await ada.api(path).post({ posts: [post("By the way")] });
  check("two threads", await ids(), [threadId, made.id].sort());
  await ada.api(`${here}/threads/${made.id}`).delete();
  await checkError(
    "a removed thread", ada.api(`${here}/threads/${made.id}`).get(), 404, "ErrorItemNotFound",
  );
  check("one thread", await ids(), [threadId]);
}

/** Many conversations, each seen exactly once by the client's own iterator; and lists that ask. */
async function page(ada, here) {
  const path = `${here}/conversations`;
  const made = [];
  for (let number = 0; number < MANY; number += 1) {
    const topic = number === 0 ? ODD_TOPIC : `Page ${String(number).padStart(2, "0")}`;
    const threads = [{ posts: [post(`Number ${number}`)] }];
    made.push((await ada.api(path).post({ topic, threads })).id);
  }
  check("all ids differ", new Set(made).size, MANY);

  const first = await ada.api(path).top(10).get();
  check("first page", first.value.length, 10);
  const link = first["@odata.nextLink"];
  check(
    `next page is on this server: ${link}`, link.startsWith(`${URL_OF_SERVER}/v1.0/groups/`), true,
  );
  const seen = [];
  const iterator = new PageIterator(ada, first, (it) => seen.push(it.id) > 0);
  await iterator.iterate();
  check("iterated to the end", iterator.isComplete(), true);
  // One more than was made here: the lunch.
  check("each once", [seen.length, new Set(seen).size], [MANY + 1, MANY + 1]);
  check("none left out", made.filter((id) => !seen.includes(id)), []);
  const count = ada.api(`${path}/$count`).responseType(ResponseType.TEXT);
  check("counted", await count.get(), String(MANY + 1));

  const listed = await ada.api(path).filter("startswith(topic,'Page 1')").select(["id", "topic"])
    .orderby("topic desc").count(true).get();
  const expected = Array.from({ length: 10 }, (_, index) => `Page ${19 - index}`);
  check("filtered and ordered", listed.value.map((it) => it.topic), expected);
  check("filtered: count", listed["@odata.count"], 10);
  const names = Object.keys(listed.value[0]).filter((it) => !it.startsWith("@"));
  check("selected", names.sort(), ["id", "topic"]);
  const odd = encodeURIComponent(ODD_TOPIC.replaceAll("'", "''"));
  const found = await ada.api(path).filter(`topic eq '${odd}'`).get();
  check("found by an odd topic", found.value.map((it) => [it.id, it.topic]), [[made[0], ODD_TOPIC]]);
}

/** The operation that the server was made for: a conversation added to a joined group, as declared. */
async function declare(ada, groupId) {
  const sent = {
    "@odata.type": "#microsoft.graph.conversation",
    topic: "Topic value",
    hasAttachments: true,
    lastDeliveredDateTime: "2017-01-01T00:02:32.1744944+03:00",
    uniqueSenders: ["Unique Senders value"],
    preview: "Preview value",
  };
  for (const root of [`/me/joinedTeams/${groupId}`, `/groups/${groupId}`]) {
    const made = await ada.api(`${root}/conversations/$ref`).post(sent);
    for (const [name, value] of Object.entries(sent)) check(`declared: ${name}`, made[name], value);
    const read = await ada.api(`${root}/conversations/${made.id}`).get();
    check("declared: read back", read.lastDeliveredDateTime, sent.lastDeliveredDateTime);
    check("declared: deleted", await ada.api(`${root}/conversations/${made.id}`).delete(), undefined);
  }
}

async function end(ada, here, conversationId, threadId) {
  const conversation = `${here}/conversations/${conversationId}`;
  await ada.api(conversation).delete();
  for (const [what, path, code] of [
    ["deleted conversation", conversation, "ErrorItemNotFound"],
    ["its thread", `${here}/threads/${threadId}`, "ErrorItemNotFound"],
    ["missing conversation", `${here}/conversations/${UNKNOWN}`, "ErrorItemNotFound"],
    ["unknown group", `/groups/${UNKNOWN}`, "Request_ResourceNotFound"],
    ["conversations of it", `/groups/${UNKNOWN}/conversations`, "Request_ResourceNotFound"],
  ]) {
    await checkError(what, ada.api(path).get(), 404, code);
  }
  await checkError("deleted again", ada.api(conversation).delete(), 404, "ErrorItemNotFound");
  const bad = ada.api(`${here}/conversations`).filter("topic eq");
  await checkError("bad filter", bad.get(), 400, "BadRequest");
  const missing = { topic: "x", threads: [{ posts: [{}] }] };
  await checkError(
    "conversation of an unknown group", ada.api(`/groups/${UNKNOWN}/conversations`).post(missing),
    404, "Request_ResourceNotFound",
  );
  const count = ada.api(`${here}/conversations/$count`).responseType(ResponseType.TEXT);
  check("left", await count.get(), String(MANY));
  await ada.api(here).delete();
  await checkError("deleted group", ada.api(here).get(), 404, "Request_ResourceNotFound");
}

/** Three requests in one, through the client's own helpers. */
async function batch(ada, here, thread) {
  const step = (id, path, init, dependsOn) => ({ id, request: new Request(path, init), dependsOn });
  const content = new BatchRequestContent([
    step("group", `${URL_OF_SERVER}/v1.0${here}?$select=displayName`, { method: "GET" }),
    step("reply", `${URL_OF_SERVER}/v1.0${thread}/reply`, {
      method: "POST", headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ post: { body: { content: "in a batch" } } }),
    }, ["group"]),
    step("missing", `${URL_OF_SERVER}/v1.0${here}/conversations/${UNKNOWN}`, { method: "GET" }, ["reply"]),
  ]);
  const answer = new BatchResponseContent(await ada.api("/$batch").post(await content.getContent()));
  const statuses = ["group", "reply", "missing"].map((id) => answer.getResponseById(id).status);
  check("batch: statuses", statuses, [200, 202, 404]);
  const group = await answer.getResponseById("group").json();
  check("batch: group", group.displayName, "Readers & writers");
  const { error } = await answer.getResponseById("missing").json();
  check("batch: error", error.code, "ErrorItemNotFound");
}

/** An application signs in with its secret, through either identity library, and reads. */
async function byApplication(here) {
  const reads = async (what, token) => {
    const group = await withToken(token).api(here).get();
    check(`${what}: group`, group.displayName, "Readers & writers");
  };
  const options = { authorityHost: URL_OF_SERVER, disableInstanceDiscovery: true };
  const credential = new ClientSecretCredential(TENANT, APP, SECRET, options);
  await reads("@azure/identity", (await credential.getToken(SCOPE)).token);

  const msal = (clientSecret) => new ConfidentialClientApplication({
    auth: {
      clientId: APP, clientSecret, authority: `${URL_OF_SERVER}/${TENANT}`,
      knownAuthorities: [new URL(URL_OF_SERVER).host],
    },
  });
  const answer = await msal(SECRET).acquireTokenByClientCredential({ scopes: [SCOPE] });
  await reads("@azure/msal-node", answer.accessToken);
  if (process.env.FOLKMOOT_APP) {
    const wrong = msal("wrong").acquireTokenByClientCredential({ scopes: [SCOPE] });
    const error = await wrong.then(() => undefined, (caught) => caught);
    check("@azure/msal-node: a wrong secret", [error?.errorCode, error?.errorNo], ["invalid_client", 7000215]);
  }
}

/** A person at a browser signs in at an address of the server; the application's own address, and what is told to it
 * by a form, if any is. An ephemeral server signs in whom the address names. */
async function signInAt(address) {
  const cookies = new Map();
  const text = (it) => it.replaceAll("&quot;", '"').replaceAll("&#39;", "'").replaceAll("&amp;", "&");
  const attribute = (tag, name) => text(tag.match(` ${name}="([^"]*)"`)?.[1] ?? "");
  for (let to = new URL(address), body; ;) {
    if (to.origin !== new URL(address).origin) return [to, body];
    const headers = { Cookie: [...cookies].map((it) => it.join("=")).join("; ") };
    const answer = await fetch(to, { method: body ? "POST" : "GET", body, headers, redirect: "manual" });
    for (const cookie of answer.headers.getSetCookie()) {
      const [name, value] = cookie.split(";")[0].split(/=(.*)/);
      cookies.set(name, value);
    }
    if (answer.status === 200) {
      // The first form of the page, filled in.
      const form = ` ${(await answer.text()).split("<form ")[1].split("</form>")[0]}`;
      const inputs = form.split("<input").slice(1).map((it) => it.split(">")[0]);
      body = new URLSearchParams(inputs.map((it) => [attribute(it, "name"), attribute(it, "value")]));
      if (body.has("password")) {
        body.set("name", process.env.FOLKMOOT_USER);
        body.set("password", process.env.FOLKMOOT_PASSWORD);
      }
      to = new URL(attribute(form, "action"), to);
    } else {
      [to, body] = [new URL(answer.headers.get("Location"), to), undefined];
    }
  }
}

/** Somebody signs in to an application in a browser, which then calls for them, and goes on without them. */
async function byAPerson(here) {
  const calls = async (what, token) => {
    const client = withToken(token);
    check(`${what}: me`, (await client.api("/me").get()).userPrincipalName, "ada@example.org");
    check(`${what}: group`, (await client.api(here).get()).displayName, "Readers & writers");
  };
  const phone = new PublicClientApplication({
    auth: {
      clientId: PUBLIC_APP, authority: `${URL_OF_SERVER}/${TENANT}`,
      knownAuthorities: [new URL(URL_OF_SERVER).host],
    },
  });
  const scopes = ["Group.ReadWrite.All", "User.Read"];
  const request = { scopes, loginHint: "ada@example.org" };
  const redirectUri = "http://localhost:4711/signed-in";
  const { verifier, challenge } = await new CryptoProvider().generatePkceCodes();
  const asked = { ...request, redirectUri, codeChallenge: challenge, codeChallengeMethod: "S256" };
  const [came] = await signInAt(await phone.getAuthCodeUrl(asked));
  check("@azure/msal-node: the way back", `${came.origin}${came.pathname}`, redirectUri);
  const code = came.searchParams.get("code");
  const answer = await phone.acquireTokenByCode({ scopes, redirectUri, code, codeVerifier: verifier });
  check("@azure/msal-node: its account", answer.account.username, "ada@example.org");
  await calls("@azure/msal-node, by a code", answer.accessToken);
  const silent = await phone.acquireTokenSilent({ scopes, account: answer.account });
  check("@azure/msal-node, silently: kept", silent.accessToken, answer.accessToken);
  for (let time = 0; time < 2; time += 1) {
    const renewed = await phone.acquireTokenSilent({ scopes, account: answer.account, forceRefresh: true });
    check("@azure/msal-node, by a refresh token", renewed.fromCache, false);
    await calls("@azure/msal-node, by a refresh token", renewed.accessToken);
  }
  // The library waits for what the browser brings, at a port of its own.
  const openBrowser = async (address) => {
    const [to, body] = await signInAt(address);
    await fetch(to, { method: "POST", body });
  };
  const interactive = await phone.acquireTokenInteractive({ ...request, openBrowser });
  await calls("@azure/msal-node, interactively", interactive.accessToken);
}

const [ada, bo] = [await signIn("ada@example.org"), await signIn("bo@example.org")];
const groupId = await makeGroup(ada, bo);
const here = `/groups/${groupId}`;
const [conversationId, threadId] = await talk(ada, here);
const thread = `${here}/threads/${threadId}`;
await reply(bo, ada, thread);
const [first] = (await ada.api(`${thread}/posts`).get()).value;
await attach(ada, `${thread}/posts/${first.id}`);
const extended = await extend(bo, thread, `${thread}/posts/${first.id}`);
await forward(ada, `${thread}/posts/${first.id}`);
await lock(ada, bo, thread);
await edit(ada, bo, thread, extended);
await sideThread(ada, here, conversationId, threadId);
await page(ada, here);
await batch(ada, here, thread);
await byApplication(here);
await byAPerson(here);
await declare(ada, groupId);
await end(ada, here, conversationId, threadId);
console.log(`javascript story: ${passed} checks passed`);
