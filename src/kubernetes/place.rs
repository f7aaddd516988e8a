//! Where in which cluster a site is.

use std::path::PathBuf;

use anyhow::{Result, bail};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::kubectl::Kubectl;
use super::{error, names};
use crate::site::Site;
use crate::site::settings::Kubernetes;

/// A namespace of a cluster, and what the objects of a site are called there.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Place {
    /// Where kubectl finds the cluster, if not in its usual place.
    #[serde(default)]
    pub(super) kubeconfig: Option<PathBuf>,
    /// `None` in a pod, where kubectl needs none.
    #[serde(default)]
    pub(super) context: Option<String>,
    #[serde(default)]
    pub(super) namespace: Option<String>,
    /// The address of the API server, where it is known: two clusters may have one context.
    #[serde(default)]
    pub(super) server: Option<String>,
    pub(super) name: String,
}

impl Place {
    /// What nyala.toml says of it, without asking anybody.
    pub(super) fn of_settings(site: &Site, settings: &Kubernetes) -> Result<Place> {
        Ok(Place {
            kubeconfig: Place::kubeconfig(site, settings),
            context: settings.context.clone(),
            namespace: settings.namespace.clone(),
            server: None,
            name: names::of_site(site.root(), settings)?,
        })
    }

    /// The kubeconfig that nyala.toml names.
    pub(super) fn kubeconfig(site: &Site, settings: &Kubernetes) -> Option<PathBuf> {
        settings.kubeconfig.as_ref().map(|path| site.root().join(path))
    }

    /// The same with what the kubeconfig says of the rest. Fails where it has no such context.
    pub(super) fn find(site: &Site, settings: &Kubernetes) -> Result<Place> {
        let place = Place::of_settings(site, settings)?;
        if let Some(path) = place.kubeconfig.as_ref().filter(|path| !path.is_file()) {
            bail!(error::no_kubeconfig(path));
        }
        let nowhere = Place { context: None, namespace: None, ..place.clone() };
        let config = Kubectl::new(&nowhere).json(&["config", "view", "-o", "json"])?;
        place.with_config(&config, std::env::var_os("KUBERNETES_SERVICE_HOST").is_some())
    }

    fn with_config(mut self, config: &Value, is_in_pod: bool) -> Result<Place> {
        let contexts = config["contexts"].as_array().cloned().unwrap_or_default();
        let named = |wanted: &str| contexts.iter().find(|it| it["name"] == wanted);
        let known = || contexts.iter().filter_map(|it| it["name"].as_str()).collect::<Vec<_>>();
        let current = config["current-context"].as_str().filter(|name| !name.is_empty());
        let wanted = self.context.as_deref().or(current);
        let context = match wanted {
            Some(wanted) => match named(wanted) {
                Some(context) => context,
                None => bail!(error::no_context(wanted, &known())),
            },
            None if is_in_pod => &Value::Null,
            None => bail!(error::no_current_context(&known())),
        };
        let namespace = context["context"]["namespace"].as_str().unwrap_or("default").to_owned();
        let clusters = config["clusters"].as_array().into_iter().flatten();
        let cluster = &context["context"]["cluster"];
        let found = clusters.into_iter().find(|it| it["name"] == *cluster && !cluster.is_null());
        self.server = found.and_then(|it| it["cluster"]["server"].as_str()).map(str::to_owned);
        self.context = wanted.map(str::to_owned);
        self.namespace = self.namespace.or(Some(namespace));
        Ok(self)
    }

    /// Whether both are the same, wherever the kubeconfig is.
    pub(super) fn is_same(&self, other: &Place) -> bool {
        let servers = self.server.as_ref().zip(other.server.as_ref());
        self.context == other.context
            && servers.is_none_or(|(one, other)| one == other)
            && self.is_same_but_for_context(other)
    }

    /// A cluster may have several contexts.
    pub(super) fn is_same_but_for_context(&self, other: &Place) -> bool {
        (&self.namespace, &self.name) == (&other.namespace, &other.name)
    }

    pub fn namespace(&self) -> &str {
        self.namespace.as_deref().unwrap_or("default")
    }

    /// In words: `shop in the namespace web of the context production`.
    pub fn in_words(&self) -> String {
        let context = self.context.as_ref();
        let context = context.map_or(String::new(), |it| format!(" of the context {it}"));
        format!("{} in the namespace {}{context}", self.name, self.namespace())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn place(context: Option<&str>, namespace: Option<&str>, config: &Value) -> Result<Place> {
        let [context, namespace] = [context, namespace].map(|it| it.map(str::to_owned));
        let place =
            Place { kubeconfig: None, context, namespace, server: None, name: "shop".to_owned() };
        place.with_config(config, false)
    }

    #[test]
    fn the_kubeconfig_says_the_rest() {
        let config = json!({ "current-context": "one", "contexts": [
            { "name": "one", "context": { "namespace": "web" } },
            { "name": "production", "context": {} },
        ] });
        let words = |context, namespace| place(context, namespace, &config).unwrap().in_words();
        assert_eq!(words(None, None), "shop in the namespace web of the context one");
        assert_eq!(
            words(Some("production"), None),
            "shop in the namespace default of the context production"
        );
        assert_eq!(words(None, Some("x")), "shop in the namespace x of the context one");
        let found = |server: &str| {
            let config = json!({ "current-context": "one",
                "contexts": [{ "name": "one", "context": { "cluster": "c" } }],
                "clusters": [{ "name": "c", "cluster": { "server": server } }] });
            place(None, None, &config).unwrap()
        };
        assert!(found("https://10.0.0.1:6443").is_same(&found("https://10.0.0.1:6443")));
        assert!(!found("https://10.0.0.1:6443").is_same(&found("https://10.0.0.2:6443")));
        let error = |config: &Value| place(Some("prodution"), None, config).unwrap_err();
        insta::assert_snapshot!(error(&config), @"
        the kubeconfig has no context prodution
        allowed: one, production
        1. Did you mean `production`?
        2. See what the owner of the site has: kubectl config get-contexts; a kubeconfig elsewhere is named by kubeconfig in nyala.toml
        ");
        insta::assert_snapshot!(error(&json!({ "contexts": null })), @"
        the kubeconfig has no context prodution
        found: no contexts
        1. Correct context under [kubernetes] of nyala.toml
        2. See what the owner of the site has: kubectl config get-contexts; a kubeconfig elsewhere is named by kubeconfig in nyala.toml
        ");
        let none = json!({ "contexts": [{ "name": "one" }], "current-context": "" });
        insta::assert_snapshot!(place(None, None, &none).unwrap_err(), @"
        it is not known which cluster is meant: no context is the current one
        allowed: one
        Name one: set context under [kubernetes] of nyala.toml
        ");
        insta::assert_snapshot!(place(None, None, &json!({})).unwrap_err(), @"
        it is not known which cluster is meant: no context is the current one
        found: the kubeconfig has no contexts, or is not there
        See what the owner of the site has: kubectl config get-contexts; a kubeconfig elsewhere is named by kubeconfig in nyala.toml
        ");
    }
}
