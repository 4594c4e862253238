-- Attachments that come in parts. The bytes are in a file beside the blobs until all are there.
create table upload_sessions (
    group_id uuid not null references groups (id),
    id uuid not null,
    post_id uuid not null,
    -- Of the secret in the address that the parts are sent to; the secret itself is kept nowhere.
    token_hash bytea not null,
    name text not null,
    content_type text,
    content_id text,
    is_inline boolean not null,
    size bigint not null,
    -- The bytes that are on the disk: ranges in order and apart, such as 0-99,200-299.
    received text not null,
    author uuid,
    app text,
    expires_at bigint not null,
    primary key (group_id, id),
    foreign key (group_id, post_id) references posts (group_id, id)
) {group};
-- An address names the session alone.
create index upload_sessions_by_id on upload_sessions (id);
create index upload_sessions_by_post on upload_sessions (group_id, post_id);

-- One life of a blob, from when it was made known; null once a collector has condemned it, before it
-- removes the file. A reference is taken only in the life in which its file was kept.
alter table blobs add column life uuid;
