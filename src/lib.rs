//! **regctl**: registry catalogue and administration.
//!
//! Library and binary are one package; the binary is [`cli::main`] and nothing else. A reader who knows registries should be able to guess
//! every path:
//!
//! | module | what it is |
//! | --- | --- |
//! | [`oci`] | the words of the specifications: reference, digest, manifest, config, platform. Pure |
//! | [`files`], [`duration`], [`near_miss`] | where files live and how they are replaced; the grammar of lengths of time; what a slip probably meant |
//! | [`output`] | how results look: tables, JSON, templates, progress. Knows plain values only |
//! | [`credentials`] | secrets and where they come from: keyring, environment, command, Docker's files, encrypted file |
//! | [`registry`] | the one interface, [`registry::Registry`], that everything above talks to, with its errors and capabilities |
//! | [`cache`] | manifests and configs by digest, kept between runs |
//! | [`transport`] | HTTP: whom to trust, signing in, redirects, pages, repeats, pace |
//! | [`distribution`] | the endpoints of `/v2/` as a `Registry` |
//! | [`providers`] | what vendors do differently |
//! | [`catalogue`] | the user's own list of registries and its TOML file. Opens no connection |
//! | [`scheduler`] | timers of systemd and lines of cron that start the clean-up of an entry at its time |
//! | [`systems`] | the documents of other programs that keep lists of registries, read into entries and written from them. Pure |
//! | [`connect`] | from an entry of the catalogue to a `Registry`: the one place that assembles the parts |
//! | [`journal`] | what was removed, as bytes and names, and how it comes back |
//! | [`operations`] | what commands do, to anything that is a `Registry`; plans, and the one function that applies them |
//! | [`scanner`] | scanners of images that are installed on this machine |
//! | [`serve`] | a registry on loopback: sandbox and test double. Shares only `oci` with the client |
//! | [`cli`] | one file a command: arguments, one call, how the result looks |
//!
//! Imports point down that list and never up; `tests/suite/tidy.rs` holds the table with its reasons and reads every `crate::` path.
//!
//! A command goes through all of it: words become arguments (`cli`), a name becomes an entry (`catalogue`), an entry becomes a connection
//! (`connect`), the work is done (`operations`), the result is shown (`output`). Whatever deletes makes a plan first
//! ([`operations::plan`]), which is a value that can be shown, saved and applied, and is decided without writing anything.
#![warn(missing_docs)]

pub mod cache;
pub mod catalogue;
pub mod cli;
pub mod connect;
pub mod credentials;
pub mod distribution;
pub mod duration;
pub mod files;
pub mod journal;
pub mod near_miss;
pub mod oci;
pub mod operations;
pub mod output;
pub mod providers;
pub mod registry;
pub mod scanner;
pub mod scheduler;
pub mod serve;
pub mod systems;
pub mod transport;
