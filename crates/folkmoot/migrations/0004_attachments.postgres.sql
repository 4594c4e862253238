-- Attachments are files, items and references: one table, as 0004_attachments.sqlite.sql says.

alter table attachments alter column hash drop not null;
alter table attachments
    add column kind smallint not null default 0,
    add column item text,
    add column source_url text,
    add column provider_type text,
    add column thumbnail_url text,
    add column preview_url text,
    add column permission text,
    add column is_folder boolean;
