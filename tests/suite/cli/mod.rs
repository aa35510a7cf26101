//! The program's commands, run as a person or a script runs them.

mod doctor;
mod login;
