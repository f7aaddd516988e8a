//! What is wrong with a nyala.toml, in words for people.

use crate::console::did_you_mean;
use crate::text::excerpt;
use crate::user_error::UserError;

pub(super) fn keeps_nothing() -> UserError {
    UserError::new("keep is too small: the live release is always kept")
        .found("keep = 0")
        .fix("Write 1 or more")
}

pub(super) fn not_a_branch(branch: &str) -> UserError {
    UserError::new("branch is not the name of a branch")
        .found(format!("branch = \"{}\"", excerpt(branch)))
        .fix("Write the name without refs/heads/, such as branch = \"main\"")
}

pub(super) fn not_a_specifier(pip: &str) -> UserError {
    UserError::new("pip is not a version specifier")
        .found(format!("pip = \"{}\"", excerpt(pip)))
        .fix("Write one such as pip = \"<24.1\" or pip = \"==23.2.1\"")
}

/// A key that stands outside of tables; `place` says which table it is in.
pub(super) fn key_in_table(key: &str, place: &str) -> UserError {
    UserError::new(format!("unknown key `{}`{place}", excerpt(key)))
        .fix("It belongs to no table: move the line above the first [table]")
}

pub(super) fn health_is_no_path(health: &str) -> UserError {
    UserError::new("health in [run] is not a path")
        .found(format!("health = \"{}\"", excerpt(health)))
        .fix("Write a path that begins with a slash, such as health = \"/health\"")
}

pub(super) fn not_a_domain(domain: &str) -> UserError {
    UserError::new("domains in [run] contains a name that is not a domain")
        .found(excerpt(domain))
        .fix("Write names without http:// and ports, such as \"shop.example.org\"")
}

pub(super) fn not_a_process_name(name: &str) -> UserError {
    UserError::new("a process in [run.processes] has no valid name")
        .found(excerpt(name))
        .fix("Use letters, digits, - and _, such as web or worker")
}

pub(super) fn not_a_process_to_scale(name: &str) -> UserError {
    UserError::new("scale has a name that no process can have")
        .found(excerpt(name))
        .fix("Use the name of a process, such as web or worker")
}

pub(super) fn release_cannot_be_scaled() -> UserError {
    UserError::new("release cannot be scaled: it runs once in each deployment")
        .fix("Remove it from scale")
}

pub(super) fn no_web() -> UserError {
    UserError::new("web cannot be scaled to 0: nothing would answer visitors")
        .found("web = 0")
        .fix("Show them a page meanwhile: nyala maintenance on")
        .fix("Or stop the application: nyala stop")
}

pub(super) fn too_many_processes(name: &str, count: u32, most: u32) -> UserError {
    UserError::new("too many processes of one name")
        .found(format!("{name} = {count}"))
        .fix(format!("Write a number up to {most}"))
}

pub(super) fn no_command(name: &str) -> UserError {
    UserError::new(format!("the process {name} has no command"))
        .found(format!("{name} = \"\""))
        .fix("Write its command, or remove the line")
}

pub(super) fn control_character_in_command(name: &str, command: &str) -> UserError {
    UserError::new(format!("the command of the process {name} has a control character"))
        .found(format!("{name} = \"{}\"", excerpt(command)))
        .fix("Remove it")
}

pub(super) fn log_size_is_too_small(found: u64, least: u64) -> UserError {
    UserError::new("log_size in [run] is too small")
        .found(format!("log_size = {found}"))
        .fix(format!("Write a number of bytes from {least} on"))
}

pub(super) fn bad_log_files(found: u32, most: u32) -> UserError {
    UserError::new("log_files in [run] is out of range")
        .found(format!("log_files = {found}"))
        .fix(format!("Write a number from 1 to {most}"))
}

pub(super) fn repository_with_tag(repository: &str) -> UserError {
    UserError::new("repository in [image] has a tag")
        .found(format!("repository = \"{}\"", excerpt(repository)))
        .fix("Write the tag on a line of its own: tag = \"…\"")
}

pub(super) fn not_a_tag(tag: &str) -> UserError {
    UserError::new("tag in [image] is not a tag")
        .found(format!("tag = \"{}\"", excerpt(tag)))
        .fix("Use up to 128 letters, digits, - _ and ., such as tag = \"latest\"")
}

pub(super) fn not_a_platform(platform: &str) -> UserError {
    UserError::new("platform in [image] is not a platform")
        .found(format!("platform = \"{}\"", excerpt(platform)))
        .fix("Write one such as platform = \"linux/amd64\"")
}

pub(super) fn not_a_user(user: &str) -> UserError {
    UserError::new("user in [image] is not the number of a user")
        .found(format!("user = \"{}\"", excerpt(user)))
        .fix("Write the numbers of a user and a group, such as user = \"1000:1000\"")
}

pub(super) fn label_without_name() -> UserError {
    UserError::new("labels in [image] has a label without a name").fix("Give it one, or remove it")
}

