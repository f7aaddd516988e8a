//! Stops the application of a site until somebody starts it again.

use std::rc::Rc;

use anyhow::Result;

use super::served::Served;

impl Served {
    /// Whether somebody has stopped the application.
    pub(super) fn is_stopped(&self) -> Result<bool> {
        Ok(self.site.stopped()?.is_some())
    }

    /// Lets the application finish what it answers, ends it, and returns when it has ended.
    pub(super) async fn stop(&self, by: &str, say: &dyn Fn(String)) -> Result<()> {
        let _turn = self.take_turn(say).await;
        self.site.set_stopped(by)?;
        self.say(format_args!("stopped by {by}"));
        self.end_live().await;
        Ok(())
    }

    /// Starts what is live. A release that is not healthy is not started, and the site stays
    /// stopped.
    pub(super) async fn start_again(self: &Rc<Self>, say: &dyn Fn(String)) -> Result<()> {
        let _turn = self.take_turn(say).await;
        if self.live().is_some() {
            say("It runs already.".to_owned());
            return self.site.set_started();
        }
        let Some(live) = self.site.live()? else {
            say("Nothing is live yet; the first push starts it.".to_owned());
            return self.site.set_started();
        };
        let mut prepared = self.prepare(live, say).await?;
        self.site.set_started()?;
        prepared.take_over();
        self.give_to(prepared);
        self.say(format_args!("release {live} was started again"));
        say(format!("Started release {live}."));
        Ok(())
    }
}
