//! Nothing secret is kept or said.

use super::*;

const SECRETS: [&str; 3] = ["hunter2", "t0ken", "sig-nature"];

fn tree() -> MemoryTree {
    MemoryTree::of(&[(
        "requirements.txt",
        "-i https://u:hunter2@h/simple\n--extra-index-url https://${TOKEN}@h/\n${WHOLE}\n\
         a @ https://h/a.zip?sig=sig-nature#sha256=00\n\
         git+https://hunter2@h/r.git@${TOKEN}\n-r https://u:hunter2@h/r.txt\n\
         -f 'https://u:hunter2@h/f'",
    )])
}

fn with_token(token: &str) -> Closure {
    let setting = |name: &str| match name {
        "TOKEN" => Some(token.to_owned()),
        "WHOLE" => Some("--extra-index-url https://u:t0ken@h/other".to_owned()),
        _ => None,
    };
    closure(&tree(), "requirements.txt", &setting).unwrap()
}

#[test]
fn none_is_in_the_record_or_in_a_reason() {
    let closure = with_token("t0ken");
    let record = serde_json::to_string(closure.record()).unwrap();
    let nothing = Recorded::default();
    let said: Vec<_> = compare(&nothing, closure.record())
        .into_iter()
        .chain(compare(closure.record(), &nothing))
        .map(|change| change.to_string())
        .collect();
    for secret in SECRETS {
        assert!(!record.contains(secret), "{record}");
        assert!(!said.join("\n").contains(secret), "{said:?}");
    }
}

#[test]
fn a_renewed_token_changes_nothing() {
    let read = |token: &str| {
        let tree =
            MemoryTree::of(&[("requirements.txt", "--extra-index-url https://u:${TOKEN}@h/\na")]);
        closure(&tree, "requirements.txt", &|_| Some(token.to_owned())).unwrap()
    };
    assert_eq!(compare(read("old").record(), read("new").record()), []);
    assert_eq!(read("old").fingerprint(), read("n/e?w#").fingerprint());
}

#[test]
fn a_setting_that_is_no_credential_counts() {
    let read = |value: &str| {
        let tree = MemoryTree::of(&[("requirements.txt", "a==${VERSION}")]);
        closure(&tree, "requirements.txt", &|_| Some(value.to_owned())).unwrap()
    };
    assert_eq!(
        reasons(&read("1"), &read("2")),
        ["Create: a==${VERSION} changed (requirements.txt line 1); a setting that it reads, or a \
          masked part of it, changed"]
    );
    assert_ne!(read("1").fingerprint(), read("2").fingerprint());
}

#[test]
fn a_record_comes_back_as_it_was() {
    let record = with_token("x").record().clone();
    let json = serde_json::to_string(&record).unwrap();
    assert_eq!(serde_json::from_str::<Recorded>(&json).unwrap(), record);
}
