//! What a project is, by its files, which are read and never imported.

use anyhow::Result;

use super::{LARGEST, Release, django};
use crate::git::{CommitTree, Kind};

/// What a project was recognized as.
pub(super) enum Recognized {
    /// It is run with this command.
    Runs {
        what: String,
        command: String,
    },
    /// The environment has nothing to run it with.
    NoServer {
        what: String,
        server: &'static str,
    },
    Nothing,
}

/// Where people write their application, in the order in which it is looked for: at the top, or in
/// a package `app`, as the documentation of Flask and `FastAPI` has it.
const FILES: [&str; 10] = [
    "app.py",
    "application.py",
    "main.py",
    "wsgi.py",
    "asgi.py",
    "api.py",
    "app/__init__.py",
    "app/main.py",
    "app/app.py",
    "app/api.py",
];

/// What people call it.
const NAMES: [&str; 2] = ["app", "application"];
const FACTORY: &str = "create_app";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Interface {
    Wsgi,
    Asgi,
}

/// An application that a server can import.
pub(super) struct Application {
    pub(super) what: String,
    /// The folder that it is imported from, relative to the release; empty for the top.
    pub(super) folder: String,
    pub(super) module: String,
    pub(super) name: &'static str,
    pub(super) is_factory: bool,
    pub(super) interface: Interface,
}

pub(super) fn recognize(tree: &CommitTree<'_>, release: &Release<'_>) -> Result<Recognized> {
    let mut applications = match release.manage_folder {
        Some(folder) => django::find(tree, folder, release.app_settings)?,
        None => Vec::new(),
    };
    if applications.is_empty() {
        applications.extend(in_a_module(tree)?);
    }
    Ok(first_with_server(applications, release.has_program))
}

/// The first that the environment has a server for.
fn first_with_server(applications: Vec<Application>, has: &dyn Fn(&str) -> bool) -> Recognized {
    let command = |it: &Application| Some((it.what.clone(), it.command(has)?));
    if let Some((what, command)) = applications.iter().find_map(command) {
        return Recognized::Runs { what, command };
    }
    let Some(Application { what, interface, .. }) = applications.into_iter().next() else {
        return Recognized::Nothing;
    };
    let server = match interface {
        Interface::Wsgi => "gunicorn",
        Interface::Asgi => "uvicorn",
    };
    Recognized::NoServer { what, server }
}

fn in_a_module(tree: &CommitTree<'_>) -> Result<Option<Application>> {
    for file in FILES {
        let entry = tree.entry(file)?.filter(|entry| entry.kind == Kind::File);
        let Some(entry) = entry else { continue };
        if tree.size(entry.oid)? > LARGEST {
            continue;
        }
        let text = tree.read(entry.oid)?;
        let found = application_in(&String::from_utf8_lossy(&text));
        if let Some((framework, name, is_factory)) = found {
            return Ok(Some(Application {
                what: format!("{} ({file})", framework.class),
                folder: String::new(),
                module: module_of(file),
                name,
                is_factory,
                interface: framework.interface,
            }));
        }
    }
    Ok(None)
}

/// What a file is imported as from the top.
fn module_of(file: &str) -> String {
    let stem = file.strip_suffix(".py").unwrap_or(file);
    stem.strip_suffix("/__init__").unwrap_or(stem).replace('/', ".")
}

struct Framework {
    /// The class of its applications.
    class: &'static str,
    package: &'static str,
    interface: Interface,
}

const FRAMEWORKS: [Framework; 4] = [
    Framework { class: "Flask", package: "flask", interface: Interface::Wsgi },
    Framework { class: "FastAPI", package: "fastapi", interface: Interface::Asgi },
    Framework { class: "Starlette", package: "starlette", interface: Interface::Asgi },
    Framework { class: "Quart", package: "quart", interface: Interface::Asgi },
];

/// What a module defines: the framework, the name in the module, and whether that is a function
/// that makes the application.
type Defined = (&'static Framework, &'static str, bool);

/// The application that a module defines at its top level: `app = Flask(__name__)`,
/// `app: FastAPI = fastapi.FastAPI()`, `def create_app():`.
fn application_in(python: &str) -> Option<Defined> {
    let imported = || FRAMEWORKS.iter().find(|framework| imports(python, framework.package));
    for line in python.lines() {
        let Some((name, value)) = assigned(line) else { continue };
        let framework = called_in(value).or_else(|| {
            // What makes an application has its class from somewhere.
            let function = value.split_once('(')?.0;
            let is_factory = function == FACTORY || defines(python, function);
            imported().filter(|_| is_factory)
        });
        if let Some(framework) = framework {
            return Some((framework, name, false));
        }
    }
    Some((imported().filter(|_| defines(python, FACTORY))?, FACTORY, true))
}

