-- Attachments are files, items and references: one table, as 0004_attachments.postgres.sql has it. A column
-- that may be null from now on takes a new table here.

create table attachments_of_all_kinds (
    group_id uuid not null,
    id uuid not null,
    post_id uuid not null,
    name text not null,
    name_folded text not null,
    content_type text,
    content_type_folded text,
    content_id text,
    is_inline boolean not null,
    size bigint not null,
    -- Of a file: its bytes.
    hash bytea,
    kind smallint not null,
    -- Of an item: the document, as it was sent.
    item text,
    -- Of a reference.
    source_url text,
    provider_type text,
    thumbnail_url text,
    preview_url text,
    permission text,
    is_folder boolean,
    modified_at bigint not null,
    version bigint not null,
    primary key (group_id, id),
    foreign key (group_id, post_id) references posts (group_id, id),
    foreign key (group_id, hash) references blobs (group_id, hash)
);

insert into attachments_of_all_kinds (
    group_id, id, post_id, name, name_folded, content_type, content_type_folded, content_id, is_inline,
    size, hash, modified_at, version, kind
) select
    group_id, id, post_id, name, name_folded, content_type, content_type_folded, content_id, is_inline,
    size, hash, modified_at, version, 0
from attachments;
drop table attachments;
alter table attachments_of_all_kinds rename to attachments;
create index attachments_by_post on attachments (group_id, post_id, id);
create index attachments_by_hash on attachments (group_id, hash);
