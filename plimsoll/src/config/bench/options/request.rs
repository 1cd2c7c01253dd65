//! What each arrival of a plan made of options does: one request to each URL's share, or one
//! message.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::super::super::quantity::Refusal;
use super::super::builder::Builder;
use super::super::model::{
    Check, Choice, Finder, LabelKind, Message, MultipartContent, MultipartField, Piece, Request,
    RequestBody, Source, Step, Template, Test,
};
use super::super::replay::{Recording, Replay};
use super::super::template::{self, Uses};
use super::super::{load, settings, url};
use super::plan::request_options;
use super::{BenchOptions, Typed, whole};

/// Largest file that is sent as a body.
const FILE_BYTES: u64 = 64 << 20;

/// What each iteration does. Recorded requests are asked for again where nothing else says what is
/// asked; the times of a recording are returned too.
pub(super) fn steps(
    options: &BenchOptions,
    recording: Option<(Recording, f64)>,
    builder: &mut Builder,
    typed: &mut Typed,
) -> (Vec<Step>, Option<Arc<[Duration]>>) {
    let urls = urls(options, builder, typed);
    let common = Common::read(options, builder, typed);
    let think = typed.read("--think", options.think.as_ref(), load::pause).map(Step::Pause);
    let mut replay = replay(options, recording, &urls, typed);
    if let (Some(replay), Some(base)) = (&mut replay, urls.first())
        && let Some((feed, method, target)) = replay.requests(base, builder)
    {
        let label = builder.label(&replay.label(), LabelKind::Request);
        let request = Step::Request(Box::new(common.request(label, method, target)));
        let steps = [Step::Feed(feed), request].into_iter().chain(think).collect();
        return (steps, Some(Arc::clone(&replay.times)));
    }
    let same_host = {
        let mut hosts: Vec<String> = urls.iter().map(host_of).collect();
        hosts.dedup();
        hosts.len() <= 1
    };
    let mut ways: Vec<Vec<Step>> = Vec::new();
    for target in urls {
        let name = if same_host { url::path_of(&target) } else { without_query(&target) };
        ways.push(vec![common.step(target, &name, builder)]);
    }
    let mut steps = match ways.len() {
        0 | 1 => ways.pop().unwrap_or_default(),
        _ => {
            let choices = ways.into_iter().map(|steps| Choice { weight: 1.0, steps }).collect();
            vec![Step::Choose(choices)]
        }
    };
    steps.extend(think);
    (steps, replay.map(|replay| replay.times))
}

/// The arrivals of a recording, and what each asked for unless the options say what is asked.
fn replay(
    options: &BenchOptions,
    recording: Option<(Recording, f64)>,
    urls: &[Template],
    typed: &mut Typed,
) -> Option<Replay> {
    let (recording, speed) = recording?;
    let is_open = matches!(urls, [base] if url::path_of(base) == "/" && !url::is_for_messages(base))
        && request_options(options)[..5].iter().all(|(_, given)| !given);
    let with_targets = is_open && recording.has_targets();
    match recording.replay(speed, with_targets) {
        Ok(mut replay) => {
            for doubt in replay.doubts.drain(..) {
                typed.warn("--replay", doubt);
            }
            Some(replay)
        }
        Err(refusal) => {
            typed.refuse("--replay", None, refusal);
            None
        }
    }
}

/// The URLs, absolute.
fn urls(options: &BenchOptions, builder: &mut Builder, typed: &mut Typed) -> Vec<Template> {
    let mut urls = Vec::new();
    let of_socket = ["http://localhost/".to_owned()];
    let given = match (&options.urls[..], &options.unix) {
        ([], Some(_)) => &of_socket[..],
        (given, _) => given,
    };
    if given.is_empty() {
        let refusal = Refusal::new("there is no URL to ask")
            .remedy("write it as in: plimsoll bench http://127.0.0.1:9999/ --rate 100 --for 30s");
        typed.refuse("URL", None, refusal);
    }
    for text in given {
        let read = |text: &str| {
            let whole = with_scheme(text);
            let template = template::parse(&whole, builder, &mut Uses::default())?;
            url::absolute(template)
        };
        urls.extend(typed.read("URL", Some(text), read));
    }
    let messages = urls.iter().filter(|url| url::is_for_messages(url)).count();
    if messages != 0 && messages != urls.len() {
        let refusal = Refusal::new("some URLs are for messages and some for requests")
            .remedy("start one run for each kind");
        typed.refuse("URL", None, refusal);
    }
    for (option, text) in for_requests_only(options).into_iter().filter(|_| messages > 0) {
        let refusal = Refusal::new("a ws:// URL takes messages, not requests")
            .remedy(format!("remove {option}, and write --message TEXT"));
        typed.refuse(option, text, refusal);
    }
    match (&options.message, messages, urls.is_empty()) {
        (Some(message), 0, false) => {
            let refusal = Refusal::new("messages go to a ws:// or wss:// URL")
                .remedy("write the URL with ws://, or --data for the body of a request");
            typed.refuse("--message", Some(message), refusal);
        }
        (None, 1.., _) => {
            let refusal = Refusal::new("nothing is said of what to send to a ws:// URL")
                .remedy("add --message TEXT; it is answered by one message");
            typed.refuse("--message", None, refusal);
        }
        _ => {}
    }
    urls
}

