//! The commands: their arguments, and what they print. Each has a file named like it.
//!
//! To add one: write `src/cli/NAME.rs`, add it to [`Command`] and to [`run`], give it a group and
//! an example in `help.rs`, and regenerate `docs/commands.md` (see the test in `reference.rs`).

/// Prints a line for the person who called a command; see [`console::say`].
#[clippy::format_args]
macro_rules! say {
    ($($line:tt)*) => { $crate::console::say(format!($($line)*) + "\n") };
}

mod build_log;
mod cancel;
mod cluster;
mod completions;
mod config;
mod delete;
mod diff;
mod doctor;
#[cfg(test)]
mod documentation;
mod entry;
mod env;
mod error;
mod follow;
mod format;
mod freeze;
mod gc;
mod help;
mod image;
mod init;
mod install;
mod intent;
mod kubernetes;
mod list;
mod logs;
mod maintenance;
mod man;
mod metrics;
mod pause;
mod plan;
mod post_receive;
mod proc_receive;
mod proxy;
mod ps;
mod python;
mod redeploy;
#[cfg(test)]
mod reference;
mod report;
mod restart;
mod rollback;
mod run;
mod scale;
mod script;
mod serve;
mod service;
mod share;
mod shell;
mod show;
mod sites;
mod start;
mod status;
mod step;
mod stop;
mod table;
mod r#try;
mod unfreeze;
mod uv;
mod version;
mod wait;
mod worker;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

use crate::access::{self, Intent};
use crate::console;
use crate::console::mask;
use crate::site::Site;

pub use entry::main;

use entry::{hook_site, or_warn, say_error, say_warning, status_or_help};

/// Deploy Python sites with `git push`
#[derive(Debug, Parser)]
#[command(name = "nyala", version, disable_version_flag = true, max_term_width = 100)]
pub struct Cli {
    /// The folder of the site [default: `NYALA_SITE`, or else the site that contains the
    /// working directory]
    #[arg(long, global = true, value_name = "SITE")]
    site: Option<PathBuf>,
    /// Print the version
    #[arg(short = 'V', long)]
    version: bool,
    /// With --version: also print the commit and how it was built
    #[arg(short = 'v', long, requires = "version")]
    verbose: bool,
    /// What to do [default: `status`, inside a site]
    #[command(subcommand)]
    command: Option<Command>,
}

