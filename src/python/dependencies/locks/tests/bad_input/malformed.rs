//! A value that is not what it is to be.

use super::*;

#[test]
fn a_malformed_value_is_named_with_its_package() {
    for version in ["banana", "1.0.banana", "1..0", ""] {
        let says = format!("the version of grass is {version:?}, which is not a version");
        let [from, to] = ["1.0", version].map(|it| format!("grass\"\nversion = \"{it}\""));
        assert_all_say(&from, &to, 4, &says);
        assert_all_say("\"==1.0\"", &format!("\"=={version}\""), 1, &says);
    }
    assert_all_say("\"==1.0\"", "\">=1.0\"", 1, "the version of grass is \">=1.0\", which is");
    for hash in ["sha256:banana", "sha512:00", "sha1:00", "banana:00", "sha256:", "00"] {
        let says = format!("the hash of grass is {hash:?}, which is not a hash");
        assert_all_say("sha256:00", hash, 4, &says);
    }
    let says = "the hash of grass is \"sha256:banana\", which is not a hash";
    assert_all_say("sha256 = \"00\"", "sha256 = \"banana\"", 1, says);
    for name in ["", "-grass", "grass-", "gr ass", "grass==1.0"] {
        let errors = errors("name = \"grass\"\nversion", &format!("name = \"{name}\"\nversion"));
        assert_eq!(errors.len(), 4);
        for (lock, error) in errors {
            let is_named = error.contains("which is not the name of a package");
            // uv's graph leads to the right name.
            assert!(is_named || lock == Lock::Uv && error.contains("needs grass"), "{error}");
        }
    }
    let says = "invalid type: string \"banana\", expected a whole number";
    assert_all_say("\"sha256:00\" }", "\"sha256:00\", size = \"banana\" }", 1, says);
    assert_all_say("\"00\" }", "\"00\" }\nsize = \"banana\"", 1, says);
    for (lock, error) in errors("0123456789012345678901234567890123456789", "main") {
        let says = "the commit of vcs is \"main\", which is not a commit";
        assert!(error == says || lock == Lock::Uv, "{lock:?}: {error}");
    }
}

/// pip refuses what it does not know, and these say nothing more.
#[test]
fn of_the_hashes_of_a_file_those_count_that_installers_check() {
    let (_, pylock) = LOCKS.iter().find(|(lock, _)| *lock == Lock::Pylock).unwrap();
    let hashes = |more: &str| {
        let lock = pylock.replace("sha256 = \"00\"", more);
        let set = read(Lock::Pylock, &lock, &[], "3.12.1").unwrap();
        set.packages[0].hashes.iter().map(|hash| hash[..8].to_owned()).collect::<Vec<_>>()
    };
    let both = format!("sha256 = \"00\", sha3_256 = \"00\", md5 = \"{:0<32}\"", 1);
    assert_eq!(hashes(&both), ["sha256:0"]);
    assert_eq!(hashes(&format!("md5 = \"{:0<32}\"", 1)), ["md5:1000"]);
}

#[test]
fn a_marker_that_is_none_is_named_with_its_package() {
    for (from, to) in [
        ("{ name = \"lib\" }", "{ name = \"lib\", marker = \"moon == 'full'\" }"),
        ("python-versions = \"*\"\n", "python-versions = \"*\"\nmarkers = \"moon == 'full'\"\n"),
        ("name = \"lib\"\nversion = \"0\"\ngroups", "name = \"lib\"\nmarker = \"moon\"\ngroups"),
        ("name = \"lib\"\n[packages", "name = \"lib\"\nmarker = \"moon == 'full'\"\n[packages"),
        ("{\"path\": \"lib\"}", "{\"path\": \"lib\", \"markers\": \"moon == 'full'\"}"),
    ] {
        for (lock, error) in errors(from, to) {
            assert!(error.contains("moon"), "{lock:?}: {error}");
        }
    }
}
