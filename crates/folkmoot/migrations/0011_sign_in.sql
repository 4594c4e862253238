-- What the built-in issuer keeps. Of every secret it has the BLAKE3 hash alone.

-- Applications that the operator has made.
create table apps (
    -- What OAuth calls its client id.
    id uuid not null primary key,
    tenant_id uuid not null references tenants (id),
    name text not null,
    -- Null: a program in its users' hands, which can keep no secret.
    secret_hash bytea,
    -- Permissions, between spaces: those that it has itself, and those that it may have for users.
    roles text not null,
    scopes text not null,
    -- Addresses that a sign-in may end at, between spaces.
    redirects text not null,
    created_at bigint not null
);
create unique index apps_name_key on apps (tenant_id, name);

create table sign_in_links (
    hash bytea not null primary key,
    -- Null: whoever uses it makes their account.
    user_id uuid references users (id),
    tenant_id uuid not null references tenants (id),
    expires_at bigint not null
);

create table sessions (
    hash bytea not null primary key,
    user_id uuid not null references users (id),
    expires_at bigint not null
);

-- What an application may do for a user since a sign-in, until it ends.
create table grants (
    id uuid not null primary key,
    app_id uuid not null references apps (id),
    user_id uuid not null references users (id),
    scopes text not null,
    redirect text not null,
    challenge text,
    nonce text,
    created_at bigint not null
);
create index grants_by_user on grants (user_id);
create index grants_by_app on grants (app_id);

-- The code that begins a grant, and the refresh tokens that carry it on. Each is used once; one that
-- comes again ends its grant, so they are kept used until they expire.
create table grant_tokens (
    hash bytea not null primary key,
    grant_id uuid not null references grants (id),
    is_code boolean not null,
    used boolean not null,
    expires_at bigint not null
);
create index grant_tokens_by_grant on grant_tokens (grant_id);
create index grant_tokens_by_end on grant_tokens (expires_at);

-- Until when a key that no longer signs still checks; at least as long as anything that it has signed.
alter table keys add column good_until bigint not null default 0;
