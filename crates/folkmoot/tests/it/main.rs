//! What users rely on, asked of the real program: each test starts the built binary on a folder of its
//! own and speaks HTTP to it.
#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod support;

mod access;
mod apps;
mod attachments;
mod audit;
mod bad_input;
mod batch;
mod check;
mod cli;
mod clients;
mod connections;
mod conversations;
mod coverage;
mod crash;
mod description;
mod directory;
mod ephemeral;
mod examples;
mod extensions;
mod filters;
mod groups;
mod guests;
mod hidden;
mod issuers;
mod letting_in;
mod limits;
mod membership;
mod messages;
mod metadata_levels;
mod negotiation;
mod openapi;
mod postgres;
mod posts;
mod prefer;
mod query;
mod quotas;
mod random_filter;
mod search;
mod seed;
mod senders;
mod settings;
mod sign_in;
mod threads;
mod throttling;
mod tls;
mod tokens;
mod unseen;
mod uploads;
mod walk;
mod wire;
