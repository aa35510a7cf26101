//! Every system's documents, there and back again.

use std::collections::HashSet;

use jiff::Timestamp;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::extra::tests::any_json;
use super::*;
use crate::catalogue::{Catalogue, Changes, Entry, HostFacts, Name, State, Store, Updating};
use crate::credentials::SourceKind;
use crate::registry::Kind;

const NOW: Timestamp = Timestamp::UNIX_EPOCH;

fn rules(host: &str) -> HostFacts {
    let kind = host.ends_with("docker.io").then_some((Kind::Dockerhub, "Docker Hub"));
    HostFacts { kind, region: None }
}

macro_rules! fixture {
    ($path:literal) => {
        include_str!(concat!("../../tests/fixtures/", $path))
    };
}

/// Documents whose registries can all be taken over.
const DOCUMENTS: &[(System, &str)] = &[
    (System::Rancher, fixture!("rancher/registries.json")),
    (System::Dockercloud, fixture!("dockercloud/registries.json")),
    (System::Dockercloud, fixture!("dockercloud/registries-tutum.json")),
    (System::Dockercloud, fixture!("dockercloud/registry-documented.json")),
    (System::Zadig, fixture!("zadig/registries.json")),
    (System::Ionos, fixture!("ionos/registries.json")),
    (System::Shipyard, fixture!("shipyard/registries.json")),
    (System::Shipyard, fixture!("shipyard/registries-v3.1.json")),
    (System::Docker, fixture!("docker/config.json")),
    (System::Podman, fixture!("podman/auth.json")),
    (System::Regclient, fixture!("regclient/config.json")),
];

fn value(text: &str) -> Value {
    json::parse(text.as_bytes()).unwrap()
}

fn read(system: System, document: &Value) -> Sources {
    let document = Document::parse("document", document.to_string().as_bytes()).unwrap();
    Sources::read(Some(system), vec![document], rules).unwrap()
}

fn plan(catalogue: &Catalogue, sources: &Sources, on_conflict: OnConflict) -> Plan {
    let how = Deciding { on_conflict, include_removed: true, now: NOW, ..Deciding::default() };
    Plan::make(catalogue, &sources.registries, how)
}

/// The catalogue after an import, as it stands in the file.
fn import(catalogue: &Catalogue, sources: &Sources, on_conflict: OnConflict) -> Catalogue {
    let plan = plan(catalogue, sources, on_conflict);
    let mut after = catalogue.clone();
    plan.apply(&mut after, &HashSet::new(), NOW).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("catalogue.toml");
    std::fs::write(&path, after.to_toml()).unwrap();
    let read = Store::new(path).load().unwrap_or_else(|error| panic!("{error}\n{}", after.to_toml()));
    assert_eq!(read, after);
    after
}

fn fresh(system: System, document: &Value) -> Catalogue {
    import(&Catalogue::default(), &read(system, document), OnConflict::Fail)
}

/// The catalogue in the system's shape, with the secrets that `sources` had.
fn export(system: System, shape: Shape, catalogue: &Catalogue, sources: Option<&Sources>) -> Export {
    let registries: Vec<Exported<'_>> = catalogue
        .entries()
        .map(|(name, entry)| {
            let id = entry.source.as_ref().and_then(|source| source.id.clone());
            let secret = |sources: &Sources| {
                let imported = sources.registries.iter().find(|imported| imported.source_id == id);
                imported.and_then(|imported| imported.secret.clone())
            };
            Exported {
                system,
                name,
                entry,
                is_default: catalogue.is_default(name),
                shown: sources.map_or(Shown::Hidden, |sources| Shown::Revealed(secret(sources))),
                authority: entry.tls.ca_pem.as_ref().map(|pem| pem.as_str().to_owned()),
            }
        })
        .collect();
    Export::write(system, shape, &registries, registries.len() == 1, rules)
}

fn actions(plan: &Plan) -> Vec<&'static str> {
    let word = |step: &Step| match step.action {
        Action::Add(_) => "add",
        Action::Update { .. } => "update",
        Action::Unchanged => "unchanged",
        Action::Skip(_) => "skip",
        Action::Conflict { .. } => "conflict",
    };
    plan.steps.iter().map(word).collect()
}

fn entry<'a>(catalogue: &'a Catalogue, name: &str) -> &'a Entry {
    catalogue
        .get(name)
        .unwrap_or_else(|| panic!("no {name} in {:?}", catalogue.entries().map(|(name, _)| name).collect::<Vec<_>>()))
}

