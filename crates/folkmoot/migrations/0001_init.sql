-- One text for both databases. SQLite takes any type name: uuid and bytea columns hold blobs there,
-- boolean columns 0 and 1. Instants are bigint: units of 100 ns since 0001-01-01T00:00:00Z.
-- A column named x_folded holds x as it is compared (full case fold, NFC); see DECISIONS D5.
-- Everything inside a group has a key that begins with the group's id. What {group} and {small} after a
-- table become says store/dialect.rs.

create table tenants (
    id uuid not null primary key,
    domain text not null,
    is_default boolean not null,
    created_at bigint not null
);

create table keys (
    kid text not null primary key,
    purpose text not null,
    secret bytea not null,
    created_at bigint not null
);

create table users (
    id uuid not null primary key,
    tenant_id uuid not null references tenants (id),
    user_principal_name text not null,
    user_principal_name_folded text not null,
    display_name text not null,
    display_name_folded text not null,
    given_name text,
    given_name_folded text,
    surname text,
    surname_folded text,
    mail text not null,
    mail_folded text not null,
    disabled boolean not null,
    created_at bigint not null,
    version bigint not null
);
create unique index users_upn_key on users (tenant_id, user_principal_name_folded);

create table groups (
    id uuid not null primary key,
    -- The short name of the group in the search index.
    number bigint not null,
    tenant_id uuid not null references tenants (id),
    display_name text not null,
    display_name_folded text not null,
    description text,
    description_folded text,
    mail_nickname text not null,
    mail_nickname_folded text not null,
    mail text not null,
    mail_folded text not null,
    visibility text not null check (visibility in ('Public', 'Private', 'HiddenMembership')),
    security_enabled boolean not null,
    proxy_addresses text not null,
    proxy_addresses_folded text not null,
    resource_behavior_options text not null,
    resource_behavior_options_folded text not null,
    visibility_folded text not null,
    members_only_posting boolean not null,
    created_at bigint not null,
    deleted_at bigint,
    version bigint not null
);
create unique index groups_number_key on groups (number);
create unique index groups_nickname_key on groups (tenant_id, mail_nickname_folded) where deleted_at is null;
create index groups_by_tenant on groups (tenant_id, id) where deleted_at is null;

create table group_members (
    group_id uuid not null references groups (id),
    user_id uuid not null references users (id),
    added_at bigint not null,
    primary key (group_id, user_id)
) {group} {small};
create index group_members_by_user on group_members (user_id, group_id);

create table group_owners (
    group_id uuid not null references groups (id),
    user_id uuid not null references users (id),
    added_at bigint not null,
    primary key (group_id, user_id)
) {group} {small};
create index group_owners_by_user on group_owners (user_id, group_id);

create table conversations (
    group_id uuid not null references groups (id),
    id uuid not null,
    topic text not null,
    topic_folded text not null,
    has_attachments boolean not null,
    last_delivered_at bigint not null,
    last_delivered_offset smallint not null,
    unique_senders text not null,
    unique_senders_folded text not null,
    preview text not null,
    preview_folded text not null,
    posts bigint not null,
    created_at bigint not null,
    created_by uuid,
    created_app text,
    version bigint not null,
    primary key (group_id, id)
) {group} {small};
create index conversations_newest on conversations (group_id, last_delivered_at, id);

create table threads (
    group_id uuid not null,
    id uuid not null,
    conversation_id uuid not null,
    topic text not null,
    topic_folded text not null,
    has_attachments boolean not null,
    last_delivered_at bigint not null,
    last_delivered_offset smallint not null,
    unique_senders text not null,
    unique_senders_folded text not null,
    preview text not null,
    preview_folded text not null,
    is_locked boolean not null,
    to_recipients text not null,
    to_recipients_folded text not null,
    posts bigint not null,
    version bigint not null,
    primary key (group_id, id),
    foreign key (group_id, conversation_id) references conversations (group_id, id)
) {group} {small};
create index threads_newest on threads (group_id, last_delivered_at, id);
create index threads_by_conversation on threads (group_id, conversation_id, last_delivered_at, id);

create table blobs (
    group_id uuid not null references groups (id),
    hash bytea not null,
    size bigint not null,
    -- The bytes of a small blob; null where they are an object beside the database.
    content bytea,
    touched_at bigint not null,
    primary key (group_id, hash)
) {group};

-- The group's stream of changes: numbered without gaps in the order of commits (DECISIONS D9).
create table feed_heads (
    group_id uuid not null primary key references groups (id),
    seq bigint not null
) {group} {small};
create table feed (
    group_id uuid not null,
    seq bigint not null,
    at bigint not null,
    actor uuid,
    app text,
    kind smallint not null,
    op smallint not null,
    entity_id uuid not null,
    conversation_id uuid,
    thread_id uuid,
    changed bigint not null,
    primary key (group_id, seq)
) {group} {small};

-- The tenant's stream: groups, users and memberships.
create table tenant_feed_heads (
    tenant_id uuid not null primary key references tenants (id),
    seq bigint not null
) {small};
create table tenant_feed (
    tenant_id uuid not null,
    seq bigint not null,
    at bigint not null,
    actor uuid,
    app text,
    kind smallint not null,
    op smallint not null,
    entity_id uuid not null,
    group_id uuid,
    changed bigint not null,
    primary key (tenant_id, seq)
) {small};
