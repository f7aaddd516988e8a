//! The page that leads to the reports of several sites.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use jiff::Timestamp;
use maud::html;

use super::PAGE;
use super::data::{SiteData, median, took};
use super::figures::LAST;
use super::page::frame;
use super::text::{Plain, seconds, time};
use crate::git::short;
use crate::site::{DeploymentId, Status};
use crate::text::url::percent_encoded;

pub(super) struct Row {
    name: String,
    link: String,
    live: Option<DeploymentId>,
    since: Option<Timestamp>,
    commit: Option<(String, String)>,
    /// How the newest deployment ended.
    newest: Option<Status>,
    deployments: usize,
    median: Option<f64>,
}

impl Row {
    pub(super) fn of(data: &SiteData) -> Row {
        let live = data.live_record();
        Row {
            name: data.name.clone(),
            link: link(&data.folder),
            live: data.live,
            since: data.live_since,
            commit: live.map(|record| (short(&record.commit).to_owned(), record.message.clone())),
            newest: data.records().next().map(|record| record.status),
            deployments: data.deployments.len() + data.older,
            median: median(data.records().filter_map(took).take(LAST).collect()),
        }
    }
}

pub(super) fn page(rows: &[Row]) -> String {
    frame(
        "Sites",
        &html! {
            header { h1 { "Sites" } }
            main {
                @if rows.is_empty() {
                    p.lead { "There is no site." }
                } @else {
                    table.sites {
                        thead {
                            tr {
                                th scope="col" { "Site" }
                                th.n scope="col" { "Live" }
                                th.extra scope="col" { "Since" }
                                th.wide scope="col" { "Commit" }
                                th scope="col" { "Newest" }
                                th.n.extra scope="col" { "Deployments" }
                                th.n.extra scope="col" { "Median" }
                            }
                        }
                        tbody { @for row in rows { (cells(row)) } }
                    }
                }
                p.note { "As of " (time(Timestamp::now())) ". All times are in UTC." }
            }
        },
    )
}

fn cells(row: &Row) -> maud::Markup {
    html! {
        tr {
            th scope="row" { a href=(row.link) { bdi { (Plain::new(&row.name)) } } }
            td.n { (row.live.map_or("–".to_owned(), |live| live.to_string())) }
            td.extra { @if let Some(since) = row.since { (time(since)) } }
            td.wide {
                @if let Some((id, message)) = &row.commit {
                    code { (Plain::new(id)) } " " bdi { (Plain::of_length(message, 80)) }
                }
            }
            td {
                @if let Some(status) = row.newest.map(Status::name) {
                    span.status.(status) { (status) }
                }
            }
            td.n.extra { (row.deployments) }
            td.n.extra { @if let Some(median) = row.median { (seconds(median)) } }
        }
    }
}

/// The address of the page in a folder, from beside that folder.
fn link(folder: &OsStr) -> String {
    format!("./{}/{PAGE}", percent_encoded(folder.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_leads_to_its_folder_whatever_its_name_is() {
        assert_eq!(link("shop".as_ref()), "./shop/index.html");
        assert_eq!(link("a b\"<é".as_ref()), "./a%20b%22%3C%C3%A9/index.html");
    }
}