#[test]
fn every_document_comes_back_as_it_was() {
    for (system, text) in DOCUMENTS {
        let sources = read(*system, &value(text));
        assert!(sources.failed.is_empty(), "{system}: {:?}", sources.failed);
        let catalogue = import(&Catalogue::default(), &sources, OnConflict::Fail);
        let export = export(*system, Shape::List, &catalogue, Some(&sources));
        assert!(export.document == value(text), "{system}:\n{:#}\nis not\n{:#}", export.document, value(text));
        assert!(export.left_out.is_empty(), "{system}: {:?}", export.left_out);
    }
}

#[test]
fn the_second_import_changes_nothing() {
    for (system, text) in DOCUMENTS {
        let catalogue = fresh(*system, &value(text));
        for on_conflict in [OnConflict::Fail, OnConflict::Skip, OnConflict::Update] {
            let plan = plan(&catalogue, &read(*system, &value(text)), on_conflict);
            assert!(actions(&plan).iter().all(|action| *action == "unchanged"), "{system}: {:?}", plan.steps);
            assert_eq!((plan.default, plan.warnings), (None, vec![]), "{system}");
        }
    }
}

#[test]
fn without_being_asked_no_secret_is_written() {
    for (system, text) in DOCUMENTS {
        let catalogue = fresh(*system, &value(text));
        let file = catalogue.to_toml();
        let document = export(*system, Shape::List, &catalogue, None).document.to_string();
        for secret in ["FAKE", "RkFLR", "FLRS", "ZBS0U"] {
            assert!(!file.contains(secret), "{secret} in\n{file}");
            assert!(!document.contains(secret), "{secret} in\n{document}");
        }
    }
}

#[test]
fn a_list_that_was_added_to_is_still_a_list() {
    let mut catalogue = fresh(System::Ionos, &value(fixture!("ionos/registries.json")));
    let shipyard = read(System::Shipyard, &value(fixture!("shipyard/registries.json")));
    catalogue = import(&catalogue, &shipyard, OnConflict::Fail);
    let list = export(System::Ionos, Shape::List, &catalogue, None);
    assert_eq!(list.left_out.len(), 2, "{:?}", list.left_out);
    assert_eq!(list.document["items"].as_array().unwrap().len(), 2);
    let rancher = export(System::Rancher, Shape::List, &catalogue, None);
    assert_eq!(rancher.document["pagination"]["limit"], 100);
    let names: Vec<&Value> = rancher.document["data"].as_array().unwrap().iter().map(|item| &item["name"]).collect();
    assert_eq!(names, ["acme-demo", "local", "Staging Registry"]);
    assert_eq!(rancher.left_out.len(), 1, "one has no address");
}

#[test]
fn what_changed_here_is_told_there() {
    let mut catalogue = fresh(System::Rancher, &value(fixture!("rancher/registries.json")));
    let change = |catalogue: &mut Catalogue, name: &str, changes: Changes| {
        catalogue.update(&name.parse().unwrap(), &changes, &Updating::default(), rules, NOW).unwrap();
    };
    change(&mut catalogue, "acme-quay", Changes { address: Some("https://new.example".parse().unwrap()), ..Changes::default() });
    change(&mut catalogue, "half-made", Changes { description: Some("ready".parse().unwrap()), ..Changes::default() });
    catalogue.activate(&"half-made".parse().unwrap(), NOW).unwrap();
    catalogue.restore(&"old-ecr".parse().unwrap(), false, NOW).unwrap();
    let export = export(System::Rancher, Shape::List, &catalogue, None);
    let [hub, quay, ecr, half] = export.document["data"].as_array().unwrap().as_slice() else { panic!() };
    assert_eq!(hub["name"], Value::Null);
    assert_eq!(quay["serverAddress"], "new.example");
    assert_eq!((&half["state"], &half["transitioning"], &half["description"]), (&json!("active"), &json!("no"), &json!("ready")));
    assert_eq!(half["actions"].as_object().unwrap().keys().collect::<Vec<_>>(), ["deactivate"]);
    assert_eq!((&ecr["state"], &ecr["removed"], &ecr["removeTime"]), (&json!("inactive"), &Value::Null, &Value::Null));
    assert!(ecr["actions"].as_object().unwrap().is_empty(), "{ecr}");
}

