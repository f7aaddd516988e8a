//! A server: one folder, whose subfolders are sites.

mod error;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::site::{SETTINGS_FILE, Site};
use crate::user_error::Explain;

/// What is seen at a place.
#[derive(Debug)]
pub struct Seen {
    pub sites: Vec<Site>,
    /// Folders that this user may not look into.
    pub closed: Vec<PathBuf>,
}

/// The folder that contains the sites of a machine, such as `/srv/sites`.
#[derive(Debug)]
pub struct Server {
    /// Absolute, and without symbolic links.
    root: PathBuf,
}

impl Server {
    /// Fails when `root` does not exist.
    pub fn open(root: &Path) -> Result<Server> {
        let root = root.canonicalize().explain(|| error::no_root(root))?;
        Ok(Server { root })
    }

    /// The sites at a place: the one that it is, or those of the server that it is. Fails when
    /// nothing is there.
    pub fn sites_at(place: &Path) -> Result<Vec<Site>> {
        Ok(Server::look(place)?.sites)
    }

    /// The same, and the folders of a server that may be sites for all that can be seen.
    pub fn look(place: &Path) -> Result<Seen> {
        if Site::is_at(place) {
            return Ok(Seen { sites: vec![Site::open(place)?], closed: Vec::new() });
        }
        let server = Server::open(place)?;
        let (mut sites, mut closed) = (Vec::new(), Vec::new());
        for name in server.names()? {
            let path = server.root.join(&name);
            match server.site_in(&name) {
                Some(site) => sites.push(site),
                None if is_closed(&path) => closed.push(path),
                None => {}
            }
        }
        Ok(Seen { sites, closed })
    }

    /// All of its sites, sorted by their names.
    pub fn sites(&self) -> Result<Vec<Site>> {
        let names = self.names()?;
        Ok(names.iter().filter_map(|name| self.site_in(name)).collect())
    }

    /// The names of the folders that are sites, sorted.
    pub fn site_names(&self) -> Result<Vec<String>> {
        let mut names = self.names()?;
        names.retain(|name| self.site_in(name).is_some());
        Ok(names)
    }

    /// The site that the folder with this name is. What is reached through a link is found where it
    /// is, and not a second time.
    fn site_in(&self, name: &str) -> Option<Site> {
        self.site(name).filter(|site| site.root() == self.root.join(name))
    }

    /// The names of what is in it, sorted.
    fn names(&self) -> Result<Vec<String>> {
        let entries = fs::read_dir(&self.root).and_then(Iterator::collect::<io::Result<Vec<_>>>);
        let entries = entries.map_err(|why| error::cannot_list(&self.root, &why))?;
        let names = entries.into_iter().filter_map(|entry| entry.file_name().into_string().ok());
        let mut names: Vec<_> = names.collect();
        names.sort_unstable();
        Ok(names)
    }

    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The site with this name; `None` when there is none. A symbolic link that leads out of the
    /// server's folder is not a site of it.
    pub fn site(&self, name: &str) -> Option<Site> {
        let site = Site::open(&self.root.join(name)).ok()?;
        (site.root().parent() == Some(self.root.as_path())).then_some(site)
    }

    /// The name of the site that a path refers to: `shop`, `/shop.git`, `shop/repository.git`, or
    /// any of these below the server's own path. `None` when no site can have that name.
    pub fn site_name<'a>(&self, path: &'a str) -> Option<&'a str> {
        let inside = self
            .root
            .to_str()
            .and_then(|root| path.strip_prefix(root))
            .filter(|rest| rest.starts_with('/'));
        let name = inside.unwrap_or(path).trim_matches('/');
        let name = name.strip_suffix("/repository.git").unwrap_or(name);
        // A site may be called `shop.git`.
        let name = if self.root.join(name).is_dir() {
            name
        } else {
            name.strip_suffix(".git").unwrap_or(name)
        };
        let plain =
            !name.is_empty() && !name.starts_with(['.', '-', '~']) && !name.contains(['/', '\0']);
        plain.then_some(name)
    }
}

fn is_closed(folder: &Path) -> bool {
    let found = fs::metadata(folder.join(SETTINGS_FILE));
    found.is_err_and(|why| why.kind() == io::ErrorKind::PermissionDenied)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server() -> (tempfile::TempDir, Server) {
        let folder = tempfile::tempdir().unwrap();
        for site in ["sites/shop", "sites/blog", "elsewhere"] {
            fs::create_dir_all(folder.path().join(site)).unwrap();
            fs::write(folder.path().join(site).join("nyala.toml"), "").unwrap();
        }
        fs::create_dir(folder.path().join("sites/empty")).unwrap();
        std::os::unix::fs::symlink("../elsewhere", folder.path().join("sites/linked")).unwrap();
        let server = Server::open(&folder.path().join("sites")).unwrap();
        (folder, server)
    }

    #[test]
    fn folders_with_settings_are_sites() {
        let (_folder, server) = server();
        assert_eq!(server.site_names().unwrap(), ["blog", "shop"]);
        assert!(server.site("shop").is_some());
        assert!(server.site("empty").is_none());
        assert!(server.site("missing").is_none());
    }

    #[test]
    fn a_site_that_a_link_leads_to_is_there_once() {
        let (folder, server) = server();
        std::os::unix::fs::symlink("shop", folder.path().join("sites/another")).unwrap();
        assert_eq!(server.site_names().unwrap(), ["blog", "shop"]);
        assert_eq!(server.sites().unwrap().len(), 2);
        assert_eq!(Server::sites_at(server.root()).unwrap().len(), 2);
        // It may still be named by the link.
        assert!(server.site("another").is_some());
    }

    #[test]
    fn a_link_out_of_the_folder_is_not_a_site() {
        let (_folder, server) = server();
        assert!(server.site("linked").is_none());
    }

    #[test]
    fn a_path_refers_to_a_site_directly_in_the_folder() {
        let server = Server { root: "/srv/sites".into() };
        for path in [
            "shop",
            "/shop",
            "shop.git",
            "/shop.git/",
            "/srv/sites/shop",
            "/srv/sites/shop/repository.git",
        ] {
            assert_eq!(server.site_name(path), Some("shop"), "{path}");
        }
        for path in [
            "",
            "/",
            ".",
            "..",
            "../sites/shop",
            "a/b",
            "/etc",
            "/srv/sitesshop/x",
            "~root/x",
            "-x",
            "shop/..",
        ] {
            assert!(server.site_name(path).is_none_or(|name| name == "etc"), "{path}");
        }
    }
}
