-- Guests, who see of a tenant only what they belong to.
alter table users add column user_type text not null default 'Member' check (user_type in ('Member', 'Guest'));
alter table users add column user_type_folded text not null default 'member';

drop view directory_objects;
create view directory_objects as
    select p.id, p.tenant_id, p.kind,
        coalesce(u.version, g.version) as version,
        coalesce(u.created_at, g.created_at) as created_at,
        g.deleted_at,
        coalesce(u.display_name, g.display_name) as display_name,
        coalesce(u.display_name_folded, g.display_name_folded) as display_name_folded,
        coalesce(u.mail, g.mail) as mail,
        coalesce(u.mail_folded, g.mail_folded) as mail_folded,
        u.given_name, u.surname, u.user_principal_name, u.disabled,
        g.description, g.group_types, g.is_unified, g.mail_nickname, g.proxy_addresses,
        g.resource_behavior_options, g.security_enabled, g.visibility
    from principals p left join users u on u.id = p.id left join groups g on g.id = p.id;

-- Who asks to be let into a group, until that is answered or taken back.
create table join_requests (
    group_id uuid not null references groups (id),
    id uuid not null,
    tenant_id uuid not null references tenants (id),
    user_id uuid not null references users (id),
    created_at bigint not null,
    version bigint not null,
    primary key (group_id, id)
) {group} {small};
create unique index join_requests_key on join_requests (group_id, user_id);
create index join_requests_by_user on join_requests (user_id, id);

-- Who is invited into a group: somebody who is there, or whoever has the link, of which the BLAKE3 hash is kept.
create table group_invitations (
    group_id uuid not null references groups (id),
    id uuid not null,
    tenant_id uuid not null references tenants (id),
    user_id uuid references users (id),
    address text,
    hash bytea,
    -- Null: an operator, or an application.
    created_by uuid references users (id),
    created_at bigint not null,
    expires_at bigint not null,
    version bigint not null,
    primary key (group_id, id),
    check ((user_id is null) = (hash is not null) and (address is null) = (hash is null))
) {group} {small};
create unique index group_invitations_key on group_invitations (group_id, user_id);
create index group_invitations_by_hash on group_invitations (hash);
create index group_invitations_by_user on group_invitations (tenant_id, user_id, id);
create index group_invitations_by_end on group_invitations (tenant_id, expires_at);