#[test]
fn bodies_that_create_and_change() {
    let create = value(fixture!("zadig/create.json"));
    let sources = read(System::Zadig, &create);
    let catalogue = import(&Catalogue::default(), &sources, OnConflict::Fail);
    assert_eq!(export(System::Zadig, Shape::Create, &catalogue, Some(&sources)).document, create);
    let patch = export(System::Zadig, Shape::Patch, &catalogue, Some(&sources)).document;
    assert_eq!(patch.as_object().unwrap().keys().collect::<Vec<_>>(), ["address", "provider", "region", "namespace", "is_default"]);

    let put = value(fixture!("ionos/put.json"));
    let catalogue = fresh(System::Ionos, &put);
    assert_eq!(export(System::Ionos, Shape::Create, &catalogue, None).document, put);
    let mut changed = catalogue.clone();
    let (name, _) = changed.entries().next().map(|(name, entry)| (name.clone(), entry.clone())).unwrap();
    let changes = Changes {
        gc_days: Some("Friday".parse().unwrap()),
        remove_allow_subnets: vec!["123.123.123.0/24".parse().unwrap()],
        unset: vec![crate::catalogue::Field::VulnerabilityScanning],
        ..Changes::default()
    };
    changed.update(&name, &changes, &Updating::default(), rules, NOW).unwrap();
    assert_eq!(export(System::Ionos, Shape::Patch, &changed, None).document, value(fixture!("ionos/patch.json")));

    let rancher = fresh(System::Rancher, &value(fixture!("rancher/registries.json")));
    let create = export(System::Rancher, Shape::Create, &rancher, None).document;
    assert_eq!(
        create[0],
        json!({"type": "registry", "name": "Acme Quay", "description": "mirror, switched off in May",
        "serverAddress": "quay.example:8443"})
    );
    let patch = export(System::Rancher, Shape::Patch, &rancher, None).document;
    assert_eq!(patch[0], json!({"type": "registry", "name": "Acme Quay", "description": "mirror, switched off in May"}));
    let shipyard = fresh(System::Shipyard, &value(fixture!("shipyard/registries-v3.1.json")));
    let create = export(System::Shipyard, Shape::Create, &shipyard, None).document;
    assert_eq!((&create["password"], &create["id"]), (&json!("REDACTED"), &Value::Null));
    for (system, shape) in [
        (System::Dockercloud, Shape::Create),
        (System::Dockercloud, Shape::Patch),
        (System::Shipyard, Shape::Patch),
        (System::Docker, Shape::Create),
        (System::Regclient, Shape::Patch),
    ] {
        assert_eq!(export(system, shape, &shipyard, None).left_out.len(), 1, "{system} {shape:?}");
    }
}

#[test]
fn what_a_system_has_no_words_for() {
    let mut catalogue = Catalogue::default();
    let mut full = Entry::at("http://reg.example:5000/path".parse().unwrap());
    let changes = Changes {
        namespace: Some("team-a".parse().unwrap()),
        provider: Some(Kind::Harbor),
        username: Some("bob".parse().unwrap()),
        labels: vec![("env".parse().unwrap(), "prod".parse().unwrap())],
        ..Changes::default()
    };
    changes.apply(&mut full, rules).unwrap();
    catalogue.add("full".parse().unwrap(), full, Default::default(), NOW).unwrap();
    for (system, unsaid) in [
        (System::Rancher, vec!["address", "labels", "namespace", "provider", "username"]),
        (System::Dockercloud, vec!["address", "labels", "namespace", "provider", "username"]),
        (System::Zadig, vec!["labels", "username"]),
        (System::Shipyard, vec!["labels", "namespace", "provider"]),
        (System::Podman, vec!["address", "labels", "provider"]),
        (System::Regclient, vec!["address", "labels", "provider"]),
    ] {
        let export = export(system, Shape::List, &catalogue, None);
        let told: Vec<&str> = export.unsaid.iter().flat_map(|(_, fields)| fields).map(String::as_str).collect();
        assert_eq!(told, unsaid, "{system}");
    }
    assert_eq!(export(System::Ionos, Shape::List, &catalogue, None).left_out[0].1.to_string(), "IONOS needs a location");
}

