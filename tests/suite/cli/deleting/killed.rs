//! `kill -9` at any moment: `history` tells what is known, and `undo` puts everything back.

use std::time::Duration;

use regctl::serve::Behaviour;

use super::Lab;

/// Slow enough that a process can be killed between two requests.
const LATENCY: Duration = Duration::from_millis(15);

/// Runs a command again and again, each time on a new server, and kills it at the first request, at the second, and so on.
fn killed_everywhere(behaviour: &Behaviour, fill: impl Fn(&Lab), line: &str) {
    let behaviour = Behaviour { latency: LATENCY, ..behaviour.clone() };
    let mut undone = 0;
    for moment in 1.. {
        let lab = Lab::new(behaviour.clone());
        fill(&lab);
        let before = lab.holdings();
        let mut running = lab.program.call(line.split(' ')).spawn();
        while lab.server.counters().requests < moment && !running.has_ended() {
            std::thread::sleep(Duration::from_millis(1));
        }
        let ended = running.has_ended();
        running.kill();
        // what was asked for is still carried out
        std::thread::sleep(LATENCY * 3);
        let runs = lab.runs();
        match runs.as_slice() {
            [] => assert_eq!(lab.holdings(), before, "request {moment}: something went that was not kept"),
            [run] => {
                let shown = lab.run(&format!("history {run} -o json")).succeeds().json();
                assert_eq!(shown["state"], if ended { "ended" } else { "killed" }, "request {moment}: {shown}");
                lab.run("undo").succeeds();
                assert_eq!(lab.holdings(), before, "request {moment}: {shown}");
                undone += 1;
            }
            more => panic!("{more:?}"),
        }
        if ended {
            break;
        }
    }
    assert!(undone > 2, "it was killed in time too rarely");
}

#[test]
fn while_an_index_goes_with_its_images_and_signatures() {
    let fill = |lab: &Lab| {
        let image = lab.image(&[], "one");
        let index = lab.index(&["v1"], &[&image]);
        let signature = lab.attach(&[], &index, "a/signature");
        lab.index(&[&index.fallback_tag()], &[&signature]);
    };
    killed_everywhere(&Behaviour::distribution_2_8(), fill, "manifest delete app:v1 --yes");
}

#[test]
fn while_a_list_of_referrers_is_mended() {
    let fill = |lab: &Lab| {
        let image = lab.image(&["v1"], "one");
        let [first, second] = ["a/first", "a/second"].map(|kind| lab.attach(&[], &image, kind));
        lab.index(&[&image.fallback_tag()], &[&first, &second]);
    };
    // the digest is the same on every server
    let lab = Lab::honest();
    let first = lab.attach(&[], &lab.image(&[], "one"), "a/first");
    killed_everywhere(&Behaviour::distribution_2_8(), fill, &format!("manifest delete app@{first} --yes"));
}

#[test]
fn while_a_tag_goes_by_way_of_a_placeholder() {
    let fill = |lab: &Lab| {
        lab.image(&["v1", "stable"], "one");
    };
    killed_everywhere(&Behaviour::distribution_2_8(), fill, "tag delete app:v1 --via-placeholder --yes");
}

#[test]
fn while_a_server_takes_siblings() {
    let behaviour = Behaviour { tag_delete: regctl::serve::TagDelete::TakesSiblings, ..Behaviour::default() };
    let fill = |lab: &Lab| {
        lab.image(&["v1", "stable", "latest"], "one");
    };
    killed_everywhere(&behaviour, fill, "tag delete app:v1 --yes");
}
