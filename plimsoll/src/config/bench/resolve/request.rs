//! Requests and messages of a plan.

use super::super::super::kind::{Item, Named, OneOf};
use super::super::super::quantity::Refusal;
use super::super::super::reader::Where;
use super::super::grammar;
use super::super::model::{
    LabelKind, Message, MultipartContent, MultipartField, Pattern, Request, RequestBody, Step,
    Template,
};
use super::super::options::{file_name, read_file};
use super::super::template::Uses;
use super::super::{settings, url};
use super::Resolver;

impl Resolver<'_, '_> {
    /// The steps of a request: itself, and the pause after it.
    pub(super) fn request(&mut self, item: &Item<grammar::Request>, uses: &mut Uses) -> Vec<Step> {
        let raw = &item.value;
        let wants_reply = raw.replies.is_present() || raw.until.is_present();
        let is_message = raw.message.is_present() || wants_reply || raw.binary.is_present();
        let step = match is_message {
            true => self.message(item, uses),
            false => self.plain_request(item, uses),
        };
        self.has_unknown_labels |= step.is_none();
        let think = raw.think.value.clone().map(Step::Pause);
        step.into_iter().chain(think).collect()
    }

    /// The URL of a request, absolute.
    fn url(&mut self, item: &Item<grammar::Request>, uses: &mut Uses) -> Option<Template> {
        let raw = &item.value;
        if raw.url.is_present() && raw.path.is_present() {
            let refusal = Refusal::new("`url` is the whole, so that `path` has no place")
                .remedy("keep one of the two");
            self.refuse(&raw.path.at, refusal);
            return None;
        }
        if raw.url.is_present() {
            let whole = self.optional(&raw.url, uses)?;
            return self.checked(url::absolute(whole), &raw.url.at);
        }
        let path = match raw.path.is_present() {
            true => Some(self.optional(&raw.path, uses)?),
            false => None,
        };
        let Some(base) = self.base.clone() else {
            if !self.has_base && !self.reader.is_misspelt("url") {
                let (at, found) = match path {
                    Some(_) => (&raw.path.at, "a path has no host"),
                    None => (&item.at, "this says nowhere to ask"),
                };
                let refusal = Refusal::new(found)
                    .remedy("add url = \"http://HOST:PORT\" at the top of the file");
                self.refuse(at, refusal);
            }
            return None;
        };
        match path {
            Some(path) => self.checked(url::below(&base, path), &raw.path.at),
            None => Some(base),
        }
    }

    fn own_headers(&mut self, raw: &grammar::Request, uses: &mut Uses) -> Vec<(String, Template)> {
        let mut headers = Vec::new();
        for named in &raw.headers.value {
            headers.extend(self.header(named, uses));
        }
        headers
    }

    fn plain_request(&mut self, item: &Item<grammar::Request>, uses: &mut Uses) -> Option<Step> {
        let raw = &item.value;
        let url = self.url(item, uses);
        let own = self.own_headers(raw, uses);
        let (body, content_type) = self.body(raw, uses);
        let checks = self.checks(raw.check.value.as_ref(), false, uses);
        let extract = self.extractions(&raw.extract.value, false, uses);
        let url = url?;
        if url::is_for_messages(&url) {
            let at = if raw.url.is_present() { &raw.url.at } else { &item.at };
            let refusal = Refusal::new("a ws:// URL takes messages, not requests")
                .remedy("add message = \"TEXT\", or write http://");
            self.refuse(at, refusal);
            return None;
        }
        let usual = if matches!(body, RequestBody::None) { "GET" } else { "POST" };
        let method = raw.method.value.clone().unwrap_or_else(|| usual.to_owned());
        let name = match &raw.name.value {
            Some(name) => name.clone(),
            None => format!("{method} {}", url::path_of(&url)),
        };
        Some(Step::Request(Box::new(Request {
            label: self.builder.label(&name, LabelKind::Request),
            method: Template::text(method),
            url,
            headers: self.all_headers(own, content_type),
            body,
            timeout: raw.timeout.value,
            redirects_max: raw.redirects.value.unwrap_or(self.redirects_max),
            extract,
            checks,
        })))
    }

