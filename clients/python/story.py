"""A story told with Microsoft's Graph SDK for Python, as it comes from PyPI, against a running server.

The server is a Folkmoot over TLS. Its origin is in FOLKMOOT_URL; its CA is in the file that
SSL_CERT_FILE (for httpx, which the SDK uses) and REQUESTS_CA_BUNDLE (for azure-identity) name.
An ephemeral server gives tokens for the asking; where it is a durable one, FOLKMOOT_TOKEN_COMMAND is the
command that prints them, `folkmoot token` with the server's options, and FOLKMOOT_APP holds tenant, id and secret
of an application that `folkmoot app add --role Group.ReadWrite.All` made, with a space between each. People sign in
there to the application with the id in FOLKMOOT_PUBLIC_APP, by the user name and password of `browser.py`.

Invariant: everything goes through the SDK, and all that the story needs it makes by Graph calls.
"""

import asyncio
import json
import os
import ssl
import subprocess
import sys
import time
import urllib.request
import uuid
from datetime import datetime, timezone
from io import BytesIO
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

from azure.core.credentials import AccessToken
from azure.identity import ClientSecretCredential, InteractiveBrowserCredential
from browser import sign_in
from kiota_abstractions.api_error import APIError
from kiota_abstractions.base_request_configuration import RequestConfiguration
from kiota_abstractions.method import Method
from kiota_abstractions.request_information import RequestInformation
from kiota_authentication_azure.azure_identity_authentication_provider import (
    AzureIdentityAuthenticationProvider,
)
from msal import ConfidentialClientApplication, PublicClientApplication
from msgraph import GraphRequestAdapter, GraphServiceClient
from msgraph.generated.groups.groups_request_builder import GroupsRequestBuilder
from msgraph.generated.groups.item.conversations.conversations_request_builder import (
    ConversationsRequestBuilder,
)
from msgraph.generated.groups.item.threads.item.posts.item.attachments.item.attachment_item_request_builder import (
    AttachmentItemRequestBuilder,
)
from msgraph.generated.groups.item.threads.item.posts.item.forward.forward_post_request_body import (
    ForwardPostRequestBody,
)
from msgraph.generated.groups.item.threads.item.posts.item.post_item_request_builder import (
    PostItemRequestBuilder,
)
from msgraph.generated.groups.item.threads.item.posts.posts_request_builder import (
    PostsRequestBuilder,
)
from msgraph.generated.groups.item.threads.item.reply.reply_post_request_body import (
    ReplyPostRequestBody,
)
from msgraph.generated.groups.item.threads.item.posts.item.attachments.create_upload_session.create_upload_session_post_request_body import (
    CreateUploadSessionPostRequestBody,
)
from msgraph.generated.models.attachment_item import AttachmentItem
from msgraph.generated.models.attachment_type import AttachmentType
from msgraph.generated.models.body_type import BodyType
from msgraph.generated.models.conversation import Conversation
from msgraph.generated.models.conversation_thread import ConversationThread
from msgraph.generated.models.date_time_time_zone import DateTimeTimeZone
from msgraph.generated.models.email_address import EmailAddress
from msgraph.generated.models.event import Event
from msgraph.generated.models.file_attachment import FileAttachment
from msgraph.generated.models.group import Group
from msgraph.generated.models.item_attachment import ItemAttachment
from msgraph.generated.models.item_body import ItemBody
from msgraph.generated.models.o_data_errors.o_data_error import ODataError
from msgraph.generated.models.open_type_extension import OpenTypeExtension
from msgraph.generated.models.post import Post
from msgraph.generated.models.recipient import Recipient
from msgraph.generated.models.reference_create import ReferenceCreate
from msgraph.generated.models.user import User
from msgraph_core.tasks.large_file_upload import LargeFileUploadTask
from msgraph_core.tasks.page_iterator import PageIterator
from msgraph_core.requests.batch_request_content import BatchRequestContent
from msgraph_core.requests.batch_request_item import BatchRequestItem