/// Options that mean nothing to a message, of those that were given.
fn for_requests_only(options: &BenchOptions) -> Vec<(&'static str, Option<&str>)> {
    let given = [
        ("--method", options.method.is_some(), options.method.as_deref()),
        ("--data", options.data.is_some(), options.data.as_deref()),
        ("--data-file", options.data_file.is_some(), None),
        ("--form", !options.form.is_empty(), options.form.first().map(String::as_str)),
        ("--redirects", options.redirects.is_some(), options.redirects.as_deref()),
        ("--expect-status", options.expect_status.is_some(), options.expect_status.as_deref()),
    ];
    given.into_iter().filter(|(_, given, _)| *given).map(|(name, _, text)| (name, text)).collect()
}

/// `127.0.0.1:9999/x` is what people type; the scheme is understood.
pub(super) fn with_scheme(text: &str) -> String {
    let text = text.trim();
    let begins_with_host = text.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '[');
    match begins_with_host && !text.contains("://") {
        true => format!("http://{text}"),
        false => text.to_owned(),
    }
}

/// Scheme and authority.
fn host_of(url: &Template) -> String {
    let whole = url::shown(url);
    let start = whole.find("://").map_or(0, |at| at + 3);
    let end = whole[start..].find('/').map_or(whole.len(), |at| start + at);
    whole[..end].to_owned()
}

fn without_query(url: &Template) -> String {
    url::shown(url).split('?').next().unwrap_or_default().to_owned()
}

/// What all requests have in common.
struct Common {
    method: String,
    headers: Vec<(String, Template)>,
    body: RequestBody,
    message: Option<Template>,
    redirects_max: u32,
    checks: Vec<Check>,
}

impl Common {
    fn read(options: &BenchOptions, builder: &mut Builder, typed: &mut Typed) -> Self {
        let (body, content_type) = body(options, builder, typed);
        let given = typed.read("--method", options.method.as_ref(), settings::method);
        let has_body = !matches!(body, RequestBody::None);
        let method = given.unwrap_or(if has_body { "POST" } else { "GET" }.to_owned());
        let redirects = whole(0, settings::REDIRECTS_MAX.into(), 5);
        let redirects = typed.read("--redirects", options.redirects.as_ref(), redirects);
        let message = typed.read("--message", options.message.as_ref(), |text| {
            template::parse(text, builder, &mut Uses::default())
        });
        Self {
            method,
            headers: headers(options, content_type, builder, typed),
            body,
            message,
            redirects_max: redirects.map_or(0, |redirects| redirects as u32),
            checks: checks(options, builder, typed),
        }
    }

    fn step(&self, target: Template, name: &str, builder: &mut Builder) -> Step {
        let is_message = url::is_for_messages(&target);
        let name = if is_message { name.to_owned() } else { format!("{} {name}", self.method) };
        let label = builder.label(&name, LabelKind::Request);
        if is_message {
            return Step::Message(Box::new(Message {
                label,
                url: target,
                headers: self.headers.clone(),
                send: self.message.clone(),
                binary: false,
                replies: 1,
                until: None,
                timeout: None,
                extract: Vec::new(),
                checks: self.checks.clone(),
            }));
        }
        Step::Request(Box::new(self.request(label, Template::text(&self.method), target)))
    }

    fn request(&self, label: usize, method: Template, url: Template) -> Request {
        Request {
            label,
            method,
            url,
            headers: self.headers.clone(),
            body: self.body.clone(),
            timeout: None,
            redirects_max: self.redirects_max,
            extract: Vec::new(),
            checks: self.checks.clone(),
        }
    }
}

fn checks(options: &BenchOptions, builder: &mut Builder, typed: &mut Typed) -> Vec<Check> {
    let statuses =
        typed.read("--expect-status", options.expect_status.as_ref(), settings::statuses);
    let text = typed.read("--expect-body", options.expect_body.as_ref(), |text| {
        template::parse(text, builder, &mut Uses::default())
    });
    let has_text = text.is_some();
    let contains = text.map(|text| Check {
        name: format!("body contains {:?}", url::shown(&text)),
        of: Source::Body,
        what: Finder::Whole,
        test: Test::Contains(text),
        not: false,
    });
    let is_message = options.message.is_some();
    let status = match statuses {
        Some(ranges) => Some(settings::status_check(ranges)),
        None => (has_text && !is_message).then(settings::no_error_status),
    };
    status.into_iter().chain(contains).collect()
}

/// The headers, with those that stand in unless given. One with an empty value is left out.
fn headers(
    options: &BenchOptions,
    content_type: Option<&str>,
    builder: &mut Builder,
    typed: &mut Typed,
) -> Vec<(String, Template)> {
    let mut headers: Vec<(String, Template)> = Vec::new();
    for line in &options.headers {
        let read = |line: &str| {
            let (name, value) = settings::header_line(line)?;
            Ok((name, template::parse(&value, builder, &mut Uses::default())?))
        };
        headers.extend(typed.read("--header", Some(line), read));
    }
    complete(&mut headers, content_type);
    headers
}

