//! Of an index.

use super::*;

#[test]
fn the_address_of_an_index_is_corrected_where_it_is_named() {
    let output = "\
error: Request failed after 3 retries
cause: Failed to fetch: https://wheels.example.org/cpu/six/
cause: dns error
cause: failed to lookup address information: Name or service not known
";
    let last = |source: &Source, address: &str| {
        let line = Line { source: Some(address.to_owned()), ..requirement() };
        let told = told_by(source, line, Installer::Uv, output);
        told.lines().last().unwrap_or_default().to_owned()
    };
    let file = Source::RequirementsTxt { path: "requirements.txt".to_owned() };
    let named = "https://wheels.example.org/cpu";
    assert_eq!(
        last(&file, named),
        "Or correct its address (line 2 of requirements.txt), commit, and push again"
    );
    assert_eq!(
        last(&Source::lock(Lock::Uv), named),
        "Or correct its address in pyproject.toml, run uv lock, commit uv.lock, and push again"
    );
    assert_eq!(
        last(&file, "https://other.example.org/cpu"),
        "Or correct its address: nyala config set PIP_INDEX_URL=ADDRESS"
    );
}

#[test]
fn an_index_that_does_not_answer_is_named_with_the_reason() {
    let pip = "\
WARNING: Retrying (Retry(total=0)) after connection broken by 'NewConnectionError(\"HTTPConnection\
(host='127.0.0.1', port=9): Failed to establish a new connection: [Errno 111] Connection \
refused\")': /simple/six/
ERROR: Could not find a version that satisfies the requirement six (from versions: none)
";
    let refused = "\
the index 127.0.0.1:9 cannot be reached: the connection was refused
See whether this machine can reach it: curl -I http://127.0.0.1:9
Or correct its address: nyala config set PIP_INDEX_URL=ADDRESS";
    assert_eq!(told(Installer::Pip, pip), refused);
    let old = "\
Looking in indexes: http://me:secret@127.0.0.1:9/simple
WARNING: Retrying (Retry(total=0)) after connection broken by 'NewConnectionError('<pip._vendor.\
urllib3.connection.HTTPConnection object at 0x7f>: Failed to establish a new connection: \
[Errno 111] Connection refused')': /simple/six/
ERROR: Could not find a version that satisfies the requirement six (from versions: none)
";
    assert_eq!(told(Installer::Pip, old), refused);
    let uv = "\
error: Failed to fetch: http://127.0.0.1:9/simple/six/
  cause: error sending request for url (http://127.0.0.1:9/simple/six/)
  cause: client error (Connect)
  cause: Connection refused (os error 111)
";
    assert_eq!(told(Installer::Uv, uv), refused);
    // It answered at last.
    let later = told(Installer::Pip, &pip.replace("none", "1.0rc1"));
    assert_eq!(later.lines().next(), Some("six has pre-releases only"));
}

#[test]
fn a_package_that_is_not_there_says_what_was_meant() {
    insta::assert_snapshot!(not_found("reqeusts", "none"), @"
    the index has no package reqeusts
    Did you mean requests? Correct requirements.txt, commit, and push again
    ");
    insta::assert_snapshot!(not_found("sqlite3", "none"), @"
    sqlite3 is a part of Python, and no package to install
    Remove it (requirements.txt), commit, and push again
    ");
    insta::assert_snapshot!(not_found("PIL==9", "none"), @"
    the index has no package PIL
    Did you mean Pillow? Correct requirements.txt, commit, and push again
    ");
    insta::assert_snapshot!(not_found("our-own-library[x]>=1", "none"), @"
    the index has no package our-own-library
    Correct its name (requirements.txt), commit, and push again
    ");
    let uv = of_uv("reqeusts was not found in the package registry and you require reqeusts");
    assert_eq!(uv, not_found("reqeusts", "none"));
}

#[test]
fn an_index_that_is_out_of_order_is_no_index_without_the_package() {
    let uv = "\
error: Request failed after 3 retries in 8.7s
cause: Failed to fetch: http://127.0.0.1:8932/simple/six/
cause: HTTP status server error (503 Service Unavailable) for url (http://127.0.0.1:8932/six/)
";
    insta::assert_snapshot!(told(Installer::Uv, uv), @"
    the index 127.0.0.1:8932 answered with an error: 503 Service Unavailable
    If it is out of order, wait until it works, and then: nyala redeploy
    Or correct its address: nyala config set PIP_INDEX_URL=ADDRESS
    ");
    assert_eq!(told(Installer::Uv, &uv.replace("server error (503", "client error (403")), "");
    let django = "\
Looking in indexes: https://me:secret@index.example.org/simple/
ERROR: Could not find a version that satisfies the requirement Django==5.1 (from versions: none)
ERROR: No matching distribution found for Django==5.1
";
    insta::assert_snapshot!(told(Installer::Pip, django), @"
    the index gave no file of Django for Python 3.10
    See what it answers: curl -i https://index.example.org/simple/django/
    If it is out of order, wait until it works, and then: nyala redeploy
    Or ask for another version in requirements.txt, or for an older Python: python-3.9 in runtime.txt
    ");
    // What a lock pins was in its index.
    let line = Line { file: "uv.lock".to_owned(), number: 0, ..requirement() };
    let locked = told_by(
        &Source::lock(Lock::Uv),
        line,
        Installer::Pip,
        &django.replace("Django==5.1", "our-own-library==1.0"),
    );
    assert!(locked.starts_with("the index gave no file of our-own-library for"), "{locked}");
}