#[test]
fn rancher_states() {
    use State::{Active, Inactive, Removed};
    for (word, state) in [
        ("active", Some(Active)),
        ("updating-active", Some(Active)),
        ("inactive", Some(Inactive)),
        ("requested", Some(Inactive)),
        ("registering", Some(Inactive)),
        ("activating", Some(Inactive)),
        ("restoring", Some(Inactive)),
        ("deactivating", Some(Inactive)),
        ("updating-inactive", Some(Inactive)),
        ("removing", Some(Removed)),
        ("removed", Some(Removed)),
        ("purging", None),
        ("purged", None),
        ("error", Some(Inactive)),
    ] {
        let sources =
            read(System::Rancher, &json!({"type": "registry", "id": "1sp1", "serverAddress": "a.example", "state": word}));
        assert_eq!(sources.registries.first().map(|imported| imported.entry.state), state, "{word}");
        let warned = sources.registries.first().is_some_and(|imported| !imported.warnings.is_empty());
        assert_eq!(warned, word == "error", "{word}");
    }
}

#[test]
fn rancher_addresses() {
    for (written, address) in [
        ("quay.example:8443", "https://quay.example:8443"),
        ("https://quay.example/", "https://quay.example"),
        ("http://reg.corp.example:5000/v1/", "http://reg.corp.example:5000"),
        ("reg.corp.example/path", "https://reg.corp.example/path"),
        ("INDEX.docker.io", "https://index.docker.io"),
    ] {
        let document = json!({"type": "registry", "id": "1sp1", "name": "x", "serverAddress": written, "state": "active"});
        let catalogue = fresh(System::Rancher, &document);
        assert_eq!(entry(&catalogue, "x").address.as_ref().unwrap().to_string(), address, "{written}");
        assert_eq!(export(System::Rancher, Shape::List, &catalogue, None).document, document, "{written}");
    }
}

#[test]
fn rancher_credentials() {
    let credential =
        |id: &str, state: &str, user: &str| json!({"id": id, "registryId": "1sp7", "state": state, "publicValue": user});
    let secret =
        json!({"id": "1c7", "registryId": "1sp7", "state": "active", "publicValue": "lowest", "secretValue": "s3cr3t-canary"});
    let credentials = json!({"type": "collection", "resourceType": "registryCredential", "data": [
        credential("1c10", "active", "ten"), credential("1c6", "inactive", "off"), secret, credential("1c9", "active", "nine"),
        {"id": "1c30", "registryId": "1sp99", "publicValue": "x"}, "nonsense",
    ]});
    let documents = [value(fixture!("rancher/registries.json")), credentials]
        .map(|document| Document::parse("x", document.to_string().as_bytes()).unwrap());
    let sources = Sources::read(None, documents.into_iter().rev().collect(), rules).unwrap();
    let hub = &sources.registries[0];
    assert_eq!(hub.entry.username.as_ref().unwrap().as_str(), "lowest");
    assert_eq!(hub.secret.as_ref().unwrap().expose(), "s3cr3t-canary");
    let told = hub.warnings.join("\n");
    for other in ["1c6 is not taken: it is not active", "1c9 is not taken", "1c10 is not taken: another one has a lower id"] {
        assert!(told.contains(other), "{told}");
    }
    let catalogue = import(&Catalogue::default(), &sources, OnConflict::Fail);
    let written = catalogue.to_toml();
    assert!(written.contains("nine") && !written.contains("s3cr3t"), "{written}");
    let records = export(System::Rancher, Shape::Credentials, &catalogue, Some(&sources)).document;
    let ids: Vec<&Value> = records["data"].as_array().unwrap().iter().map(|record| &record["id"]).collect();
    assert_eq!(ids, ["1c6", "1c7", "1c9", "1c10"]);
    assert_eq!(records["data"][1]["secretValue"], "s3cr3t-canary");
    let failed: Vec<&str> = sources.failed.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(failed, ["registryCredential", "1c30"]);
}

