//! Where requests go, as people write it: absolute URLs, and paths below a base.
//!
//! Only what stands outside of holes can be looked at; a host that a template makes up is not. A
//! URL that is read here begins with its scheme and, after the authority, goes on with `/`, `?` or
//! a hole.

use super::super::problem::nearest;
use super::super::quantity::Refusal;
use super::super::text::url;
use super::model::{Piece, Template};

/// The schemes, in the order in which messages list them.
const SCHEMES: [&str; 4] = ["http", "https", "ws", "wss"];

/// Makes `template` an absolute URL, or says why it is none.
pub(in crate::config) fn absolute(mut template: Template) -> Result<Template, Refusal> {
    characters(&template)?;
    let has_more = template.0.len() > 1;
    let Some(Piece::Text(first)) = template.0.first_mut() else {
        return match template.0.is_empty() {
            true => Err(Refusal::new("the URL is empty").remedy("write http://HOST:PORT/PATH")),
            // A template makes up the whole URL.
            false => Ok(template),
        };
    };
    let (scheme, rest) = match first.split_once("://") {
        Some((scheme, rest)) => (scheme.to_ascii_lowercase(), rest),
        None => return Err(without_scheme(first)),
    };
    if !SCHEMES.contains(&scheme.as_str()) {
        let refusal = Refusal::new(format!("`{scheme}` is not a scheme of URLs known here"));
        let scheme = nearest(&scheme, SCHEMES).unwrap_or("http");
        return Err(refusal.remedy(format!("write \"{scheme}://{rest}\"")));
    }
    let end = rest.find(['/', '?']);
    if end.is_some() || !has_more {
        authority(&rest[..end.unwrap_or(rest.len())])?;
    }
    let between = match end {
        None if !has_more => "/",
        Some(end) if rest[end..].starts_with('?') => "/",
        _ => "",
    };
    let (authority, path) = rest.split_at(end.unwrap_or(rest.len()));
    *first = format!("{scheme}://{authority}{between}{path}");
    Ok(template)
}

/// `path` put after the path of `base`, which is absolute; one `/` stands between them.
pub(in crate::config) fn below(base: &Template, path: Template) -> Result<Template, Refusal> {
    characters(&path)?;
    if let Some(Piece::Text(text)) = path.0.first()
        && !text.starts_with(['/', '?'])
    {
        if text.contains("://") {
            return Err(Refusal::new("this is a URL and no path").remedy("write it under `url`"));
        }
        return Err(Refusal::new("a path begins with `/`").remedy(format!("write \"/{text}\"")));
    }
    let mut pieces = base.0.clone();
    if let Some(Piece::Text(last)) = pieces.last_mut() {
        let keeps_slash =
            matches!(path.0.first(), Some(Piece::Text(text)) if text.starts_with('?'));
        if !keeps_slash && last.ends_with('/') {
            last.pop();
        }
    }
    for piece in path.0 {
        match (pieces.last_mut(), piece) {
            (Some(Piece::Text(last)), Piece::Text(text)) => last.push_str(&text),
            (_, piece) => pieces.push(piece),
        }
    }
    Ok(Template(pieces))
}

/// The same URL for WebSocket messages: `ws` for `http`, `wss` for `https`.
pub(in crate::config) fn for_messages(mut template: Template) -> Template {
    if let Some(Piece::Text(first)) = template.0.first_mut()
        && first.starts_with("http")
    {
        first.replace_range(..4, "ws");
    }
    template
}

/// Whether it is for WebSocket messages.
pub(in crate::config) fn is_for_messages(template: &Template) -> bool {
    matches!(template.0.first(), Some(Piece::Text(first)) if first.starts_with("ws"))
}

/// Path and query of an absolute URL as far as it can be told, for labels.
pub(in crate::config) fn path_of(url: &Template) -> String {
    let whole = shown(url);
    let after = whole.find("://").map_or(0, |at| at + 3);
    let path = whole[after..].find('/').map_or("/", |at| &whole[after + at..]);
    path.split('?').next().unwrap_or("/").to_owned()
}

/// A template as text, with holes marked.
pub(in crate::config) fn shown(template: &Template) -> String {
    let piece = |piece: &Piece| match piece {
        Piece::Text(text) => text.clone(),
        Piece::Variable(_, shown) => shown.clone(),
        Piece::Call(_) => "{{…}}".to_owned(),
    };
    template.0.iter().map(piece).collect()
}

