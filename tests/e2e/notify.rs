//! Post-deployment actions and webhooks.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;

use crate::support::{Running, Site, WebServer, newest_python, skip, wait_until};

fn action(site: &Site, name: &str, text: &str, mode: u32) {
    let file = site.path.join("actions").join(name);
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(&file, format!("#!/bin/sh\n{text}\n")).unwrap();
    fs::set_permissions(file, fs::Permissions::from_mode(mode)).unwrap();
}

fn webhook(site: &Site, url: &str, more: &str) {
    let file = site.path.join("nyala.toml");
    let old = fs::read_to_string(&file).unwrap();
    fs::write(file, format!("{old}\n[[webhook]]\nurl = \"{url}\"\n{more}\n")).unwrap();
}

#[test]
fn actions_run_in_the_order_of_their_names() {
    let site = Site::new();
    site.set("GREETING", "hello");
    action(&site, "20-second.sh", "echo second of $SCM_COMMIT_ID; cat wwwroot/page", 0o755);
    action(
        &site,
        "10-first.sh",
        "echo $GREETING from $NYALA_STATUS; grep status \"$NYALA_RECORD\"; exit 5",
        0o755,
    );
    action(&site, "30-not-yet.sh", "echo never", 0o644);
    action(&site, "40-backup.sh~", "echo never", 0o755);
    let project = site.project();
    let push = project.write("page", "the new page").push();
    push.assert_success()
        .assert_says("hello from succeeded")
        .assert_says("\"status\": \"succeeded\"")
        .assert_says("warning: the post-deployment action failed: 10-first.sh exited with status 5")
        .assert_says(&format!("second of {}\n", project.head()))
        .assert_says("the new page")
        .assert_says("30-not-yet.sh was not run: it is not executable")
        .assert_does_not_say("never");
    let (first, second) = (push.output.find("hello from"), push.output.find("second of"));
    assert!(first < second, "{}", push.output);
    let record = site.record(1);
    assert!(record["ended_at"].is_string());
    let failures = serde_json::json!([
        {"kind": "action", "name": "10-first.sh", "error": "10-first.sh exited with status 5"},
        {"kind": "action", "name": "30-not-yet.sh", "error": "it is not executable"},
    ]);
    assert_eq!(record["notify_failures"], failures);
    let fact = "the action 10-first.sh failed: 10-first.sh exited with status 5";
    for command in ["status", "show", "doctor"] {
        let ran = site.nyala(&[command]);
        assert!(ran.stdout.contains(fact), "{command}: {ran:?}");
    }
    let status = site.nyala(&["status", "--json"]).assert_success().stdout.clone();
    let status: serde_json::Value = serde_json::from_str(&status).unwrap();
    assert_eq!(status["latest"]["notify_failures"], failures);
    fs::remove_dir_all(site.path.join("actions")).unwrap();
    project.write("page", "2").push().assert_success();
    site.nyala(&["doctor"]).assert_success();
}

#[test]
fn actions_can_run_after_a_failure() {
    let site = Site::new();
    action(&site, "say", "echo \"it has $NYALA_STATUS\"", 0o755);
    let project = site.project();
    project.custom_script("exit 1").push().assert_failed_with("").assert_does_not_say("it has");
    site.configure("actions_on = ['success', 'failure']\nactions = 'elsewhere'");
    fs::rename(site.path.join("actions"), site.path.join("elsewhere")).unwrap();
    project.write("page", "2").push().assert_failed_with("it has failed");
    // Even when the deployment fails before it has a plan.
    project
        .write("runtime.txt", "python three")
        .write("app.py", "")
        .push()
        .assert_failed_with("it has failed");
}

