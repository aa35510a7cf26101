//! The program's commands, run as a person or a script runs them.

mod add;
mod allow_list;
mod catalogue_file;
mod check;
mod completions;
mod derived;
mod doctor;
mod frame;
mod life;
mod list;
mod login;
mod many_tags;
mod search;
mod serve;
mod update;
