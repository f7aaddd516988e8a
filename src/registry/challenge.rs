//! What a registry asks for with 401: `WWW-Authenticate`, as
//! <https://distribution.github.io/distribution/spec/auth/token/> has it.

/// How to show who one is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Challenge {
    Basic,
    Bearer { realm: String, service: Option<String>, scope: Option<String> },
}

/// The challenge of a header; `None` when it is of another kind.
pub(super) fn parse(header: &str) -> Option<Challenge> {
    let (scheme, rest) = header.trim().split_once(' ').unwrap_or((header.trim(), ""));
    if scheme.eq_ignore_ascii_case("basic") {
        return Some(Challenge::Basic);
    }
    if !scheme.eq_ignore_ascii_case("bearer") {
        return None;
    }
    let parameters = parameters(rest);
    let get = |name: &str| {
        let found = parameters.iter().find(|(its, _)| its.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.clone()).filter(|value| !value.is_empty())
    };
    Some(Challenge::Bearer { realm: get("realm")?, service: get("service"), scope: get("scope") })
}

/// `name="value",name=value`; a comma within quotes belongs to the value.
fn parameters(text: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some((name, after)) = rest.split_once('=') {
        let name = name.trim_matches([',', ' ']).to_owned();
        let (value, after) = if let Some(quoted) = after.strip_prefix('"') {
            let (mut value, mut escaped, mut end) = (String::new(), false, quoted.len());
            for (at, letter) in quoted.char_indices() {
                match letter {
                    '\\' if !escaped => escaped = true,
                    '"' if !escaped => {
                        end = at + 1;
                        break;
                    }
                    other => {
                        value.push(other);
                        escaped = false;
                    }
                }
            }
            (value, &quoted[end..])
        } else {
            let (value, after) = after.split_once(',').unwrap_or((after, ""));
            (value.trim().to_owned(), after)
        };
        found.push((name, value));
        rest = after;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_challenges_of_real_registries_are_read() {
        assert_eq!(parse("Basic realm=\"Registry Realm\""), Some(Challenge::Basic));
        let header = "Bearer realm=\"https://auth.docker.io/token\",service=\"registry.docker.io\",\
                      scope=\"repository:library/python:pull,push\"";
        assert_eq!(
            parse(header),
            Some(Challenge::Bearer {
                realm: "https://auth.docker.io/token".to_owned(),
                service: Some("registry.docker.io".to_owned()),
                scope: Some("repository:library/python:pull,push".to_owned()),
            })
        );
        let bare = parse("bearer realm=https://h/t, service=s").unwrap();
        assert_eq!(
            bare,
            Challenge::Bearer {
                realm: "https://h/t".to_owned(),
                service: Some("s".to_owned()),
                scope: None
            }
        );
    }

    #[test]
    fn nonsense_is_no_challenge() {
        for wrong in ["", "Negotiate", "Bearer", "Bearer realm", "Bearer realm=\"", "=,=\"\\"] {
            assert_eq!(parse(wrong), None, "{wrong:?}");
        }
    }
}
