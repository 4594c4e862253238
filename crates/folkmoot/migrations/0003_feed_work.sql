-- How far each consumer of the feed has come in each group that it is interested in (cursor), and how
-- far the feed goes (head, set by each transaction that writes to it): there is work where they differ. A
-- lease says who does it.
create table feed_work (
    group_id uuid not null references groups (id),
    consumer text not null,
    cursor bigint not null,
    head bigint not null,
    lease_owner uuid,
    lease_until bigint,
    primary key (group_id, consumer)
) {group} {small};
create index feed_work_due on feed_work (consumer, group_id) where head > cursor;

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

insert into feed_work (group_id, consumer, cursor, head)
    select g.id, 'unseen', 0, coalesce((select h.seq from feed_heads h where h.group_id = g.id), 0)
    from groups g;
