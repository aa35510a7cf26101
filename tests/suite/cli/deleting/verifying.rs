//! Looking for what is broken, and for what is attached.

use super::*;

#[test]
fn what_is_whole_has_no_findings() {
    for lab in [Lab::honest(), Lab::like_2_8()] {
        let (one, two) = (lab.image(&[], "amd64"), lab.image(&["v1"], "arm64"));
        let index = lab.index(&["multi"], &[&one, &two]);
        lab.attach(&[], &index, "application/vnd.example.signature");
        lab.run("verify app --blobs").succeeds().says("nothing is broken");
        lab.run("verify").succeeds();
    }
}

/// container-retention-policy#43 and its like: the index is there, what it lists is not.
#[test]
fn what_is_broken_is_found_and_named() {
    let lab = Lab::honest();
    let (one, two) = (lab.image(&["v1"], "amd64"), lab.image(&[], "arm64"));
    lab.index(&["multi"], &[&one, &two]);
    let subject = lab.image(&[], "signed");
    let signature = lab.attach(&["signature"], &subject, "application/vnd.example.signature");
    // what is remembered from before must not hide it
    lab.run("inspect app:multi").succeeds();
    for gone in [&two, &subject] {
        lab.server.storage().delete_manifest(&lab.repository, gone).unwrap();
    }
    let layer = Digest::sha256(b"layer of amd64");
    lab.server.storage().delete_blob(&lab.repository, &layer).unwrap();

    let found = lab.run("verify app -o json").exits(10).json();
    let problems = |found: &Value| -> Vec<String> {
        let items = found["items"].as_array().unwrap();
        let mut words: Vec<String> = items.iter().map(|item| item["problem"].as_str().unwrap().to_owned()).collect();
        words.sort();
        words
    };
    assert_eq!(problems(&found), ["missing_child", "orphaned_referrer"]);
    let child = found["items"].as_array().unwrap().iter().find(|item| item["problem"] == "missing_child").unwrap();
    assert_eq!((&child["missing"], &child["tags"]), (&json!(two), &json!(["multi"])));
    let with_blobs = lab.run("verify app --blobs -o json").exits(10).json();
    assert_eq!(problems(&with_blobs), ["missing_blob", "missing_child", "orphaned_referrer"]);
    assert!(lab.run("verify app").exits(10).stdout.contains("missing child"));
    assert!(lab.has(&signature), "nothing is changed");
}

#[test]
fn a_repository_that_can_not_be_read_is_named() {
    let lab = Lab::new(Behaviour { broken_repository: Some("app".into()), ..Behaviour::default() });
    lab.image(&["v1"], "one");
    lab.run("verify app").exits(6).says("lab/app");
}

#[test]
fn what_is_attached_is_a_tree() {
    for lab in [Lab::honest(), Lab::like_2_8()] {
        let image = lab.image(&["v1"], "one");
        let sbom = lab.attach(&[], &image, "application/vnd.cyclonedx+json");
        let signature = lab.attach(&[], &sbom, "application/vnd.example.signature");
        // cosign's way, which needs no API
        let cosigned = lab.image(&[&format!("sha256-{}.sig", image.encoded())], "cosign");
        let tree = lab.run("referrers app:v1 -o json").succeeds().json();
        let found: Vec<&Value> = tree["referrers"].as_array().unwrap().iter().collect();
        assert!(found.iter().any(|item| item["digest"] == json!(cosigned) && item["kind"] == "signature"), "{tree}");
        let by_api = found.iter().find(|item| item["digest"] == json!(sbom));
        if lab.server.requests().iter().any(|request| request.path.contains("/referrers/") && request.status == 200) {
            let by_api = by_api.expect("the API lists it");
            assert_eq!((&by_api["kind"], &by_api["referrers"][0]["digest"]), (&json!("sbom"), &json!(signature)));
        } else {
            assert!(by_api.is_none(), "nobody keeps a fallback tag here");
        }
        lab.run("referrers app:v1").succeeds().shows("signature");
        lab.run("referrers app:nope").fails(3);
    }
}
