//! Answers that a client verifies by itself.

use corridor_client::RecordName;
use corridor_client::proof::verify_proof;
use corridor_proto::v1;
use prost::Message;

use super::scene;

/// The proof of the one record that the client asks for: what verifies is that record.
pub fn answer(bytes: &[u8]) {
    let Ok(message) = v1::ProveRecordResponse::decode(bytes) else {
        return;
    };
    let (rcp, record, body) = scene::proved();
    let name = RecordName { rcp, record };
    if let Ok(answer) = verify_proof(&name, message) {
        assert_eq!(answer.body(), body, "no other body verifies");
    }
}