#[test]
fn what_explains_a_failure_comes_last() {
    let site = Site::new();
    action(&site, "loud", "seq 1 9", 0o755);
    site.configure("actions_on = ['success', 'failure']");
    let project = site.project();
    let build = "seq 1 3000\necho 'a.c:9:1: error: expected ;'\nseq 1 3000\nexit 2";
    let push = project.custom_script(build).push();
    push.assert_failed_with("a.c:9:1: error: expected ;");
    assert!(push.output.lines().count() < 80, "{}", push.output);
    let (before, last) = push.output.split_once("\nerror: the project's deployment").unwrap();
    assert!(before.contains("Running post deployment command(s)"), "{before}");
    assert!(last.contains("output: a.c:9:1: error: expected ;\n"), "{last}");
    let after: Vec<_> = last.lines().filter(|line| !line.starts_with("       ")).collect();
    assert!(after.len() == 2 && after[1].starts_with("error: deployment 1 failed: "), "{last}");
}

#[test]
fn kudus_name_for_the_folder_of_actions_is_understood() {
    let site = Site::new();
    action(&site, "say", "echo an action", 0o755);
    fs::rename(site.path.join("actions"), site.path.join("hooks")).unwrap();
    let project = site.project();
    project.write(".deployment", "[config]\nSCM_POST_DEPLOYMENT_ACTIONS_PATH = hooks\n");
    project.push().assert_success().assert_says("an action");
}

#[test]
fn a_deployment_killed_during_its_actions_keeps_its_result() {
    let site = Site::new();
    action(&site, "kill", "kill -9 $PPID", 0o755);
    let project = site.project();
    let push = project.write("page", "1").push();
    push.assert_says("error: the worker of deployment 1 was killed");
    assert_eq!((site.live_id(), &site.record(1)["status"]), (Some(1), &"succeeded".into()));
    fs::remove_dir_all(site.path.join("actions")).unwrap();
    project.write("page", "2").push().assert_success();
    assert!(site.record(1)["ended_at"].is_string());
    let log = site.log(1);
    assert!(log.lines().last().unwrap().starts_with("success: deployment 1 went live"), "{log}");
    assert_eq!(site.numbers("releases"), [1, 2]);
}

#[test]
fn webhooks_report_success_and_failure() {
    let site = Site::new();
    let server = WebServer::answering(&[204]);
    site.set("WEBHOOK_SECRET", "correct-horse-battery");
    webhook(&site, &format!("{}/hidden-path?token=1", server.address), "secret = 'WEBHOOK_SECRET'");
    let project = site.project();
    let push = project.write("page", "1").push();
    push.assert_success().assert_says(&format!("Notified {}: HTTP 204.", server.address));
    project.custom_script("exit 1").push().assert_failed_with("Notified ");

    let requests = server.requests();
    let [success, failure] = requests.as_slice() else { panic!("{requests:#?}") };
    assert!(success.line.starts_with("POST /hidden-path?token=1 "), "{}", success.line);
    assert_eq!(success.json(), {
        let mut record = site.record(1);
        record["ended_at"] = success.json()["ended_at"].clone();
        record["live"] = true.into();
        record
    });
    assert_eq!(success.header("x-nyala-event"), Some("succeeded"));
    assert_eq!(
        (failure.header("x-nyala-event"), &failure.json()["id"]),
        (Some("failed"), &2.into())
    );

    let body = site.sandbox.path("body");
    fs::write(&body, &success.body).unwrap();
    let code = "import hmac, sys; \
                body = open(sys.argv[1], 'rb').read(); \
                signed = hmac.new(b'correct-horse-battery', body, 'sha256'); \
                print('sha256=' + signed.hexdigest())";
    let mut python = site.sandbox.command(&newest_python().path);
    let expected = Running::start(python.args(["-c", code]).arg(body)).wait().stdout;
    assert_eq!(success.header("x-nyala-signature-256"), Some(expected.trim()));
    for text in [site.log(1), site.log(2), format!("{requests:?}")] {
        assert!(!text.contains("correct-horse-battery"), "{text}");
    }
    assert!(!site.log(1).contains("hidden-path"), "{}", site.log(1));
}

#[test]
fn a_webhook_is_retried_until_it_answers() {
    let site = Site::new();
    let server = WebServer::answering(&[0, 503, 200]);
    webhook(&site, &server.address, "on = ['success']");
    let project = site.project();
    project.write("page", "1").push().assert_success().assert_says("HTTP 200");
    assert_eq!(server.requests().len(), 3);
    assert_eq!(server.requests()[0].header("x-nyala-signature-256"), None);
    project.custom_script("exit 1").push();
    assert_eq!(server.requests().len(), 3);
}

