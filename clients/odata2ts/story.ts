// A story told with a client that odata2ts made from the server's own $metadata, over HTTP through
// odata2ts' client for fetch; both as they come from npm.
//
// The server is a Folkmoot over TLS. Its origin is in FOLKMOOT_URL; its CA is in the file that
// NODE_EXTRA_CA_CERTS names. An ephemeral server gives tokens for the asking; where it is a durable one,
// FOLKMOOT_TOKEN_COMMAND is the command that prints them, `folkmoot token` with the server's options.
//
// Invariant: everything goes through the generated client, and no name or type of Graph is written here
// that the compiler does not check against the description.

import { execFileSync } from "node:child_process";
import { randomUUID } from "node:crypto";
import { inspect, isDeepStrictEqual } from "node:util";

import { FetchClient, FetchClientError } from "@odata2ts/http-client-fetch";

import { attachmentType, bodyType } from "./generated/folkmootModel";
import type { Editableconversation, fileAttachment, post, uploadSession } from "./generated/folkmootModel";
import { folkmootService } from "./generated/folkmootService";

const URL_OF_SERVER = (process.env.FOLKMOOT_URL ?? "").replace(/\/$/, "");
const TOKEN_COMMAND = process.env.FOLKMOOT_TOKEN_COMMAND;
const UNKNOWN = "8d12587e-587e-8d12-7e58-128d7e58128d";
// Without an apostrophe: odata2ts does not double it in a literal, so that what it asks for is no $filter.
const ODD_TOPIC = "Müller & Söhne #1 + 100 %";

let passed = 0;

/** One check of the story: `got` is `expected`, or the story ends here. */
function check<T>(what: string, got: T, expected: T) {
  if (!isDeepStrictEqual(got, expected)) {
    throw new Error(`${what}: got ${inspect(got)}, expected ${inspect(expected)}`);
  }
  passed += 1;
}

/** The error that a call ends in. */
async function failure(what: string, call: Promise<unknown>): Promise<FetchClientError> {
  try {
    await call;
  } catch (error) {
    if (error instanceof FetchClientError) return error;
    throw error;
  }
  throw new Error(`${what}: it was answered`);
}

/** The call is refused, in words that the client could read. */
async function checkRefused(what: string, call: Promise<unknown>, status: number, words: RegExp) {
  const error = await failure(what, call);
  check(`${what}: status`, error.status, status);
  check(`${what}: '${error.message}'`, words.test(error.message), true);
}

/**
 * The call is answered with this status and without a body. odata2ts' client for fetch takes an answer
 * without a body for an error, unless it is a 204; its error has the status of the answer.
 */
async function checkVoid(what: string, call: Promise<unknown>, status: number) {
  const error = await failure(what, call);
  check(`${what}: status`, error.status, status);
  check(`${what}: '${error.message}'`, /^Retrieving JSON body/.test(error.message), true);
}

async function userToken(user: string): Promise<string> {
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
  return ((await answer.json()) as { access_token: string }).access_token;
}

/** A client that calls as this user. */
async function signIn(user: string) {
  const headers = { Authorization: `Bearer ${await userToken(user)}` };
  return new folkmootService(new FetchClient({ headers }), `${URL_OF_SERVER}/v1.0`);
}

type Service = Awaited<ReturnType<typeof signIn>>;

/**
 * A post as it is sent. The types of parameters are those of answers, which have every property: what the
 * server computes is left out here.
 */
const text = (content: string) => ({ body: { contentType: bodyType.text, content } }) as post;