URL = os.environ["FOLKMOOT_URL"].rstrip("/")
HOST = urlsplit(URL).hostname
TOKEN_COMMAND = os.environ.get("FOLKMOOT_TOKEN_COMMAND")
SCOPE = "https://graph.microsoft.com/.default"
# Any tenant, id and secret will do for an ephemeral server.
TENANT, APP, SECRET = os.environ.get(
    "FOLKMOOT_APP",
    "8d12587e-587e-4d12-be58-128d7e58128d 11111111-2222-4333-8444-555555555555 secret",
).split()
PUBLIC_APP = os.environ.get("FOLKMOOT_PUBLIC_APP", "22222222-3333-4444-8555-666666666666")
ADA = "ada@example.org"
UNKNOWN = "8d12587e-587e-8d12-7e58-128d7e58128d"
MANY = 45
POST = "{+baseurl}/groups/{group%2Did}/threads/{conversationThread%2Did}/posts/{post%2Did}"
ODD_TOPIC = "O'Hara & Söhne #1 + 100 %"
FILE = bytes(range(256)) * 20

passed = 0


def check(what, got, expected):
    """One check of the story: `got` is `expected`, or the story ends here."""
    global passed
    assert got == expected, f"{what}: got {got!r}, expected {expected!r}"
    passed += 1


async def check_error(what, call, status, code):
    """The call is refused, with an error that the SDK could read."""
    try:
        answer = await call
    except ODataError as error:
        check(f"{what}: status", error.response_status_code, status)
        check(f"{what}: code", error.error.code, code)
        check(f"{what}: has a message", bool(error.error.message), True)
        inner = error.error.inner_error
        check(f"{what}: has a date", isinstance(inner.date, datetime), True)
        check(f"{what}: has a request id", bool(inner.request_id), True)
    else:
        raise AssertionError(f"{what}: got {answer!r}, expected an error {code}")


