//! The vendors: how they are recognised, and what they do differently.

pub mod derived;
pub mod detect;
pub mod look;
pub mod rate_limit;
pub mod realm;
mod sigv4;