async function makeGroup(ada: Service) {
  const nickname = `odata2ts-${randomUUID()}`;
  const made = await ada.groups().create({
    displayName: "Readers & writers",
    mailNickname: nickname,
    groupTypes: ["Unified"],
    mailEnabled: true,
    securityEnabled: false,
    visibility: "Public",
    // The description rules out null for collections, so that the generated type asks for them.
    proxyAddresses: [],
    resourceBehaviorOptions: [],
    resourceProvisioningOptions: [],
  });
  check("group: status", made.status, 201);
  const found = await ada.groups().query((query, group) =>
    query
      .select("id", "displayName", "visibility")
      .filter(group.mailNickname.eq(nickname).and(group.displayName.startsWith("Readers")))
      .orderBy(group.displayName.asc())
      .top(5)
      .count(),
  );
  check("groups: count", found.data["@odata.count"], 1);
  const [group] = found.data.value;
  check("group", [group.id, group.displayName, group.visibility], [made.data.id, "Readers & writers", "Public"]);
  const me = await ada.me().query();
  check("me", me.data.userPrincipalName, "ada@example.org");
  const members = await ada.groups(group.id).members().query();
  check("members", members.data.value.map((it) => it.id), [me.data.id]);
  return group.id;
}

/** Conversations, declared with and without a post; the ids of the first and of its thread. */
async function talk(group: ReturnType<Service["groups"]>, topics: string[]) {
  const conversations = group.conversations();
  const declared = (topic: string): Editableconversation => ({
    topic,
    hasAttachments: false,
    lastDeliveredDateTime: "2017-01-01T00:02:32.1744944+03:00",
    uniqueSenders: ["Ada"],
    preview: "",
  });
  // What can be sent along is no part of the generated type.
  const lunch = { ...declared("Lunch"), threads: [{ posts: [text("Soup at noon?")] }] };
  const made = (await conversations.create(lunch)).data;
  check("conversation", [made.topic, made.threads?.length], ["Lunch", 1]);
  for (const topic of topics) await conversations.create(declared(topic));
  return [made.id, made.threads![0].id];
}

/** Threads and posts by the options that the generated query builder writes. */
async function read(group: ReturnType<Service["groups"]>, conversation: string, thread: string, topics: string[]) {
  const page = await group.conversations().query((query, it) =>
    query
      .select("topic", "uniqueSenders")
      .filter(it.topic.ne("Lunch"))
      .orderBy(it.topic.desc())
      .top(2)
      .count(),
  );
  const sorted = [...topics].sort().reverse();
  check("conversations: page", page.data.value.map((it) => it.topic), sorted.slice(0, 2));
  check("conversations: count", page.data["@odata.count"], topics.length);
  check("conversations: senders", page.data.value[0].uniqueSenders, ["Ada"]);
  const rest = await group.conversations().query((query, it) =>
    query.filter(it.topic.ne("Lunch")).orderBy(it.topic.desc()).skip(2),
  );
  check("conversations: the others", rest.data.value.map((it) => it.topic), sorted.slice(2));
  const odd = await group.conversations().query((query, it) => query.filter(it.topic.eq(ODD_TOPIC)));
  check("conversation by an odd topic", odd.data.value.map((it) => it.topic), [ODD_TOPIC]);

  const threads = await group.conversations(conversation).threads().query((query) =>
    query.select("topic", "isLocked").expanding("posts", (posts, it) =>
      posts.select("body", "from").orderBy(it.receivedDateTime.asc()).top(3),
    ),
  );
  const [found] = threads.data.value;
  check("thread", [found.id, found.topic, found.isLocked], [thread, "Lunch", false]);
  check("posts in it", found.posts?.map((it) => it.body?.content), ["Soup at noon?"]);
  const posts = await group.threads(thread).posts().query((query, it) =>
    query
      .filter(it.from.props.emailAddress.props.address.eq("ada@example.org"), it.hasAttachments.eq(false))
      .expand("attachments", "inReplyTo")
      .count(),
  );
  check("posts of hers", [posts.data["@odata.count"], posts.data.value.length], [1, 1]);
  check("nothing attached", posts.data.value[0].attachments, []);
  return posts.data.value[0].id;
}