/// Adds the headers that stand in unless given, and takes out those with an empty value.
pub(in crate::config) fn complete(
    headers: &mut Vec<(String, Template)>,
    content_type: Option<&str>,
) {
    let agent = settings::user_agent();
    for (name, value) in [("User-Agent", Some(agent.as_str())), ("Content-Type", content_type)] {
        let is_given = headers.iter().any(|(given, _)| given.eq_ignore_ascii_case(name));
        if let Some(value) = value.filter(|_| !is_given) {
            headers.push((name.to_owned(), Template::text(value)));
        }
    }
    headers.retain(|(_, value)| value.constant() != Some(""));
}

/// The body, and what it is unless a header says it.
fn body(
    options: &BenchOptions,
    builder: &mut Builder,
    typed: &mut Typed,
) -> (RequestBody, Option<&'static str>) {
    let given = [
        ("--data", options.data.is_some()),
        ("--data-file", options.data_file.is_some()),
        ("--form", !options.form.is_empty()),
    ];
    let mut given = given.into_iter().filter(|(_, given)| *given).map(|(option, _)| option);
    if let (Some(first), Some(second)) = (given.next(), given.next()) {
        let refusal = Refusal::new(format!("{first} and {second} both give the body"))
            .remedy("keep one of the two");
        typed.refuse(second, None, refusal);
    }
    if let Some(text) = &options.data {
        let content_type = settings::content_type(text);
        let read = |text: &str| template::parse(text, builder, &mut Uses::default());
        let text = typed.read("--data", Some(text), read).unwrap_or_default();
        return (RequestBody::Text(text), Some(content_type));
    }
    if let Some(path) = &options.data_file {
        return match read_file(path, path) {
            Ok(bytes) => {
                let content_type = settings::content_type(&String::from_utf8_lossy(&bytes));
                (RequestBody::File(bytes), Some(content_type))
            }
            Err(refusal) => {
                typed.refuse("--data-file", None, refusal);
                (RequestBody::None, None)
            }
        };
    }
    (form(options, builder, typed), None)
}

/// `name=value` and `name=@FILE`.
fn form(options: &BenchOptions, builder: &mut Builder, typed: &mut Typed) -> RequestBody {
    let mut fields = Vec::new();
    let mut files = false;
    for field in &options.form {
        let read = |text: &str| {
            let (name, value) = text.split_once('=').ok_or_else(|| {
                Refusal::new("there is no `=` between name and value")
                    .remedy("write it as in --form user=anna, or --form photo=@anna.png")
            })?;
            let name = template::parse(name, builder, &mut Uses::default())?;
            let content = match value.strip_prefix('@') {
                Some(path) => MultipartContent::File(
                    file_name(Path::new(path)),
                    read_file(Path::new(path), Path::new(path))?,
                ),
                None => {
                    MultipartContent::Text(template::parse(value, builder, &mut Uses::default())?)
                }
            };
            Ok(MultipartField { name, content_type: None, content })
        };
        if let Some(field) = typed.read("--form", Some(field), read) {
            files |= matches!(field.content, MultipartContent::File(..));
            fields.push(field);
        }
    }
    if files {
        return RequestBody::Multipart(fields);
    }
    let text = |field: MultipartField| match field.content {
        MultipartContent::Text(text) => (field.name, text),
        MultipartContent::File(name, _) => (field.name, Template(vec![Piece::Text(name)])),
    };
    match fields.is_empty() {
        true => RequestBody::None,
        false => RequestBody::Form(fields.into_iter().map(text).collect()),
    }
}

/// The last part of a path.
pub(in crate::config) fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// The bytes of a file that is sent. `written` is its path as the user gave it.
pub(in crate::config) fn read_file(path: &Path, written: &Path) -> Result<Arc<[u8]>, Refusal> {
    use std::io::{ErrorKind, Read};
    let name = written.display();
    let failed = |error: &std::io::Error| match error.kind() {
        ErrorKind::NotFound => {
            Refusal::new(format!("{name} does not exist")).remedy("correct the path")
        }
        ErrorKind::IsADirectory => {
            Refusal::new(format!("{name} is a directory")).remedy("name a file in it")
        }
        ErrorKind::PermissionDenied => {
            Refusal::new(format!("{name} cannot be read: permission denied"))
                .remedy(format!("allow it, for example: chmod u+r {name}"))
        }
        _ => Refusal::new(format!("{name} cannot be read: {error}")).remedy("check the path"),
    };
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).map_err(|error| failed(&error))?;
    file.take(FILE_BYTES + 1).read_to_end(&mut bytes).map_err(|error| failed(&error))?;
    if bytes.len() as u64 > FILE_BYTES {
        return Err(Refusal::new(format!("{name} is larger than 64 MiB"))
            .remedy("check that it is the file you mean"));
    }
    Ok(bytes.into())
}
