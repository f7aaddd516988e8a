//! A site of a Caddyfile.

use std::fmt::Write as _;
use std::path::Path;

use super::{Front, quoted};
use crate::site::settings::Listen;

pub(super) fn configuration(front: &Front) -> String {
    let Front { domains, listen, max_body, static_files, .. } = front;
    let mut text = front.comment(
        "Caddy",
        &[
            "To use it, as root:".to_owned(),
            format!("  {} \\", front.command("caddy")),
            "    >> /etc/caddy/Caddyfile".to_owned(),
            "  caddy validate --config /etc/caddy/Caddyfile && systemctl reload caddy".to_owned(),
            "For TLS there is nothing to do: Caddy gets the certificate and renews it, once the"
                .to_owned(),
            "domain leads to this machine, and ports 80 and 443 are open.".to_owned(),
        ],
    );
    let _ = write!(
        text,
        "
{} {{
\t# max_body in nyala.toml
\trequest_body {{
\t\tmax_size {max_body}
\t}}
",
        domains.join(", ")
    );
    if let Some(files) = static_files {
        let _ = write!(
            text,
            "
\t# Django's static files, straight from what is live.
\thandle_path {}* {{
\t\troot * {}
\t\tfile_server
\t}}
",
            files.url,
            quoted(&files.root)
        );
    }
    let upstream = match listen {
        Listen::Tcp(address) => address.to_string(),
        Listen::Unix(path) => quoted(Path::new(&format!("unix/{}", path.display()))),
    };
    // Caddy adds X-Forwarded-For, -Proto and -Host by itself, and passes websockets on.
    let _ = write!(
        text,
        "
\thandle {{
\t\treverse_proxy {upstream}
\t}}
}}
"
    );
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::front::tests::front;

    #[test]
    fn a_site_has_everything() {
        insta::assert_snapshot!(configuration(&front(true)).replace('\t', "  "), @r#"
        # shop.example.org: Caddy in front of /srv/shop
        #
        # To use it, as root:
        #   nyala proxy caddy --domain shop.example.org --domain www.example.org --site /srv/shop \
        #     >> /etc/caddy/Caddyfile
        #   caddy validate --config /etc/caddy/Caddyfile && systemctl reload caddy
        # For TLS there is nothing to do: Caddy gets the certificate and renews it, once the
        # domain leads to this machine, and ports 80 and 443 are open.
        #
        # A note.

        shop.example.org, www.example.org {
          # max_body in nyala.toml
          request_body {
            max_size 2147483648
          }

          # Django's static files, straight from what is live.
          handle_path /static/* {
            root * "/srv/my shop/wwwroot/st"
            file_server
          }

          handle {
            reverse_proxy 127.0.0.1:8000
          }
        }
        "#);
        insta::assert_snapshot!(configuration(&front(false)).replace('\t', "  "), @r"
        # shop.example.org: Caddy in front of /srv/shop
        #
        # To use it, as root:
        #   nyala proxy caddy --domain shop.example.org --domain www.example.org --site /srv/shop \
        #     >> /etc/caddy/Caddyfile
        #   caddy validate --config /etc/caddy/Caddyfile && systemctl reload caddy
        # For TLS there is nothing to do: Caddy gets the certificate and renews it, once the
        # domain leads to this machine, and ports 80 and 443 are open.
        #
        # A note.

        shop.example.org, www.example.org {
          # max_body in nyala.toml
          request_body {
            max_size 1000
          }

          handle {
            reverse_proxy unix//srv/shop/run/web.sock
          }
        }
        ");
    }
}
