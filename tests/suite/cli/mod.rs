//! The program's commands, run as a person or a script runs them.

mod add;
mod apply;
mod catalogue_file;
mod completions;
mod doctor;
mod frame;
mod life;
mod list;
mod login;
mod many_tags;
mod serve;
mod update;
