//! The vendors: how they are recognised, and what they do differently.

pub mod derived;
pub mod detect;
pub mod realm;
mod sigv4;
