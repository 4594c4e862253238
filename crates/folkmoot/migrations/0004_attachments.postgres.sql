-- Attachments are files, items and references: one table, as 0004_attachments.sqlite.sql says.

alter table attachments alter column hash drop not null;
alter table attachments add column kind smallint not null default 0;
alter table attachments add column item text collate "C";
alter table attachments add column source_url text collate "C";
alter table attachments add column provider_type text collate "C";
alter table attachments add column thumbnail_url text collate "C";
alter table attachments add column preview_url text collate "C";
alter table attachments add column permission text collate "C";
alter table attachments add column is_folder boolean;
