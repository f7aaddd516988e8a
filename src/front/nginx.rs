//! A server block for nginx.

use std::fmt::Write as _;
use std::path::Path;

use super::{Front, quoted};
use crate::site::settings::Listen;

pub(super) fn configuration(front: &Front) -> String {
    let Front { name, domains, listen, max_body, static_files, .. } = front;
    let upstream = format!("nyala_{}", identifier(name));
    let domains_with_flags: Vec<_> = domains.iter().map(|it| format!("-d {it}")).collect();
    let mut text = front.comment(
        "nginx",
        &[
            "To use it, as root:".to_owned(),
            format!("  {} \\", front.command("nginx")),
            format!("    > /etc/nginx/conf.d/{name}.conf"),
            "  nginx -t && systemctl reload nginx".to_owned(),
            "For TLS, which adds its lines here and renews the certificate:".to_owned(),
            "  apt-get install python3-certbot-nginx".to_owned(),
            format!("  certbot --nginx {}", domains_with_flags.join(" ")),
        ],
    );
    let server = match listen {
        Listen::Tcp(address) => address.to_string(),
        Listen::Unix(path) => quoted(Path::new(&format!("unix:{}", path.display()))),
    };
    let _ = write!(
        text,
        "
upstream {upstream} {{
    server {server};
    keepalive 32;
}}

map $http_upgrade ${upstream}_connection {{
    default upgrade;
    ''      '';
}}

server {{
    listen 80;
    listen [::]:80;
    server_name {};

    # max_body in nyala.toml
    client_max_body_size {};
",
        domains.join(" "),
        size(*max_body)
    );
    if let Some(files) = static_files {
        let root = quoted(&files.root.join(""));
        let _ = write!(
            text,
            "
    # Django's static files, straight from what is live.
    location {} {{
        alias {root};
    }}
",
            files.url
        );
    }
    let _ = write!(
        text,
        "
    location / {{
        proxy_pass http://{upstream};
        proxy_http_version 1.1;
        proxy_set_header Host $host;
        proxy_set_header X-Forwarded-For $remote_addr;
        proxy_set_header X-Forwarded-Proto $scheme;
        proxy_set_header X-Forwarded-Host $host;
        # Websockets, which may be silent for long.
        proxy_set_header Upgrade $http_upgrade;
        proxy_set_header Connection ${upstream}_connection;
        proxy_read_timeout 1h;
        proxy_send_timeout 1h;
        # Events and long answers reach visitors as they come.
        proxy_buffering off;
    }}
}}
"
    );
    text
}

/// A name of a variable.
fn identifier(name: &str) -> String {
    name.chars().map(|it| if it.is_ascii_alphanumeric() { it } else { '_' }).collect()
}

/// A number of bytes, in MiB where that is exact.
fn size(bytes: u64) -> String {
    if bytes.is_multiple_of(1 << 20) { format!("{}m", bytes >> 20) } else { bytes.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::front::tests::front;

    #[test]
    fn a_server_block_has_everything() {
        insta::assert_snapshot!(configuration(&front(true)), @r#"
        # shop.example.org: nginx in front of /srv/shop
        #
        # To use it, as root:
        #   nyala proxy nginx --domain shop.example.org --domain www.example.org --site /srv/shop \
        #     > /etc/nginx/conf.d/shop.conf
        #   nginx -t && systemctl reload nginx
        # For TLS, which adds its lines here and renews the certificate:
        #   apt-get install python3-certbot-nginx
        #   certbot --nginx -d shop.example.org -d www.example.org
        #
        # A note.

        upstream nyala_shop {
            server 127.0.0.1:8000;
            keepalive 32;
        }

        map $http_upgrade $nyala_shop_connection {
            default upgrade;
            ''      '';
        }

        server {
            listen 80;
            listen [::]:80;
            server_name shop.example.org www.example.org;

            # max_body in nyala.toml
            client_max_body_size 2048m;

            # Django's static files, straight from what is live.
            location /static/ {
                alias "/srv/my shop/wwwroot/st/";
            }

            location / {
                proxy_pass http://nyala_shop;
                proxy_http_version 1.1;
                proxy_set_header Host $host;
                proxy_set_header X-Forwarded-For $remote_addr;
                proxy_set_header X-Forwarded-Proto $scheme;
                proxy_set_header X-Forwarded-Host $host;
                # Websockets, which may be silent for long.
                proxy_set_header Upgrade $http_upgrade;
                proxy_set_header Connection $nyala_shop_connection;
                proxy_read_timeout 1h;
                proxy_send_timeout 1h;
                # Events and long answers reach visitors as they come.
                proxy_buffering off;
            }
        }
        "#);
        insta::assert_snapshot!(configuration(&front(false)), @r"
        # shop.example.org: nginx in front of /srv/shop
        #
        # To use it, as root:
        #   nyala proxy nginx --domain shop.example.org --domain www.example.org --site /srv/shop \
        #     > /etc/nginx/conf.d/shop.conf
        #   nginx -t && systemctl reload nginx
        # For TLS, which adds its lines here and renews the certificate:
        #   apt-get install python3-certbot-nginx
        #   certbot --nginx -d shop.example.org -d www.example.org
        #
        # A note.

        upstream nyala_shop {
            server unix:/srv/shop/run/web.sock;
            keepalive 32;
        }

        map $http_upgrade $nyala_shop_connection {
            default upgrade;
            ''      '';
        }

        server {
            listen 80;
            listen [::]:80;
            server_name shop.example.org www.example.org;

            # max_body in nyala.toml
            client_max_body_size 1000;

            location / {
                proxy_pass http://nyala_shop;
                proxy_http_version 1.1;
                proxy_set_header Host $host;
                proxy_set_header X-Forwarded-For $remote_addr;
                proxy_set_header X-Forwarded-Proto $scheme;
                proxy_set_header X-Forwarded-Host $host;
                # Websockets, which may be silent for long.
                proxy_set_header Upgrade $http_upgrade;
                proxy_set_header Connection $nyala_shop_connection;
                proxy_read_timeout 1h;
                proxy_send_timeout 1h;
                # Events and long answers reach visitors as they come.
                proxy_buffering off;
            }
        }
        ");
    }

    #[test]
    fn a_name_is_one_of_a_variable() {
        assert_eq!(identifier("my-shop.2"), "my_shop_2");
    }
}
