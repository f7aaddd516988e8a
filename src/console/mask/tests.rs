//! What is masked, and what is not.

use super::*;

fn masked(secrets: &[&str], text: &str) -> String {
    Mask::new(secrets).apply(text).into_owned()
}

#[test]
fn a_known_value_becomes_stars() {
    assert_eq!(masked(&["hunter22"], "pw=hunter22, hunter22!"), "pw=****, ****!");
}

#[test]
fn overlapping_secrets_leave_no_rest() {
    assert_eq!(masked(&["abcdef", "defghi", "abcdefgh"], "<abcdefghi>"), "<****>");
}

#[test]
fn plain_values_do_not_blank_the_log() {
    let plain = ["1", "on", "true", "debug", "8000", "3.11", "3.11.7", "0.0.0.0", "WARNING", ""];
    let log = "1 on true debug 8000 3.11 3.11.7 0.0.0.0 WARNING";
    assert_eq!(masked(&plain, log), log);
}

#[test]
fn short_values_that_look_like_secrets_are_masked() {
    assert_eq!(masked(&["s3cr", "p@ss", "123456"], "s3cr p@ss 123456"), "**** **** ****");
}

#[test]
fn a_secret_of_several_lines_is_masked_line_by_line() {
    let key = "-----BEGIN KEY-----\r\nMIIEvQIBADANBg\nkqhkiG9w0B\n";
    assert_eq!(masked(&[key], "MIIEvQIBADANBg"), "****");
    assert_eq!(masked(&[key], "x kqhkiG9w0B y"), "x **** y");
}

