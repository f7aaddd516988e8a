//! The table `[kubernetes]`: the cluster that rolls a site out, and what it is told.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Deserializer};

use super::resources::Resources;
use super::{Image, Run, check_scale, duration, error};
use crate::user_error::UserError;

/// The table `[kubernetes]`. With it, a push rolls its release out in a cluster, and nothing of the
/// site runs on this machine.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(default, deny_unknown_fields)]
pub struct Kubernetes {
    /// The context of the kubeconfig; by default, the current one.
    pub context: Option<String>,
    /// By default, that of the context.
    pub namespace: Option<String>,
    /// What the objects are called; by default, as the folder of the site.
    pub name: Option<String>,
    /// How many pods each process has: one where nobody says.
    #[serde(deserialize_with = "replicas")]
    pub replicas: BTreeMap<String, u32>,
    /// What each container asks for, and may use.
    pub resources: Resources,
    /// The domain of the Ingress; without it there is none.
    pub ingress_host: Option<String>,
    /// How pods are replaced.
    pub strategy: Strategy,
    /// The kubeconfig, relative to the site; by default, where kubectl looks for it.
    pub kubeconfig: Option<PathBuf>,
    /// How long a rollout may take until all of it is ready.
    #[serde(deserialize_with = "duration::required")]
    pub deadline: Duration,
    /// The folder of the commit with the project's own patches; by default, [`PATCHES`] where the
    /// commit has it.
    pub patches: Option<String>,
    /// Whether a push applies anything; without it, a push ends at the registry.
    pub apply: bool,
}

/// Where patches are, if nobody says.
pub const PATCHES: &str = "k8s";

/// How pods are replaced by new ones.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Strategy {
    /// A new one is ready before an old one ends.
    #[default]
    Rolling,
    /// All old ones end first, for an application of which two must never run at once.
    Recreate,
}

impl Strategy {
    pub fn name(self) -> &'static str {
        match self {
            Strategy::Rolling => "rolling",
            Strategy::Recreate => "recreate",
        }
    }
}

/// A number is that of web.
fn replicas<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<String, u32>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Written {
        Web(u32),
        Each(BTreeMap<String, u32>),
    }
    const FORM: &str = "replicas is written as 3 or as { web = 3, worker = 2 }";
    match Written::deserialize(deserializer).map_err(|_| serde::de::Error::custom(FORM))? {
        Written::Web(count) => Ok(BTreeMap::from([("web".to_owned(), count)])),
        Written::Each(counts) => Ok(counts),
    }
}

impl Default for Kubernetes {
    fn default() -> Kubernetes {
        Kubernetes {
            context: None,
            namespace: None,
            name: None,
            replicas: BTreeMap::new(),
            resources: Resources::default(),
            ingress_host: None,
            strategy: Strategy::default(),
            kubeconfig: None,
            deadline: Duration::from_mins(5),
            patches: None,
            apply: true,
        }
    }
}

impl Kubernetes {
    pub(super) fn check(&self, image: &Image, run: &Run) -> Result<(), UserError> {
        if image.repository.is_none() {
            return Err(error::cluster_without_repository());
        }
        if image.owner().is_some_and(|(user, _)| user == 0) {
            return Err(error::cluster_as_root(&image.user));
        }
        if image.owner().is_some_and(|(user, group)| user.max(group) > LARGEST_ID) {
            return Err(error::cluster_user_too_large(&image.user));
        }
        if self.apply && run.watch >= self.deadline {
            return Err(error::watch_until_deadline());
        }
        for (key, value) in [("context", &self.context), ("namespace", &self.namespace)] {
            if value.as_ref().is_some_and(|value| value.trim().is_empty()) {
                return Err(error::empty_in_cluster(key));
            }
        }
        if let Some(namespace) = self.namespace.as_ref().filter(|it| !is_label(it)) {
            return Err(error::not_a_label("namespace", namespace, "letters, digits and -"));
        }
        if let Some(name) = self.name.as_ref().filter(|name| !is_name(name)) {
            return Err(error::not_a_label("name", name, "a letter, then letters, digits and -"));
        }
        if let Some(host) = self.ingress_host.as_ref().filter(|host| !is_host(host)) {
            return Err(error::not_an_ingress_host(host));
        }
        for (name, count) in &self.replicas {
            check_scale(name, *count).map_err(|error| error.found("replicas in [kubernetes]"))?;
        }
        self.resources.check()?;
        match &self.patches {
            Some(path) if !is_inside(path) => Err(error::patches_outside(path)),
            _ => Ok(()),
        }
    }
}

/// The largest number of a user or a group that Kubernetes takes.
const LARGEST_ID: u32 = i32::MAX.unsigned_abs();

/// Whether this is a label of RFC 1123, as Kubernetes wants names of namespaces.
fn is_label(text: &str) -> bool {
    let is_edge = |it: u8| it.is_ascii_lowercase() || it.is_ascii_digit();
    let bytes = text.as_bytes();
    bytes.len() <= 63
        && bytes.iter().all(|it| is_edge(*it) || *it == b'-')
        && bytes.first().is_some_and(|it| is_edge(*it))
        && bytes.last().is_some_and(|it| is_edge(*it))
}

/// Whether objects may be called like this. A Service wants a letter first.
pub fn is_name(text: &str) -> bool {
    is_label(text) && text.starts_with(|first: char| first.is_ascii_lowercase())
}

/// A domain, of which the first label may be `*`.
fn is_host(host: &str) -> bool {
    let host = host.strip_prefix("*.").unwrap_or(host);
    // An address would be four labels, too.
    let is_address = host.parse::<Ipv4Addr>().is_ok();
    host.len() <= 253 && host.contains('.') && host.split('.').all(is_label) && !is_address
}

