//! What a registry asks for with 401: `WWW-Authenticate`, see section 11.6.1 of
//! <https://www.rfc-editor.org/rfc/rfc9110>, and for what it means
//! <https://distribution.github.io/distribution/spec/auth/token/>.

/// How to show who one is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Challenge {
    Basic,
    Bearer { realm: String, service: Option<String>, scope: Option<String> },
}

/// What to do of all that the headers of an answer offer: a token before a password, as other
/// clients have it. `None` when all of it is of other kinds.
pub(super) fn pick(headers: &[&str]) -> Option<Challenge> {
    let known = headers.iter().flat_map(|header| offers(header));
    let known: Vec<_> = known.filter_map(|offer| offer.challenge()).collect();
    let token = known.iter().find(|it| **it != Challenge::Basic);
    token.or(known.first()).cloned()
}

/// One challenge of a header, of any kind.
#[derive(Default)]
struct Offer {
    scheme: String,
    parameters: Vec<(String, String)>,
}

impl Offer {
    fn challenge(&self) -> Option<Challenge> {
        if self.scheme.eq_ignore_ascii_case("basic") {
            return Some(Challenge::Basic);
        }
        let get = |name: &str| {
            let mut all = self.parameters.iter();
            let (_, value) = all.find(|(its, _)| its.eq_ignore_ascii_case(name))?;
            Some(value.clone()).filter(|value| !value.is_empty())
        };
        // A realm that is only a name is no address that gives tokens.
        let realm = get("realm").filter(|realm| is_address(realm));
        let realm = realm.filter(|_| self.scheme.eq_ignore_ascii_case("bearer"))?;
        Some(Challenge::Bearer { realm, service: get("service"), scope: get("scope") })
    }
}

fn is_address(realm: &str) -> bool {
    let scheme = realm.split_once("://").map_or("", |(scheme, _)| scheme);
    ["http", "https"].iter().any(|it| it.eq_ignore_ascii_case(scheme))
}

/// The challenges of one header: `Basic realm="a, b", Negotiate YQ==, Bearer realm=…, scope=…`. Of
/// the comma between two parameters, and of that between two challenges, some registries have none.
fn offers(header: &str) -> Vec<Offer> {
    let mut offers: Vec<Offer> = Vec::new();
    let mut rest = header;
    loop {
        let start = rest.trim_start_matches([',', ' ', '\t']);
        // A token of a scheme comes after it and nothing but spaces.
        let is_next = !rest[..rest.len() - start.len()].contains(',');
        if start.is_empty() {
            return offers;
        }
        let end = start.find([',', ' ', '\t', '"', '=']).unwrap_or(start.len());
        let (word, after) = start.split_at(end);
        let value = after.trim_start_matches([' ', '\t']).strip_prefix('=');
        if let Some(value) = value {
            let (value, after) = value_at(value.trim_start_matches([' ', '\t']));
            if let Some(offer) = offers.last_mut() {
                offer.parameters.push((word.to_owned(), value));
            }
            rest = after;
        } else if word.is_empty() {
            // A quoted text that is no value means nothing.
            (_, rest) = value_at(start);
        } else {
            let is_token = |offer: &Offer| is_next && offer.parameters.is_empty();
            if !offers.last().is_some_and(is_token) {
                offers.push(Offer { scheme: word.to_owned(), ..Offer::default() });
            }
            rest = after;
        }
    }
}

/// The value that a text begins with, in quotes or without, and what comes after it.
fn value_at(text: &str) -> (String, &str) {
    let Some(quoted) = text.strip_prefix('"') else {
        let (value, after) = text.split_at(text.find([',', ' ', '\t']).unwrap_or(text.len()));
        return (value.to_owned(), after);
    };
    let (mut value, mut is_escaped) = (String::new(), false);
    for (at, letter) in quoted.char_indices() {
        match letter {
            '\\' if !is_escaped => is_escaped = true,
            '"' if !is_escaped => return (value, &quoted[at + 1..]),
            other => {
                value.push(other);
                is_escaped = false;
            }
        }
    }
    (value, "")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bearer(realm: &str, service: Option<&str>, scope: Option<&str>) -> Challenge {
        let [service, scope] = [service, scope].map(|it| it.map(str::to_owned));
        Challenge::Bearer { realm: realm.to_owned(), service, scope }
    }

    #[test]
    fn the_challenges_of_real_registries_are_read() {
        assert_eq!(pick(&["Basic realm=\"Registry Realm\""]), Some(Challenge::Basic));
        let header = "Bearer realm=\"https://auth.docker.io/token\",service=\"registry.docker.io\",\
                      scope=\"repository:library/python:pull,push\"";
        let scope = "repository:library/python:pull,push";
        let docker = ("https://auth.docker.io/token", Some("registry.docker.io"), Some(scope));
        assert_eq!(pick(&[header]), Some(bearer(docker.0, docker.1, docker.2)));
        let bare = "bearer realm=https://h/t?a=b, service=s";
        assert_eq!(pick(&[bare]), Some(bearer("https://h/t?a=b", Some("s"), None)));
    }

    #[test]
    fn a_token_is_found_among_other_challenges() {
        let token = Some(bearer("https://h/t", Some("s"), None));
        let bearer = "Bearer realm=\"https://h/t\",service=\"s\"";
        for before in [
            "Basic realm=\"x, y\"",
            "Basic",
            "Negotiate",
            "Negotiate YWI/+w==",
            "NTLM abc, Basic realm = \"a \\\" b\" , charset=UTF-8",
            "Digest realm=\"r\", qop=\"auth,auth-int\", nonce=\"a=b\"",
            "Bearer realm=\"Registry Realm\"",
            ", ,",
        ] {
            assert_eq!(pick(&[&format!("{before}, {bearer}")]), token, "{before}");
            assert_eq!(pick(&[&format!("{bearer},{before}")]), token, "{before}");
            assert_eq!(pick(&[before, bearer]), token, "{before}");
        }
        for unusual in [
            "Basic realm=\"x\" Bearer realm=\"https://h/t\" service=\"s\"",
            "BEARER\tService = s ,, REALM\t=\"https://h/t\"",
        ] {
            assert_eq!(pick(&[unusual]), token, "{unusual}");
        }
        assert_eq!(pick(&["Negotiate, Basic realm=x"]), Some(Challenge::Basic));
        assert_eq!(pick(&["Bearer realm=\"x\", Basic realm=\"x\""]), Some(Challenge::Basic));
    }

    #[test]
    fn nonsense_is_no_challenge() {
        for wrong in [
            "",
            "Negotiate",
            "Negotiate Basic",
            "Bearer",
            "Bearer realm",
            "Bearer realm=\"",
            "Bearer realm=\"x\"",
            "=,=\"\\",
            "realm=\"https://h/t\"",
            "\"Basic\", é=\"é",
        ] {
            assert_eq!(pick(&[wrong]), None, "{wrong:?}");
        }
    }
}
