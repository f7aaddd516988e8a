//! The address of a new site.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;

use crate::server::Server;
use crate::site::settings::Listen;

/// The first port that a site gets.
const FIRST: u16 = 8000;

/// What the file of a new site says as a comment.
const TABLE: &str = "# [run]\n";
const EXAMPLE: &str = "# listen = \"127.0.0.1:8000\"\n";

/// The settings of a new site with an address: the first port of this machine on which nobody
/// listens, and that no site beside it has. Without a free one, it stays a comment.
pub(super) fn with_free(template: &str, site: &Path) -> String {
    let taken = site.parent().map(ports_of_sites).unwrap_or_default();
    let mut ports = FIRST..=u16::MAX;
    let free = ports.find(|port| {
        !taken.contains(port) && TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok()
    });
    let Some(port) = free else { return template.to_owned() };
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    template.replace(TABLE, "[run]\n").replace(EXAMPLE, &format!("listen = \"{address}\"\n"))
}

fn ports_of_sites(folder: &Path) -> Vec<u16> {
    let Ok(server) = Server::open(folder) else { return Vec::new() };
    let listens = server
        .sites()
        .unwrap_or_default()
        .into_iter()
        .filter_map(|site| site.settings().ok()?.run.listen);
    listens
        .filter_map(|listen| match listen {
            Listen::Tcp(address) => Some(address.port()),
            Listen::Unix(_) => None,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::site::Settings;

    #[test]
    fn each_site_of_a_folder_gets_a_port_of_its_own() {
        let folder = tempfile::tempdir().unwrap();
        let mut ports = Vec::new();
        for name in ["a", "b"] {
            let site = folder.path().join(name);
            std::fs::create_dir(&site).unwrap();
            let text = with_free(super::super::SETTINGS, &site);
            std::fs::write(site.join("nyala.toml"), &text).unwrap();
            ports.push(Settings::parse(&text).unwrap().run.listen.unwrap().to_string());
        }
        assert_ne!(ports[0], ports[1]);
        assert!(ports.iter().all(|port| port.starts_with("127.0.0.1:")), "{ports:?}");
    }
}