fn without_scheme(text: &str) -> Refusal {
    let refusal = Refusal::new("the URL does not begin with its scheme");
    match text.starts_with(['/', ':']) {
        true if text.starts_with(':') => {
            refusal.remedy(format!("write \"http://127.0.0.1{text}\""))
        }
        true => refusal.remedy(format!("write \"http://HOST:PORT{text}\"")),
        false => refusal.remedy(format!("write \"http://{text}\"")),
    }
}

/// Refuses characters that cannot stand in a URL.
fn characters(template: &Template) -> Result<(), Refusal> {
    let texts = template.0.iter().filter_map(|piece| match piece {
        Piece::Text(text) => Some(text.as_str()),
        _ => None,
    });
    let mut bytes = 0;
    for text in texts {
        url::characters(text)?;
        bytes += text.len();
    }
    if bytes > url::URL_BYTES {
        return Err(Refusal::new("this URL is too long").remedy("check that it is one"));
    }
    Ok(())
}

/// Checks host and port.
fn authority(text: &str) -> Result<(), Refusal> {
    if text.contains('@') {
        return Err(Refusal::new("a name and password in the URL are not sent")
            .remedy("send a header: Authorization: Basic {{base64('NAME:PASSWORD')}}"));
    }
    url::authority(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<String, Refusal> {
        absolute(Template::text(text)).map(|template| template.constant().unwrap_or("").to_owned())
    }

    #[test]
    fn urls_are_made_whole() {
        let cases = [
            ("http://127.0.0.1:9999", "http://127.0.0.1:9999/"),
            ("HTTPS://Example.com?x=1", "https://Example.com/?x=1"),
            ("http://[::1]:80/a?b=c", "http://[::1]:80/a?b=c"),
            ("ws://localhost/socket", "ws://localhost/socket"),
        ];
        for (text, expected) in cases {
            assert_eq!(read(text).as_deref(), Ok(expected));
        }
        for text in [
            "",
            "localhost:80",
            "/x",
            ":80",
            "ftp://x/",
            "http://",
            "http:///x",
            "http://a b/",
            "http://x:0/",
            "http://x:99999/",
            "http://x:+5/",
            "http://u:p@x/",
            "http://x/#a",
            "http://[::g]/",
            "http://[::1]x/",
            "http://1.2.3/",
            "http://x/é",
        ] {
            let refusal = read(text).unwrap_err();
            assert!(refusal.remedy.is_some(), "{text}");
        }
        assert_eq!(read("htps://x/").unwrap_err().remedy.as_deref(), Some("write \"https://x/\""));
        assert_eq!(read("x:80/é").unwrap_err().remedy.as_deref(), Some("write %C3%A9 for it"));
    }

    #[test]
    fn what_a_template_makes_up_is_let_be() {
        let hole = Piece::Variable(0, "{{host}}".to_owned());
        let text = |text: &str| Piece::Text(text.to_owned());
        for pieces in [
            vec![hole.clone()],
            vec![text("http://"), hole.clone(), text("/x")],
            vec![text("http://a"), hole.clone()],
            vec![text("http://a/"), hole.clone()],
        ] {
            assert_eq!(absolute(Template(pieces.clone())), Ok(Template(pieces)));
        }
    }

    #[test]
    fn paths_are_put_below_the_base() {
        let base = |text: &str| absolute(Template::text(text)).unwrap();
        let cases = [
            ("http://a", "/x", "http://a/x"),
            ("http://a/api/", "/x", "http://a/api/x"),
            ("http://a/api", "/x", "http://a/api/x"),
            ("http://a/api", "?x=1", "http://a/api?x=1"),
            ("http://a/", "?x=1", "http://a/?x=1"),
        ];
        for (from, path, expected) in cases {
            let url = below(&base(from), Template::text(path)).unwrap();
            assert_eq!(url.constant(), Some(expected));
        }
        assert!(below(&base("http://a"), Template::text("x")).is_err());
        assert_eq!(path_of(&base("http://a/b/c?d")), "/b/c");
        assert_eq!(for_messages(base("https://a")).constant(), Some("wss://a/"));
    }
}
