-- What owners decide of a group, what each of its members does, who may send to it, and one name for all
-- that can be referred to.

-- Whether it has a mailbox and conversations, and the same as a JSON array of strings.
alter table groups add column is_unified boolean not null default true;
alter table groups add column group_types text not null default '["Unified"]';
alter table groups add column group_types_folded text not null default '["unified"]';
alter table groups add column allow_external_senders boolean not null default false;
alter table groups add column auto_subscribe_new_members boolean not null default false;
alter table groups add column hide_from_address_lists boolean not null default false;
alter table groups add column hide_from_outlook_clients boolean not null default false;
-- Whether group_senders has rows of it.
alter table groups add column senders_restricted boolean not null default false;

-- Every user and every group, by its place among the types derived from directoryObject: 0 and 1.
create table principals (
    id uuid not null primary key,
    tenant_id uuid not null references tenants (id),
    kind smallint not null
) {small};
insert into principals (id, tenant_id, kind) select id, tenant_id, 0 from users;
insert into principals (id, tenant_id, kind) select id, tenant_id, 1 from groups;

create view directory_objects as
    select p.id, p.tenant_id, p.kind,
        coalesce(u.version, g.version) as version,
        coalesce(u.created_at, g.created_at) as created_at,
        g.deleted_at,
        coalesce(u.display_name, g.display_name) as display_name,
        coalesce(u.display_name_folded, g.display_name_folded) as display_name_folded,
        coalesce(u.mail, g.mail) as mail,
        coalesce(u.mail_folded, g.mail_folded) as mail_folded,
        u.given_name, u.surname, u.user_principal_name,
        g.description, g.group_types, g.is_unified, g.mail_nickname, g.proxy_addresses,
        g.resource_behavior_options, g.security_enabled, g.visibility
    from principals p left join users u on u.id = p.id left join groups g on g.id = p.id;

-- Who alone may post to a group (accepted), and who may not: nobody is both.
create table group_senders (
    group_id uuid not null references groups (id),
    principal_id uuid not null references principals (id),
    accepted boolean not null,
    added_at bigint not null,
    primary key (group_id, principal_id)
) {group} {small};
create view accepted_senders as select group_id, principal_id from group_senders where accepted;
create view rejected_senders as select group_id, principal_id from group_senders where not accepted;

-- Who has said whether they want a group's posts by mail; a member who has not does.
create table group_subscriptions (
    group_id uuid not null references groups (id),
    user_id uuid not null references users (id),
    subscribed boolean not null,
    primary key (group_id, user_id)
) {group} {small};

create table group_favorites (
    group_id uuid not null references groups (id),
    user_id uuid not null references users (id),
    primary key (group_id, user_id)
) {group} {small};