#[test]
fn zadig_fields() {
    let registry = |more: Value| {
        let mut item = json!({"registry_id": "1", "address": "https://a.example", "provider": "harbor", "namespace": " team-a/ "});
        item.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!([item])
    };
    let one = |more: Value| read(System::Zadig, &registry(more)).registries.pop().unwrap();
    assert_eq!(one(json!({})).entry.namespace.unwrap().as_str(), "team-a");
    assert!(one(json!({})).entry.tls.verify && one(json!({})).warnings[0].contains("which Zadig doesn't do"));
    assert!(!one(json!({"enable_tls": false})).entry.tls.verify);
    assert!(one(json!({"enable_tls": true})).warnings[0].contains("those of the system are trusted"));
    let pem = "-----BEGIN CERTIFICATE-----\nTk9UIEEgUkVBTCBDRVJUSUZJQ0FURQ==\n-----END CERTIFICATE-----\n";
    for certificate in
        [json!({"enable_tls": true, "tls_cert": pem}), json!({"advanced_setting": {"enable_tls": true, "tls_cert": pem}})]
    {
        assert_eq!(one(certificate).entry.tls.ca_pem.unwrap().as_str(), pem);
    }
    let ecr = json!({"address": "https://1.dkr.ecr.us-east-1.amazonaws.example/apps", "provider": "ecr", "region": "us-east-1", "namespace": ""});
    let ecr = one(ecr);
    assert_eq!((ecr.entry.namespace.unwrap().as_str(), ecr.entry.address.unwrap().path()), ("apps", ""));
    for (more, problem) in [
        (json!({"address": "a.example"}), "no protocol"),
        (json!({"address": "https://***.example"}), "`address` is masked"),
        (json!({"provider": "foo"}), "acr, tcr, swr, ecr, dockerhub, harbor, nexus, native"),
        (json!({"provider": "ghcr"}), "no provider of Zadig's"),
        (json!({"provider": "ecr"}), "region is required for ecr"),
        (json!({"namespace": "koderover-**"}), "`namespace` is masked"),
        (json!({"secret_key": "FAKE***KEY"}), "`secret_key` is masked"),
        (json!({"access_key": "FAKE***KEY"}), "`access_key` is masked"),
        (json!({"is_default": "yes"}), "`is_default` is text, expected true or false"),
        (json!({"enable_tls": true, "tls_cert": "-----BEGIN PRIVATE KEY-----\ns3cr3t\n-----END PRIVATE KEY-----"}), "private key"),
    ] {
        let sources = read(System::Zadig, &registry(more));
        let told = sources.failed[0].1.to_string();
        assert!(told.contains(problem) && !told.contains("s3cr3t"), "{told}");
    }
    let masked = read(System::Zadig, &registry(json!({"registry_id": "6308815592****995e813035"}))).registries.pop().unwrap();
    assert!(masked.source_id.is_none() && masked.warnings[0].contains("masked"), "{:?}", masked.warnings);
    let two = json!([
        registry(json!({"is_default": true}))[0],
        registry(json!({"is_default": true, "registry_id": "2", "namespace": "b"}))[0]
    ]);
    assert_eq!(
        read(System::Zadig, &two).check_defaults().unwrap_err().to_string(),
        "a-team-a and a-b both say that they are the default"
    );
}

#[test]
fn the_default_is_taken_when_there_is_none_or_when_asked() {
    let sources = read(System::Zadig, &value(fixture!("zadig/registries.json")));
    let catalogue = import(&Catalogue::default(), &sources, OnConflict::Fail);
    assert_eq!(catalogue.default_name(), Some("acme-team-a"));
    let mut other = Catalogue::default();
    other.add("mine".parse().unwrap(), Entry::at("https://mine.example".parse().unwrap()), Default::default(), NOW).unwrap();
    let kept = plan(&other, &sources, OnConflict::Fail);
    assert!(kept.default.is_none() && kept.warnings.iter().any(|(_, text)| text.contains("mine stays the default")));
    let how = Deciding { take_default: true, now: NOW, ..Deciding::default() };
    assert_eq!(Plan::make(&other, &sources.registries, how).default.unwrap().as_str(), "acme-team-a");
}

#[test]
fn dockercloud_addresses() {
    for (fields, address) in [
        (json!({"is_ssl": true, "port": 443}), "https://a.example"),
        (json!({"is_ssl": true, "port": 80}), "https://a.example:80"),
        (json!({"is_ssl": false, "port": null}), "http://a.example"),
        (json!({"is_ssl": false, "port": 5000}), "http://a.example:5000"),
    ] {
        let mut item = fields;
        item["host"] = "a.example".into();
        let sources = read(System::Dockercloud, &json!({"meta": {}, "objects": [item]}));
        assert_eq!(sources.registries[0].entry.address.as_ref().unwrap().to_string(), address);
    }
    let uri = |uri: &str| json!({"meta": {}, "objects": [{"host": "a.example", "is_ssl": true, "name": "a", "resource_uri": uri}]});
    let catalogue = fresh(System::Dockercloud, &uri("/api/v1/registry/a.example/"));
    let again = read(System::Dockercloud, &uri("/api/repo/v1/registry/a.example/"));
    assert_eq!(plan(&catalogue, &again, OnConflict::Fail).steps.len(), 1);
    assert!(plan(&catalogue, &again, OnConflict::Update).steps.iter().all(|step| !matches!(step.action, Action::Add(_))));
}

