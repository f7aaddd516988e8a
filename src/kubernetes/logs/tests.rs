use anyhow::anyhow;
use serde_json::json;

use super::*;

fn pod(statuses: &Value) -> Value {
    json!({ "metadata": { "name": "shop-web-1" }, "status": { "containerStatuses": statuses } })
}

fn run(id: &str, is_over: bool) -> Run {
    let [pod, container, id] = ["shop-web-1", "web", id].map(str::to_owned);
    Run { pod, container, id, is_over }
}

#[test]
fn a_container_is_read_once_it_has_run() {
    let running = json!([
        { "name": "web", "containerID": "b", "state": { "running": {} } },
        { "name": "proxy", "state": { "waiting": { "reason": "ImagePullBackOff" } } },
    ]);
    assert_eq!(runs(&pod(&running)), [run("b", false)]);
    assert_eq!(silence(&pod(&running)), None);
    let crashed = json!([{ "name": "web", "containerID": "a",
        "state": { "waiting": { "reason": "CrashLoopBackOff" } },
        "lastState": { "terminated": { "exitCode": 1, "containerID": "a" } } }]);
    assert_eq!(runs(&pod(&crashed)), [run("a", true)]);
}

#[test]
fn a_pod_without_output_says_why() {
    let waiting = |reason: &str| {
        pod(&json!([{ "name": "web", "state": { "waiting": { "reason": reason } } }]))
    };
    let broken = waiting("ImagePullBackOff");
    assert_eq!(silence(&broken), Some(("shop-web-1", "ImagePullBackOff")));
    assert_eq!(silence(&waiting("PodInitializing")), None);
    assert_eq!(silence(&waiting("ContainerCreating")), None);
    let evicted = json!({ "metadata": { "name": "x" }, "status": { "reason": "Evicted" } });
    assert_eq!(silence(&evicted), Some(("x", "Evicted")));
}

#[test]
fn a_container_that_starts_again_is_followed_again_from_the_last_line() {
    let readers = Readers::of(&[run("a", false)]);
    let (more, mut new) = readers.begin(&run("a", false), 9).unwrap();
    assert_eq!(more, ["--tail=9", "--follow"]);
    assert!(readers.begin(&run("a", false), 9).is_none(), "it is being read");
    new.take("2026-01-01T00:00:01.5Z one");
    assert_eq!(readers.end(&run("a", false), &new, Ok(())), None);

    let (more, mut new) = readers.begin(&run("a", true), 9).unwrap();
    assert_eq!(more, ["--since-time=2026-01-01T00:00:01.5Z", "--follow"]);
    assert_eq!(new.take("2026-01-01T00:00:01.500000000Z one"), None);
    assert_eq!(new.take("2026-01-01T00:00:01.6Z two"), Some("two"));
    readers.end(&run("a", true), &new, Ok(()));
    assert!(readers.begin(&run("a", true), 9).is_none(), "it has ended, and is read");
    assert!(readers.begin(&run("b", false), 9).is_some(), "the next one in its place");
}

#[test]
fn a_connection_that_breaks_is_made_again() {
    let readers = Readers::of(&[]);
    let (more, new) = readers.begin(&run("a", false), 9).unwrap();
    assert_eq!(more, ["--follow"], "a new pod is read from its beginning");
    let broken = || Err(anyhow!("EOF"));
    assert!(readers.end(&run("a", false), &new, broken()).is_some());
    let (_, new) = readers.begin(&run("a", false), 9).unwrap();
    assert_eq!(readers.end(&run("a", false), &new, broken()), None, "that was said");
}

#[test]
fn what_cannot_be_read_any_more_is_said_once() {
    let readers = Readers::of(&[]);
    let (_, new) = readers.begin(&run("a", true), 9).unwrap();
    let said = readers.end(&run("a", true), &new, Err(anyhow!("gone"))).unwrap();
    assert_eq!(said, "no output of the container web of the pod shop-web-1: gone");
    assert!(readers.begin(&run("a", true), 9).is_none());
}

#[test]
fn lines_come_once_and_without_their_times() {
    let mut lines = Lines::after(Some("2026-01-01T00:00:01Z".parse().unwrap()));
    assert_eq!(lines.take("2026-01-01T00:00:00.9Z old"), None);
    assert_eq!(lines.take("a piece of a long old line"), None);
    assert_eq!(lines.take("2026-01-01T02:00:03+02:00 a  b"), Some("a  b"));
    assert_eq!(lines.take("2026-01-01T00:00:02Z of stderr"), Some("of stderr"));
    assert_eq!(lines.take("a piece of a long line"), Some("a piece of a long line"));
    assert_eq!(lines.take("2026-01-01T00:00:04Z"), Some(""));
    assert_eq!(lines.last, "2026-01-01T00:00:04Z".parse().ok());
}
