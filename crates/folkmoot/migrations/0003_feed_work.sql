-- How far each consumer of the feed has come in each group that it is interested in, and when there is
-- work for it: due_at is set by the transaction that writes to the feed. A lease says who does it.
create table feed_work (
    group_id uuid not null references groups (id),
    consumer text not null,
    cursor bigint not null,
    due_at bigint,
    lease_owner uuid,
    lease_until bigint,
    primary key (group_id, consumer)
) {group} {small};
create index feed_work_due on feed_work (consumer, due_at) where due_at is not null;

-- The last post of each conversation, by the feed: what unseen counts are counted from.
create table activity (
    group_id uuid not null references groups (id),
    conversation_id uuid not null,
    seq bigint not null,
    author uuid,
    primary key (group_id, conversation_id)
) {group} {small};
create index activity_newest on activity (group_id, seq, author);

-- How far a person has seen what a group says.
create table group_reads (
    group_id uuid not null references groups (id),
    user_id uuid not null references users (id),
    seq bigint not null,
    primary key (group_id, user_id)
) {group} {small};

insert into feed_work (group_id, consumer, cursor, due_at) select id, 'unseen', 0, 0 from groups;
