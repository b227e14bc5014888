//! Files that are no models, or damaged ones: one sentence, from every command that reads a model.

use std::collections::HashMap;

use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView};
use serde_json::Value;

use super::cli_errors::fails;
use super::program::Place;

/// The model file `bytes` with its tensors and another text under another key.
fn with_metadata(bytes: &[u8], key: &str, text: String) -> Vec<u8> {
    let file = SafeTensors::deserialize(bytes).unwrap();
    let metadata = HashMap::from([(key.to_string(), text)]);
    safetensors::serialize(file.tensors(), Some(metadata)).unwrap()
}

#[test]
fn files_that_are_no_models() {
    let place = Place::new();
    place.fit("icon.png --model siren --out run");
    let whole = place.bytes("run/model.safetensors");
    let (_, metadata) = SafeTensors::read_metadata(&whole).unwrap();
    let header = metadata.metadata().as_ref().unwrap()["inr"].clone();
    let changed = |change: &dyn Fn(&mut Value)| {
        let mut value: Value = serde_json::from_str(&header).unwrap();
        change(&mut value);
        with_metadata(&whole, "inr", value.to_string())
    };
    let numbers = [0u8; 8];
    let foreign = TensorView::new(Dtype::F32, vec![2], &numbers).unwrap();
    place.write(
        "foreign.safetensors",
        safetensors::serialize([("w", foreign)], None).unwrap(),
    );
    place.write("empty.safetensors", "");
    place.write("cut.safetensors", &whole[..whole.len() - 100]);
    place.write("stub.safetensors", &whole[..5]);
    place.write(
        "text.safetensors",
        "these are words, and more than eight of them\n",
    );
    place.write("later.safetensors", changed(&|h| h["format"] = 2.into()));
    place.write(
        "kind.safetensors",
        changed(&|h| h["layers"][0]["kind"] = "waves".into()),
    );
    place.write(
        "wide.safetensors",
        changed(&|h| h["layers"][0]["width"] = 60_000.into()),
    );
    place.write(
        "signal.safetensors",
        changed(&|h| h["signal"]["kind"] = "smell".into()),
    );
    place.write(
        "channels.safetensors",
        changed(&|h| h["signal"]["channels"] = "rgba".into()),
    );
    place.write(
        "other.safetensors",
        with_metadata(&whole, "other", "{}".into()),
    );
    place.write("json.safetensors", with_metadata(&whole, "inr", "{".into()));
    std::fs::create_dir(place.path("nothing")).unwrap();
    // JSON of a network without weights, of which there may be any number.
    place.write(
        "weightless.safetensors",
        changed(&|h| {
            h["layers"] = serde_json::json!([{"kind": "rescale", "scale": [1.0]}]);
            h["segments"] = 1_000_000_000_000_000_u64.into();
            (h["d_in"], h["d_out"]) = (2.into(), 2.into());
        }),
    );
    // 3 d_in + 3 would be 2 where numbers begin again behind the largest.
    place.write(
        "endless.safetensors",
        changed(&|h| {
            h["layers"] = serde_json::json!([{"kind": "linear"}]);
            (h["d_in"], h["d_out"]) = (6_148_914_691_236_517_205_u64.into(), 3.into());
        }),
    );
    let mut unknown = whole.clone();
    let end = unknown.len();
    unknown[end - 4..].copy_from_slice(&f32::NAN.to_le_bytes());
    place.write("unknown.safetensors", unknown);
    let cases: [(&str, &[&str]); 18] = [
        (
            "missing.safetensors",
            &["cannot read the model", "missing.safetensors"],
        ),
        ("nothing", &["cannot read the model", "model.safetensors"]),
        ("empty.safetensors", &["is empty (0 bytes)"]),
        ("cut.safetensors", &["is damaged"]),
        ("stub.safetensors", &["is damaged"]),
        ("text.safetensors", &["is not a model file"]),
        ("foreign.safetensors", &["has no `inr` metadata"]),
        ("other.safetensors", &["has no `inr` metadata"]),
        ("json.safetensors", &["is damaged"]),
        ("later.safetensors", &["has model format 2", "update inr"]),
        ("kind.safetensors", &["waves"]),
        ("weightless.safetensors", &["its layers have no parameters"]),
        (
            "unknown.safetensors",
            &["its weights are not all finite numbers"],
        ),
        (
            "run/checkpoint.safetensors",
            &["is the checkpoint of a run", "model.safetensors"],
        ),
        ("wide.safetensors", &["wide.safetensors"]),
        ("endless.safetensors", &["endless.safetensors"]),
        ("signal.safetensors", &["smell", "update inr"]),
        (
            "channels.safetensors",
            &["its network does not fit its signal"],
        ),
    ];
    for (name, words) in cases {
        fails(&place, &format!("info {name}"), 1, words);
        fails(&place, &format!("upsample {name} --device cpu"), 1, words);
        fails(
            &place,
            &format!("eval {name} icon.png --device cpu"),
            1,
            words,
        );
    }
    fails(
        &place,
        "info icon.png",
        1,
        &["icon.png is not a model file"],
    );
    fails(
        &place,
        "eval run leaf.png --device cpu",
        1,
        &["RGB", "RGBA"],
    );
}