/// Whether a module defines a function at its top level.
fn defines(python: &str, function: &str) -> bool {
    python.lines().any(|line| {
        let rest = line.strip_prefix("def ").and_then(|rest| rest.strip_prefix(function));
        rest.is_some_and(|rest| rest.starts_with('('))
    })
}

/// One of the names that people give their application, and what a line assigns to it:
/// `application = app = Flask(__name__)`.
fn assigned(line: &str) -> Option<(&'static str, &str)> {
    let (mut name, mut value) = (None, line);
    while let Some((target, rest)) = value.split_once('=')
        && !rest.starts_with('=')
    {
        let target = target.split(':').next()?.trim_end();
        if target.contains(|it: char| !it.is_alphanumeric() && it != '_') {
            break;
        }
        name = name.or_else(|| NAMES.into_iter().find(|name| *name == target));
        value = rest.trim_start();
    }
    Some((name?, value))
}

/// The framework whose class is called: `flask.Flask(__name__)`.
fn called_in(value: &str) -> Option<&'static Framework> {
    let class = value.split('(').next()?.trim().rsplit('.').next()?;
    FRAMEWORKS.iter().find(|framework| framework.class == class)
}

fn imports(python: &str, package: &str) -> bool {
    python.lines().any(|line| {
        let rest = line.strip_prefix("from ").or_else(|| line.strip_prefix("import "));
        rest.and_then(|rest| rest.strip_prefix(package)).is_some_and(|rest| {
            !rest.starts_with(|it: char| it.is_ascii_alphanumeric() || it == '_')
        })
    })
}

