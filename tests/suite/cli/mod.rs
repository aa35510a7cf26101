//! The program's commands, run as a person or a script runs them.

mod add;
mod allow_list;
mod apply;
mod catalogue_file;
mod check;
mod completions;
mod deleting;
mod derived;
mod doctor;
mod export;
mod five;
mod foreign;
mod frame;
mod import;
mod life;
mod list;
mod login;
mod machine_formats;
mod main_job;
mod many_tags;
mod odd_servers;
mod schedule;
mod search;
mod serve;
mod token;
mod update;
