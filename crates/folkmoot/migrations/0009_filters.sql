-- Texts that are compared since filters may name them. A twin is kept only of a text that is not in ASCII
-- (null: its lower case is its fold), so that most texts are not stored twice.

alter table posts add column body_folded text;
alter table attachments add column content_id_folded text;
alter table attachments add column source_url_folded text;
alter table attachments add column thumbnail_url_folded text;
alter table attachments add column preview_url_folded text;