/// [`Cli`] for the commands of a push alone.
#[derive(Debug, Parser)]
struct PushCli {
    #[arg(long, global = true)]
    site: Option<PathBuf>,
    #[command(subcommand)]
    command: InPush,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Create a site, with a bare repository to push to
    Init(init::Init),
    /// Install the hook into an existing bare repository
    ///
    /// The site is named with --site, and is created if it is not there. A post-receive hook that
    /// is already there is kept, and still runs.
    Install(install::Install),
    /// List deployments, newest first
    List(list::List),
    /// Show what is live, and the latest deployment
    Status(status::Status),
    /// Show the details of a deployment
    Show(show::Show),
    /// Print the log of a deployment
    #[command(alias = "log")]
    BuildLog(build_log::BuildLog),
    /// Write a page about the deployments, to read in a browser
    ///
    /// It needs no server and no script to be read. With `report = true` in nyala.toml, each
    /// deployment keeps report/ of the site fresh.
    Report(report::Report),
    /// Compare two deployments: commits, files, packages, Python
    Diff(diff::Diff),
    /// Show what deploying a revision would do, without doing it
    Plan(plan::Plan),
    /// Deploy again, without a push
    Redeploy(redeploy::Redeploy),
    /// Wait until a deployment ends; the exit code is its result
    ///
    /// Exits with 0 if the deployment succeeded, 1 if it did not, and 2 if there is no such
    /// deployment.
    Wait(wait::Wait),
    /// Make an earlier release live again, without building
    ///
    /// Its env comes with it: code and packages are those of that deployment.
    Rollback(rollback::Rollback),
    /// Run the applications of sites, and pass them their requests
    ///
    /// Serves the site with --site, or those that are named, and every site in a named folder, also
    /// later ones. Runs until it gets SIGTERM, and prints what the processes print.
    Serve(serve::Serve),
    /// Have systemd run `nyala serve`
    #[command(subcommand)]
    Service(service::Service),
    /// List the sites in a folder, and whether they are healthy
    Sites(sites::Sites),
    /// Show the processes of the application
    Ps(ps::Ps),
    /// Print what the processes of the application have printed
    Logs(logs::Logs),
    /// Restart the processes of the application
    Restart(restart::Restart),
    /// Stop the application, until `nyala start`
    ///
    /// Requests that are being answered are finished; new ones get 503. It stays stopped when
    /// nyala serve is started again, and a push deploys without starting it.
    Stop,
    /// Start the application that was stopped
    ///
    /// Fails when it is not healthy; then it stays stopped.
    Start,
    /// Run more processes of the application, or fewer
    ///
    /// Applied at once, without a failed request, and kept in nyala.toml: `nyala scale web=2
    /// worker=3`. A new web process gets requests once it is healthy.
    Scale(scale::Scale),
    /// Show visitors a page in place of the application
    #[command(subcommand)]
    Maintenance(maintenance::Maintenance),
    /// Let requests wait, for example while a migration runs
    ///
    /// Returns once earlier requests are answered, or after half of the time, and 10 s at most.
    Pause(pause::Pause),
    /// Print figures of requests and processes, for Prometheus
    Metrics(metrics::Metrics),
    /// Run a command in the live release, with its env and settings
    ///
    /// The command gets the app settings, and a terminal if there is one. Its exit code is passed
    /// on; as in a shell, it is 127 for a program that is not there, and 126 for one that cannot be
    /// run.
    Run(run::Run),
    /// Print the configuration of nginx or Caddy in front of the site
    ///
    /// It passes on the requests for a domain, with websockets, the headers that name the visitor
    /// and the host, and a limit for bodies, and serves Django's static files from the live
    /// release. Its first lines say where to put it, and what to do for TLS.
    Proxy(proxy::Proxy),
    /// Delete deployments: records, logs and releases
    ///
    /// The live release is never deleted.
    Delete(delete::Delete),
    /// Remove everything that no kept release needs
    ///
    /// Also caches of built packages that were not used for 30 days. Reports the space that was
    /// freed.
    Gc,
    /// Keep files that the application wrote, in every release
    ///
    /// They are moved to shared/, linked in the live release, and added to `shared` in nyala.toml,
    /// while the application runs. If any of it fails, nothing changes.
    Share(share::Share),
    /// Make an OCI image of a release, and send it to a registry
    ///
    /// Needs no container engine. The image has a base, the interpreter where the base has none,
    /// the env and the release, and runs as the release does here.
    Image(image::Image),
    /// Show what nyala applies to a Kubernetes cluster
    ///
    /// With [kubernetes] in nyala.toml, a push rolls the release out there.
    #[command(subcommand)]
    Kubernetes(kubernetes::Kubernetes),
    /// Find problems with a site, and show how to fix them
    ///
    /// Exits with 0 if there are none, or if all of them were fixed, and with 1 otherwise.
    Doctor(doctor::Doctor),
    /// Cancel a running or waiting deployment
    Cancel(cancel::Cancel),
    /// Pause deployments
    ///
    /// Pushes are still received, and their authors are told why nothing is deployed.
    Freeze(freeze::Freeze),
    /// Resume deployments
    ///
    /// The newest push that was held back is deployed.
    Unfreeze(unfreeze::Unfreeze),
    /// Manage app settings, and show all settings
    ///
    /// App settings are environment variables for builds and for the application.
    #[command(subcommand)]
    Config(config::Config),
    /// Manage the virtual environment of the live release
    #[command(subcommand)]
    Env(env::Env),
    /// Install Pythons for this user
    #[command(subcommand)]
    Python(python::Python),
    /// Install uv for this user
    #[command(subcommand)]
    Uv(uv::Uv),
    /// Run one built-in step, from your own deployment script
    #[command(subcommand)]
    Step(step::Step),
    /// Write a deployment script to start from
    ///
    /// It is deploy.sh, with all built-in steps, and .deployment, which names it.
    Script(script::Script),
    /// Deploy your work tree to ./artifacts, on your own machine
    ///
    /// What is not committed is deployed, too.
    Try(r#try::Try),
    /// Limit an ssh key to some sites, as its forced command
    ///
    /// The key may then use git and read-only commands for these sites, and what --allow names.
    Shell(shell::Shell),
    /// Print a completion script for a shell
    Completions(completions::Completions),
    /// Print the manual page, or write those of all commands
    Man(man::Man),
    #[command(flatten)]
    InPush(InPush),
}

/// The commands of a push, which nobody types. They can be parsed without the others: a push does
/// it twice, and it takes 0.3 ms to set up all commands.
#[derive(Debug, Subcommand)]
enum InPush {
    /// Run by the hook: reads `OLD NEW REF` lines from standard input, see githooks(5)
    #[command(hide = true)]
    PostReceive(post_receive::PostReceive),
    /// Run by the hook of a strict site: speaks git's proc-receive protocol, see githooks(5)
    #[command(hide = true)]
    ProcReceive(proc_receive::ProcReceive),
    /// Started by the hook: carries out one deployment
    #[command(hide = true)]
    Worker(worker::Worker),
}

impl From<PushCli> for Cli {
    fn from(PushCli { site, command }: PushCli) -> Cli {
        Cli { site, version: false, verbose: false, command: Some(Command::InPush(command)) }
    }
}

fn run(cli: &Cli) -> Result<ExitCode> {
    if cli.version {
        version::print(cli.verbose);
        return Ok(ExitCode::SUCCESS);
    }
    let intent = cli.command.as_ref().map_or(Some(Intent::Read), Command::intent);
    let site = || {
        let site = Site::find(cli.site.as_deref())?;
        if let Some(intent) = intent {
            access::enter(&site, intent)?;
        }
        // Commands that need the settings report broken ones. Here they only mean that there is
        // nothing to mask.
        let secrets = site.app_settings().unwrap_or_default();
        mask::know(secrets.secrets());
        Ok::<_, anyhow::Error>(site)
    };
    // What these commands write helps a site off a full disk.
    let roomy_site = || {
        let site = site()?;
        site.give_back_reserve_if_full();
        Ok::<_, anyhow::Error>(site)
    };
    let Some(command) = &cli.command else {
        return status_or_help(&site);
    };
    // These set up their own output.
    let has_own_output = matches!(
        command,
        Command::InPush(InPush::Worker(_))
            | Command::Step(_)
            | Command::Shell(_)
            | Command::Image(_)
            | Command::Restart(_)
            | Command::Scale(_)
            | Command::Start
            | Command::Stop
    );
    if !has_own_output {
        console::init_command();
    }
    match command {
        Command::Init(init) => init.run()?,
        Command::Install(install) => install.run(cli.site.as_deref())?,
        Command::List(list) => list.run(&site()?)?,
        Command::Status(status) => status.run(&site()?)?,
        Command::Show(show) => show.run(&site()?)?,
        Command::Diff(diff) => diff.run(&site()?)?,
        Command::Delete(delete) => delete.run(&roomy_site()?)?,
        Command::Share(share) => share.run(&site()?)?,
        Command::Image(image) => image.run(&roomy_site()?)?,
        Command::Gc => gc::run(&roomy_site()?)?,
        Command::BuildLog(log) => log.run(&site()?)?,
        Command::Plan(plan) => plan.run(&site()?)?,
        Command::Freeze(freeze) => freeze.run(&site()?)?,
        Command::Config(config) => config.run(&site()?)?,
        Command::Env(env) => env.run(&site()?)?,
        Command::Sites(sites) => sites.run()?,
        Command::Python(python) => python.run()?,
        Command::Uv(uv) => uv.run()?,
        Command::Script(script) => script.run()?,
        Command::Completions(completions) => completions.run(help::command()),
        Command::Man(man) => man.run(help::command())?,
        Command::InPush(InPush::PostReceive(hook)) => hook.run(&hook_site(cli, &site, true)?)?,
        Command::InPush(InPush::ProcReceive(hook)) => hook.run(&hook_site(cli, &site, false)?)?,
        Command::InPush(InPush::Worker(worker)) => worker.run(&site()?)?,
        Command::Ps(ps) => ps.run(&site()?)?,
        Command::Logs(logs) => logs.run(&site()?)?,
        Command::Restart(restart) => restart.run(&site()?)?,
        Command::Report(report) => report.run(&site)?,
        Command::Proxy(proxy) => proxy.run(&site()?)?,
        Command::Scale(scale) => scale.run(&site()?)?,
        Command::Maintenance(maintenance) => maintenance.run(&site()?)?,
        Command::Pause(pause) => pause.run(&site()?)?,
        Command::Metrics(metrics) => metrics.run(cli.site.as_deref())?,
        Command::Stop => stop::run(&site()?)?,
        Command::Start => start::run(&site()?)?,
        Command::Serve(serve) => serve.run(cli.site.as_deref())?,
        Command::Run(run) => return run.run(&site()?),
        Command::Kubernetes(kubernetes) => return kubernetes.run(&site()?),
        Command::Redeploy(redeploy) => return redeploy.run(&roomy_site()?),
        Command::Wait(wait) => return wait.run(&site()?),
        Command::Rollback(rollback) => return rollback.run(&roomy_site()?),
        Command::Doctor(doctor) => return doctor.run(&site()?),
        Command::Cancel(cancel) => return cancel.run(&roomy_site()?),
        Command::Unfreeze(unfreeze) => return unfreeze.run(&site()?),
        Command::Step(step) => return step.run(&site()?),
        Command::Service(service) => return service.run(),
        Command::Shell(shell) => return shell.run(),
        Command::Try(here) => return here.run(),
    }
    Ok(ExitCode::SUCCESS)
}
