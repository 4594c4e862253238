-- What hangs on a post beside its attachments, and what a post and a thread say more of themselves.

alter table threads add column cc_recipients text not null default '[]';
alter table threads add column cc_recipients_folded text not null default '[]';
alter table posts add column importance text not null default 'normal';
-- Who declared a thread; null for one that began before there was this column.
alter table threads add column created_by uuid;
-- When it was last edited; null for a post that never was.
alter table posts add column edited_at bigint;

create table extensions (
    group_id uuid not null,
    id uuid not null,
    post_id uuid not null,
    name text not null,
    name_folded text not null,
    -- Its properties, as one JSON object.
    extra text not null,
    version bigint not null,
    primary key (group_id, id),
    foreign key (group_id, post_id) references posts (group_id, id)
) {group};
create unique index extensions_key on extensions (group_id, post_id, name_folded);

create table single_value_properties (
    group_id uuid not null,
    id uuid not null,
    post_id uuid not null,
    name text not null,
    name_folded text not null,
    value text,
    value_folded text,
    version bigint not null,
    primary key (group_id, id),
    foreign key (group_id, post_id) references posts (group_id, id)
) {group};
create unique index single_value_properties_key on single_value_properties (group_id, post_id, name_folded);

create table multi_value_properties (
    group_id uuid not null,
    id uuid not null,
    post_id uuid not null,
    name text not null,
    name_folded text not null,
    -- JSON array of strings.
    value text not null,
    value_folded text not null,
    version bigint not null,
    primary key (group_id, id),
    foreign key (group_id, post_id) references posts (group_id, id)
) {group};
create unique index multi_value_properties_key on multi_value_properties (group_id, post_id, name_folded);

create table mentions (
    group_id uuid not null,
    id uuid not null,
    post_id uuid not null,
    mentioned_name text,
    mentioned_name_folded text,
    mentioned_address text,
    mentioned_address_folded text,
    mention_text text,
    application text,
    client_reference text,
    deep_link text,
    created_by_name text not null,
    created_by_name_folded text not null,
    created_by_address text not null,
    created_by_address_folded text not null,
    created_at bigint not null,
    version bigint not null,
    primary key (group_id, id),
    foreign key (group_id, post_id) references posts (group_id, id)
) {group};
create index mentions_by_post on mentions (group_id, post_id, id);

-- What a post said before each of its edits.
create table post_versions (
    group_id uuid not null,
    id uuid not null,
    post_id uuid not null,
    version bigint not null,
    modified_at bigint not null,
    replaced_at bigint not null,
    replaced_by uuid,
    categories text not null,
    categories_folded text not null,
    body_type text not null,
    body text not null,
    primary key (group_id, id),
    foreign key (group_id, post_id) references posts (group_id, id)
) {group};
create index post_versions_by_post on post_versions (group_id, post_id, id);

-- Posts that somebody has forwarded to people outside their thread: what mail is to send.
create table forwards (
    group_id uuid not null,
    id uuid not null,
    post_id uuid not null,
    comment text not null,
    -- JSON array of recipients.
    to_recipients text not null,
    author uuid,
    app text,
    created_at bigint not null,
    primary key (group_id, id),
    foreign key (group_id, post_id) references posts (group_id, id)
) {group};
create index forwards_by_post on forwards (group_id, post_id, id);

-- How far a person has read a conversation, by the group's feed, since they last said that they had seen
-- all of the group; 0 where they marked it as unread.
create table conversation_reads (
    group_id uuid not null,
    user_id uuid not null references users (id),
    conversation_id uuid not null,
    seq bigint not null,
    primary key (group_id, user_id, conversation_id),
    foreign key (group_id, conversation_id) references conversations (group_id, id)
) {group} {small};
create index conversation_reads_by_conversation on conversation_reads (group_id, conversation_id);
