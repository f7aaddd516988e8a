//! The one way of text from outside into a page.

use std::fmt::Write;

use jiff::Timestamp;
use maud::{Escaper, Markup, Render, html};

use crate::console::mask;
use crate::text::{cut, duration, escaped};

/// The longest line of a log, and the longest text elsewhere, in characters.
pub(super) const LINE: usize = 400;

/// A text from outside, on one line: without secrets, without characters that control or reorder
/// what is around them, of a bounded length, and without markup.
pub(super) struct Plain(String);

impl Plain {
    pub(super) fn new(text: &str) -> Self {
        Self::of_length(text, LINE)
    }

    pub(super) fn of_length(text: &str, longest: usize) -> Self {
        // Before it is cut: of a secret that is only begun, nothing would be masked.
        let masked = mask::known().apply(text.lines().next().unwrap_or_default()).into_owned();
        Self(escaped(&cut(&masked, longest)).into_owned())
    }

    /// The text, before markup is escaped.
    pub(super) fn text(&self) -> &str {
        &self.0
    }
}

impl Render for Plain {
    fn render_to(&self, buffer: &mut String) {
        // Writing into a string cannot fail.
        let _ = Escaper::new(buffer).write_str(&self.0);
    }
}

/// A time, for readers and for programs.
pub(super) fn time(time: Timestamp) -> Markup {
    html! {
        time datetime=(format!("{time:.0}")) { (time.strftime("%Y-%m-%d %H:%M").to_string()) }
    }
}

/// Seconds as people say them, short enough for a column.
pub(super) fn seconds(seconds: f64) -> String {
    match seconds.max(0.0) {
        short @ ..1.0 => format!("{short:.2} s"),
        some @ ..60.0 => format!("{some:.1} s"),
        long => duration(std::time::Duration::from_secs_f64(long.round())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_from_outside_breaks_out() {
        let hostile = "</pre><script>alert(\"1\")</script>\u{202e}\u{1b}[2J\r&";
        let shown = html! { (Plain::new(hostile)) }.into_string();
        assert_eq!(
            shown,
            "&lt;/pre&gt;&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt;\\u{202e}\\u{1b}[2J\
             \\r&amp;"
        );
        assert!(html! { (Plain::new(&"x".repeat(1 << 20))) }.into_string().len() < 1000);
        assert_eq!(html! { (Plain::new("one\ntwo")) }.into_string(), "one");
    }

    #[test]
    fn nothing_of_a_secret_is_shown_where_a_text_is_cut() {
        mask::know(["correct horse battery staple"]);
        let text = "password: correct horse battery staple";
        assert_eq!(Plain::of_length(text, 20).text(), "password: ****");
        let words = format!("{}correct horse battery staple", "x".repeat(15));
        assert!(!Plain::of_length(&words, 25).text().contains("corr"));
    }

    #[test]
    fn seconds_have_as_many_digits_as_one_reads() {
        assert_eq!(
            [seconds(0.012), seconds(3.12), seconds(42.0), seconds(125.2)],
            ["0.01 s", "3.1 s", "42.0 s", "2 min 5 s"]
        );
    }
}