def token_by_command(kind, name):
    """The token that the command prints for a `user` or an `app`; it is a line of a shell."""
    line = ["sh", "-c", f'{TOKEN_COMMAND} "$@"', "sh", f"--{kind}", name]
    return subprocess.run(line, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()


def user_token(user):
    if TOKEN_COMMAND:
        return token_by_command("user", user)
    request = urllib.request.Request(
        f"{URL}/_test/token",
        data=json.dumps({"user": user}).encode(),
        headers={"Content-Type": "application/json"},
    )
    # The default context reads SSL_CERT_FILE.
    with urllib.request.urlopen(request, context=ssl.create_default_context()) as answer:
        return json.load(answer)["access_token"]


class Token:
    """A credential, as azure-core defines one, that is a token already."""

    def __init__(self, token):
        self.token = token

    def get_token(self, *_scopes, **_options):
        return AccessToken(self.token, int(time.time()) + 3600)


def client(credential):
    """The SDK's client, told where the server is and that its token may be sent there."""
    provider = AzureIdentityAuthenticationProvider(
        credential, scopes=[SCOPE], allowed_hosts=[HOST]
    )
    adapter = GraphRequestAdapter(provider)
    adapter.base_url = f"{URL}/v1.0"
    return GraphServiceClient(request_adapter=adapter)


def query(builder, **options):
    """The query options of a list, as the SDK wants them: every builder has its own class of them."""
    kind = next(
        value for name, value in vars(builder).items() if name.endswith("GetQueryParameters")
    )
    return RequestConfiguration(query_parameters=kind(**options))


def text(content):
    return Post(body=ItemBody(content_type=BodyType.Text, content=content))


async def make_group(ada, bo):
    nickname = f"python-{uuid.uuid4()}"
    group = await ada.groups.post(
        Group(
            display_name="Readers & writers",
            mail_nickname=nickname,
            group_types=["Unified"],
            mail_enabled=True,
            security_enabled=False,
            visibility="Private",
        )
    )
    check("group: name", group.display_name, "Readers & writers")
    check("group: types", group.group_types, ["Unified"])
    check("group: address", group.mail.split("@")[0], nickname)

    found = await ada.groups.get(
        query(GroupsRequestBuilder, filter=f"mailNickname eq '{nickname}'", select=["id"])
    )
    check("group: found by its nickname", [it.id for it in found.value], [group.id])

    me = await ada.me.get()
    check("me", (me.user_principal_name, me.display_name), ("ada@example.org", "ada"))
    other = await bo.me.get()
    here = ada.groups.by_group_id(group.id)
    await check_error(
        "an outsider reads", bo.groups.by_group_id(group.id).conversations.get(),
        403, "ErrorAccessDenied",
    )
    await here.members.ref.post(
        ReferenceCreate(odata_id=f"https://graph.microsoft.com/v1.0/directoryObjects/{other.id}")
    )
    members = (await here.members.get()).value
    check("members are users", [type(it) for it in members], [User, User])
    check(
        "members",
        sorted(it.user_principal_name for it in members),
        ["ada@example.org", "bo@example.org"],
    )
    joined = (await bo.me.member_of.get()).value
    check("groups of the new member", group.id in [it.id for it in joined], True)
    check("groups are groups", {type(it) for it in joined}, {Group})
    return group.id


async def talk(here):
    """A conversation with its thread and first post in one request; its ids."""
    began = datetime.now(timezone.utc).replace(microsecond=0)
    post = Post(body=ItemBody(content_type=BodyType.Html, content="<p>Soup &amp; bread, at noon?</p>"))
    made = await here.conversations.post(
        Conversation(topic="Lunch", threads=[ConversationThread(posts=[post])])
    )
    check("conversation: topic", made.topic, "Lunch")
    thread = made.threads[0]
    check("conversation: one post", len(thread.posts), 1)

    read = await here.conversations.by_conversation_id(made.id).get()
    check("conversation read: topic", read.topic, "Lunch")
    check("conversation read: preview", read.preview, "Soup & bread, at noon?")
    check("conversation read: senders", read.unique_senders, ["ada"])
    check("conversation read: attachments", read.has_attachments, False)
    check("conversation read: time", read.last_delivered_date_time >= began, True)

    read = await here.threads.by_conversation_thread_id(thread.id).get()
    check("thread: id", read.id, thread.id)
    check("thread: topic", read.topic, "Lunch")
    check("thread: not locked", read.is_locked, False)
    nested = here.conversations.by_conversation_id(made.id).threads
    check("threads of the conversation", [it.id for it in (await nested.get()).value], [thread.id])
    return made.id, thread.id


async def reply(bo_here, here, thread_id):
    """The new member replies with a file; it is read back by the other."""
    answer = text("Yes, see the menu")
    answer.attachments = [
        FileAttachment(
            odata_type="#microsoft.graph.fileAttachment",
            name="the menu.bin",
            content_type="application/x-menu",
            content_bytes=FILE,
        )
    ]
    await bo_here.threads.by_conversation_thread_id(thread_id).reply.post(
        ReplyPostRequestBody(post=answer)
    )
    posts = here.threads.by_conversation_thread_id(thread_id).posts
    first, second = (await posts.get(query(PostsRequestBuilder, expand=["attachments"]))).value
    check("first post", first.body.content_type, BodyType.Html)
    check("first post: attachments", (first.has_attachments, first.attachments), (False, []))
    check("reply", (second.body.content, second.has_attachments), ("Yes, see the menu", True))
    check("reply: sender", second.sender.email_address.address, "bo@example.org")
    check("reply: a typed attachment", [type(it) for it in second.attachments], [FileAttachment])
    file = second.attachments[0]
    check("attachment: name", file.name, "the menu.bin")
    check("attachment: type", file.content_type, "application/x-menu")
    check("attachment: size", file.size, len(FILE))
    check("attachment: content", file.content_bytes, FILE)

    attachments = posts.by_post_id(second.id).attachments
    check("attachment by its id", (await attachments.by_attachment_id(file.id).get()).name, file.name)
    check("attachments counted", await attachments.count.get(), 1)
    check("attachment downloaded", await download(attachments.by_attachment_id(file.id)), FILE)
    await upload(here, attachments)


async def download(attachment):
    """The bytes of an attachment, at an address that the SDK has no method for."""
    request = RequestInformation(
        Method.GET, f"{POST}/attachments/{{attachment%2Did}}/$value", attachment.path_parameters
    )
    return await attachment.request_adapter.send_primitive_async(
        request, "bytes", {"XXX": ODataError}
    )


async def upload(here, attachments):
    """A file that is too large for a request comes in parts, by the SDK's own task."""
    large = FILE * 700
    item = AttachmentItem(attachment_type=AttachmentType.File, name="large.bin", size=len(large))
    session = await attachments.create_upload_session.post(
        CreateUploadSessionPostRequestBody(attachment_item=item)
    )
    parts = 1024 * 1024
    task = LargeFileUploadTask(session, here.request_adapter, BytesIO(large), max_chunk_size=parts)
    try:
        await task.upload()
    except APIError as error:
        # The task sends its last part a second time, when the session has ended.
        check("upload: the last part again", error.response_status_code, 404)
    check("upload: beside the other", await attachments.count.get(), 2)
    named = {it.name: it for it in (await attachments.get()).value}
    check("upload: its bytes", named["large.bin"].content_bytes == large, True)


async def attach(post):
    """A file and an event are attached to a post that is there, read and removed."""
    made = await post.attachments.post(
        FileAttachment(
            odata_type="#microsoft.graph.fileAttachment", name="later.txt", content_bytes=b"later"
        )
    )
    check("attached: type", type(made), FileAttachment)
    check("attached", (made.name, made.content_type, made.size), ("later.txt", "text/plain", 5))
    noon, one = (
        DateTimeTimeZone(date_time=f"2026-12-01T{it}:00:00", time_zone="UTC") for it in (12, 13)
    )
    event = Event(odata_type="#microsoft.graph.event", subject="Lunch", start=noon, end=one)
    item = await post.attachments.post(
        ItemAttachment(odata_type="#microsoft.graph.itemAttachment", name="Lunch", item=event)
    )
    check("attached: both count", await post.attachments.count.get(), 2)
    check("attached: the post says so", (await post.get()).has_attachments, True)
    expand = query(AttachmentItemRequestBuilder, expand=["microsoft.graph.itemattachment/item"])
    item = await post.attachments.by_attachment_id(item.id).get(expand)
    check("item: types", (type(item), type(item.item)), (ItemAttachment, Event))
    check("item: event", (item.item.subject, item.item.start.date_time), ("Lunch", noon.date_time))
    calendar = await download(post.attachments.by_attachment_id(item.id))
    check("item: a calendar", b"\r\nDTSTART:20261201T120000Z\r\n" in calendar, True)
    for id in (made.id, item.id):
        await post.attachments.by_attachment_id(id).delete()
    gone = post.attachments.by_attachment_id(made.id)
    await check_error("a removed attachment", gone.get(), 404, "ErrorItemNotFound")
    check("removed: the post says so", (await post.get()).has_attachments, False)


def extension(name, **data):
    return OpenTypeExtension(extension_name=name, additional_data=data)


async def extend(bo_thread, post):
    """What programs keep with a post: sent with a reply, and added to one that is there."""
    answer = text("Extended")
    answer.extensions = [extension("com.example.mood", mood="hungry", level=3)]
    await bo_thread.reply.post(ReplyPostRequestBody(post=answer))
    made = (await bo_thread.posts.get()).value[-1]
    wanted = query(
        PostItemRequestBuilder, expand=["extensions($filter=id eq 'com.example.mood')"]
    )
    read = await bo_thread.posts.by_post_id(made.id).get(wanted)
    check("extension: type", [type(it) for it in read.extensions], [OpenTypeExtension])
    data = read.extensions[0].additional_data
    check("extension: data", (data["mood"], data["level"]), ("hungry", 3))

    one = await post.extensions.post(extension("com.example.seen", by="bo"))
    shown = (one.extension_name, one.additional_data["by"])
    check("extension: added", shown, ("com.example.seen", "bo"))
    check("extension: counted", await post.extensions.count.get(), 1)
    one = post.extensions.by_extension_id("com.example.seen")
    await one.patch(extension("com.example.seen", by="ada", times=2))
    data = (await one.get()).additional_data
    check("extension: changed", (data["by"], data["times"]), ("ada", 2))
    await one.delete()
    await check_error("a removed extension", one.get(), 404, "ErrorItemNotFound")
    return made.id


async def forward(post):
    to = [Recipient(email_address=EmailAddress(address="kitchen@example.com"))]
    await post.forward.post(ForwardPostRequestBody(comment="For you", to_recipients=to))
    nobody = ForwardPostRequestBody(comment="For nobody", to_recipients=[])
    await check_error(
        "forwarded to nobody", post.forward.post(nobody), 400, "ErrorInvalidRecipients"
    )


async def lock(thread, bo_thread):
    """While a thread is locked, its members read."""
    locked = await thread.patch(ConversationThread(is_locked=True))
    check("locked", locked.is_locked, True)
    late = ReplyPostRequestBody(post=text("Too late"))
    await check_error(
        "a reply to a locked thread", bo_thread.reply.post(late), 403, "ErrorAccessDenied"
    )
    check("locked: read", (await bo_thread.get()).is_locked, True)
    await thread.patch(ConversationThread(is_locked=False))
    check("unlocked", (await bo_thread.get()).is_locked, False)
    await bo_thread.reply.post(late)


async def edit(thread, bo_thread, post_id):
    """A post is changed and removed, which this server offers and the SDK has no methods for."""
    post = bo_thread.posts.by_post_id(post_id)
    request = RequestInformation(Method.PATCH, POST, post.path_parameters)
    request.set_content_from_parsable(post.request_adapter, "application/json", text("Edited"))
    errors = {"XXX": ODataError}
    edited = await post.request_adapter.send_async(request, Post, errors)
    check("edited", (edited.id, edited.body.content), (post_id, "Edited"))
    other = thread.posts.by_post_id(post_id)
    check("edited: read by another", (await other.get()).body.content, "Edited")
    there = await thread.posts.count.get()
    request = RequestInformation(Method.DELETE, POST, post.path_parameters)
    await post.request_adapter.send_no_response_content_async(request, errors)
    await check_error("a removed post", other.get(), 404, "ErrorItemNotFound")
    check("removed: one less", await thread.posts.count.get(), there - 1)


async def side_thread(here, conversation_id, thread_id):
    """A second thread of a conversation comes and goes, and leaves the first."""
    threads = here.conversations.by_conversation_id(conversation_id).threads
    made = await threads.post(ConversationThread(posts=[text("By the way")]))
    there = {it.id for it in (await threads.get()).value}
    check("two threads", there, {thread_id, made.id})
    aside = here.threads.by_conversation_thread_id(made.id)
    await aside.delete()
    await check_error("a removed thread", aside.get(), 404, "ErrorItemNotFound")
    check("one thread", [it.id for it in (await threads.get()).value], [thread_id])


async def page(here):
    """Many conversations, each seen exactly once by the SDK's own iterator; and lists that ask."""
    made = []
    for number in range(MANY):
        topic = ODD_TOPIC if number == 0 else f"Page {number:02}"
        thread = ConversationThread(posts=[text(f"Number {number}")])
        conversation = await here.conversations.post(Conversation(topic=topic, threads=[thread]))
        made.append(conversation.id)
    check("all ids differ", len(set(made)), MANY)

    builder = ConversationsRequestBuilder
    first = await here.conversations.get(query(builder, top=10))
    check("first page", len(first.value), 10)
    origin = first.odata_next_link.startswith(f"{URL}/v1.0/groups/")
    check(f"next page is on this server: {first.odata_next_link}", origin, True)
    seen = []

    def take(conversation):
        seen.append(conversation.id)
        return True

    await PageIterator(first, here.request_adapter).iterate(take)
    # One more than was made here: the lunch.
    check("seen", len(seen), MANY + 1)
    check("each once", len(set(seen)), MANY + 1)
    check("none left out", set(made) - set(seen), set())
    check("counted", await here.conversations.count.get(), MANY + 1)

    listed = await here.conversations.get(
        query(
            builder,
            filter="startswith(topic,'Page 1')",
            select=["id", "topic"],
            orderby=["topic desc"],
            count=True,
        )
    )
    topics = [it.topic for it in listed.value]
    check("filtered and ordered", topics, [f"Page {it}" for it in range(19, 9, -1)])
    check("filtered: count", listed.odata_count, 10)
    check("selected", {(it.preview, it.unique_senders) for it in listed.value}, {(None, None)})
    odd = ODD_TOPIC.replace("'", "''")
    listed = await here.conversations.get(query(builder, filter=f"topic eq '{odd}'"))
    check("found by an odd topic", [(it.id, it.topic) for it in listed.value], [(made[0], ODD_TOPIC)])


async def batch(ada, here):
    """Three requests in one: what the group is, a wrong address, and a list after both."""
    missing = here.conversations.by_conversation_id(UNKNOWN).to_get_request_information()
    content = BatchRequestContent()
    content.add_request(None, BatchRequestItem(here.to_get_request_information(), id="group"))
    content.add_request(None, BatchRequestItem(missing, id="missing"))
    listed = here.conversations.to_get_request_information(
        query(ConversationsRequestBuilder, filter="startswith(topic,'Lunch')", select=["topic"])
    )
    content.add_request(None, BatchRequestItem(listed, id="listed", depends_on=["group"]))
    answer = await ada.batch.post(content)
    check(
        "batch: statuses", answer.get_response_status_codes(),
        {"group": 200, "missing": 404, "listed": 200},
    )
    # Its answers' bodies are objects, as in Graph, and this version of the library drops those.
    named = answer.get_response_by_id("missing")
    check("batch: a JSON answer", named.content_type.split(";")[0], "application/json")


async def by_application(group_id):
    """An application signs in with its secret, through either identity library, and reads."""
    credential = ClientSecretCredential(
        TENANT, APP, SECRET, authority=URL, disable_instance_discovery=True
    )
    robot = client(credential)
    here = robot.groups.by_group_id(group_id)
    check("application: group", (await here.get()).display_name, "Readers & writers")
    check("application: conversations", await here.conversations.count.get(), MANY + 1)
    await check_error("application: me", robot.me.get(), 400, "BadRequest")

    # The same authority by the address of its tenant, and by that of its discovery document.
    for authority in ({"authority": f"{URL}/{TENANT}"}, {"oidc_authority": f"{URL}/{TENANT}/v2.0"}):
        application = ConfidentialClientApplication(
            APP, client_credential=SECRET, instance_discovery=False, **authority
        )
        answer = application.acquire_token_for_client([SCOPE])
        check("msal: its error", answer.get("error_description"), None)
        robot = client(Token(answer["access_token"]))
        group = await robot.groups.by_group_id(group_id).get()
        check("msal: group", group.display_name, "Readers & writers")
        again = application.acquire_token_for_client([SCOPE])
        check("msal: it keeps the token", again["token_source"], "cache")
    if "FOLKMOOT_APP" in os.environ:
        application = ConfidentialClientApplication(
            APP, client_credential="wrong", authority=f"{URL}/{TENANT}", instance_discovery=False
        )
        answer = application.acquire_token_for_client([SCOPE])
        check("msal: a wrong secret", (answer["error"], answer["error_codes"]), ("invalid_client", [7000215]))


async def by_a_person(group_id):
    """Somebody signs in to an application in a browser, which then calls for them, and goes on without them."""
    scopes = ["Group.ReadWrite.All", "User.Read"]

    async def calls(what, token):
        here = client(Token(token))
        check(f"{what}: me", (await here.me.get()).user_principal_name, ADA)
        group = await here.groups.by_group_id(group_id).get()
        check(f"{what}: group", group.display_name, "Readers & writers")

    def application(**authority):
        return PublicClientApplication(PUBLIC_APP, instance_discovery=False, **authority)

    for authority in ({"authority": f"{URL}/{TENANT}"}, {"oidc_authority": f"{URL}/{TENANT}/v2.0"}):
        phone = application(**authority)
        redirect = "http://localhost:4711/signed-in"
        flow = phone.initiate_auth_code_flow(scopes, redirect_uri=redirect, login_hint=ADA)
        came = urlsplit(sign_in(flow["auth_uri"])[0])
        check("msal: the way back", f"{came.scheme}://{came.netloc}{came.path}", redirect)
        answer = phone.acquire_token_by_auth_code_flow(flow, dict(parse_qsl(came.query)))
        check("msal, by a code: its error", answer.get("error_description"), None)
        await calls("msal, by a code", answer["access_token"])
        [account] = phone.get_accounts()
        check("msal: its account", account["username"], ADA)
        silent = phone.acquire_token_silent(scopes, account)
        check("msal, silently: kept", silent["access_token"], answer["access_token"])
        for _ in range(2):
            silent = phone.acquire_token_silent(scopes, account, force_refresh=True)
            check("msal, by a refresh token", silent["token_source"], "identity_provider")
            await calls("msal, by a refresh token", silent["access_token"])

    # The libraries open the browser themselves, and wait for what it brings, at a port of their own.
    browser = Path(__file__).with_name("browser.py")
    os.environ["BROWSER"] = f"{sys.executable} {browser} %s &"
    phone = application(authority=f"{URL}/{TENANT}")
    answer = phone.acquire_token_interactive(scopes, login_hint=ADA, timeout=60)
    check("msal, interactively: its error", answer.get("error_description"), None)
    await calls("msal, interactively", answer["access_token"])
    credential = InteractiveBrowserCredential(
        authority=URL,
        tenant_id=TENANT,
        client_id=PUBLIC_APP,
        login_hint=ADA,
        redirect_uri="http://localhost:4712",
        disable_instance_discovery=True,
        timeout=60,
    )
    wanted = [f"https://graph.microsoft.com/{it}" for it in scopes]
    await calls("azure-identity, interactively", credential.get_token(*wanted).token)


async def end(ada, here, conversation_id, thread_id):
    conversation = here.conversations.by_conversation_id(conversation_id)
    await conversation.delete()
    await check_error("deleted conversation", conversation.get(), 404, "ErrorItemNotFound")
    thread = here.threads.by_conversation_thread_id(thread_id)
    await check_error("its thread", thread.get(), 404, "ErrorItemNotFound")
    await check_error("deleted again", conversation.delete(), 404, "ErrorItemNotFound")
    missing = here.conversations.by_conversation_id(UNKNOWN)
    await check_error("missing conversation", missing.get(), 404, "ErrorItemNotFound")
    unknown = ada.groups.by_group_id(UNKNOWN)
    await check_error("unknown group", unknown.get(), 404, "Request_ResourceNotFound")
    await check_error(
        "conversations of it", unknown.conversations.get(), 404, "Request_ResourceNotFound"
    )
    bad = query(ConversationsRequestBuilder, filter="topic eq")
    await check_error("bad filter", here.conversations.get(bad), 400, "BadRequest")
    check("left", await here.conversations.count.get(), MANY)
    await here.delete()
    await check_error("deleted group", here.get(), 404, "Request_ResourceNotFound")


async def main():
    ada, bo = (client(Token(user_token(f"{it}@example.org"))) for it in ("ada", "bo"))
    group_id = await make_group(ada, bo)
    here = ada.groups.by_group_id(group_id)
    conversation_id, thread_id = await talk(here)
    bo_here = bo.groups.by_group_id(group_id)
    await reply(bo_here, here, thread_id)
    thread, bo_thread = (it.threads.by_conversation_thread_id(thread_id) for it in (here, bo_here))
    first = thread.posts.by_post_id((await thread.posts.get()).value[0].id)
    await attach(first)
    extended = await extend(bo_thread, first)
    await forward(first)
    await lock(thread, bo_thread)
    await edit(thread, bo_thread, extended)
    await side_thread(here, conversation_id, thread_id)
    await page(here)
    await batch(ada, here)
    await by_application(group_id)
    await by_a_person(group_id)
    await end(ada, here, conversation_id, thread_id)
    print(f"python story: {passed} checks passed")


asyncio.run(main())
