//! Never break a live image (SPEC §8.3).

use regctl::oci::RawManifest;
use regctl::serve::Behaviour;

use super::Lab;

const SIGNATURE: &str = "application/vnd.dev.cosign.artifact.sig.v1+json";

#[test]
fn delete_package_versions_162_an_image_of_an_index_is_never_deleted_from_under_it() {
    let lab = Lab::honest();
    let image = lab.image(&[], "one");
    lab.index(&["multi"], &[&image]);
    lab.run(&format!("manifest delete app@{image} --yes")).fails(8).says("multi would be broken");
    assert!(lab.has(&image));
}

#[test]
fn skopeo_2497_images_go_with_their_last_index() {
    for behaviour in
        [Behaviour::default(), Behaviour::distribution_2_8(), Behaviour { protect_children: true, ..Behaviour::default() }]
    {
        let lab = Lab::new(behaviour);
        let [own, shared, named] =
            [("own", &[][..]), ("shared", &[]), ("named", &["keep"])].map(|(name, tags)| lab.image(tags, name));
        let inner = lab.index(&[], &[&own, &shared]);
        let outer = lab.index(&["v1"], &[&inner, &named]);
        lab.index(&["v2"], &[&shared]);
        let before = lab.holdings();
        lab.run("manifest delete app:v1 --yes").succeeds();
        assert_eq!([&own, &inner, &outer].map(|gone| lab.has(gone)), [false; 3]);
        assert_eq!([&shared, &named].map(|kept| lab.has(kept)), [true; 2]);
        assert_eq!(lab.tags(), ["keep", "v2"]);
        lab.run("undo").succeeds();
        assert_eq!(lab.holdings(), before);
    }
}

#[test]
fn ghca_114_what_is_attached_goes_with_its_subject() {
    for behaviour in [Behaviour::default(), Behaviour::distribution_2_8()] {
        let without_api = !behaviour.referrers;
        let lab = Lab::new(behaviour);
        let image = lab.image(&["v1"], "one");
        let signature = lab.attach(&[], &image, SIGNATURE);
        let fallback = image.fallback_tag();
        let cosign = format!("{fallback}.sig");
        let old = lab.image(&[&cosign], "cosign's own");
        // on a signature there may be another one
        let second = lab.attach(&[], &signature, SIGNATURE);
        let mut tags = vec!["v1", cosign.as_str()];
        if without_api {
            lab.index(&[&fallback], &[&signature]);
            lab.index(&[&signature.fallback_tag()], &[&second]);
            tags.push(&fallback);
        }
        let before = lab.holdings();
        lab.run("manifest delete app:v1 --yes").succeeds();
        assert!(lab.tags().is_empty(), "{:?}", lab.tags());
        assert_eq!([&image, &signature, &old, &second].map(|gone| lab.has(gone)), [false; 4]);
        lab.run("undo").succeeds();
        assert_eq!(lab.holdings(), before);
    }
}

#[test]
fn oras_1228_the_list_of_referrers_loses_what_goes() {
    let lab = Lab::like_2_8();
    let image = lab.image(&["v1"], "one");
    let [first, second] = ["a/first", "a/second"].map(|kind| lab.attach(&[], &image, kind));
    let fallback = image.fallback_tag();
    let list = lab.index(&[&fallback], &[&first, &second]);
    let before = lab.holdings();
    lab.run(&format!("manifest delete app@{first} --yes")).succeeds();
    assert_eq!([&first, &list].map(|gone| lab.has(gone)), [false; 2]);
    let shorter = lab.tag(&fallback).expect("the list stays for the other one");
    let text = lab.server.storage().manifest(&lab.repository, &shorter).unwrap();
    assert!(!String::from_utf8_lossy(&text.bytes).contains(first.as_str()) && lab.has(&second) && lab.tag("v1") == Some(image));
    lab.run("undo").succeeds();
    assert_eq!(lab.holdings(), before);

    // the last one takes the list along
    lab.run(&format!("manifest delete app@{first} --yes")).succeeds();
    lab.run(&format!("manifest delete app@{second} --yes")).succeeds();
    assert_eq!(lab.tags(), ["v1"]);
}

#[test]
fn weathernode_25_what_can_not_be_read_keeps_everything() {
    let lab = Lab::honest();
    lab.image(&["v1"], "one");
    let nonsense = RawManifest::new(regctl::oci::media_type::OCI_INDEX, "this is no manifest");
    lab.server.storage().put_manifest(&lab.repository, nonsense.clone(), Some(&"odd".parse().unwrap())).unwrap();
    let before = lab.holdings();
    for line in ["manifest delete app:v1 --yes", "repo delete app --yes", "tag delete app:v1 --yes"] {
        lab.run(line).fails(1).says(nonsense.digest.as_str());
        assert_eq!(lab.holdings(), before, "{line}");
    }
}

#[test]
fn acr_cli_131_a_whole_repository_goes_in_an_order_that_every_server_takes() {
    for behaviour in
        [Behaviour::default(), Behaviour::distribution_2_8(), Behaviour { protect_children: true, ..Behaviour::default() }]
    {
        let lab = Lab::new(behaviour);
        let images = ["a", "b", "c"].map(|name| lab.image(&[], name));
        let inner = lab.index(&["inner"], &[&images[0], &images[1]]);
        lab.index(&["outer", "latest"], &[&inner, &images[2]]);
        lab.attach(&["sbom"], &images[0], "application/vnd.cyclonedx+json");
        let before = lab.holdings();
        lab.run("repo delete app --yes").succeeds().says("undo with: regctl undo ");
        let after = lab.holdings();
        assert!(after.tags.is_empty() && after.manifests.is_empty(), "{after:?}");
        lab.run("undo").succeeds();
        assert_eq!(lab.holdings(), before);
    }
}
