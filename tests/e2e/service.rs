//! `nyala serve` as a service: what it says to a manager such as systemd, and the sockets that it
//! leaves there while it is started anew. With a real systemd: scripts/test-systemd.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use crate::support::{
    Ends, KeptVisitor, Manager, Project, Running, Sandbox, Server, Site, User, runs, wait_until,
};

/// An application that says which one it is.
fn push_application(project: &Project<'_>, page: &str) {
    let text = include_str!("fixtures/server.py").replace("@PAGE@", page);
    project.write("server.py", text);
    project.write("Procfile", "web: python3 server.py\nworker: sleep 600\n");
    project.push().assert_success();
}

#[test]
fn restarting_it_refuses_and_loses_no_request() {
    let site = Site::new();
    site.listen_on("'unix:run/web.sock'");
    let mut manager = Manager::new(&site.sandbox.path(""));
    let mut serve = site.nyala_command();
    serve.arg("serve");
    let mut server = manager.start(&serve);
    push_application(&site.project(), "page");
    assert_eq!(manager.store.len(), 1, "{manager:?}");
    let (done, answered) = (AtomicBool::new(false), AtomicU64::new(0));
    let _server = thread::scope(|scope| {
        let ends = Ends(&done);
        for visitor in 0..6 {
            let (site, done, answered) = (&site, &done, &answered);
            scope.spawn(move || {
                let mut kept = KeptVisitor::of(site);
                while !done.load(Ordering::Relaxed) {
                    // Half of them keep their connection, half come anew each time.
                    let head = if visitor % 2 == 0 { kept.get() } else { site.get("/").head };
                    assert!(head.starts_with("HTTP/1.1 200"), "{head:?}");
                    answered.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        for _ in 0..3 {
            let before = answered.load(Ordering::Relaxed);
            wait_until("visitors are answered", || answered.load(Ordering::Relaxed) > before + 50);
            server.stop();
            assert!(manager.hears("STOPPING=1"), "{manager:?}");
            server = manager.start(&serve);
        }
        drop(ends);
        server
    });
    assert!(manager.hears("STATUS=Serving 1 site") && manager.hears("WATCHDOG=1"), "{manager:?}");
}

#[test]
fn killed_it_refuses_nobody_and_the_next_one_finds_what_it_left() {
    let site = Site::new();
    site.listen_on("'unix:run/web.sock'");
    let mut manager = Manager::new(&site.sandbox.path(""));
    let mut serve = site.nyala_command();
    serve.arg("serve");
    let server = manager.start(&serve);
    push_application(&site.project(), "page");
    wait_until("web and worker run", || site.application_processes() >= 2);
    let running = site.application_processes();
    server.kill();
    // Whoever comes now waits, and is not refused.
    thread::scope(|scope| {
        let visitor = scope.spawn(|| site.get("/"));
        let server = manager.start(&serve);
        assert_eq!(visitor.join().unwrap().body, "page 1 shop\n");
        wait_until("one of each runs", || site.application_processes() == running);
        let printed = server.stop();
        assert!(printed.contains("listening on unix:run/web.sock"), "{printed}");
    });
}

#[test]
fn an_address_that_is_given_up_is_not_kept() {
    let site = Site::new();
    site.listen_on("'unix:run/one.sock'");
    let mut manager = Manager::new(&site.sandbox.path(""));
    let mut serve = site.nyala_command();
    serve.arg("serve");
    let server = manager.start(&serve);
    let project = site.project();
    push_application(&project, "one");
    let one: Vec<_> = manager.store.keys().cloned().collect();
    site.listen_on("'unix:run/web.sock'");
    push_application(&project, "two");
    manager.hear();
    let two: Vec<_> = manager.store.keys().cloned().collect();
    assert!(one.len() == 1 && two.len() == 1 && one != two, "{one:?} {two:?}");
    assert_eq!(site.get("/").body, "two 2 shop\n");
    // So is one that nobody wants any more when it is started again.
    server.stop();
    site.listen_on("'unix:run/three.sock'");
    let _server = manager.start(&serve);
    assert!(!manager.store.contains_key(&two[0]) && manager.store.len() == 1, "{manager:?}");
}

/// A site of a user whose page says who it runs as.
fn site_of(user: &User<'_>, folder: &Path) -> PathBuf {
    let site = folder.join(&user.name);
    fs::create_dir(&site).unwrap();
    user.own(&site);
    user.nyala(&site, &["init", site.to_str().unwrap()]).assert_success();
    let settings = site.join("nyala.toml");
    let text = fs::read_to_string(&settings).unwrap();
    let lines = text.lines().map(|line| match line {
        line if line.starts_with("listen = ") => "listen = 'unix:run/web.sock'",
        line => line,
    });
    fs::write(&settings, lines.collect::<Vec<_>>().join("\n")).unwrap();
    site
}

/// Pushes an application from a clone that is the user's own.
fn push_as(user: &User<'_>, site: &Path) {
    let text = include_str!("fixtures/server.py")
        .replace("\"@PAGE@\"", "f\"{os.getuid()} {os.getgroups()} {os.environ['HOME']}\"");
    fs::write(user.home.join("server.py"), text).unwrap();
    let line = format!(
        "set -e; git clone -q {}/repository.git work; cd work; cp ../server.py .\n\
         echo 'web: python3 server.py' > Procfile; git checkout -q -B main; git add .\n\
         git -c user.name=A -c user.email=a@example.org commit -qm One; git push origin main",
        site.display()
    );
    let push = user.sh(&line);
    assert!(push.stderr.contains("success: deployment 1 is live"), "{push:#?}");
}

fn page(site: &Path) -> String {
    let mut stream = UnixStream::connect(site.join("run/web.sock")).unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nHost: shop\r\nConnection: close\r\n\r\n").unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    text.split("\r\n\r\n").last().unwrap().to_owned()
}

/// The process that holds the lock of a site that is served.
fn server_of(site: &Path) -> Option<String> {
    use std::os::unix::fs::MetadataExt;
    let inode = fs::metadata(site.join("run/lock")).ok()?.ino().to_string();
    let locks = fs::read_to_string("/proc/locks").unwrap();
    let mut locks = locks.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let found = locks.find(|lock| lock[1] == "FLOCK" && lock[5].ends_with(&format!(":{inode}")))?;
    Some(found[4].to_owned())
}

#[test]
fn roots_serves_the_sites_of_several_owners_each_as_its_owner() {
    let sandbox = Sandbox::new();
    let Some([ada, bob]) = User::make(&sandbox, None) else { return };
    let folder = sandbox.path("srv");
    fs::create_dir(&folder).unwrap();
    let of_ada = site_of(&ada, &folder);
    let mut manager = Manager::new(&sandbox.path(""));
    let mut serve = sandbox.nyala_command();
    serve.arg("serve").arg(&folder);
    let server = manager.start(&serve);
    push_as(&ada, &of_ada);
    let expected = |user: &User<'_>, site: &str| {
        format!("{} [{}] {} 1 {site}\n", user.uid, user.gid, user.home.display())
    };
    assert_eq!(page(&of_ada), expected(&ada, "shop"));
    // A site that is made later, of an owner who had none.
    let of_bob = site_of(&bob, &folder);
    wait_until("the new site is served", || bob.nyala(&of_bob, &["ps"]).status.success());
    push_as(&bob, &of_bob);
    assert_eq!(page(&of_bob), expected(&bob, "shop"));
    ada.nyala(&of_bob, &["ps"]).assert_failed(1, "");
    manager.hear();
    assert_eq!(manager.store.len(), 2, "{manager:?}");
    wait_until("it says how many there are", || manager.hears("STATUS=Serving 2 sites"));

    // Who serves one of them is killed: nobody is refused, and the other site notices nothing.
    let (hers, his) = (server_of(&of_ada).unwrap(), server_of(&of_bob).unwrap());
    assert_ne!(hers, his);
    rustix::process::kill_process(
        rustix::process::Pid::from_raw(hers.parse().unwrap()).unwrap(),
        rustix::process::Signal::KILL,
    )
    .unwrap();
    assert_eq!(page(&of_ada), expected(&ada, "shop"));
    assert_eq!(page(&of_bob), expected(&bob, "shop"));
    assert_eq!(server_of(&of_bob), Some(his.clone()));

    // All of it is started anew, and then killed.
    server.stop();
    assert!(!runs(&his));
    let server = manager.start(&serve);
    assert_eq!(page(&of_ada), expected(&ada, "shop"));
    assert_eq!(page(&of_bob), expected(&bob, "shop"));
    let served_by = server_of(&of_ada).unwrap();
    server.kill();
    wait_until("hers has ended with root's", || !runs(&served_by));
    let server = manager.start(&serve);
    assert_eq!(page(&of_ada), expected(&ada, "shop"));
    assert_eq!(manager.store.len(), 2, "{manager:?}");

    // A site that is gone is served no more, and its socket is not kept.
    fs::remove_dir_all(&of_bob).unwrap();
    wait_until("its socket is forgotten", || {
        manager.hear();
        manager.store.len() == 1
    });
    drop(server);
}

#[test]
fn another_user_who_listens_on_the_port_of_an_application_gets_no_requests() {
    let sandbox = Sandbox::new();
    let Some([ada, bob]) = User::make(&sandbox, None) else { return };
    let folder = sandbox.path("srv");
    fs::create_dir(&folder).unwrap();
    let site = site_of(&ada, &folder);
    let nyala = sandbox.nyala_command().get_program().to_owned();
    let server = Server::of(Running::start(ada.command(nyala).arg("serve").arg(&site)));
    wait_until("the site is served", || ada.nyala(&site, &["ps"]).status.success());
    let line = format!(
        "set -e; git clone -q {}/repository.git work; cd work; git checkout -q -B main\n\
         echo 'web: echo $PORT > ~/port.new; mv ~/port.new ~/port; sleep 600' > Procfile\n\
         git add .; git -c user.name=A -c user.email=a@example.org commit -qm One\n\
         git push origin main",
        site.display()
    );
    let push = Running::start(ada.command("sh").args(["-c", &line]));
    wait_until("it has a port", || ada.home.join("port").exists());
    let port = fs::read_to_string(ada.home.join("port")).unwrap();
    let line = format!("exec python3 -m http.server --bind 127.0.0.1 {port}");
    let other = Server::of(Running::start(bob.command("sh").args(["-c", &line])));
    let said =
        format!("user {} listens on its port, {}, and gets no requests", bob.uid, port.trim());
    wait_until("it is noticed", || ada.nyala(&site, &["logs", "web"]).stdout.contains(&said));
    ada.nyala(&site, &["cancel"]).assert_success();
    let push = push.wait();
    assert!(push.stderr.contains("error: deployment 1 was cancelled"), "{push:#?}");
    drop((other, server));
}

#[test]
fn the_unit_is_printed_for_any_machine() {
    let sandbox = Sandbox::new();
    let folder = sandbox.path("my sites");
    fs::create_dir(&folder).unwrap();
    let install = |arguments: &[&str]| {
        let mut all = vec!["service", "install", folder.to_str().unwrap()];
        all.extend(arguments);
        sandbox.nyala(&all)
    };
    let unit = install(&["--print"]).assert_success().stdout.clone();
    assert!(unit.contains(&format!(" serve \"{}\"\n", folder.display())), "{unit}");
    if !Path::new("/run/systemd/system").exists() {
        install(&[]).assert_failed(1, "this machine does not run systemd");
    }
    fs::remove_dir(&folder).unwrap();
    install(&["--print"]).assert_failed(1, "cannot be found");
    assert!(!sandbox.path("home/.config").exists());
}

#[test]
fn sites_lists_what_is_live_and_healthy() {
    let site = Site::new();
    let server = site.serve_on_a_socket("");
    push_application(&site.project(), "page");
    let other = site.sandbox.path("other");
    site.sandbox.nyala(&["init", other.to_str().unwrap()]).assert_success();
    let folder = site.path.parent().unwrap().to_str().unwrap();
    let listed = || site.sandbox.nyala(&["sites", folder, "--json"]).json();
    let sites = listed();
    let named = |name: &str| {
        let mut rows = sites.as_array().unwrap().iter();
        rows.find(|row| row["site"] == name).unwrap()
    };
    let shop = named(site.path.file_name().unwrap().to_str().unwrap());
    assert_eq!((&shop["live"], &shop["healthy"]), (&1.into(), &true.into()), "{shop}");
    assert_eq!(shop["address"], "unix:run/web.sock");
    assert!(shop["size"].as_u64().unwrap() > 10_000 && shop["since"].is_string(), "{shop}");
    let other = named("other");
    assert!(other["live"].is_null() && other["healthy"].is_null(), "{other}");
    let table = site.nyala(&["sites", folder]).assert_success().stdout.clone();
    assert!(table.starts_with("SITE "), "{table}");
    assert!(table.contains(" unix:run/web.sock ") && table.contains(" yes "), "{table}");
    server.stop();
    assert!(listed().as_array().unwrap().iter().all(|row| row["healthy"].is_null()));
    let missing = site.sandbox.path("missing");
    let ran = site.sandbox.nyala(&["sites", missing.to_str().unwrap()]);
    ran.assert_failed(1, "missing cannot be found");
}
