//! What two sides of a connection say, give and take.

use crate::samples::{ME, Node, PEER, exchange, pair, texts};

#[test]
fn a_reader_gets_the_texts_of_its_circles() {
    let (mut one, mut other) = (Node::new(ME), Node::new(PEER));
    pair(&mut one, &mut other);
    let circle = one.open("trade", true, true, &[&other]);
    one.publish(1, "first", &[circle]);
    exchange(&mut one, &mut other);
    assert_eq!(texts(&other, &circle), ["first"]);
}
