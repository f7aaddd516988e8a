//! What visitors send that not every visitor does.

use std::io::{Read, Write};
use std::net::Shutdown;

use crate::running::application;
use crate::support::{KeptVisitor, Site};

const POST: &str = "POST / HTTP/1.1\r\nHost: shop\r\nConnection: close\r\n";
const CHUNKED: &str = "Transfer-Encoding: chunked\r\n";

#[test]
fn what_a_visitor_does_wrong_is_not_held_against_the_application() {
    let (site, _server) = Site::served("max_body = 1000");
    let project = site.project();
    application(&project, "page", "");
    project.push().assert_success();
    assert_eq!(site.get("/").status, 200);
    assert_eq!(site.ask(&format!("{POST}{CHUNKED}\r\nzz\r\n")).status, 400);
    let large = "x".repeat(1001);
    assert_eq!(site.ask(&format!("{POST}{CHUNKED}\r\n3e9\r\n{large}\r\n")).status, 413);
    for broken in ["Content-Length: 1000\r\n\r\nabc", "Transfer-Encoding: chunked\r\n\r\n5\r\nab"] {
        let mut visitor = site.connect();
        visitor.write_all(format!("{POST}{broken}").as_bytes()).unwrap();
        visitor.shutdown(Shutdown::Write).unwrap();
        let mut answer = String::new();
        // Who has gone may get nothing.
        let _ = visitor.read_to_string(&mut answer);
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 400 "), "{answer}");
    }
    let metrics = site.nyala(&["metrics"]).assert_success().stdout.clone();
    let answers: Vec<_> = metrics
        .lines()
        .filter(|line| line.starts_with("nyala_http_requests_total{") && !line.ends_with(" 0"))
        .collect();
    assert!(answers.len() == 1 && answers[0].contains("status=\"2xx\""), "{answers:?}");
}

#[test]
fn trailers_pass_in_both_directions() {
    let (site, _server) = Site::served("");
    let project = site.project();
    application(&project, "page", "");
    project.push().assert_success();
    let asked = "GET /trailers HTTP/1.1\r\nHost: shop\r\nTE: trailers\r\nConnection: close\r\n\r\n";
    let answer = site.ask(asked);
    // The length that the application has sent is not that of the body.
    assert!(!answer.head.to_lowercase().contains("content-length"), "{}", answer.head);
    let body = answer.body.to_lowercase();
    assert_eq!(body, "5\r\nhello\r\n0\r\nx-sum: 42\r\n\r\n");
    let body = "3\r\nabc\r\n0\r\nX-Sum: 42\r\nX-Forwarded-For: 1.2.3.4\r\n\r\n";
    let trailer = "Trailer: X-Sum, X-Forwarded-For\r\n";
    let answer = site.ask(&format!("{POST}{CHUNKED}{trailer}\r\n{body}"));
    assert_eq!(answer.body.to_lowercase(), "3 bytes x-sum: 42\n");
}

#[test]
fn a_request_has_a_host_that_the_application_can_read() {
    let (site, _server) = Site::served("");
    let project = site.project();
    application(&project, "page", "");
    project.push().assert_success();
    let plain = "GET / HTTP/1.0\r\n\r\n";
    assert_eq!(site.ask(plain).body, "page 1 localhost\n");
    for address in ["foo", "http://user:password@other/"] {
        let asked = format!("GET {address} HTTP/1.1\r\nHost: shop\r\nConnection: close\r\n\r\n");
        assert_eq!(site.ask(&asked).status, 400, "{address}");
    }
}

/// Answers at once, and never comes to an end.
const EVENTS: &str = r#"
def events(self, *_):
    self.send_response(200)
    self.send_header("Content-Type", "text/event-stream")
    self.end_headers()
    while True:
        self.wfile.write(b"data: x\n\n")
        time.sleep(0.1)

Handler.answer = events
"#;

#[test]
fn a_page_that_never_ends_is_healthy() {
    let (site, _server) = Site::served("");
    let project = site.project();
    application(&project, "page", EVENTS);
    project.push().assert_success().assert_says("GET / answers 200 OK");
}

#[test]
fn an_answer_in_an_old_version_keeps_the_connection() {
    let (site, _server) = Site::served("");
    let project = site.project();
    application(&project, "page", "Handler.protocol_version = 'HTTP/1.0'");
    project.push().assert_success();
    let head = KeptVisitor::of(&site).get();
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
}

/// Answers some paths with what is not HTTP, or cannot be passed on.
const INVALID: &str = r#"
get = Handler.do_GET
ok = b"HTTP/1.1 200 OK\r\n"
invalid = {
    "/garbage": b"SSH-2.0\r\n\r\n",
    "/headers": ok + b"X-Many: 1\r\n" * 100 + b"Content-Length: 0\r\n\r\n",
    "/coded": ok + b"Transfer-Encoding: gzip, chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
}

def get_or_invalid(self):
    if self.path.split("?")[0] not in invalid:
        return get(self)
    self.wfile.write(invalid[self.path.split("?")[0]])
    self.close_connection = True

Handler.do_GET = get_or_invalid
"#;

#[test]
fn the_logs_say_why_a_visitor_got_no_answer() {
    let (site, _server) = Site::served("");
    let project = site.project();
    application(&project, "page", INVALID);
    project.push().assert_success();
    let logs = || site.nyala(&["logs", "web"]).assert_success().stdout.clone();
    for (path, why) in [
        ("/garbage", "what it sent is not valid HTTP"),
        ("/headers", "it has more than 100 headers, or more than 408 KiB of them"),
        ("/coded", "its Transfer-Encoding is not chunked, but gzip, chunked"),
    ] {
        let answer = site.get(&format!("{path}?token=secret"));
        assert_eq!(answer.status, 502);
        assert!(answer.body.contains("the application gave no valid answer"), "{answer:?}");
        let (logs, said) = (logs(), format!("nyala: GET {path} got no valid answer: {why}"));
        assert!(logs.contains(&said) && !logs.contains("secret"), "{logs}");
    }
    // The application changes the protocol whatever it is asked, and HTTP/1.0 knows no such thing.
    let old = "GET /websocket HTTP/1.0\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n";
    assert_eq!(site.ask(old).status, 502);
    let logs = logs();
    assert!(logs.contains("got no valid answer: it changes the protocol unasked"), "{logs}");
    let metrics = site.nyala(&["metrics"]).assert_success().stdout.clone();
    assert!(metrics.contains("status=\"5xx\"} 4\n"), "{metrics}");
}
