//! `nyala proxy`: the real nginx and Caddy in front of a site.

use std::fs;

use crate::running::application;
use crate::support::{Front, Site, use_real_index};

#[test]
fn a_web_server_in_front_passes_everything_on() {
    let (site, _server) = Site::served("max_body = 1000");
    let project = site.project();
    application(&project, "page", "");
    project.push().assert_success();
    for front in Front::all(&site) {
        let name = front.name;
        let forged = "X-Forwarded-For: 6.6.6.6\r\nX-Forwarded-Proto: https\r\n";
        let answer = front.ask("GET", "/", forged, "");
        assert_eq!((answer.status, answer.body.as_str()), (200, "page 1 shop.test\n"), "{name}");
        let head = answer.head.to_lowercase();
        assert!(head.contains("got-x-forwarded-for: 127.0.0.1"), "{name}: {head}");
        assert!(head.contains("got-x-forwarded-proto: http\r\n"), "{name}: {head}");
        assert!(!head.contains("6.6.6.6"), "{name}: {head}");
        assert_eq!(front.echo("/websocket", "hello"), "echo hello", "{name}");
        let large = "x".repeat(1001);
        let length = |body: &str| format!("Content-Length: {}\r\n", body.len());
        assert_eq!(front.ask("POST", "/", &length("hello"), "hello").body, "5 bytes\n", "{name}");
        assert_eq!(front.ask("POST", "/", &length(&large), &large).status, 413, "{name}");
    }
}

#[test]
fn djangos_static_files_come_from_what_is_live() {
    let (site, _server) = Site::served("domains = ['shop.test']");
    let django = "django<6";
    if !use_real_index(&site, django) {
        return;
    }
    let project = site.project();
    let manage = "import os, sys\n\
                  os.environ.setdefault('DJANGO_SETTINGS_MODULE', 'mysite.settings')\n\
                  from django.core.management import execute_from_command_line\n\
                  execute_from_command_line(sys.argv)\n";
    let settings = "from pathlib import Path\nBASE_DIR = Path(__file__).resolve().parent.parent\n\
                    SECRET_KEY = 'x'\nROOT_URLCONF = 'mysite.urls'\n\
                    ALLOWED_HOSTS = ['shop.test']\n\
                    INSTALLED_APPS = ['django.contrib.staticfiles', 'shop']\n\
                    STATIC_URL = 'static/'\nSTATIC_ROOT = BASE_DIR / 'collected files'\n\
                    print('settings may print')\n";
    let urls = "from django.http import HttpResponse\nfrom django.urls import path\n\
                urlpatterns = [path('', lambda request: HttpResponse(request.get_host()))]\n";
    project
        .write("requirements.txt", django)
        .write("manage.py", manage)
        .write("mysite/__init__.py", "")
        .write("mysite/settings.py", settings)
        .write("mysite/urls.py", urls)
        .write("shop/__init__.py", "")
        .write("shop/static/shop.css", "one")
        .write("Procfile", "web: python manage.py runserver --noreload 127.0.0.1:$PORT\n");
    project.push().assert_success();
    let fronts = Front::all(&site);
    for front in &fronts {
        assert!(front.get("/").body.contains("shop.test"), "{}", front.name);
        assert_eq!(front.get("/static/shop.css").body, "one", "{}", front.name);
        assert_eq!(front.get("/static/../mysite/settings.py").status, 404, "{}", front.name);
    }
    let direct = "GET /static/shop.css HTTP/1.1\r\nHost: shop.test\r\nConnection: close\r\n\r\n";
    assert_eq!(site.ask(direct).status, 404, "the application does not serve them");
    project.write("shop/static/shop.css", "two").push().assert_success();
    for front in &fronts {
        assert_eq!(front.get("/static/shop.css").body, "two", "{}", front.name);
    }
}

#[test]
fn what_cannot_be_written_into_a_configuration_is_refused() {
    let site = Site::new();
    let proxy = |arguments: &[&str]| site.nyala(&[&["proxy"], arguments].concat());
    proxy(&["nginx"]).assert_failed(2, "no domain was named");
    proxy(&["nginx", "--domain", "http://shop.test/"]).assert_failed(2, "this is not a domain");
    proxy(&["nginx", "--domain", "a;b"]).assert_failed(2, "this is not a domain");
    proxy(&["apache", "--domain", "shop.test"]).assert_failed(2, "[possible values: nginx, caddy]");
    // Nothing is live, and nothing has static files.
    let text = proxy(&["nginx", "--domain", "shop.test"]).assert_success().stdout.clone();
    assert!(text.contains("server 127.0.0.1:8"), "{text}");
    assert!(text.contains("domains = [\"shop.test\"] under [run]"), "{text}");
    let file = site.path.join("nyala.toml");
    let settings = fs::read_to_string(&file).unwrap();
    let without: Vec<_> = settings.lines().filter(|line| !line.starts_with("listen = ")).collect();
    fs::write(&file, without.join("\n")).unwrap();
    proxy(&["caddy", "--domain", "shop.test"]).assert_failed(1, "Write listen = ");
}
