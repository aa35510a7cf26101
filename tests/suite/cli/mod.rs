//! The program's commands, run as a person or a script runs them.

mod add;
mod catalogue_file;
mod check;
mod completions;
mod doctor;
mod foreign;
mod frame;
mod life;
mod list;
mod login;
mod main_job;
mod odd_servers;
mod token;
mod update;