pub(super) fn cluster_without_repository() -> UserError {
    UserError::new("[kubernetes] needs a registry, from which the cluster gets its images")
        .fix("Name it: set repository under [image] of nyala.toml")
}

pub(super) fn cluster_as_root(user: &str) -> UserError {
    UserError::new("in a cluster, nyala runs no application as root")
        .found(format!("user = \"{}\" in [image]", excerpt(user)))
        .fix("Write the numbers of another user and group, such as user = \"1000:1000\"")
}

pub(super) fn cluster_user_too_large(user: &str) -> UserError {
    UserError::new(format!("Kubernetes takes no user or group above {}", i32::MAX))
        .found(format!("user = \"{}\" in [image]", excerpt(user)))
        .fix("Write the numbers of another user and group, such as user = \"1000:1000\"")
}

pub(super) fn watch_until_deadline() -> UserError {
    let fact = "watch in [run] is not shorter than deadline in [kubernetes], so that no rollout \
                would end";
    UserError::new(fact).fix("Write a longer deadline or a shorter watch")
}

pub(super) fn empty_in_cluster(key: &str) -> UserError {
    UserError::new(format!("{key} in [kubernetes] is empty")).fix("Name one, or remove the line")
}

pub(super) fn not_a_label(key: &str, value: &str, allowed: &str) -> UserError {
    UserError::new(format!("{key} in [kubernetes] is not a valid Kubernetes name"))
        .found(format!("{key} = \"{}\"", excerpt(value)))
        .labelled("allowed", format!("{allowed}, at most 63, in lower case"))
        .fix("Write a name such as \"shop\"")
}

pub(super) fn not_an_ingress_host(host: &str) -> UserError {
    UserError::new("ingress_host in [kubernetes] is not a domain")
        .found(format!("ingress_host = \"{}\"", excerpt(host)))
        .fix("Write a domain without http:// and a port, such as \"shop.example.org\"")
}

pub(super) fn not_a_quantity(name: &str, value: &str) -> UserError {
    UserError::new(format!("{} in resources of [kubernetes] is not a quantity", excerpt(name)))
        .found(format!("{} = \"{}\"", excerpt(name), excerpt(value)))
        .fix("Write one such as cpu = \"250m\" or memory = \"128Mi\"")
}

pub(super) fn request_above_limit(name: &str, request: &str, limit: &str) -> UserError {
    let name = excerpt(name);
    UserError::new(format!("resources in [kubernetes] asks for more {name} than it allows"))
        .found(format!("requests = {{ {name} = \"{request}\" }}"))
        .found(format!("limits = {{ {name} = \"{limit}\" }}"))
        .fix("Write a smaller number under requests, or a larger one under limits")
}

pub(super) fn patches_outside(path: &str) -> UserError {
    UserError::new("patches in [kubernetes] is not a folder of the commit")
        .found(format!("patches = \"{}\"", excerpt(path)))
        .fix("Write a path inside the repository, such as patches = \"k8s\"")
}

