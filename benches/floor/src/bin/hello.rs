//! The floor of a start: what any Rust program costs.
#![forbid(unsafe_code)]

fn main() {
    println!("hello, world");
}