#[test]
fn ionos_entries() {
    let catalogue = fresh(System::Ionos, &value(fixture!("ionos/registries.json")));
    let (demo, new) = (entry(&catalogue, "acme-demo"), entry(&catalogue, "demo-new"));
    assert_eq!(demo.id(&"x".parse().unwrap()).to_string(), "34341cbe-c06a-4f5f-8773-000000000001");
    assert_eq!(demo.updated_at.unwrap().to_string(), "2023-01-05T10:00:00Z");
    assert_eq!((new.state, &new.address, new.vulnerability_scanning()), (State::Inactive, &None, false));
    let known = crate::catalogue::Known::default();
    let view = catalogue.view(&"acme-demo".parse().unwrap(), demo, known);
    assert_eq!(view.storage_usage.unwrap().bytes, 2_433_303);
    for (field, wrong, problem) in [
        ("location", json!("Frankfurt"), "COUNTRY/CITY"),
        ("apiSubnetAllowList", json!(["::/0"]), "everything or nothing"),
        ("apiSubnetAllowList", json!((0..26).map(|n| format!("10.0.0.{n}")).collect::<Vec<_>>()), "at most 25"),
        ("garbageCollectionSchedule", json!({"days": ["Modnday"], "time": "01:00"}), "not a day"),
        ("garbageCollectionSchedule", json!({"days": []}), "at least one day"),
        ("hostname", json!(7), "`hostname` is a number"),
    ] {
        let mut put = value(fixture!("ionos/put.json"));
        put["properties"][field] = wrong;
        let sources = read(System::Ionos, &put);
        assert!(sources.failed[0].1.to_string().contains(problem), "{:?}", sources.failed);
    }
}

#[test]
fn names_that_are_taken() {
    let long = "a".repeat(63);
    let registry = |id: &str, name: &str| json!({"id": id, "name": name, "addr": format!("https://{id}.example")});
    let document =
        json!([registry("1", "local"), registry("2", "Local"), registry("3", "local"), registry("4", &long), registry("5", &long)]);
    let catalogue = fresh(System::Shipyard, &document);
    let names: Vec<&str> = catalogue.entries().map(|(name, _)| name.as_str()).collect();
    let cut = format!("{}-2", &long[..61]);
    let mut expected = vec!["local", "local-2", "local-3", &long, &cut];
    expected.sort_unstable();
    assert_eq!(names, expected);
    assert_eq!(export(System::Shipyard, Shape::List, &catalogue, None).document, document);
    let nameless = json!([{"id": "1", "name": "", "addr": "http://10.0.0.1"}, {"id": "2", "name": "7", "addr": "http://10.0.0.2"}]);
    let catalogue = fresh(System::Shipyard, &nameless);
    assert!(catalogue.get("shipyard").is_some() && catalogue.get("shipyard-2").is_some());
}

#[test]
fn the_same_id_twice() {
    let one = json!({"id": "1", "name": "a", "addr": "https://a.example"});
    assert_eq!(read(System::Shipyard, &json!([one, one])).registries.len(), 1);
    let sources = read(System::Shipyard, &json!([one, {"id": "1", "name": "b", "addr": "https://b.example"}]));
    assert_eq!(sources.failed[0].1.to_string(), "another registry has its id 1");
    // two registries in one place are legal there, so they are here
    let duplicate = json!([one, {"id": "2", "name": "b", "addr": "https://a.example"}]);
    assert_eq!(fresh(System::Shipyard, &duplicate).entries().count(), 2);
}