    fn message(&mut self, item: &Item<grammar::Request>, uses: &mut Uses) -> Option<Step> {
        let raw = &item.value;
        let of_requests: [(&str, bool, &Where); 7] = [
            ("method", raw.method.is_present(), &raw.method.at),
            ("body", raw.body.is_present(), &raw.body.at),
            ("json", raw.json.is_present(), &raw.json.at),
            ("form", raw.form.is_present(), &raw.form.at),
            ("multipart", raw.multipart.is_present(), &raw.multipart.at),
            ("file", raw.file.is_present(), &raw.file.at),
            ("redirects", raw.redirects.is_present(), &raw.redirects.at),
        ];
        for (name, _, at) in of_requests.into_iter().filter(|(_, is_present, _)| *is_present) {
            let refusal = Refusal::new(format!("a message has no `{name}`"))
                .remedy("remove it; what is sent is `message`");
            self.refuse(at, refusal);
        }
        let url = self.url(item, uses).map(url::for_messages);
        let own = self.own_headers(raw, uses);
        let send = self.optional(&raw.message, uses);
        let checks = self.checks(raw.check.value.as_ref(), true, uses);
        let extract = self.extractions(&raw.extract.value, true, uses);
        let url = url?;
        let replies = raw.replies.value.unwrap_or(1);
        if send.is_none() && replies == 0 && raw.message.is_sound() {
            let refusal = Refusal::new("this neither sends nor awaits a message")
                .remedy("add `message`, or write replies = 1");
            self.refuse(&item.at, refusal);
        }
        let name = raw.name.value.clone().unwrap_or_else(|| url::path_of(&url));
        Some(Step::Message(Box::new(Message {
            label: self.builder.label(&name, LabelKind::Request),
            url,
            headers: self.all_headers(own, None),
            send,
            binary: raw.binary.value,
            replies,
            until: raw.until.value.clone().map(Pattern),
            timeout: raw.timeout.value,
            extract,
            checks,
        })))
    }

    /// The body, and what it is unless a header says it.
    fn body(
        &mut self,
        raw: &grammar::Request,
        uses: &mut Uses,
    ) -> (RequestBody, Option<&'static str>) {
        let given: Vec<(&str, &Where)> = [
            ("body", raw.body.is_present(), &raw.body.at),
            ("json", raw.json.is_present(), &raw.json.at),
            ("form", raw.form.is_present(), &raw.form.at),
            ("multipart", raw.multipart.is_present(), &raw.multipart.at),
            ("file", raw.file.is_present(), &raw.file.at),
        ]
        .into_iter()
        .filter(|(_, is_present, _)| *is_present)
        .map(|(name, _, at)| (name, at))
        .collect();
        if let [(first, _), (second, at), ..] = &given[..] {
            let refusal = Refusal::new(format!("`{first}` and `{second}` both give the body"))
                .remedy("keep one of the two");
            self.refuse(at, refusal);
        }
        match given.first().map(|(name, _)| *name) {
            Some("body") => {
                let text = raw.body.value.as_deref().unwrap_or_default();
                let body = self.optional(&raw.body, uses).unwrap_or_default();
                (RequestBody::Text(body), Some(settings::content_type(text)))
            }
            Some("json") => {
                let body = self.optional(&raw.json, uses).unwrap_or_default();
                (RequestBody::Text(body), Some("application/json"))
            }
            Some("form") => (self.form(&raw.form.value, uses), None),
            Some("multipart") => (self.multipart(&raw.multipart.value, uses), None),
            Some("file") => {
                let bytes = raw.file.value.as_ref().and_then(|file| {
                    let read = read_file(&self.directory.join(file), file);
                    self.checked(read, &raw.file.at)
                });
                (bytes.map_or(RequestBody::None, RequestBody::File), None)
            }
            _ => (RequestBody::None, None),
        }
    }

    fn form(&mut self, fields: &[Named<String>], uses: &mut Uses) -> RequestBody {
        let mut form = Vec::new();
        for named in fields {
            let name = self.template(&named.name, &named.at, uses);
            let value = self.value_template(named, uses);
            form.extend(name.zip(value));
        }
        RequestBody::Form(form)
    }

    fn multipart(
        &mut self,
        fields: &[Named<OneOf<String, grammar::Multipart>>],
        uses: &mut Uses,
    ) -> RequestBody {
        let mut parts = Vec::new();
        for Named { name, at, value } in fields {
            let Some(name) = self.template(name, at, uses) else { continue };
            let (content_type, content) = match value {
                OneOf::First(text) => {
                    let at = self.reader.value_of(at);
                    (None, self.template(text, &at, uses).map(MultipartContent::Text))
                }
                OneOf::Second(table) => {
                    (table.r#type.value.clone(), self.multipart_content(table, at, uses))
                }
            };
            parts.extend(content.map(|content| MultipartField { name, content_type, content }));
        }
        RequestBody::Multipart(parts)
    }

    fn multipart_content(
        &mut self,
        table: &grammar::Multipart,
        at: &Where,
        uses: &mut Uses,
    ) -> Option<MultipartContent> {
        match (&table.text.value, &table.file.value) {
            (Some(text), None) => {
                self.template(text, &table.text.at, uses).map(MultipartContent::Text)
            }
            (None, Some(file)) => {
                let read = read_file(&self.directory.join(file), file);
                let bytes = self.checked(read, &table.file.at)?;
                Some(MultipartContent::File(file_name(file), bytes))
            }
            (Some(_), Some(_)) => {
                let refusal = Refusal::new("`text` and `file` both give the field")
                    .remedy("keep one of the two");
                self.refuse(&table.file.at, refusal);
                None
            }
            (None, None) => {
                if table.text.is_sound() && table.file.is_sound() {
                    let refusal = Refusal::new("this field holds nothing")
                        .remedy("add text = \"…\" or file = \"photo.png\"");
                    self.refuse(at, refusal);
                }
                None
            }
        }
    }
}
