//! The proc-receive hook of a strict site: the branch moves when its commit goes live, and not
//! before.

use std::io::{stdin, stdout};
use std::path::Path;

use anyhow::{Result, bail};

use super::options::PushOptions;
use super::push_plan::{Action, PushPlan};
use super::rules::Rules;
use super::wire::{self, Answer, Request};
use super::{Reader, check_repository, dry_run, error, new_deployment, start, wait, watch_started};
use crate::access::{self, Intent};
use crate::console::mask;
use crate::git::{Commit, RefUpdate, Repository};
use crate::site::{DeployOptions, Record, Site, Status};
use crate::user_error::UserError;
use crate::worker::{self, session};

/// Runs the proc-receive hook (githooks(5), git 2.29 and later), whose file is in the folder
/// `hooks`.
///
/// The refs of the deployment are moved by its worker, in one transaction with going live.
/// Everything else is left to git.
pub fn proc_receive(site: &Site, hooks: &Path) -> Result<()> {
    let request = wire::read(stdin().lock(), stdout().lock())?;
    let answers = answer(site, hooks, &request).unwrap_or_else(|error| {
        let error = UserError::of(&error).with_next_step(false);
        Reader::StrictPusher.tell("error", &error);
        say_no_ref_has_moved(site);
        request.all(&Answer::Refused(mask::known().apply(&error.fact).into_owned()))
    });
    wire::answer(stdout().lock(), &request.names, &answers)
}

impl Request {
    fn all(&self, answer: &Answer) -> Vec<Answer> {
        vec![answer.clone(); self.updates.len()]
    }
}

fn answer(site: &Site, hooks: &Path, request: &Request) -> Result<Vec<Answer>> {
    access::enter(site, Intent::Push)?;
    let settings = site.settings()?;
    check_repository(site, &settings)?;
    if !settings.strict {
        return Ok(request.all(&Answer::LeftToGit));
    }
    let repository = Repository::open(&site.repository(&settings))?;
    let options = PushOptions::parse(&request.options);
    let PushPlan { messages, action } =
        PushPlan::of(site, &settings, &repository, &request.updates, &options)?;
    for line in &messages {
        Reader::StrictPusher.say(line);
    }
    let options = options.map(|options| options.deploy).unwrap_or_default();
    match action {
        Action::Nothing => Ok(request.all(&Answer::LeftToGit)),
        Action::Refuse(why) => {
            Reader::StrictPusher.tell("error", &why);
            say_no_ref_has_moved(site);
            Ok(request.all(&Answer::Refused(why.fact)))
        }
        Action::Preview { commit } => {
            let fine =
                dry_run::show(site, &settings, &repository, commit, &options, Reader::StrictPusher);
            let why =
                if fine { "dry-run: nothing was moved" } else { "dry-run: it cannot be deployed" };
            Ok(request.all(&Answer::Refused(why.to_owned())))
        }
        Action::Deploy { update, commit } => {
            if let Some(frozen) = site.frozen()? {
                // The branch does not move, so there is nothing to hold back: the pusher pushes
                // again.
                let why = mask::known()
                    .apply(&format!("deployments are frozen {}", frozen.in_words()))
                    .into_owned();
                let live = worker::what_is_live(site);
                Reader::StrictPusher.say(&format!(
                    "error: {why}. Nothing was deployed, and no ref has moved; {live}"
                ));
                return Ok(request.all(&Answer::Refused(why)));
            }
            Strict { site, hooks, request, repository: &repository }.deploy(update, commit, options)
        }
    }
}

/// The last line of a push that is refused.
fn say_no_ref_has_moved(site: &Site) {
    let live = worker::what_is_live(site);
    Reader::StrictPusher.say(&format!("error: nothing was deployed, and no ref has moved; {live}"));
}

struct Strict<'a> {
    site: &'a Site,
    hooks: &'a Path,
    request: &'a Request,
    repository: &'a Repository,
}

impl Strict<'_> {
    fn deploy(
        &self,
        update: &RefUpdate,
        commit: Commit,
        options: DeployOptions,
    ) -> Result<Vec<Answer>> {
        // An atomic push is moved as a whole with the deployment; otherwise git moves what is not
        // deployed by itself.
        let ours = |other: &RefUpdate| self.request.atomic || other == update;
        let rules = Rules::of(self.repository, self.hooks);
        let mut moves = Vec::new();
        for (update, name) in self.request.updates.iter().zip(&self.request.names) {
            if !ours(update) {
                continue;
            }
            if update.refname.as_str().as_bytes() != name {
                bail!(error::not_utf8(update.refname.as_str()));
            }
            if let Some(why) = rules.refuse(update)? {
                let shown = update.refname.as_str().escape_debug();
                let live = worker::what_is_live(self.site);
                Reader::StrictPusher.say(&format!(
                    "error: {shown} is refused ({why}): nothing was deployed; {live}"
                ));
                return Ok(self.answers(&ours, |refused| {
                    Answer::Refused(if refused == update {
                        why.clone()
                    } else {
                        "atomic push failure".to_owned()
                    })
                }));
            }
            moves.push(update.clone());
        }
        session::check_wait(self.site, "a push that is live before it succeeds")?;
        let started = start(self.site, new_deployment(commit, update, options, moves))?;
        watch_started(self.site, &started, Reader::StrictPusher)?;
        // Even if the pusher no longer reads, their git may still wait for the result.
        let record = wait(self.site, started.id)?;
        let answer = self.outcome(&record)?;
        Ok(self.answers(&ours, |_| answer.clone()))
    }

    fn answers(
        &self,
        ours: &dyn Fn(&RefUpdate) -> bool,
        answer: impl Fn(&RefUpdate) -> Answer,
    ) -> Vec<Answer> {
        let of = |update| if ours(update) { answer(update) } else { Answer::LeftToGit };
        self.request.updates.iter().map(of).collect()
    }

    fn outcome(&self, record: &Record) -> Result<Answer> {
        let id = record.id;
        if record.status.is_success() {
            return Ok(Answer::Moved);
        }
        if !record.status.is_final()
            && worker::finish_ref_transaction(self.repository, self.site.live()?, record)?
        {
            Reader::StrictPusher.say(&format!(
                "hint: its release was already live, so the push is accepted (deployment {id})"
            ));
            return Ok(Answer::Moved);
        }
        let why = match record.status {
            Status::Superseded => {
                format!("superseded by {}, a newer push", record.superseded_by_whom())
            }
            _ => record.fact().unwrap_or("its worker was killed").to_owned(),
        };
        Ok(Answer::Refused(format!("deploy failed: {}", mask::known().apply(&why))))
    }
}
