//! The program. All of it is in the library, so that tests and other programs can use it too.

fn main() {}
