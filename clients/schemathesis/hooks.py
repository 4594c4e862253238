"""What schemathesis does not know of a server that it asks: whose token to send, and what is there.

The server's origin is in FOLKMOOT_URL. An ephemeral one gives a token for the asking; where it is a durable
one, FOLKMOOT_TOKEN_COMMAND is the command that prints them, `folkmoot token` with the server's options.

Invariant: what a call is changed to depends on the call and on what was made here, never on chance, so a run
with the same seed at a fresh server is the same run.
"""

import json
import os
import subprocess
import uuid
import zlib

import requests
import schemathesis

URL = os.environ["FOLKMOOT_URL"].rstrip("/")
TOKEN_COMMAND = os.environ.get("FOLKMOOT_TOKEN_COMMAND")
EXTENSION = "com.example.fuzz"
SINGLE = "String {8d12587e-587e-4d12-be58-128d7e58128d} Name single"
MULTI = "StringArray {8d12587e-587e-4d12-be58-128d7e58128d} Name multi"
# One call of so many is left as it was generated.
LEFT = 6
# Calls after which a group is full enough: a post takes a hundred mentions.
CALLS_MAX = 200

session = requests.Session()


def token(user):
    if TOKEN_COMMAND:
        line = ["sh", "-c", f'{TOKEN_COMMAND} "$@"', "sh", "--user", user]
        return subprocess.run(line, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()
    answer = session.post(f"{URL}/_test/token", json={"user": user})
    answer.raise_for_status()
    return answer.json()["access_token"]


def call(method, path, body=None):
    """The answer's JSON; an empty object where it has none or was refused, as a strict server does some."""
    answer = session.request(method, URL + path, json=body)
    assert answer.status_code < 500 or answer.status_code == 501, f"{method} {path}: {answer.text}"
    return answer.json() if answer.ok and answer.content else {}


def first(path):
    """The id of the first of a list; where there is none, one that leads nowhere."""
    return next((it["id"] for it in call("GET", path).get("value", [])), str(uuid.UUID(int=1)))


def seed():
    """A group with one of everything in it: an id for each parameter of a path."""
    group = call("POST", "/v1.0/groups", {
        "displayName": "Fuzzed", "mailNickname": f"fuzz-{uuid.uuid4()}", "groupTypes": ["Unified"],
        "mailEnabled": True, "securityEnabled": False,
    })["id"]
    here = f"/v1.0/groups/{group}"
    # Nobody is both an accepted sender and a rejected one.
    for link, name in (
        ("members", "bo"), ("owners", "bo"), ("acceptedSenders", "bo"), ("acceptedSenders", "ada"),
        ("rejectedSenders", "cy"),
    ):
        call("POST", f"{here}/{link}/$ref", {"@odata.id": f"{URL}/v1.0/users/{people[name]}"})
    post = {
        "body": {"contentType": "html", "content": "<p>Soup &amp; bread</p>"},
        "attachments": [{
            "@odata.type": "#microsoft.graph.fileAttachment", "name": "menu.txt", "contentBytes": "c291cA==",
        }],
        "extensions": [{
            "@odata.type": "microsoft.graph.openTypeExtension", "extensionName": EXTENSION, "mood": "hungry",
        }],
        "singleValueExtendedProperties": [{"id": SINGLE, "value": "one"}],
        "multiValueExtendedProperties": [{"id": MULTI, "value": ["one", "two"]}],
    }
    talk = {"topic": "Lunch", "threads": [{"posts": [post]}]}
    conversation = call("POST", f"{here}/conversations", talk)["id"]
    thread = first(f"{here}/threads")
    posts = f"{here}/threads/{thread}/posts"
    call("POST", f"{posts}/{first(posts)}/reply", {"post": post})
    # The reply, so that it is one to something.
    reply = call("GET", posts)["value"][-1]["id"]
    there = f"{posts}/{reply}"
    call("PATCH", there, {"body": {"contentType": "text", "content": "Soup and bread"}})
    mention = {"mentioned": {"name": "bo", "address": "bo@example.org"}}
    call("POST", f"{there.replace('/v1.0', '/beta')}/mentions", mention)
    return {
        "group-id": group,
        "conversation-id": conversation,
        "conversationThread-id": thread,
        "post-id": reply,
        "attachment-id": first(f"{there}/attachments"),
        "postVersion-id": first(f"{there}/folkmoot.history"),
        "auditEntry-id": first(f"/v1.0/groups/{group}/folkmoot.audit"),
        "mention-id": first(f"{there.replace('/v1.0', '/beta')}/mentions"),
        "extension-id": EXTENSION,
        "singleValueLegacyExtendedProperty-id": SINGLE,
        "multiValueLegacyExtendedProperty-id": MULTI,
        "directoryObject-id": people["bo"],
        "user-id": people["bo"],
    }


def mark(*values):
    """A number that tells what was generated from other things that were."""
    return zlib.crc32(json.dumps(values, default=repr, sort_keys=True).encode())


def meant(key, value, number):
    """What means something here where a body has this key; `None` where what was generated does as well."""
    match key:
        case "@odata.id":
            return f"{URL}/v1.0/directoryObjects/{people['di']}"
        case "mailNickname":
            return f"fuzz-{number}"
        case "address":
            return "bo@example.org"
        case "contentBytes":
            return "c291cA=="
        case "attachmentType":
            return "file"
        case "groupTypes":
            return ["Unified"]
        case "mailEnabled":
            return True
        case "size":
            return 5
        case "url":
            return "/me" if number % 2 else f"/groups/{place['group-id']}/threads/{place['conversationThread-id']}/posts"
        case "ids":
            return [people["bo"], place["group-id"]]
        case "name" | "displayName" | "extensionName" if not value:
            return f"n{number}"
    return None


def give_meaning(body, number):
    """Changes a body in place: texts that must be of a form, which random ones never are, get one."""
    if isinstance(body, list):
        for item in body:
            give_meaning(item, number)
    if not isinstance(body, dict):
        return
    for key, value in body.items():
        body[key] = meant(key, value, number) or value
        give_meaning(value, number)
    if "extensionName" in body:
        body["@odata.type"] = "#microsoft.graph.openTypeExtension"
    if set(body) - {"@odata.type"} == {"id", "value"}:
        kind = "StringArray" if isinstance(body["value"], list) else "String"
        body["id"] = f"{kind} {{{uuid.UUID(int=1)}}} Name n{number % 1000}"


people = {}
for name in ("bo", "cy", "di", "ada"):
    session.headers["Authorization"] = f"Bearer {token(f'{name}@example.org')}"
    # Who has called once is known to the server. The last one makes everything.
    people[name] = call("GET", "/v1.0/me")["id"]
calls = 0
place = seed()


@schemathesis.auth()
class Ada:
    """Everything is asked by the one who made it all."""

    def get(self, case, context):
        return session.headers["Authorization"]

    def set(self, case, data, context):
        case.headers["Authorization"] = data


@schemathesis.hook
def before_call(context, case, kwargs):
    number = mark(case.path_parameters, case.query, case.body if case.media_type else None)
    if number % LEFT == 0:
        return
    known = place | ({"directoryObject-id": people["cy"]} if "/rejectedSenders/" in case.path else {})
    for key in known.keys() & (case.path_parameters or {}):
        case.path_parameters[key] = known[key]
    query = case.query or {}
    if len(str(query.get("$filter", "more"))) < 2:
        query["$filter"] = "id ne null"
    if "$id" in query:
        query["$id"] = f"{URL}/v1.0/directoryObjects/{known['directoryObject-id']}"
    give_meaning(case.body, number)


@schemathesis.hook
def after_call(context, case, response):
    """What was removed, or may be locked now, is not what the next call thinks it is: another group, then."""
    global place, calls
    calls += 1
    gone = case.method == "DELETE"
    locked = case.method == "PATCH" and case.path.endswith(("{group-id}", "{conversationThread-id}"))
    if ((gone or locked) and response.status_code < 300) or calls % CALLS_MAX == 0:
        place = seed()
