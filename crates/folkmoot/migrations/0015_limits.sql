-- How many bytes the attachments of a group have: those of its blobs, and those that upload sessions are
-- still to bring. A row of the group's own, so that groups do not wait for each other.
create table attachment_use (
    group_id uuid not null primary key references groups (id),
    bytes bigint not null
) {group} {small};

-- Of its size, what a session keeps free: all of it until a blob has the bytes.
alter table upload_sessions add column promised bigint not null default 0;
update upload_sessions set promised = size;

-- How many bytes the attachments of all groups of a tenant may have; 0 for any number, and then
-- attachment_bytes is not kept. Else it is their sum, in a row that all of them change.
alter table tenants add column attachment_bytes_max bigint not null default 0;
alter table tenants add column attachment_bytes bigint not null default 0;

-- Accounts that an operator has parted from an issuer: no identity of it joins them by itself again.
create table parted_users (
    user_id uuid not null references users (id),
    issuer text not null,
    primary key (user_id, issuer)
) {small};
