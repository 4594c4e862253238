-- All posts of a group in the order in which they came, as a mailbox shows them.
create index posts_newest on posts (group_id, received_at, id);