#[test]
fn a_secret_is_found_in_urls_and_in_json() {
    assert_eq!(masked(&["p@ss w/rd"], "?key=p%40ss%20w%2Frd&x"), "?key=****&x");
    assert_eq!(masked(&["say \"friend\""], r#"{"a":"say \"friend\""}"#), r#"{"a":"****"}"#);
}

#[test]
fn credentials_in_urls_are_masked_without_being_known() {
    let shown = |text| Mask::default().apply(text).into_owned();
    assert_eq!(
        shown("https://me:s3cret@pypi.example.org/simple/"),
        "https://****@pypi.example.org/simple/"
    );
    assert_eq!(shown("git+https://TOKEN@host/x"), "git+https://****@host/x");
    assert_eq!(shown("https://u:p@ss@host, x@y"), "https://****@host, x@y");
    assert_eq!(shown("git+ssh://git@host/x"), "git+ssh://git@host/x");
    assert_eq!(shown("ssh://git:pw@host/x"), "ssh://****@host/x");
    assert_eq!(shown("https://host/a@b"), "https://host/a@b");
    assert_eq!(shown("https://****@host"), "https://****@host");
}

#[test]
fn a_cut_never_splits_a_secret() {
    let mask = Mask::new(["0123456789abc"]);
    let text = b"xxxxx0123456789abcyyyyy https://me:secret@host";
    assert_eq!(mask.safe_cut(text, 5), 5);
    assert_eq!(mask.safe_cut(text, 6), 5);
    assert_eq!(mask.safe_cut(text, 17), 5);
    assert_eq!(mask.safe_cut(text, 18), 18);
    // Not between the scheme and the password, nor between the password and the @.
    for at in 25..42 {
        assert_eq!(mask.safe_cut(text, at), 24);
    }
    assert_eq!(mask.safe_cut(text, 42), 42);
}

#[test]
fn a_password_is_found_whatever_value_it_is_a_part_of() {
    for value in [
        "postgresql://db.example/app?user=shopkeeper&password=Pa%73s!word&sslmode=require",
        "jdbc:postgresql://db.example/app?user=shopkeeper&password=Pass!word",
        r#"{"db": {"user": "shopkeeper", "sslmode": "require", "password": "Pass!word"}}"#,
        r#"[{"auth-tokens": ["Pass!word"], "sslmode": "require"}]"#,
        "host=db user=shopkeeper password='Pass!word' sslmode=require",
        "Server=db;User Id=shopkeeper;Shared Access Key=Pass!word;Mode=require",
        "machine db login shopkeeper password Pass!word",
        "user: shopkeeper\npassword: Pass!word\nmode: require",
    ] {
        let text = "shopkeeper Pass!word require";
        assert_eq!(masked(&[value], text), "shopkeeper **** require", "{value}");
    }
}

#[test]
fn the_password_of_a_url_is_a_secret_by_itself() {
    let url = "postgres://shop:hunter22@db.example.org/shop";
    assert_eq!(masked(&[url], "password hunter22 of shop"), "password **** of shop");
    assert_eq!(masked(&["https://a-token@h/"], "it is a-token"), "it is ****");
    assert_eq!(masked(&["postgres://shopkeeper@h/"], "I am shopkeeper"), "I am shopkeeper");
}

fn masked_lines(secrets: &[&str], lines: &[&str]) -> Vec<String> {
    let mask = Mask::new(secrets);
    let mut begun = Vec::new();
    lines.iter().map(|line| mask.apply_on(&mut begun, line).into_owned()).collect()
}

#[test]
fn a_secret_that_was_broken_into_lines_is_masked() {
    let secrets = ["correct-horse-battery-staple"];
    assert_eq!(
        masked_lines(&secrets, &["key: correct-horse", "-battery-", "staple!", "next"]),
        ["key: ****", "****", "****!", "next"]
    );
    assert_eq!(
        masked_lines(&secrets, &["cor", "rect-ho", "rse-battery-staple"]),
        ["cor", "****", "****"]
    );
    assert_eq!(masked_lines(&secrets, &["key: corr", "ectly done"]), ["key: corr", "ectly done"]);
    assert_eq!(masked_lines(&["sécrèt-ü"], &["<sécrè", "t-ü>"]), ["<****", "****>"]);
}

#[test]
fn a_broken_secret_never_shows_more_than_its_first_bytes() {
    proptest::proptest!(|(secret in "[a-z0-9]{12,40}", width in 1..20_usize)| {
        let pieces = secret.as_bytes().chunks(width);
        let lines: Vec<String> =
            pieces.map(|line| String::from_utf8_lossy(line).into_owned()).collect();
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        let shown = masked_lines(&[&secret], &lines).concat().replace('*', "");
        proptest::prop_assert!(shown.len() < LONG, "{}", shown);
    });
}

#[test]
fn masking_is_complete_wherever_the_secret_is() {
    proptest::proptest!(|(before in ".{0,20}", secret in "[a-z0-9]{8,12}", after in ".{0,20}")| {
        let text = format!("{before}{secret}{after}");
        let masked = Mask::new([&secret]).apply(&text).into_owned();
        assert!(!masked.contains(&secret));
    });
}

const ENCODERS: &str = r#"
import base64, html, json, quopri, re, shlex, sys, urllib.parse
for value in json.load(sys.stdin):
    for text in [
        value,
        urllib.parse.quote(value), urllib.parse.quote(value, safe=""),
        urllib.parse.quote_plus(value), urllib.parse.urlencode({"k": value})[2:],
        urllib.parse.quote(value, safe="").replace("%2F", "%2f"),
        re.sub("%[0-9A-F]{2}", lambda it: it.group().lower(), urllib.parse.quote(value)),
        re.sub(r"\\u[0-9a-f]{4}", lambda it: "\\u" + it.group()[2:].upper(), json.dumps(value)),
        json.dumps(value), json.dumps(value, ensure_ascii=False),
        repr(value), ascii(value), repr(value.encode()),
        html.escape(value), html.escape(value, quote=False),
        shlex.quote(value),
        urllib.parse.quote(urllib.parse.quote(value)),
        urllib.parse.quote_plus(urllib.parse.quote(value, safe="")),
        urllib.parse.quote(
            re.sub("%[0-9A-F]{2}", lambda it: it.group().lower(), urllib.parse.quote_plus(value)),
            safe=""),
        quopri.encodestring(value.encode()).decode().replace("=\n", ""),
    ]:
        print("exactly " + text)
    for before in ["", "x", "me:", "user:"]:
        for encode in [base64.b64encode, base64.urlsafe_b64encode, base64.b32encode]:
            print("nearly " + encode((before + value).encode()).decode())
"#;

/// What Python makes of these values: lines that begin with `exactly `, of which nothing may be
/// left, and with `nearly `, of which what is shared with other bytes may.
fn encoded_by_python(values: &[String]) -> String {
    use std::io::Write;
    use std::process::{Command, Stdio};
    let mut python = Command::new("python3")
        .args(["-c", ENCODERS])
        .env("PYTHONIOENCODING", "utf-8")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = python.stdin.take().unwrap();
    stdin.write_all(&serde_json::to_vec(values).unwrap()).unwrap();
    drop(stdin);
    let output = python.wait_with_output().unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn secrets_that_python_encoded_are_masked() {
    let value = "[a-zA-Z0-9äß€😀 /+&<>'\"\\\\%~:@#?=$!*();,|{}-]{9,24}";
    let values = proptest::collection::vec(value, 100);
    let config =
        proptest::test_runner::Config { cases: 3, max_shrink_iters: 0, ..Default::default() };
    proptest::proptest!(config, |(values in values)| {
        let values: Vec<String> = values.iter().map(|value| format!("a{value}1z")).collect();
        let printed = encoded_by_python(&values);
        let lines: Vec<&str> = printed.lines().collect();
        let per_value = lines.len() / values.len();
        let masks: Vec<Mask> = values.iter().map(|value| Mask::new([value])).collect();
        for (number, line) in lines.into_iter().enumerate() {
            let (value, mask) = (&values[number / per_value], &masks[number / per_value]);
            let shown = mask.apply(line);
            let (kind, rest) = shown.split_once(' ').unwrap();
            let rest = rest.trim_matches(['"', '\'']).trim_start_matches(['b', '\'', '"']);
            let left = rest.replace(STARS, "");
            match kind {
                "exactly" => proptest::prop_assert_eq!(left, "", "{} for {}", line, value),
                _ => proptest::prop_assert!(left.len() <= 16, "{} for {}: {}", line, value, shown),
            }
        }
    });
}

#[test]
fn the_decoded_password_of_a_url_is_a_secret_in_every_encoding() {
    let url = "postgres://shop:p%40ss%2Fw%C3%B6rd@db.example.org/shop";
    for text in ["p@ss/wörd", "p%40ss%2Fw%C3%B6rd", "p%40ss%2fw%c3%b6rd", "p%40ss/w%C3%B6rd"] {
        assert_eq!(masked(&[url], text), "****", "{text}");
    }
    assert_eq!(masked(&[url], r#"{"password": "p@ss\/w\u00f6rd"}"#), r#"{"password": "****"}"#);
    assert_eq!(masked(&[url], r"b'p@ss/w\xc3\xb6rd'"), "b'****'");
    // `shop:p@ss/wörd`, in an Authorization header.
    assert_eq!(masked(&[url], "Basic c2hvcDpwQHNzL3fDtnJk"), "Basic ****");
}

#[test]
fn the_password_behind_a_user_is_a_secret_also_in_a_header() {
    for value in [
        "-u ann:s3cret",
        "-sSf -uann:s3cret --retry 3",
        "--user=ann:s3cret",
        "-k --proxy-user 'ann:s3cret' https://host/x",
        "http --auth ann:s3cret",
        "ann:s3cret@proxy.example:3128",
        "to=all via=ann:s3cret@mail.example",
        "Authorization: Basic YW5uOnMzY3JldA==",
        r#"{"auths": {"host": {"auth": "YW5uOnMzY3JldA=="}}}"#,
        "https://ann:s3cret@host/x",
    ] {
        assert_eq!(masked(&[value], "is s3cret"), "is ****", "{value}");
        // `ann:s3cret` as base64.
        let shown = masked(&[value], "Basic YW5uOnMzY3JldA==");
        assert_eq!(shown.trim_end_matches('='), "Basic ****", "{value}");
    }
    assert_eq!(masked(&["-u 'ann:two words'"], "it is two words"), "it is ****");
    assert_eq!(masked(&["run --api-key s3cret --all"], "it is s3cret"), "it is ****");
    // A short password is found wherever it begins within a group of base64.
    for encoded in ["aHVudGVy", "eGh1bnRlcg==", "eHhodW50ZXI="] {
        assert!(masked(&["hunter"], encoded).contains(STARS), "{encoded}");
    }
}

#[test]
fn what_a_value_is_in_base64_is_looked_at_as_well() {
    // `{"type": "service", "private_key": "-----BEGIN KEY-----\\nMIIEvQIBADANBg\\n"}`
    let service = "eyJ0eXBlIjogInNlcnZpY2UiLCAicHJpdmF0ZV9rZXkiOiAiLS0tLS1CRUdJTiBLRVktLS0tLVxu\n\
                   TUlJRXZRSUJBREFOQmdcbiJ9";
    assert_eq!(masked(&[service], "service MIIEvQIBADANBg"), "service ****");
    // `-----BEGIN KEY-----\nMIIEvQIBADANBg\n`
    let key = "LS0tLS1CRUdJTiBLRVktLS0tLQpNSUlFdlFJQkFEQU5CZwo=";
    assert_eq!(masked(&[key], "x MIIEvQIBADANBg"), "x ****");
}

#[test]
fn what_only_looks_like_a_password_behind_a_user_is_not_masked() {
    for value in [
        "python -u manage.py",
        "gunicorn -u deploy shop.wsgi:application",
        "-a localhost:8000",
        "mailto:webmaster@example.org",
        "git:repository@v1.2",
        "serve --key-file server.pem --no-password database",
        "registry.example/shop:version1@sha256:abcdef",
    ] {
        let log = "manage.py application localhost:8000 webmaster repository server.pem database";
        assert_eq!(masked(&[value], log), log, "{value}");
    }
}

#[test]
fn an_encoded_secret_that_was_broken_into_lines_is_masked() {
    let lines = masked_lines(&["correct horse+battery"], &["correct%20horse", "%2Bbattery!"]);
    assert_eq!(lines, ["****", "****!"]);
}

#[test]
fn ordinary_output_is_not_masked() {
    let values = ["3.11", "production", "main", "8000", "true", "on", "0.0.0.0"];
    let log = "Resolved 1 package in 3.11 for production on main: 8000 true 0.0.0.0";
    assert_eq!(masked(&values, log), log);
}
