//! deployment.json, and the markers of envs.

use nyala::python::env::Marker;
use nyala::python::env::marker::Retired;
use nyala::site::Record;
use serde_json::{from_slice, to_vec_pretty};

pub fn check(data: &[u8]) {
    if let Ok(record) = from_slice::<Record>(data) {
        assert_a_record_is_kept(&record);
    }
    if let Ok(marker) = from_slice::<Marker>(data) {
        let written = to_vec_pretty(&marker).expect("what was read can be written");
        assert_eq!(from_slice::<Marker>(&written).expect("what was written can be read"), marker);
    }
    if let Ok(retired) = from_slice::<Retired>(data) {
        let written = to_vec_pretty(&retired).expect("what was read can be written");
        assert_eq!(from_slice::<Retired>(&written).expect("what was written can be read"), retired);
    }
}

fn assert_a_record_is_kept(record: &Record) {
    let written = record.to_json().expect("what was read can be written");
    assert_eq!(written.last(), Some(&b'\n'));
    let mut again: Record = from_slice(&written).expect("what was written can be read");
    assert_eq!(again.to_json().expect("what was read can be written"), written);
    // Credentials are taken out, and nothing else is changed.
    again.message.clone_from(&record.message);
    again.error.clone_from(&record.error);
    if let (Some(again), Some(env)) = (&mut again.env, &record.env) {
        again.reasons.clone_from(&env.reasons);
    }
    assert_eq!(&again, record);
    assert!(!record.has_ended() || record.status.is_final());
    assert!(!record.went_live() || record.rolled_back_to.is_none());
}
