-- Passwords, for those who want one; secrets of applications that are renewed; applications that are gone.

create table passwords (
    user_id uuid not null primary key references users (id),
    -- Argon2id, as a PHC string: parameters and salt are in it.
    hash text not null,
    changed_at bigint not null
);

-- The secret before the one that an application has, and until when it is good beside that.
alter table apps add column old_secret_hash bytea;
alter table apps add column old_secret_until bigint not null default 0;

-- Ids of applications that were removed: tokens that they had are refused for as long as any may be good.
create table removed_apps (
    id uuid not null primary key,
    removed_at bigint not null
);
