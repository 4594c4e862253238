-- Who did what to which entity, from where: written in the transaction of what it tells of, and kept by
-- itself. Nothing here refers to another table, so that it outlives what it tells of; ids alone, no words.
-- Ids are of version 7, so a key is also the order of time.

-- What was done in a group, or to one.
create table audit (
    group_id uuid not null,
    id uuid not null,
    tenant_id uuid not null,
    at bigint not null,
    operation text not null,
    action text not null,
    entity_type text not null,
    entity_id uuid,
    conversation_id uuid,
    thread_id uuid,
    post_id uuid,
    -- What of the entity: an attachment of a post, a sender of a group.
    part_id uuid,
    caller text not null,
    user_id uuid,
    app text,
    client text,
    request_id uuid,
    primary key (group_id, id)
) {group} {small};
-- As answers show it: a row never changes.
create view audit_entries as select a.*, cast(1 as bigint) as version from audit a;

-- What was done in a tenant and in no group: accounts, applications, keys, tokens, sign-ins.
create table tenant_audit (
    tenant_id uuid not null,
    id uuid not null,
    at bigint not null,
    operation text not null,
    action text not null,
    entity_type text not null,
    entity_id uuid,
    -- What no id says: which key, which permissions.
    detail text,
    caller text not null,
    user_id uuid,
    app text,
    client text,
    request_id uuid,
    primary key (tenant_id, id)
) {small};
