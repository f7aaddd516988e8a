//! More processes of what is live, or fewer, while it answers visitors.

use std::collections::BTreeMap;
use std::rc::Rc;

use anyhow::{Result, bail};

use super::backend::Backend;
use super::error;
use super::process::{Process, stop_all};
use super::release::Release;
use super::served::Served;
use super::spec::Spec;
use crate::processes::WEB;
use crate::site::settings::Run;

impl Served {
    /// Runs so many processes of these names. New web processes get visitors once they are healthy,
    /// and those that go finish what they are answering. If a new one is not healthy, nothing
    /// changes.
    pub(super) async fn scale(
        self: &Rc<Self>,
        wanted: &BTreeMap<String, u32>,
        say: &dyn Fn(String),
    ) -> Result<()> {
        let _turn = self.take_turn(say).await;
        if self.is_stopped()? {
            bail!(error::is_stopped());
        }
        let Some(live) = self.live() else { bail!(error::nothing_runs()) };
        // Only a push or a restart changes the address.
        let listen = self.run().listen.clone();
        let mut run = Run { listen, ..self.site.settings()?.run };
        run.scale.extend(wanted.iter().map(|(name, count)| (name.clone(), *count)));
        let (web, others) = self.specs(live.id, &run)?;
        if wanted.contains_key(WEB) {
            self.scale_web(&live, web, &run, say).await?;
        }
        for name in wanted.keys().filter(|name| *name != WEB) {
            let specs = others.iter().filter(|spec| spec.name == *name).cloned().collect();
            self.scale_others(&live, name, specs).await;
        }
        self.set_run(run)
    }

    async fn scale_web(
        self: &Rc<Self>,
        live: &Rc<Release>,
        specs: Vec<Spec>,
        run: &Run,
        say: &dyn Fn(String),
    ) -> Result<()> {
        let have = live.web();
        let count = u32::try_from(specs.len()).unwrap_or(u32::MAX);
        let is_new = |spec: &Spec| have.iter().all(|it| it.process.spec.number != spec.number);
        let new = specs.into_iter().filter(is_new).map(|spec| Backend::new(self.start(spec)));
        let new: Vec<_> = new.collect();
        for backend in &new {
            if let Err(error) = self.check(run, &backend.process, say).await {
                let new = new.iter().map(|it| Rc::clone(&it.process)).collect();
                stop_all(new, super::STOP_PATIENCE).await;
                return Err(error);
            }
        }
        for backend in &new {
            backend.process.keep();
        }
        live.web.borrow_mut().extend(new);
        self.changed.notify_waiters();
        let is_too_many = |it: &mut Rc<Backend>| it.process.spec.number > count;
        let going = live.web.borrow_mut().extract_if(.., is_too_many).collect();
        self.end_part(live, going, Vec::new()).await;
        Ok(())
    }

    async fn scale_others(&self, live: &Release, name: &str, specs: Vec<Spec>) {
        if let Some(to_come) = &mut *live.to_come.borrow_mut() {
            to_come.retain(|it| it.name != name);
            to_come.extend(specs);
            return;
        }
        let mut have = live.others.borrow().clone();
        have.retain(|it| it.spec.name == name);
        let count = specs.len();
        let is_new = |spec: &Spec| have.iter().all(|it| it.spec.number != spec.number);
        self.start_others(live, specs.into_iter().filter(is_new).collect());
        let is_too_many =
            |it: &mut Rc<Process>| it.spec.name == name && it.spec.number as usize > count;
        let going = live.others.borrow_mut().extract_if(.., is_too_many).collect();
        self.end_part(live, Vec::new(), going).await;
    }
}
