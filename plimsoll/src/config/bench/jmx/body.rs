//! Parameters and files of a sampler: a query, a form, a text, a file, or several parts.
//!
//! JMeter sends parameters without names as the body itself, and a single file without a name as
//! the body, too. A parameter that is not to be encoded is taken as encoded already.

use std::path::Path;
use std::sync::Arc;

use super::convert::{Converter, Place, append, joined};
use super::function::form_decoded;
use super::http::Settings;
use super::tree::{Element, Property};
use crate::config::bench::model::{
    Function, MultipartContent, MultipartField, Piece, RequestBody, Template,
};

/// A parameter.
struct Parameter {
    name: Template,
    value: Template,
    encode: bool,
    separator: &'static str,
    content_type: Option<String>,
}

/// A file.
struct Attachment<'e> {
    path: String,
    parameter: Template,
    content_type: Option<String>,
    place: Place<'e>,
}

impl Converter<'_> {
    /// The query that goes with the URL, and the body.
    pub(super) fn payload(
        &mut self,
        settings: &Settings<'_>,
        method: &Template,
        headers: &mut Vec<(String, Template)>,
    ) -> (Template, RequestBody) {
        let raw = settings.is("HTTPSampler.postBodyRaw");
        let parameters: Vec<Parameter> = settings
            .arguments()
            .into_iter()
            .map(|(element, property)| self.parameter(element, property))
            .collect();
        let attachments = self.attachments(settings);
        let has_body = matches!(method.constant(), Some("POST" | "PUT" | "PATCH") | None);
        if !has_body && !raw {
            return (self.query(parameters), RequestBody::None);
        }
        let multipart = settings.is("HTTPSampler.DO_MULTIPART_POST");
        let single_file = matches!(&attachments[..], [only] if only.parameter.0.is_empty());
        if single_file && !multipart {
            let body = attachments.into_iter().next().map(|file| self.file_body(file, headers));
            return (Template::default(), body.unwrap_or(RequestBody::None));
        }
        if multipart || !attachments.is_empty() {
            // Who names the boundary names the type; a type of the plan could only lack it.
            headers.retain(|(name, _)| !name.eq_ignore_ascii_case("content-type"));
            return (Template::default(), self.multipart(parameters, attachments));
        }
        let nameless = parameters.iter().all(|parameter| parameter.name.0.is_empty());
        let body = if parameters.is_empty() {
            RequestBody::None
        } else if raw || nameless {
            let mut values = Vec::new();
            for parameter in parameters {
                let value = parameter.value;
                values.push(if parameter.encode { self.url_encoded(value) } else { value });
            }
            RequestBody::Text(joined(values))
        } else {
            RequestBody::Form(self.form(parameters))
        };
        (Template::default(), body)
    }

    fn parameter(&mut self, element: &Element, property: &Property) -> Parameter {
        let place = Place { element, span: &property.span };
        // Parameters without a name keep the place for it as the property's own.
        let name = self.template(property.text_of("Argument.name").unwrap_or_default(), place);
        let value = self.template(property.text_of("Argument.value").unwrap_or_default(), place);
        let content_type = property.text_of("HTTPArgument.content_type").map(str::trim);
        Parameter {
            name,
            value,
            encode: property.text_of("HTTPArgument.always_encode") == Some("true"),
            separator: match property.text_of("Argument.metadata") {
                Some("") => "",
                _ => "=",
            },
            content_type: content_type.filter(|text| !text.is_empty()).map(str::to_owned),
        }
    }

    /// Parameters without a name are left out.
    fn query(&mut self, parameters: Vec<Parameter>) -> Template {
        let mut query = Template::default();
        for parameter in parameters.into_iter().filter(|each| !each.name.0.is_empty()) {
            if !query.0.is_empty() {
                append(&mut query, Template::text("&"));
            }
            let (mut name, mut value) = (parameter.name, parameter.value);
            if parameter.encode {
                (name, value) = (self.url_encoded(name), self.url_encoded(value));
            }
            append(&mut query, joined([name, Template::text(parameter.separator), value]));
        }
        query
    }

    fn form(&mut self, parameters: Vec<Parameter>) -> Vec<(Template, Template)> {
        let named = parameters.into_iter().filter(|parameter| !parameter.name.0.is_empty());
        let mut fields = Vec::new();
        for parameter in named {
            let (mut name, mut value) = (parameter.name, parameter.value);
            if !parameter.encode {
                (name, value) = (self.decoded(name), self.decoded(value));
            }
            fields.push((name, value));
        }
        fields
    }

    fn decoded(&mut self, template: Template) -> Template {
        let pieces = template.0.into_iter().map(|piece| match piece {
            Piece::Text(text) => Template::text(form_decoded(&text)),
            other => self.piece(Function::UrlDecode, vec![Template(vec![other])], None),
        });
        joined(pieces.collect::<Vec<_>>())
    }

    fn attachments<'e>(&mut self, settings: &Settings<'e>) -> Vec<Attachment<'e>> {
        let mut attachments = Vec::new();
        for (element, file) in settings.files() {
            let place = Place { element, span: &file.span };
            let parameter = file.text_of("File.paramname").unwrap_or_default();
            let kind = file.text_of("File.mimetype").unwrap_or_default();
            self.attach(&mut attachments, file.text_of("File.path"), parameter, kind, place);
        }
        // As plans of JMeter 2.2 and before have the one file.
        let (element, path) = settings.find("HTTPSampler.FILE_NAME");
        let (_, parameter) = settings.find("HTTPSampler.FILE_FIELD");
        let (_, kind) = settings.find("HTTPSampler.mimetype");
        let place = Place::of(element, "HTTPSampler.FILE_NAME");
        self.attach(&mut attachments, Some(path), parameter, kind, place);
        attachments
    }

    fn attach<'e>(
        &mut self,
        attachments: &mut Vec<Attachment<'e>>,
        path: Option<&str>,
        parameter: &str,
        content_type: &str,
        place: Place<'e>,
    ) {
        let path = path.unwrap_or_default().trim();
        if path.is_empty() {
            return;
        }
        let path = self.template(path, place);
        let content_type = self.template(content_type.trim(), place);
        let (Some(path), Some(content_type)) =
            (self.constant(&path, place), self.constant(&content_type, place))
        else {
            return;
        };
        let parameter = self.template(parameter.trim(), place);
        let content_type = Some(content_type).filter(|text| !text.is_empty());
        attachments.push(Attachment { path, parameter, content_type, place });
    }

    fn file_body(
        &mut self,
        file: Attachment<'_>,
        headers: &mut Vec<(String, Template)>,
    ) -> RequestBody {
        let named = headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-type"));
        if let (false, Some(content_type)) = (named, file.content_type) {
            headers.push(("Content-Type".to_owned(), Template::text(content_type)));
        }
        match self.file(&file.path, file.place) {
            Some(bytes) => RequestBody::File(Arc::from(bytes)),
            None => RequestBody::None,
        }
    }

    fn multipart(
        &mut self,
        parameters: Vec<Parameter>,
        attachments: Vec<Attachment<'_>>,
    ) -> RequestBody {
        let mut fields = Vec::new();
        for parameter in parameters.into_iter().filter(|each| !each.name.0.is_empty()) {
            fields.push(MultipartField {
                name: parameter.name,
                content_type: parameter.content_type,
                content: MultipartContent::Text(parameter.value),
            });
        }
        for file in attachments {
            let Some(bytes) = self.file(&file.path, file.place) else { continue };
            let name = Path::new(&file.path).file_name().unwrap_or_default().to_string_lossy();
            fields.push(MultipartField {
                name: file.parameter,
                content_type: file.content_type,
                content: MultipartContent::File(name.into_owned(), Arc::from(bytes)),
            });
        }
        RequestBody::Multipart(fields)
    }
}
