-- By what other issuers know users: issuer, tenant there (empty where it has none), and the claim that
-- says so with its value. Never a name or an address, which may change hands.
create table identities (
    tenant_id uuid not null references tenants (id),
    issuer text not null,
    tenant text not null,
    claim text not null check (claim in ('oid', 'sub')),
    subject text not null,
    user_id uuid not null references users (id),
    -- When the newest token was made whose claims were taken in: seconds since 1970.
    issued_at bigint not null,
    primary key (tenant_id, issuer, tenant, claim, subject)
) {small};
create index identities_by_user on identities (user_id);

-- Members whom a claim has put into a group, so that a claim may take them out again, and nobody else.
create table claimed_members (
    group_id uuid not null references groups (id),
    user_id uuid not null references users (id),
    primary key (group_id, user_id)
) {group} {small};
create index claimed_members_by_user on claimed_members (user_id, group_id);
