//! `manage.py collectstatic`, with the real Django.

use crate::support::{Project, Site, use_real_index};

const DJANGO: &str = "django<6";

fn settings(project: &Project<'_>, apps: &str, more: &str) {
    project.write(
        "mysite/settings.py",
        format!(
            "import os\nfrom pathlib import Path\n\
             BASE_DIR = Path(__file__).resolve().parent.parent\n\
             SECRET_KEY = os.environ['SECRET_KEY']\nINSTALLED_APPS = [{apps}]\n\
             STATIC_URL = 'static/'\n{more}\n"
        ),
    );
}

#[test]
fn static_files_are_collected_if_django_is_used() {
    let site = Site::new();
    if !use_real_index(&site, DJANGO) {
        return;
    }
    site.set("SECRET_KEY", "only-in-the-app-settings");
    let project = site.project();
    project
        .write("requirements.txt", DJANGO)
        .write(
            "manage.py",
            "import os, sys\nos.environ.setdefault('DJANGO_SETTINGS_MODULE', 'mysite.settings')\n\
             from django.core.management import execute_from_command_line\n\
             execute_from_command_line(sys.argv)\n",
        )
        .write("mysite/__init__.py", "")
        .write("shop/__init__.py", "")
        .write("shop/static/shop.css", "body {}\n");
    let (staticfiles, root) =
        ("'django.contrib.staticfiles', 'shop'", "STATIC_ROOT = BASE_DIR / 'static'");
    settings(&project, staticfiles, root);
    let push = project.push();
    push.assert_success()
        .assert_says(
            "Collecting Django static files. You can skip Django specific steps with a \
             .skipDjango file.",
        )
        .assert_says("1 static file copied");
    assert_eq!(site.live_file("static/shop.css"), "body {}\n");

    settings(&project, "'shop'", root);
    project.push().assert_success().assert_says("django.contrib.staticfiles is not in");

    // Each of these opts out; otherwise collecting static files fails here.
    settings(&project, staticfiles, "");
    let before = site.live_state();
    project
        .push()
        .assert_failed_with("Traceback (most recent call last)")
        .assert_says("STATIC_ROOT names the folder to collect into")
        .assert_says(
            "commit a file named .skipDjango, or nyala config set DISABLE_COLLECTSTATIC=1",
        );
    settings(&project, staticfiles, "raise RuntimeError('broken settings')");
    project
        .push()
        .assert_failed_with("Traceback (most recent call last)")
        .assert_says("broken settings");
    let error = site.record(4)["error"].to_string();
    assert!(error.contains("RuntimeError: broken settings"), "{error}");
    settings(&project, staticfiles, root);
    site.nyala(&["config", "unset", "SECRET_KEY"]).assert_success();
    project
        .push()
        .assert_failed_with("found: KeyError: 'SECRET_KEY'")
        .assert_says("nyala config set SECRET_KEY=…")
        .assert_does_not_say("To deploy without them");
    site.set("SECRET_KEY", "only-in-the-app-settings");
    assert_eq!(site.live_state(), before);

    // A manage.py that names no settings: those that the server uses count.
    let manage = "import sys\nfrom django.core.management import execute_from_command_line\n\
                  execute_from_command_line(sys.argv)\n";
    project.write("manage.py", manage);
    let push = project.push();
    push.assert_success()
        .assert_says("manage.py names no settings, and no wsgi.py or asgi.py names them")
        .assert_says("nyala config set DJANGO_SETTINGS_MODULE=mysite.settings");
    let wsgi = "import os\nos.environ.setdefault('DJANGO_SETTINGS_MODULE', 'mysite.settings')\n";
    let push = project.write("mysite/wsgi.py", wsgi).push();
    push.assert_success()
        .assert_says("mysite/wsgi.py names mysite.settings")
        .assert_says("1 static file copied");

    site.set("DISABLE_COLLECTSTATIC", "1");
    let push = project.write("page", "1").push();
    push.assert_success().assert_says("turned off by the app setting DISABLE_COLLECTSTATIC");
    site.nyala(&["config", "unset", "DISABLE_COLLECTSTATIC"]).assert_success();
    project
        .write(".skipDjango", "")
        .push()
        .assert_success()
        .assert_says("collected: .skipDjango is in the tree");
    assert_eq!(site.env_id(), 1);
}

#[test]
fn django_is_detected_in_the_env_not_in_the_tree() {
    let site = Site::new();
    let project = site.project();
    project
        .write("requirements.txt", "grass # django==4.2\n")
        .write("django/__init__.py", "def get_version():\n    return '4.2'\n")
        .write("manage.py", "raise SystemExit('never run')\n");
    project
        .push()
        .assert_success()
        .assert_says("Django static files are not collected: the environment has no Django.")
        .assert_does_not_say("never run");
    let before = site.live_state();

    // A Python that does not start says nothing of Django.
    site.set("PYTHONHOME", "/nonsense");
    project.write("page", "").push().assert_failed_with("cannot say whether it has Django");
    site.nyala(&["config", "unset", "PYTHONHOME"]).assert_success();

    // An installed Django that cannot be imported, as an old one cannot on a new Python.
    let backend = include_str!("fixtures/backend.py")
        .replace("waterhole", "django")
        .replace("\"VERSION = %r\\n\" % VERSION", "\"import there_is_no_distutils\\n\"")
        .replace("@VERSION@", "3.1");
    project
        .local_package("old", "3.1", "    pass\n")
        .write("old/backend.py", backend)
        .write("requirements.txt", "grass\n./old\n");
    project
        .push()
        .assert_failed_with("the environment has Django, but it cannot be imported")
        .assert_says("No module named 'there_is_no_distutils'");
    assert_eq!(site.live_state(), before);
    project.write(".heroku/collectstatic_disabled", "").push().assert_success();
    assert!(site.log(4).contains(".heroku/collectstatic_disabled is in the tree"));
}