#[test]
fn conflicts_and_what_becomes_of_them() {
    let document = value(fixture!("rancher/registries.json"));
    let sources = read(System::Rancher, &document);
    let name: Name = "acme-quay".parse().unwrap();
    let changed = |changes: Changes| {
        let mut catalogue = fresh(System::Rancher, &document);
        catalogue.update(&name, &changes, &Updating::default(), rules, NOW).unwrap();
        catalogue
    };
    // what Rancher knows nothing of is nobody's business
    let labelled = changed(Changes {
        labels: vec![("env".parse().unwrap(), "prod".parse().unwrap())],
        username: Some("bob".parse().unwrap()),
        ..Changes::default()
    });
    assert_eq!(actions(&plan(&labelled, &sources, OnConflict::Fail)), ["unchanged"; 4]);
    let described = changed(Changes {
        description: Some("ours".parse().unwrap()),
        labels: vec![("env".parse().unwrap(), "prod".parse().unwrap())],
        ..Changes::default()
    });
    let failing = plan(&described, &sources, OnConflict::Fail);
    assert_eq!(actions(&failing), ["unchanged", "conflict", "unchanged", "unchanged"]);
    let Action::Conflict { message, .. } = &failing.steps[1].action else { panic!() };
    assert_eq!(message, "acme-quay is different here: description");
    assert_eq!(actions(&plan(&described, &sources, OnConflict::Skip))[1], "skip");
    let updated = import(&described, &sources, OnConflict::Update);
    let quay = entry(&updated, "acme-quay");
    assert_eq!((quay.description.as_ref().unwrap().as_str(), quay.labels.len()), ("mirror, switched off in May", 1));
    // what was removed here stays removed
    let mut removed = fresh(System::Rancher, &document);
    removed.remove(&name, NOW).unwrap();
    assert_eq!(actions(&plan(&removed, &sources, OnConflict::Fail))[1], "conflict");
    assert_eq!(actions(&plan(&removed, &sources, OnConflict::Update))[1], "skip");
    // the same place, added by hand
    let mut by_hand = Catalogue::default();
    by_hand.add("quay".parse().unwrap(), Entry::at("https://quay.example:8443".parse().unwrap()), Default::default(), NOW).unwrap();
    assert_eq!(actions(&plan(&by_hand, &sources, OnConflict::Fail))[1], "conflict");
    let adopted = import(&by_hand, &sources, OnConflict::Update);
    assert_eq!(entry(&adopted, "quay").source.as_ref().unwrap().id.as_deref(), Some("1sp8"));
    assert_eq!(actions(&plan(&adopted, &sources, OnConflict::Fail)), ["unchanged"; 4]);
    // a new name is the user's choice
    let mut renamed = fresh(System::Rancher, &document);
    let how = Updating { name: Some("q".parse().unwrap()), ..Updating::default() };
    renamed.update(&name, &Changes::default(), &how, rules, NOW).unwrap();
    assert_eq!(actions(&plan(&renamed, &sources, OnConflict::Fail)), ["unchanged"; 4]);
}

#[test]
fn a_secret_goes_to_no_host_that_a_document_names() {
    let registry = |addr: &str| json!([{"id": "1", "name": "a", "addr": addr, "username": "bob"}]);
    let catalogue = fresh(System::Shipyard, &registry("https://a.example"));
    let moved = read(System::Shipyard, &registry("https://evil.example"));
    let plan = plan(&catalogue, &moved, OnConflict::Update);
    let Action::Update { entry, detached, .. } = &plan.steps[0].action else { panic!("{:?}", plan.steps) };
    assert_eq!((entry.credential, *detached), (Some(SourceKind::None), Some(SourceKind::Keyring)));
}

#[test]
fn an_id_is_kept_when_it_is_free() {
    let id = "00000000-0000-4000-8000-0000000000f2";
    let document = value(fixture!("shipyard/registries.json"));
    let catalogue = fresh(System::Shipyard, &document);
    let staging = |catalogue: &Catalogue| {
        let (name, entry) = catalogue
            .entries()
            .find(|(_, entry)| entry.source.as_ref().is_some_and(|source| source.id.as_deref() == Some(id)))
            .unwrap();
        entry.id(name).to_string()
    };
    assert_eq!(staging(&catalogue), id);
    let mut taken = Catalogue::default();
    let mut mine = Entry::at("https://mine.example".parse().unwrap());
    mine.take_id(id.parse().unwrap());
    taken.add("mine".parse().unwrap(), mine, Default::default(), NOW).unwrap();
    let both = import(&taken, &read(System::Shipyard, &document), OnConflict::Fail);
    assert_ne!(staging(&both), id);
    assert_eq!(export(System::Shipyard, Shape::List, &both, None).document[1]["id"], id);
}

