//! The program's commands, run as a person or a script runs them.

mod add;
mod catalogue_file;
mod check;
mod completions;
mod deleting;
mod doctor;
mod frame;
mod life;
mod list;
mod login;
mod many_tags;
mod search;
mod serve;
mod update;