#[test]
fn a_failing_webhook_does_not_fail_the_deployment() {
    let site = Site::new();
    let refusing = WebServer::answering(&[404]);
    // Accepts connections, but never answers.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    webhook(&site, &format!("{}/secret-path", refusing.address), "");
    webhook(
        &site,
        &format!("http://{}/secret-path", silent.local_addr().unwrap()),
        "timeout = '1s'\ntries = 1",
    );
    webhook(&site, "https://127.0.0.1:1/secret-path", "tries = 1");
    webhook(&site, "http://127.0.0.1:1/", "secret = 'NOT_SET'");
    let push = site.project().write("page", "1").push();
    push.assert_success()
        .assert_says(" failed: HTTP 404")
        .assert_says("(after 1 attempt)")
        .assert_says("the app setting NOT_SET, its signing secret, is not set")
        .assert_does_not_say("secret-path");
    assert_eq!(push.output.matches("warning: ").count(), 4, "{}", push.output);
    assert_eq!(refusing.requests().len(), 1);
}

#[test]
fn a_webhook_checks_the_certificate() {
    let site = Site::new();
    let (key, certificate) = (site.sandbox.path("key.pem"), site.sandbox.path("certificate.pem"));
    let mut openssl = site.sandbox.command("openssl");
    openssl.args([
        "req",
        "-x509",
        "-newkey",
        "ed25519",
        "-nodes",
        "-days",
        "2",
        "-subj",
        "/CN=nyala",
    ]);
    openssl.args([
        "-addext",
        "subjectAltName=IP:127.0.0.1",
        "-addext",
        "basicConstraints=critical,CA:FALSE",
    ]);
    openssl.arg("-keyout").arg(&key).arg("-out").arg(&certificate);
    if !openssl.output().is_ok_and(|ran| ran.status.success()) {
        skip("needs openssl, to make a certificate");
        return;
    }
    // The server uses Python's TLS, a different implementation than ours.
    let server = "import http.server, ssl, sys\n\
                  class Handler(http.server.BaseHTTPRequestHandler):\n\
                  \x20   def do_POST(self):\n\
                  \x20       body = self.rfile.read(int(self.headers['Content-Length']))\n\
                  \x20       open(sys.argv[3], 'wb').write(body)\n\
                  \x20       self.send_response(204)\n\
                  \x20       self.end_headers()\n\
                  server = http.server.HTTPServer(('127.0.0.1', 0), Handler)\n\
                  context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)\n\
                  context.load_cert_chain(sys.argv[2], sys.argv[1])\n\
                  server.socket = context.wrap_socket(server.socket, server_side=True)\n\
                  open(sys.argv[4], 'w').write(str(server.server_port))\n\
                  server.serve_forever()\n";
    let (body, port) = (site.sandbox.path("body"), site.sandbox.path("port"));
    let mut command = site.sandbox.command(&newest_python().path);
    let _server =
        Running::start(command.args(["-I", "-c", server]).args([&key, &certificate, &body, &port]));
    let address = || fs::read_to_string(&port).unwrap_or_default();
    wait_until("the server listens", || !address().is_empty());
    webhook(&site, &format!("https://127.0.0.1:{}/hook", address()), "tries = 1");

    let project = site.project();
    // The certificate is self-signed.
    project
        .write("page", "1")
        .push()
        .assert_success()
        .assert_says("warning: the webhook to https://127.0.0.1")
        .assert_says("certificate");
    assert!(!body.exists());
    site.set("SSL_CERT_FILE", certificate.to_str().unwrap());
    project.write("page", "2").push().assert_success();
    let told: serde_json::Value = serde_json::from_slice(&fs::read(&body).unwrap()).unwrap();
    assert_eq!((told["id"].as_u64(), told["status"].as_str()), (Some(2), Some("succeeded")));
}
