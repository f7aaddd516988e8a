//! What became of runtime.txt.

use crate::git::short;

/// How [`runtime_change`] begins when there is nothing new.
pub(in crate::plan) const NO_RUNTIME: &str = "There is no runtime.txt.";
pub(in crate::plan) const UNCHANGED_RUNTIME: &str = "runtime.txt has not changed since";

/// How runtime.txt changed between the live commit and the new one, as a sentence. The texts are
/// the contents of the files; invisible characters are shown escaped.
pub fn runtime_change(live: Option<(&str, Option<&str>)>, new: Option<&str>) -> String {
    let shown =
        |text: &str| text.trim().chars().take(60).collect::<String>().escape_debug().to_string();
    let now = new.map(shown);
    let Some((commit, then)) = live else {
        return match now {
            Some(now) => format!("runtime.txt: {now}"),
            None => NO_RUNTIME.to_owned(),
        };
    };
    let commit = short(commit);
    match (then.map(shown), now) {
        (None, None) => NO_RUNTIME.to_owned(),
        (Some(then), Some(now)) if then == now => {
            format!("{UNCHANGED_RUNTIME} {commit}: {now}")
        }
        (Some(then), Some(now)) => format!("runtime.txt changed since {commit}: {then} -> {now}"),
        (None, Some(now)) => format!("runtime.txt is new since {commit}: {now}"),
        (Some(then), None) => format!("runtime.txt was removed since {commit}: it was {then}"),
    }
}