/// Whether a path stays in the commit.
fn is_inside(path: &str) -> bool {
    let parts: Vec<_> = Path::new(path).components().collect();
    parts.iter().all(|part| matches!(part, Component::Normal(_) | Component::CurDir))
        && parts.iter().any(|part| matches!(part, Component::Normal(_)))
}

#[cfg(test)]
mod tests {
    use super::super::Settings;
    use super::*;

    fn parsed(text: &str) -> anyhow::Result<Kubernetes> {
        let text = format!("image.repository = 'r.example.org/shop'\n[kubernetes]\n{text}");
        Ok(Settings::parse(&text)?.kubernetes.unwrap_or_default())
    }

    #[test]
    fn what_is_not_set_is_the_default() {
        assert_eq!(parsed("").unwrap(), Kubernetes::default());
        assert_eq!(parsed("replicas = 3").unwrap().replicas["web"], 3);
        let both = parsed("replicas = { web = 2, worker = 0 }").unwrap();
        assert_eq!(both.replicas["worker"], 0);
    }

    #[test]
    fn what_runs_in_a_cluster_does_not_run_here() {
        let site = |text: &str| {
            let run = "image.repository = 'r.example.org/a'\nrun.listen = '8000'\n";
            Settings::parse(&format!("{run}{text}")).unwrap().run.listen
        };
        assert!(site("").is_some() && site("kubernetes.apply = false").is_some());
        assert!(site("[kubernetes]").is_none());
    }

    #[test]
    fn names_are_those_of_kubernetes() {
        assert!(is_name("shop") && is_name("a-1") && is_name(&"a".repeat(63)));
        for wrong in ["", "Shop", "-a", "a-", "a.b", "a_b", "1a", "é", &"a".repeat(64)] {
            assert!(!is_name(wrong), "{wrong}");
        }
        assert!(is_label("1a"));
    }

    #[test]
    fn every_error_says_what_to_do() {
        let error = |text: &str| parsed(text).unwrap_err().to_string();
        insta::assert_snapshot!(Settings::parse("[kubernetes]").unwrap_err(), @"
        [kubernetes] needs a registry, from which the cluster gets its images
        Name it: set repository under [image] of nyala.toml
        ");
        insta::assert_snapshot!(error("name = 'My Shop'"), @r#"
        name in [kubernetes] is not a valid Kubernetes name
        found: name = "My Shop"
        allowed: a letter, then letters, digits and -, at most 63, in lower case
        Write a name such as "shop"
        "#);
        insta::assert_snapshot!(error("namespace = 'a.b'"), @r#"
        namespace in [kubernetes] is not a valid Kubernetes name
        found: namespace = "a.b"
        allowed: letters, digits and -, at most 63, in lower case
        Write a name such as "shop"
        "#);
        insta::assert_snapshot!(error("context = ''"), @"
        context in [kubernetes] is empty
        Name one, or remove the line
        ");
        insta::assert_snapshot!(error("ingress_host = 'http://shop'"), @r#"
        ingress_host in [kubernetes] is not a domain
        found: ingress_host = "http://shop"
        Write a domain without http:// and a port, such as "shop.example.org"
        "#);
        assert!(parsed("ingress_host = '10.0.0.1'").is_err());
        insta::assert_snapshot!(error("deadline = '60s'\n[run]\nwatch = '60s'"), @"
        watch in [run] is not shorter than deadline in [kubernetes], so that no rollout would end
        Write a longer deadline or a shorter watch
        ");
        assert!(parsed("deadline = '61s'\n[run]\nwatch = '60s'").is_ok());
        assert!(parsed("apply = false\n[run]\nwatch = '1h'").is_ok());
        insta::assert_snapshot!(error("replicas = 'many'"), @"
        replicas is written as 3 or as { web = 3, worker = 2 }
        found: replicas = 'many' (line 3)
        Correct that line
        ");
        insta::assert_snapshot!(error("replicas = 0"), @"
        web cannot be scaled to 0: nothing would answer visitors
        found: web = 0
        found: replicas in [kubernetes]
        1. Show them a page meanwhile: nyala maintenance on
        2. Or stop the application: nyala stop
        ");
        assert!(parsed("patches = '.'").is_err() && parsed("patches = './a/b/'").is_ok());
        insta::assert_snapshot!(error("patches = '../k8s'"), @r#"
        patches in [kubernetes] is not a folder of the commit
        found: patches = "../k8s"
        Write a path inside the repository, such as patches = "k8s"
        "#);
        insta::assert_snapshot!(error("strategy = 'blue'"), @"
        unknown variant `blue`, expected `rolling` or `recreate`
        found: strategy = 'blue' (line 3)
        Correct that line
        ");
        insta::assert_snapshot!(error("deadline = 'soon'"), @r#"
        a time is written as "90s", "30m", "1h" or a number of seconds
        found: deadline = 'soon' (line 3)
        Correct that line
        "#);
        insta::assert_snapshot!(error("contxt = 'x'"), @"
        unknown key `contxt` in [kubernetes]
        Did you mean `context`?
        ");
        let root = "[image]\nrepository = 'r.example.org/a'\nuser = '0'\n[kubernetes]\n";
        insta::assert_snapshot!(Settings::parse(root).unwrap_err(), @r#"
        in a cluster, nyala runs no application as root
        found: user = "0" in [image]
        Write the numbers of another user and group, such as user = "1000:1000"
        "#);
        let large = root.replace("'0'", "'1000:4000000000'");
        insta::assert_snapshot!(Settings::parse(&large).unwrap_err(), @r#"
        Kubernetes takes no user or group above 2147483647
        found: user = "1000:4000000000" in [image]
        Write the numbers of another user and group, such as user = "1000:1000"
        "#);
    }
}
