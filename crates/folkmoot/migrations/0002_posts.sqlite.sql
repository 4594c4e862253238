-- Posts and their index differ between the databases: SQLite's full-text index refers to rows by an
-- integer, which must be a declared key to survive VACUUM.

create table posts (
    number integer primary key,
    group_id uuid not null,
    id uuid not null,
    conversation_id uuid not null,
    thread_id uuid not null,
    in_reply_to uuid,
    message_id text not null,
    created_at bigint not null,
    modified_at bigint not null,
    received_at bigint not null,
    received_offset smallint not null,
    has_attachments boolean not null,
    categories text not null,
    categories_folded text not null,
    body_type text not null,
    body text not null,
    from_name text not null,
    from_name_folded text not null,
    from_address text not null,
    from_address_folded text not null,
    sender_name text not null,
    sender_name_folded text not null,
    sender_address text not null,
    sender_address_folded text not null,
    new_participants text not null,
    new_participants_folded text not null,
    -- Undeclared properties, as one JSON object; null where there are none.
    extra text,
    author uuid,
    app text,
    version bigint not null,
    foreign key (group_id, thread_id) references threads (group_id, id)
);
create unique index posts_key on posts (group_id, id);
create index posts_by_thread on posts (group_id, thread_id, received_at, id);

create table attachments (
    group_id uuid not null,
    id uuid not null,
    post_id uuid not null,
    name text not null,
    name_folded text not null,
    content_type text,
    content_type_folded text,
    content_id text,
    is_inline boolean not null,
    size bigint not null,
    hash bytea not null,
    modified_at bigint not null,
    version bigint not null,
    primary key (group_id, id),
    foreign key (group_id, post_id) references posts (group_id, id),
    foreign key (group_id, hash) references blobs (group_id, hash)
);
create index attachments_by_post on attachments (group_id, post_id, id);
create index attachments_by_hash on attachments (group_id, hash);

-- Rows are tokenised in Rust (src/text.rs); `ascii` only splits them at the spaces again.
create virtual table post_index using fts5 (
    scope, topic, body, sender, attachment,
    content = '', contentless_delete = 1, tokenize = 'ascii'
);
