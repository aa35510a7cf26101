//! The conformance suite on every vendor.

use regctl::registry::Support;

use super::fake::Fake;
use super::{
    acr, artifactory, azure, dockerhub, ecr, gar, ghcr, gitea, gitlab, harbor, ionos, nexus, open, open_as, quay, swr, tcr, zot,
};
use crate::conformance::{Truth, suite};
use crate::support::http::wait;

/// What the suite's repositories begin with.
const NAMESPACE: &str = "conformance";

fn run(fake: &Fake, truth: &Truth) {
    wait(suite::all(&*open(fake, NAMESPACE), truth));
}

const BOTH: Truth = Truth { untag: Support::Native, delete: Support::Native, referrers: true, auth: "bearer" };

#[test]
fn harbor() {
    run(&harbor::fake(), &Truth { untag: Support::Api, ..BOTH });
}

#[test]
fn dockerhub() {
    run(&dockerhub::fake(), &Truth { untag: Support::Api, ..BOTH });
}

#[test]
fn ghcr() {
    run(&ghcr::fake(), &Truth { untag: Support::Unsupported, delete: Support::Api, referrers: false, ..BOTH });
}

#[test]
fn quay() {
    run(&quay::fake(), &BOTH);
}

#[test]
fn quay_as_a_robot() {
    let fake = quay::fake_for_robots();
    wait(suite::all(&*open_as(&fake, Some(fake.username), None), &BOTH));
}

#[test]
fn gitlab() {
    run(&gitlab::fake(), &BOTH);
}

#[test]
fn azure() {
    run(&azure::fake(), &Truth { untag: Support::Api, ..BOTH });
}

#[test]
fn gar() {
    run(&gar::fake(), &BOTH);
}

#[test]
fn ecr() {
    run(&ecr::fake(), &Truth { untag: Support::Api, delete: Support::Api, auth: "basic", ..BOTH });
}

#[test]
fn gitea() {
    run(&gitea::fake(), &BOTH);
}

#[test]
fn zot() {
    run(&zot::fake(), &BOTH);
}

#[test]
fn artifactory() {
    run(&artifactory::fake(), &Truth { untag: Support::Api, auth: "basic", ..BOTH });
}

#[test]
fn nexus() {
    run(&nexus::fake(), &Truth { untag: Support::Api, auth: "basic", ..BOTH });
}

#[test]
fn ionos() {
    run(&ionos::fake(), &Truth { auth: "basic", ..BOTH });
}

#[test]
fn swr() {
    run(&swr::fake(), &Truth { untag: Support::Api, auth: "basic", ..BOTH });
}

#[test]
fn tcr() {
    run(&tcr::fake(), &Truth { untag: Support::Unsupported, ..BOTH });
}

#[test]
fn tcr_without_a_key() {
    run(&tcr::docker_login(), &Truth { untag: Support::Unsupported, ..BOTH });
}

#[test]
fn acr() {
    run(&acr::enterprise(), &Truth { untag: Support::Unsupported, delete: Support::Api, ..BOTH });
}

#[test]
fn acr_of_persons() {
    run(&acr::personal(), &Truth { untag: Support::Unsupported, delete: Support::Api, ..BOTH });
}

#[test]
fn acr_without_a_key() {
    run(&acr::docker_login(), &Truth { untag: Support::Unsupported, delete: Support::Unknown, ..BOTH });
}