/// `place` says which table it is in, and `known` are the keys of that table.
pub(super) fn unknown_key(key: &str, place: &str, known: &[&'static str]) -> UserError {
    let error = UserError::new(format!("unknown key `{}`{place}", excerpt(key)));
    match did_you_mean(key, known.iter().copied()) {
        Some(known) => error.fix(format!("Did you mean `{known}`?")),
        None => error.labelled("allowed", known.join(", ")).fix("Remove it, or correct its name"),
    }
}

/// What is wrong with a text in TOML, in the parser's words and with the line that it means.
pub(super) fn not_toml(error: &toml::de::Error, text: &str) -> UserError {
    // Rust's names of types mean nothing to whoever writes TOML.
    let message = error
        .message()
        .replace("expected usize", "expected a whole number")
        .replace("expected u32", "expected a whole number")
        .replace("expected a sequence", "expected a list");
    let told = UserError::new(excerpt(message.lines().next().unwrap_or_default()));
    let Some(before) = error.span().and_then(|span| text.get(..span.start)) else { return told };
    let number = before.matches('\n').count() + 1;
    let line = text.lines().nth(number - 1).unwrap_or_default();
    // The address of a webhook may be a secret.
    let line = if line.trim().starts_with("url") { "url = …" } else { line.trim() };
    told.found(format!("{} (line {number})", excerpt(line))).fix("Correct that line")
}

/// The value stands in a form that nyala cannot edit.
pub(super) fn cannot_change_shared(wanted: &toml::Value) -> UserError {
    UserError::new("`shared` in nyala.toml cannot be changed by nyala")
        .fix(format!("Write it there yourself: shared = {wanted}"))
}

/// `scale` stands in a form that nyala cannot edit.
pub(super) fn cannot_change_scale(wanted: &str) -> UserError {
    UserError::new("`scale` in nyala.toml cannot be changed by nyala")
        .fix(format!("Write it there yourself, under [run]: {wanted}"))
}

/// `replicas` stands in a form that nyala cannot edit.
pub(super) fn cannot_change_replicas(wanted: &str) -> UserError {
    UserError::new("`replicas` in nyala.toml cannot be changed by nyala")
        .fix(format!("Write it there yourself, under [kubernetes]: {wanted}"))
}

/// The address may be a secret, so it is not shown.
pub(super) fn not_http() -> UserError {
    UserError::new("the url of a [[webhook]] is not an HTTP address")
        .fix("Write an address that begins with http:// or https://")
}

pub(super) fn tries_out_of_range(tries: u32, most: u32) -> UserError {
    UserError::new("tries of a [[webhook]] is out of range")
        .found(format!("tries = {tries}"))
        .fix(format!("Write a number from 1 to {most}"))
}

pub(super) fn timeout_too_long() -> UserError {
    UserError::new("timeout of a [[webhook]] is longer than an hour")
        .fix("Write a shorter time, such as \"5s\": the next deployment waits for it")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::site::Settings;

    #[test]
    fn every_error_says_what_to_do() {
        let error = |text: &str| Settings::parse(text).unwrap_err().to_string();
        insta::assert_snapshot!(error("keep = 0"), @r"
        keep is too small: the live release is always kept
        found: keep = 0
        Write 1 or more
        ");
        insta::assert_snapshot!(error("brnach = 'main'"), @"
        unknown key `brnach`
        Did you mean `branch`?
        ");
        insta::assert_snapshot!(error("[[webhook]]\nurl = 'http://h'\ncolour = 1"), @"
        unknown key `colour` in a [[webhook]]
        allowed: url, on, secret, timeout, tries
        Remove it, or correct its name
        ");
        insta::assert_snapshot!(error("pip = '24'"), @r#"
        pip is not a version specifier
        found: pip = "24"
        Write one such as pip = "<24.1" or pip = "==23.2.1"
        "#);
        insta::assert_snapshot!(error("branch = 'refs/heads/main'"), @r#"
        branch is not the name of a branch
        found: branch = "refs/heads/main"
        Write the name without refs/heads/, such as branch = "main"
        "#);
        insta::assert_snapshot!(error("keep = 'many'"), @r#"
        invalid type: string "many", expected a whole number
        found: keep = 'many' (line 1)
        Correct that line
        "#);
        insta::assert_snapshot!(error("keep"), @r"
        key with no value, expected `=`
        found: keep (line 1)
        Correct that line
        ");
        insta::assert_snapshot!(error("step_timeout = 'soon'"), @r#"
        a time is written as "90s", "30m", "1h" or a number of seconds
        found: step_timeout = 'soon' (line 1)
        Correct that line
        "#);
        insta::assert_snapshot!(error("shared = ['a', 'a']"), @r"
        shared names `a` twice
        Remove one of the two
        ");
        insta::assert_snapshot!(error("shared = ['a', 'a/b']"), @r"
        shared names `a` and `a/b`, one of which contains the other
        Remove the inner one
        ");
        insta::assert_snapshot!(error("shared = ['../a']"), @r#"
        `../a` cannot be shared: it does not stay inside the release
        found: shared in nyala.toml names it
        Name a path inside the release, such as "media" or "data/db.sqlite3"
        "#);
        insta::assert_snapshot!(error("shared = ['env']"), @r#"
        `env` cannot be shared: env and .git are not the application's
        found: shared in nyala.toml names it
        Name a path inside the release, such as "media" or "data/db.sqlite3"
        "#);
        insta::assert_snapshot!(error("[[webhook]]\nurl = http://h/secret"), @r"
        string values must be quoted, expected literal string
        found: url = … (line 2)
        Correct that line
        ");
        insta::assert_snapshot!(error("[[webhook]]\nurl = 'ftp://h'"), @r"
        the url of a [[webhook]] is not an HTTP address
        Write an address that begins with http:// or https://
        ");
        insta::assert_snapshot!(error("[[webhook]]\nurl = 'http://h'\ntries = 0"), @r"
        tries of a [[webhook]] is out of range
        found: tries = 0
        Write a number from 1 to 10
        ");
        insta::assert_snapshot!(error("[[webhook]]\nurl = 'http://h'\ntimeout = '2h'"), @r#"
        timeout of a [[webhook]] is longer than an hour
        Write a shorter time, such as "5s": the next deployment waits for it
        "#);
    }

    #[test]
    fn a_list_that_nyala_cannot_edit_is_for_a_person_to_change() {
        insta::assert_snapshot!(cannot_change_scale("scale = { web = 2 }"), @"
        `scale` in nyala.toml cannot be changed by nyala
        Write it there yourself, under [run]: scale = { web = 2 }
        ");
        insta::assert_snapshot!(cannot_change_shared(&vec!["media"].into()), @r#"
        `shared` in nyala.toml cannot be changed by nyala
        Write it there yourself: shared = ["media"]
        "#);
    }
}
