//! What the containers of a cluster ask for, and may use.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize};

use super::error;
use crate::user_error::UserError;

/// Quantities by their names, such as `cpu`.
type Quantities = BTreeMap<String, Quantity>;

/// What a container asks for, and may use.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Resources {
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub requests: Quantities,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub limits: Quantities,
}

/// Such as `250m` or `64Mi`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Quantity(pub String);

/// How many of the smallest parts one is.
const NANOS: u128 = 1_000_000_000;

/// What may stand behind a number, with how many of the smallest parts it is.
const SUFFIXES: [(&str, u128); 15] = [
    ("Ki", NANOS << 10),
    ("Mi", NANOS << 20),
    ("Gi", NANOS << 30),
    ("Ti", NANOS << 40),
    ("Pi", NANOS << 50),
    ("Ei", NANOS << 60),
    ("n", 1),
    ("u", 1000),
    ("m", 1_000_000),
    ("k", NANOS * 1000),
    ("M", NANOS * 1000_u128.pow(2)),
    ("G", NANOS * 1000_u128.pow(3)),
    ("T", NANOS * 1000_u128.pow(4)),
    ("P", NANOS * 1000_u128.pow(5)),
    ("E", NANOS * 1000_u128.pow(6)),
];

impl<'de> Deserialize<'de> for Quantity {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Quantity, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Written {
            Whole(u64),
            Decimal(f64),
            Text(String),
        }
        let written = Written::deserialize(deserializer)
            .map_err(|_| serde::de::Error::custom("a quantity is written as \"250m\" or \"64Mi\""));
        Ok(Quantity(match written? {
            Written::Whole(number) => number.to_string(),
            Written::Decimal(number) => number.to_string(),
            Written::Text(text) => text,
        }))
    }
}

impl Resources {
    pub(super) fn check(&self) -> Result<(), UserError> {
        let Resources { requests, limits } = self;
        for (name, Quantity(value)) in requests.iter().chain(limits) {
            if nanos(value).is_none() {
                return Err(error::not_a_quantity(name, value));
            }
        }
        for (name, Quantity(request)) in requests {
            let limit = limits.get(name).map(|Quantity(limit)| limit);
            if let Some(limit) = limit.filter(|limit| nanos(request) > nanos(limit)) {
                return Err(error::request_above_limit(name, request, limit));
            }
        }
        Ok(())
    }
}

/// How much a quantity is, in the smallest parts that Kubernetes knows; `None` where it is none.
/// What is more than any machine has is the most that there is.
/// See <https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/>.
fn nanos(text: &str) -> Option<u128> {
    let found = SUFFIXES.iter().find_map(|(it, unit)| Some((text.strip_suffix(*it)?, *unit)));
    let (number, unit) = found.unwrap_or((text, NANOS));
    let (whole, decimals) = number.split_once('.').unwrap_or((number, "0"));
    if whole.is_empty() || decimals.is_empty() {
        return None;
    }
    let digit = |it: char| it.to_digit(10).map(u128::from);
    let mut sum = 0_u128;
    for it in whole.chars() {
        sum = sum.saturating_mul(10).saturating_add(digit(it)?);
    }
    sum = sum.saturating_mul(unit);
    let mut place = unit;
    for it in decimals.chars() {
        place /= 10;
        sum = sum.saturating_add(digit(it)? * place);
    }
    Some(sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> anyhow::Result<Resources> {
        let resources: Resources = toml::from_str(text)?;
        resources.check()?;
        Ok(resources)
    }

    #[test]
    fn quantities_are_those_of_kubernetes() {
        for right in ["1", "0.5", "250m", "64Mi", "1.5Gi", "2k"] {
            assert!(nanos(right).is_some(), "{right}");
        }
        for wrong in ["", "Mi", "64MiB", "-1", "1.", ".5", "1 Gi", "64 MB"] {
            assert!(nanos(wrong).is_none(), "{wrong}");
        }
        assert_eq!(parsed("limits = { cpu = 1, memory = '64Mi' }").unwrap().limits["cpu"].0, "1");
        insta::assert_snapshot!(parsed("limits = { memory = '64MB' }").unwrap_err(), @r#"
        memory in resources of [kubernetes] is not a quantity
        found: memory = "64MB"
        Write one such as cpu = "250m" or memory = "128Mi"
        "#);
    }

    #[test]
    fn a_container_asks_for_at_most_what_it_may_use() {
        let asks = |request: &str, limit: &str| {
            parsed(&format!("requests = {{ cpu = {request} }}\nlimits = {{ cpu = {limit} }}"))
        };
        for (request, limit) in [
            ("'300m'", "0.3"),
            ("'64Mi'", "'67108864'"),
            ("'1.5Gi'", "'1536Mi'"),
            ("'999M'", "'1Gi'"),
            ("'2000000u'", "2"),
            ("1", "'99999999999999999999999999999999999999999999E'"),
        ] {
            asks(request, limit).unwrap();
        }
        for (request, limit) in [("'301m'", "0.3"), ("'1Gi'", "'1G'"), ("1", "'999999999n'")] {
            assert!(asks(request, limit).is_err(), "{request} {limit}");
        }
        assert!(parsed("requests = { cpu = 2 }\nlimits = { memory = 1 }").is_ok());
        insta::assert_snapshot!(asks("1", "'500m'").unwrap_err(), @r#"
        resources in [kubernetes] asks for more cpu than it allows
        found: requests = { cpu = "1" }
        found: limits = { cpu = "500m" }
        Write a smaller number under requests, or a larger one under limits
        "#);
    }
}