/** Another replies to the thread and to its post; a file comes along, and one more by an upload session. */
async function reply(bo: ReturnType<Service["groups"]>, thread: string, first: string) {
  await checkVoid("reply", bo.threads(thread).reply({ Post: text("Yes") }), 202);
  const file = { "@odata.type": "#microsoft.graph.fileAttachment", name: "menu.txt", contentBytes: "U291cA==" };
  const attachments = [file as unknown as fileAttachment];
  const Post = { ...text("See the menu"), attachments };
  await checkVoid("reply with a file", bo.threads(thread).posts(first).reply({ Post }), 202);
  const posts = await bo.threads(thread).posts().query((query) => query.expand("attachments", "inReplyTo"));
  check("posts", posts.data.value.map((it) => it.body?.content?.includes("Yes")), [false, true, false]);
  const last = posts.data.value[2];
  check("in reply to", last.inReplyTo?.id, first);
  const [menu] = last.attachments ?? [];
  check("attachment", [menu.name, (menu as fileAttachment).contentBytes], ["menu.txt", "U291cA=="]);

  const path = bo.threads(thread).posts(last.id).attachments();
  const session = await path.createUploadSession({
    AttachmentItem: {
      attachmentType: attachmentType.file, name: "large.bin", size: 4,
      contentId: null, contentType: null, isInline: false,
    },
  });
  const { uploadUrl, nextExpectedRanges }: uploadSession = session.data;
  check("upload session", nextExpectedRanges, ["0-"]);
  const headers = { "Content-Range": "bytes 0-3/4", "Content-Type": "application/octet-stream" };
  check("uploaded", (await fetch(uploadUrl!, { method: "PUT", headers, body: "Soup" })).status, 201);
  const both = await path.query((query, it) => query.select("name", "size").orderBy(it.name.asc()));
  check("attachments", both.data.value.map((it) => [it.name, it.size]), [["large.bin", 4], ["menu.txt", 4]]);
  return last.id;
}

/** What is no part of Graph: it is described in a schema of its own. */
async function beyond(group: ReturnType<Service["groups"]>, me: ReturnType<Service["me"]>, conversation: string, thread: string, last: string) {
  const messages = await group.messages();
  check("messages, newest first", [messages.data.value.length, messages.data.value[0].id], [3, last]);
  check("joined", (await me.joinedTeams()).data.value.length > 0, true);
  check("read", (await group.conversations(conversation).markRead()).status, 204);
  const history = await group.threads(thread).posts(last).history();
  check("history", history.data.value, []);
  const ToRecipients = [{ emailAddress: { name: null, address: "cy@example.org" } }];
  await checkVoid("forward of a thread", group.threads(thread).forward({ Comment: "See", ToRecipients }), 202);
}

async function end(ada: Service, group: ReturnType<Service["groups"]>, conversation: string, thread: string) {
  const locked = await group.threads(thread).patch({ isLocked: true });
  check("locked", [locked.status, locked.data && locked.data.isLocked], [200, true]);
  await checkRefused("a reply to it", group.threads(thread).reply({ Post: text("No") }), 403, /locked/i);
  check("deleted", (await group.conversations(conversation).delete()).status, 204);
  await checkRefused("its thread", group.threads(thread).query(), 404, /not found/i);
  await checkRefused("an unknown group", ada.groups(UNKNOWN).query(), 404, /does not exist/i);
  check("group deleted", (await group.delete()).status, 204);
}

async function story() {
  const [ada, bo] = [await signIn("ada@example.org"), await signIn("bo@example.org")];
  const id = await makeGroup(ada);
  const group = ada.groups(id);
  const topics = ["Apples", "Pears", "Plums", ODD_TOPIC];
  const [conversation, thread] = await talk(group, topics);
  const first = await read(group, conversation, thread, topics);
  const last = await reply(bo.groups(id), thread, first);
  await beyond(group, ada.me(), conversation, thread, last);
  await end(ada, group, conversation, thread);
  console.log(`odata2ts story: ${passed} checks passed`);
}

story().catch((error) => {
  console.error(error);
  process.exit(1);
});
