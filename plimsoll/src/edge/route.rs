//! Which route a request takes: a pure planner over host and path.
//!
//! The most specific host wins (exact, then the longest `*.suffix`, then any), and among routes of
//! equal host the longest path prefix. Prefixes match at segment borders: `/api` takes `/api` and
//! `/api/x`, not `/apis`; a slash at the end of a prefix changes nothing. Paths are compared as
//! they are on the wire, without decoding: what the server sees is what was routed on.

use crate::config::model::Route;

/// The routes of a configuration, most specific first.
#[derive(Debug, Default)]
pub(crate) struct RouteTable {
    rules: Vec<Rule>,
}

#[derive(Debug)]
struct Rule {
    host: HostRule,
    /// Without a slash at its end; empty takes every path.
    prefix: Box<[u8]>,
    /// Place in the configuration.
    route: usize,
}

#[derive(Debug)]
enum HostRule {
    Exact(Box<[u8]>),
    /// With its leading dot: `.example.org`.
    Suffix(Box<[u8]>),
    Any,
}

impl HostRule {
    fn matches(&self, host: &[u8]) -> bool {
        match self {
            Self::Exact(exact) => exact.eq_ignore_ascii_case(host),
            Self::Suffix(suffix) => {
                host.len() > suffix.len()
                    && host[host.len() - suffix.len()..].eq_ignore_ascii_case(suffix)
            }
            Self::Any => true,
        }
    }

    /// Larger is more specific.
    fn rank(&self) -> (u8, usize) {
        match self {
            Self::Exact(_) => (2, 0),
            Self::Suffix(suffix) => (1, suffix.len()),
            Self::Any => (0, 0),
        }
    }
}

impl RouteTable {
    /// The table of these routes; of two equal ones the first wins.
    pub(crate) fn new(routes: &[Route]) -> Self {
        let mut rules: Vec<Rule> = routes
            .iter()
            .enumerate()
            .map(|(route, configured)| Rule {
                host: match configured.host.as_deref() {
                    None => HostRule::Any,
                    Some(host) => match host.strip_prefix('*') {
                        Some(suffix) => HostRule::Suffix(suffix.as_bytes().into()),
                        None => HostRule::Exact(host.as_bytes().into()),
                    },
                },
                prefix: configured.path.trim_end_matches('/').as_bytes().into(),
                route,
            })
            .collect();
        rules.sort_by(|one, other| {
            (other.host.rank(), other.prefix.len()).cmp(&(one.host.rank(), one.prefix.len()))
        });
        Self { rules }
    }

    /// Place of the route of a request in the configuration. `host` is without port, in any case,
    /// empty if there is none; `path` without query, empty for an absolute-form target without one.
    #[inline]
    pub(crate) fn find(&self, host: &[u8], path: &[u8]) -> Option<usize> {
        // A dot at the end only says that a name is complete.
        let host = host.strip_suffix(b".").unwrap_or(host);
        self.rules
            .iter()
            .find(|rule| rule.host.matches(host) && takes_path(&rule.prefix, path))
            .map(|rule| rule.route)
    }
}

#[inline]
fn takes_path(prefix: &[u8], path: &[u8]) -> bool {
    prefix.is_empty()
        || path
            .strip_prefix(prefix)
            .is_some_and(|rest| rest.first().is_none_or(|&byte| byte == b'/'))
}

/// What is left of `path` (with its query) when `prefix` is removed; starts with `/` unless it is
/// empty or a query, which mean the root.
pub(crate) fn without_prefix<'a>(prefix: &str, path: &'a [u8]) -> &'a [u8] {
    path.strip_prefix(prefix.trim_end_matches('/').as_bytes()).unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(text: &str) -> RouteTable {
        let routes: Vec<Route> = text
            .split_whitespace()
            .map(|word| {
                let (host, path) = word.split_at(word.find('/').unwrap());
                Route {
                    host: (!host.is_empty()).then(|| host.to_owned()),
                    path: path.to_owned(),
                    service: String::new(),
                    strip_prefix: false,
                    access_log: true,
                }
            })
            .collect();
        RouteTable::new(&routes)
    }

    #[test]
    fn the_most_specific_route_wins() {
        let table = table("/ /api/ a.example/ *.example/ *.b.example/ /api/deep a.example/api");
        for (host, path, wanted) in [
            ("", "/", 0),
            ("other", "/x", 0),
            ("other", "/api", 1),
            ("other", "/api/", 1),
            ("other", "/api/x", 1),
            ("other", "/apis", 0),
            ("other", "/api/deep/er", 5),
            ("other", "/api/deeper", 1),
            ("a.example", "/", 2),
            ("A.Example", "/x", 2),
            ("a.example.", "/x", 2),
            ("c.example", "/api/deep", 3),
            ("example", "/", 0),
            (".example", "/", 0),
            ("x.b.example", "/", 4),
            ("a.example", "/api/x", 6),
            ("a.example", "", 2),
        ] {
            let found = table.find(host.as_bytes(), path.as_bytes());
            assert_eq!(found, Some(wanted), "{host:?} {path:?}");
        }
    }

    #[test]
    fn without_a_route_for_everything_some_requests_have_none() {
        let table = table("a.example/ /api");
        assert_eq!(table.find(b"b.example", b"/"), None);
        assert_eq!(table.find(b"b.example", b"/api"), Some(1));
        assert_eq!(table.find(b"", b"*"), None);
    }

    #[test]
    fn prefixes_are_removed_at_their_border() {
        for (prefix, path, wanted) in [
            ("/api/", "/api/x?y", "/x?y"),
            ("/api", "/api", ""),
            ("/api", "/api?y", "?y"),
            ("/api", "/api/", "/"),
            ("/", "/x", "/x"),
        ] {
            assert_eq!(
                without_prefix(prefix, path.as_bytes()),
                wanted.as_bytes(),
                "{prefix} {path}"
            );
        }
    }
}
