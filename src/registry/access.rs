//! Shows a registry who asks: with a user and a password, with a token that an address of its gives
//! for them, or with one that is known.

use std::cell::RefCell;

use anyhow::{Result, bail};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use ureq::Agent;

use super::challenge::{self, Challenge};
use super::credentials::{self, Credentials};
use super::error;
use super::http::{
    Answer, Tries, in_words, is_about_certificates, is_final, may_pass, said, text_of,
};
use super::reference::Reference;

/// What is known of the right to ask a registry.
pub(super) struct Access {
    repository: Reference,
    /// Whether a password may travel without encryption.
    is_plain: bool,
    /// What is to be done, as tokens have it: `repository:shop/web:pull,push`.
    scopes: Vec<String>,
    /// The value of the header `Authorization`.
    authorization: RefCell<Option<String>>,
}

/// What an address for tokens answers; one of the two is there.
#[derive(Deserialize)]
struct Token {
    token: Option<String>,
    access_token: Option<String>,
}

impl Access {
    pub(super) fn new(repository: &Reference, is_plain: bool, scopes: Vec<String>) -> Access {
        let authorization = RefCell::default();
        Access { repository: repository.clone(), is_plain, scopes, authorization }
    }

    /// The name of the registry.
    fn name(&self) -> &str {
        &self.repository.registry
    }

    pub(super) fn authorization(&self) -> Option<String> {
        self.authorization.borrow().clone()
    }

    /// Does what a registry asks for with 401, or fails.
    pub(super) fn answer(&self, agent: &Agent, refused: &Answer) -> Result<()> {
        let headers = refused.headers().get_all("www-authenticate").iter();
        let headers: Vec<_> = headers.filter_map(|header| header.to_str().ok()).collect();
        let Some(challenge) = challenge::pick(&headers) else {
            bail!(error::unknown_challenge(self.name(), &headers.join(", ")));
        };
        let known = credentials::find(&self.repository)?;
        let authorization = match (challenge, known) {
            (Challenge::Basic, Some(Credentials::Password { user, password })) => {
                basic(&user, &password)
            }
            (Challenge::Basic, _) => {
                bail!(error::needs_login(self.name(), &credentials::files()));
            }
            (Challenge::Bearer { .. }, Some(Credentials::RegistryToken(token))) => {
                format!("Bearer {token}")
            }
            (Challenge::Bearer { realm, service, scope }, known) => {
                let token = self.token(
                    agent,
                    &realm,
                    service.as_deref(),
                    scope.as_deref(),
                    known.as_ref(),
                )?;
                format!("Bearer {token}")
            }
        };
        *self.authorization.borrow_mut() = Some(authorization);
        Ok(())
    }

    /// Asks for a token, in the way of
    /// <https://distribution.github.io/distribution/spec/auth/token/>, or with a refresh token in
    /// that of <https://distribution.github.io/distribution/spec/auth/oauth/>.
    fn token(
        &self,
        agent: &Agent,
        realm: &str,
        service: Option<&str>,
        scope: Option<&str>,
        known: Option<&Credentials>,
    ) -> Result<String> {
        if known.is_some() && !realm.starts_with("https://") && !self.is_plain {
            bail!(error::unsafe_realm(self.name(), realm));
        }
        let mut scopes: Vec<&str> = self.scopes.iter().map(String::as_str).collect();
        if scopes.is_empty() {
            scopes.extend(scope);
        }
        let (status, text) = self.ask(|| request(agent, realm, service, &scopes, known))?;
        match status {
            200..300 => {}
            400 | 401 | 403 if known.is_some() => bail!(error::wrong_password(self.name())),
            401 | 403 => bail!(error::needs_login(self.name(), &credentials::files())),
            status => bail!(error::refused(self.name(), REQUEST, status, &said(&text))),
        }
        let token = serde_json::from_str::<Token>(&text).ok();
        let is_there = |token: &String| !token.is_empty();
        let token = token.and_then(|it| it.token.filter(is_there).or(it.access_token));
        let token = token.filter(is_there);
        // What it is may not be shown: it may be the token in another form.
        Ok(token.ok_or_else(|| error::garbage(self.name(), "a token", "no token in JSON"))?)
    }

    /// Asks until there is an answer that is final; gives its status and its text.
    fn ask(&self, request: impl Fn() -> Result<Answer, ureq::Error>) -> Result<(u16, String)> {
        let mut tries = Tries::new(self.name(), REQUEST);
        loop {
            let mut answer = match request() {
                Ok(answer) => answer,
                Err(cause) => {
                    let text = in_words(&cause);
                    if is_final(&cause) || is_about_certificates(&text) {
                        let cause = format!("its address for tokens: {text}");
                        bail!(error::unreachable(self.name(), &cause));
                    }
                    tries.failed(&format!("gives no token ({text})"), None)?;
                    continue;
                }
            };
            let status = answer.status().as_u16();
            if may_pass(status) {
                tries.failed(&format!("answered {status}"), Some(&answer))?;
                continue;
            }
            match text_of(&mut answer) {
                Ok(text) => return Ok((status, text)),
                Err(_) => tries.failed("broke off", None)?,
            }
        }
    }
}

const REQUEST: &str = "the request for a token";

/// Asks for a token, once.
fn request(
    agent: &Agent,
    realm: &str,
    service: Option<&str>,
    scopes: &[&str],
    known: Option<&Credentials>,
) -> Result<Answer, ureq::Error> {
    if let Some(Credentials::RefreshToken(token)) = known {
        let scope = scopes.join(" ");
        let form = [
            ("grant_type", "refresh_token"),
            ("client_id", "nyala"),
            ("service", service.unwrap_or_default()),
            ("scope", &scope),
            ("refresh_token", token),
        ];
        return agent.post(realm).send_form(form);
    }
    let mut request = agent.get(realm);
    if let Some(service) = service {
        request = request.query("service", service);
    }
    for scope in scopes {
        request = request.query("scope", scope);
    }
    if let Some(Credentials::Password { user, password }) = known {
        request = request.header("authorization", basic(user, password));
    }
    request.call()
}

fn basic(user: &str, password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{user}:{password}")))
}