#[test]
fn pages_are_put_together() {
    let page = |offset: u64, next: Value, hosts: &[&str]| {
        let objects: Vec<Value> = hosts.iter().map(|host| json!({"host": host, "is_ssl": true})).collect();
        let document = json!({"meta": {"offset": offset, "next": next, "total_count": 3}, "objects": objects});
        Document::parse("page", document.to_string().as_bytes()).unwrap()
    };
    let first = || page(0, json!("/?offset=2"), &["a.example", "b.example"]);
    let second = || page(2, Value::Null, &["c.example"]);
    for (documents, partial) in [
        (vec![first()], Some("this is one page of more")),
        (vec![second()], Some("there are pages before this one")),
        (vec![page(0, Value::Null, &["a.example"])], Some("these are 1 of 3: one page of more")),
        (vec![first(), second()], None),
        (vec![second(), first()], None),
    ] {
        let sources = Sources::read(None, documents, rules).unwrap();
        assert_eq!(sources.partial.first().map(|(_, why)| why.as_str()), partial);
    }
}

/// Puts something else into a document, somewhere.
fn mutate(document: &mut Value, path: &[usize], with: Option<Value>) {
    let Some((step, rest)) = path.split_first() else {
        if let Some(with) = with {
            *document = with;
        }
        return;
    };
    match document {
        Value::Object(map) if !map.is_empty() => {
            let key = map.keys().nth(step % map.len()).cloned().unwrap();
            match (rest, &with) {
                ([], None) => drop(map.shift_remove(&key)),
                _ => mutate(&mut map[&key], rest, with),
            }
        }
        Value::Array(list) if !list.is_empty() => {
            let at = step % list.len();
            mutate(&mut list[at], rest, with);
        }
        other => mutate(other, &[], with),
    }
}

fn any_mutation() -> impl Strategy<Value = (Vec<usize>, Option<Value>)> {
    let odd = prop_oneof![
        any_json(),
        Just(json!("***")),
        Just(json!("REDACTED")),
        Just(json!("http://u:p@x.example")),
        Just(json!("\u{1b}[2J")),
        Just(json!("")),
        Just(json!("removed")),
        Just(json!("2022-09-05T17:44:52.123+02:00")),
    ];
    (proptest::collection::vec(0usize..12, 1..5), proptest::option::of(odd))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn mutated_documents_are_answered_and_stable(
        which in 0..DOCUMENTS.len(), mutations in proptest::collection::vec(any_mutation(), 1..4), as_system in 0..System::ALL.len()
    ) {
        let (system, text) = DOCUMENTS[which];
        let mut document = value(text);
        for (path, with) in mutations {
            mutate(&mut document, &path, with);
        }
        let _ = detect::candidates(&document);
        let text = document.to_string();
        // as another system's, too
        let _ = Sources::read(Some(System::ALL[as_system]), vec![Document::parse("x", text.as_bytes()).unwrap()], rules);
        let Ok(sources) = Sources::read(Some(system), vec![Document::parse("x", text.as_bytes()).unwrap()], rules) else {
            return Ok(());
        };
        let first = import(&Catalogue::default(), &sources, OnConflict::Fail);
        for target in System::ALL {
            for shape in [Shape::List, Shape::Create, Shape::Patch] {
                export(target, shape, &first, None);
            }
        }
        // what is written is the same registries again: to where they are, and to an empty catalogue
        let written = export(system, Shape::List, &first, None);
        let why: Vec<String> = written.left_out.iter().map(|(_, problem)| problem.to_string()).collect();
        prop_assert!(why.iter().all(|why| why == "Zadig needs a namespace" || why.contains("names of 3 to 63")), "{:?}", why);
        if !why.is_empty() {
            return Ok(());
        }
        let again = read(system, &written.document);
        prop_assert!(again.failed.is_empty(), "{:?}\n{:#}", again.failed, written.document);
        // without an id it can't be known again, and what was left out is not there to be compared
        let whole = |imported: &Imported| !imported.warnings.iter().any(|warning| warning.contains("left out"));
        let known_again = sources.registries.iter().all(|imported| imported.source_id.is_some() && whole(imported));
        let plan = plan(&first, &again, OnConflict::Fail);
        if known_again {
            prop_assert!(actions(&plan).iter().all(|action| *action == "unchanged"), "{:?}\n{:#}", plan.steps, written.document);
        }
        let second = import(&Catalogue::default(), &again, OnConflict::Fail);
        let rewritten = export(system, Shape::List, &second, None);
        prop_assert_eq!(rewritten.document, written.document);
    }
}
