use super::*;
use crate::charter::SignedKeyEvent;

fn key(byte: u8) -> SecretKey {
    SecretKey::from_seed(&[byte; 32])
}

fn charter() -> Charter {
    Charter::verify(vec![SignedKeyEvent::inception(&key(1), &key(2))]).expect("charter")
}

fn header() -> Header {
    Header {
        sender: charter().rcp(),
        key_seq: 0,
        receiver: RcpId::new([5; 32]),
        bundle_key: [6; 32],
        made: UnixMillis(7),
        id: BundleId::new([8; 16]),
        start: StartNumber::new([9; 16]),
    }
}

fn ended(reason: &str) -> Said {
    let reason = reason.to_owned();
    let frame = v1::session_frame::Frame::Ended(v1::Ended { reason });
    Said::Session(v1::SessionFrame {
        frame: Some(frame),
        padding: Vec::new(),
    })
}

/// A bundle of two frames, in pieces: beginning, parts, end.
fn pieces() -> Vec<Vec<u8>> {
    let identity = v1::Identity::default();
    let (mut writer, first) = BundleWriter::begin(identity, &header(), &key(1)).expect("begin");
    let one = writer.part(ended("ONE")).expect("part");
    let other = writer.part(ended("OTHER")).expect("part");
    let (end, parts) = writer.end(&key(1)).expect("end");
    assert_eq!(parts, 3);
    vec![first, one, other, end]
}

/// What the frames of a bundle say, or why it is refused.
fn read(bytes: &[u8]) -> Result<Vec<String>, Reason> {
    let reason = |error| match error {
        ReadError::Refused(refusal) => refusal.reason,
        ReadError::Io(error) => panic!("{error}"),
    };
    let (mut reader, opening) = BundleReader::begin(bytes).map_err(reason)?;
    opening
        .verify(&charter())
        .map_err(|refusal| refusal.reason)?;
    let mut said = Vec::new();
    while let Some(part) = reader.next(&charter()).map_err(reason)? {
        said.push(match part {
            Part::Session(frame) => match frame.frame {
                Some(v1::session_frame::Frame::Ended(ended)) => ended.reason,
                _ => String::new(),
            },
            Part::Carry(_) => "carry".to_owned(),
            Part::Unknown => "unknown".to_owned(),
        });
    }
    Ok(said)
}

#[test]
fn a_bundle_reads_back() {
    assert_eq!(
        read(&pieces().concat()),
        Ok(vec!["ONE".into(), "OTHER".into()])
    );
    assert_eq!(Header::decode(&header().encode()), Ok(header()));
    assert_eq!(header().encode().len(), HEADER_BYTES);
}

#[test]
fn no_byte_can_be_changed_left_out_or_added() {
    let good = pieces().concat();
    for at in 0..good.len() {
        let mut bad = good.clone();
        bad[at] ^= 1;
        assert!(read(&bad).is_err(), "byte {at} changed");
        assert_eq!(read(&good[..at]), Err(Reason::Truncated), "cut at {at}");
    }
    let longer = [good.as_slice(), &[0]].concat();
    assert_eq!(read(&longer), Err(Reason::TrailingBytes));
}

#[test]
fn parts_stay_where_they_are() {
    let good = pieces();
    let of = |order: &[usize]| {
        let parts = order.iter().map(|at| good[*at].clone());
        read(&parts.collect::<Vec<_>>().concat())
    };
    assert_eq!(of(&[0, 2, 1, 3]), Err(Reason::WrongHash));
    assert_eq!(of(&[0, 1, 3]), Err(Reason::WrongHash));
    assert_eq!(of(&[0, 1, 1, 2, 3]), Err(Reason::WrongHash));
    assert_eq!(of(&[0, 1, 2]), Err(Reason::Truncated));
    let opening = good[0][FIRST_LINE.len()..].to_vec();
    let twice = [good[0].clone(), opening, good[3].clone()].concat();
    assert_eq!(read(&twice), Err(Reason::OutOfOrder));
    let frame_first = [FIRST_LINE, &good[1], &good[3]].concat();
    assert_eq!(read(&frame_first), Err(Reason::OutOfOrder));
}

#[test]
fn what_a_newer_version_knows_is_passed_over_and_not_forgotten() {
    let identity = v1::Identity::default();
    let (mut writer, first) = BundleWriter::begin(identity, &header(), &key(1)).expect("begin");
    writer.chain.push(&[]);
    let (end, _) = writer.end(&key(1)).expect("end");
    let nothing = [0; 4].to_vec();
    let newer = [first.clone(), nothing, end.clone()].concat();
    assert_eq!(read(&newer), Ok(vec!["unknown".into()]));
    assert_eq!(read(&[first, end].concat()), Err(Reason::WrongHash));
}

#[test]
fn only_the_current_key_of_the_sender_makes_one() {
    let bytes = pieces().concat();
    let (_, opening) = BundleReader::begin(bytes.as_slice()).expect("opening");
    let mut rotated = charter();
    let next = key(4).public_bytes();
    let event = SignedKeyEvent::rotation(&rotated, &key(2), &key(3), &next, None);
    rotated.push(event.expect("rotation")).expect("push");
    let reason = |charter: &Charter| opening.verify(charter).map_err(|refusal| refusal.reason);
    assert_eq!(reason(&charter()), Ok(()));
    assert_eq!(reason(&rotated), Err(Reason::RetiredKey));
    let other = Charter::verify(vec![SignedKeyEvent::inception(&key(3), &key(4))]);
    assert_eq!(reason(&other.expect("charter")), Err(Reason::WrongRcp));
    let identity = v1::Identity::default();
    let (_, forged) = BundleWriter::begin(identity, &header(), &key(3)).expect("begin");
    let (_, opening) = BundleReader::begin(forged.as_slice()).expect("opening");
    let refused = opening.verify(&charter()).map_err(|refusal| refusal.reason);
    assert_eq!(refused, Err(Reason::BadSignature));
}