impl Application {
    /// How a server of the environment runs it. They listen on a port of this machine that only
    /// nyala connects to.
    fn command(&self, has: &dyn Fn(&str) -> bool) -> Option<String> {
        let Self { module, name, is_factory, interface, folder, .. } = self;
        let target = format!("{module}:{name}");
        let called = if *is_factory { format!("'{target}()'") } else { target.clone() };
        let inside = |option: &str| match folder.as_str() {
            "" => String::new(),
            folder => format!(" {option} {}", shlex::try_quote(folder).unwrap_or_default()),
        };
        let gunicorn = || format!("gunicorn --bind 127.0.0.1:$PORT{} {called}", inside("--chdir"));
        let uvicorn = || {
            let factory = if *is_factory { " --factory" } else { "" };
            let folder = inside("--app-dir");
            format!("uvicorn --host 127.0.0.1 --port $PORT{factory}{folder} {target}")
        };
        // By itself, uWSGI goes on without an application that cannot be imported, takes 4 KiB of
        // headers, and runs no threads of the application.
        let uwsgi = || {
            format!(
                "uwsgi --http-socket 127.0.0.1:$PORT --master --processes $WEB_CONCURRENCY \
                 --need-app --enable-threads --buffer-size 32768{} --module {called}",
                inside("--chdir")
            )
        };
        let granian = |interface: &str| {
            let factory = if *is_factory { " --factory" } else { "" };
            let folder = inside("--working-dir");
            format!(
                "granian --interface {interface} --host 127.0.0.1 --port $PORT{factory}{folder} \
                 {target}"
            )
        };
        match interface {
            Interface::Wsgi if has("gunicorn") => Some(gunicorn()),
            Interface::Wsgi if has("waitress-serve") && folder.is_empty() => {
                let call = if *is_factory { " --call" } else { "" };
                Some(format!("waitress-serve --listen=127.0.0.1:$PORT{call} {target}"))
            }
            Interface::Wsgi if has("uwsgi") => Some(uwsgi()),
            Interface::Wsgi if has("granian") => Some(granian("wsgi")),
            Interface::Asgi if has("uvicorn") => Some(uvicorn()),
            Interface::Asgi if has("hypercorn") && folder.is_empty() => {
                Some(format!("hypercorn --bind 127.0.0.1:$PORT {called}"))
            }
            Interface::Asgi if has("daphne") && folder.is_empty() && !is_factory => {
                Some(format!("daphne -b 127.0.0.1 -p $PORT {target}"))
            }
            Interface::Asgi if has("granian") => Some(granian("asgi")),
            Interface::Wsgi | Interface::Asgi => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(python: &str) -> Option<(&'static str, &'static str, bool)> {
        application_in(python)
            .map(|(framework, name, is_factory)| (framework.class, name, is_factory))
    }

    #[test]
    fn an_application_is_found_as_people_write_it() {
        assert_eq!(
            found("from flask import Flask\napp = Flask(__name__)\n"),
            Some(("Flask", "app", false))
        );
        assert_eq!(
            found("import flask\napplication=flask.Flask(__name__)"),
            Some(("Flask", "application", false))
        );
        assert_eq!(
            found("from fastapi import FastAPI\napp: FastAPI = FastAPI(\n    title='x')"),
            Some(("FastAPI", "app", false))
        );
        assert_eq!(
            found("from flask import Flask\ndef create_app():\n    app = Flask(__name__)\n"),
            Some(("Flask", "create_app", true))
        );
        assert_eq!(
            found("from flask import Flask\ndef create_app(x):\n    pass\napp = create_app()"),
            Some(("Flask", "app", false))
        );
        assert_eq!(
            found(
                "from fastapi import FastAPI\ndef get_app() -> FastAPI:\n    pass\napp = get_app()"
            ),
            Some(("FastAPI", "app", false))
        );
    }

    #[test]
    fn an_application_may_have_several_names() {
        let named = |line: &str| found(&format!("from flask import Flask\n{line}"));
        assert_eq!(
            named("application = app = Flask(__name__)"),
            Some(("Flask", "application", false))
        );
        assert_eq!(named("server = app = Flask(__name__)"), Some(("Flask", "app", false)));
        assert_eq!(named("app = Flask(static_folder='x')"), Some(("Flask", "app", false)));
        assert_eq!(named("app = other(app=Flask(__name__))"), None);
    }

    #[test]
    fn a_file_of_a_package_is_imported_by_its_dotted_name() {
        assert_eq!(module_of("app/main.py"), "app.main");
        assert_eq!(module_of("app/__init__.py"), "app");
        assert_eq!(module_of("wsgi.py"), "wsgi");
    }

    #[test]
    fn other_modules_are_no_applications() {
        for python in [
            "",
            "import flaskette\ndef create_app(): pass",
            "if app == Flask(x): pass",
            "    app = Flask(__name__)",
            "server = Flask(__name__)",
            "# app = Flask(__name__)",
            "from flask import Flask\napp = other()",
        ] {
            assert_eq!(found(python), None, "{python}");
        }
    }

    fn application(interface: Interface, folder: &str, factory: bool) -> Application {
        Application {
            what: format!("{interface:?}"),
            folder: folder.to_owned(),
            module: "app".to_owned(),
            name: if factory { FACTORY } else { "app" },
            is_factory: factory,
            interface,
        }
    }

    fn command(interface: Interface, folder: &str, factory: bool, programs: &[&str]) -> String {
        let application = application(interface, folder, factory);
        let has = |program: &str| programs.contains(&program);
        application.command(&has).unwrap_or_default()
    }

    #[test]
    fn what_has_a_server_is_run() {
        let of_django = |program: &'static str| {
            let both = [Interface::Wsgi, Interface::Asgi].map(|it| application(it, "", false));
            match first_with_server(both.into(), &|it| it == program) {
                Recognized::Runs { what, .. } => what,
                Recognized::NoServer { what, server } => format!("{what}, without {server}"),
                Recognized::Nothing => String::new(),
            }
        };
        assert_eq!(of_django("gunicorn"), "Wsgi");
        for server in ["uvicorn", "hypercorn", "daphne"] {
            assert_eq!(of_django(server), "Asgi");
        }
        assert_eq!(of_django("nginx"), "Wsgi, without gunicorn");
    }

    #[test]
    fn the_server_of_the_environment_runs_it() {
        let wsgi = |programs: &[&str]| command(Interface::Wsgi, "", false, programs);
        assert_eq!(
            wsgi(&["gunicorn", "waitress-serve"]),
            "gunicorn --bind 127.0.0.1:$PORT app:app"
        );
        assert_eq!(wsgi(&["waitress-serve"]), "waitress-serve --listen=127.0.0.1:$PORT app:app");
        assert_eq!(wsgi(&["uvicorn"]), "");
        assert_eq!(
            wsgi(&["uwsgi"]),
            "uwsgi --http-socket 127.0.0.1:$PORT --master --processes $WEB_CONCURRENCY --need-app \
             --enable-threads --buffer-size 32768 --module app:app"
        );
        assert_eq!(
            command(Interface::Asgi, "web", true, &["granian"]),
            "granian --interface asgi --host 127.0.0.1 --port $PORT --factory --working-dir web \
             app:create_app"
        );
        assert_eq!(
            command(Interface::Wsgi, "my site", true, &["gunicorn"]),
            "gunicorn --bind 127.0.0.1:$PORT --chdir 'my site' 'app:create_app()'"
        );
        assert_eq!(
            command(Interface::Asgi, "web", true, &["uvicorn"]),
            "uvicorn --host 127.0.0.1 --port $PORT --factory --app-dir web app:create_app"
        );
        assert_eq!(
            command(Interface::Asgi, "", false, &["daphne"]),
            "daphne -b 127.0.0.1 -p $PORT app:app"
        );
    }
}
