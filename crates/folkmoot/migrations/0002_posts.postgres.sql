-- Posts and their index, as 0002_posts.sqlite.sql has them: rows need no number here, and the index is a
-- column of tokens (text.rs) with a GIN index over it.

create table posts (
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
    primary key (group_id, id),
    foreign key (group_id, thread_id) references threads (group_id, id)
) {group};
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
) {group};
create index attachments_by_post on attachments (group_id, post_id, id);
create index attachments_by_hash on attachments (group_id, hash);

create table post_index (
    group_id uuid not null,
    post_id uuid not null,
    tokens tsvector not null,
    primary key (group_id, post_id)
) {group};
create index post_index_tokens on post_index using gin (tokens);
