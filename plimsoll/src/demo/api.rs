//! The REST API over the three resources.
//!
//! One set of handlers serves all of them: `resource` says what is allowed, `query` says it in
//! SQL. Errors are JSON: `{"error": …}` or, for fields, `{"errors": {"field": ["…"]}}`.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value as JsonValue, json};

use super::Clinic;
use super::query::{self, Page};
use super::resource::{
    Columns, DEFAULT_PAGE_SIZE, FieldErrors, Filter, MAX_PAGE_SIZE, MEASUREMENTS, Resource, named,
};
use super::store::{Row, Statement, StoreError, Value};

/// Why a request was not carried out.
#[derive(Debug)]
pub enum ApiError {
    NoSuchResource,
    NoSuchRow,
    NotJson(String),
    Fields(FieldErrors),
    Store(StoreError),
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let (status, body) = match self {
            Self::NoSuchResource => (
                StatusCode::NOT_FOUND,
                json!({"error": "there is nothing here; try /variables/, /measurements/ or /alarms/"}),
            ),
            Self::NoSuchRow => (StatusCode::NOT_FOUND, json!({"error": "no row has this id"})),
            Self::NotJson(why) => (StatusCode::BAD_REQUEST, json!({"error": why})),
            Self::Fields(errors) => (StatusCode::BAD_REQUEST, json!({"errors": errors})),
            Self::Store(error) => {
                crate::log::error("clinic", &error);
                (
                    StatusCode::SERVICE_UNAVAILABLE,
                    json!({"error": "the store does not answer; the instance's log says why"}),
                )
            }
        };
        (status, Json(body)).into_response()
    }
}

fn field_error(field: &str, text: &str) -> ApiError {
    ApiError::Fields(FieldErrors::from([(field.to_owned(), vec![text.to_owned()])]))
}

fn store_error(resource: &Resource, error: StoreError) -> ApiError {
    match error {
        StoreError::Duplicate => field_error(resource.fields[0].name, "exists already"),
        StoreError::MissingReference => {
            field_error("variable", "refers to a row that does not exist")
        }
        error => ApiError::Store(error),
    }
}

fn object(resource: &Resource, row: Row) -> JsonValue {
    let names = std::iter::once("id").chain(resource.fields.iter().map(|field| field.name));
    let members = names.zip(row).map(|(name, value)| {
        let value = match value {
            Value::Null | Value::ReturnedId => JsonValue::Null,
            Value::Integer(number) => json!(number),
            Value::Number(number) => json!(number),
            Value::Text(text) => JsonValue::String(text),
            Value::Flag(flag) => JsonValue::Bool(flag),
        };
        (name.to_owned(), value)
    });
    JsonValue::Object(members.collect::<Map<_, _>>())
}

fn body_object(body: &[u8]) -> Result<Map<String, JsonValue>, ApiError> {
    match serde_json::from_slice(body) {
        Ok(JsonValue::Object(object)) => Ok(object),
        Ok(_) => Err(ApiError::NotJson("the body must be a JSON object".to_owned())),
        Err(error) => Err(ApiError::NotJson(format!("the body is not JSON: {error}"))),
    }
}

fn now() -> String {
    format!("{:.3}", jiff::Timestamp::now())
}

/// `GET /{resource}/?page=&page_size=&FILTER=…`
pub async fn list(
    State(clinic): State<Clinic>,
    Path(name): Path<String>,
    uri: Uri,
    axum::extract::Query(parameters): axum::extract::Query<Vec<(String, String)>>,
) -> Result<Response, ApiError> {
    let resource = named(&name).ok_or(ApiError::NoSuchResource)?;
    let (page, filters) = read_parameters(resource, &parameters).map_err(ApiError::Fields)?;
    let statements = query::list(resource, &filters, &page).into();
    let results =
        clinic.run("list", statements).await.map_err(|error| store_error(resource, error))?;
    let [count, rows]: [Vec<Row>; 2] =
        results.try_into().unwrap_or_else(|_| [Vec::new(), Vec::new()]);
    let count = match count.first().and_then(|row| row.first()) {
        Some(Value::Integer(count)) => *count,
        _ => 0,
    };
    let last = i64::from(page.number) * i64::from(page.size) >= count;
    let link = |number: u32| -> String {
        let others = parameters.iter().filter(|(name, _)| name != "page");
        let others = others.map(|(name, value)| format!("{name}={}&", encode(value)));
        format!("{}?{}page={number}", uri.path(), others.collect::<String>())
    };
    Ok(Json(json!({
        "count": count,
        "page": page.number,
        "page_size": page.size,
        "next": (!last).then(|| link(page.number + 1)),
        "previous": (page.number > 1).then(|| link(page.number - 1)),
        "results": rows.into_iter().map(|row| object(resource, row)).collect::<Vec<_>>(),
    }))
    .into_response())
}

/// Percent-encodes all but RFC 3986's unreserved characters.
fn encode(text: &str) -> String {
    text.bytes().fold(String::new(), |mut encoded, byte| {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                encoded.push(char::from(byte));
            }
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
        encoded
    })
}

type Filters = Vec<(&'static Filter, Value)>;

fn read_parameters(
    resource: &'static Resource,
    parameters: &[(String, String)],
) -> Result<(Page, Filters), FieldErrors> {
    let mut page = Page { number: 1, size: DEFAULT_PAGE_SIZE };
    let mut filters = Filters::new();
    let mut errors = FieldErrors::new();
    for (name, text) in parameters {
        let outcome = match name.as_str() {
            "page" => whole_number(text, u32::MAX - 1).map(|number| page.number = number),
            "page_size" => whole_number(text, MAX_PAGE_SIZE).map(|size| page.size = size),
            _ => read_filter(resource, name, text).map(|filter| filters.push(filter)),
        };
        if let Err(text) = outcome {
            errors.entry(name.clone()).or_default().push(text);
        }
    }
    if errors.is_empty() { Ok((page, filters)) } else { Err(errors) }
}

fn whole_number(text: &str, most: u32) -> Result<u32, String> {
    match text.parse() {
        Ok(number) if (1..=most).contains(&number) => Ok(number),
        _ => Err(format!("must be a whole number from 1 to {most}")),
    }
}

fn read_filter(
    resource: &'static Resource,
    name: &str,
    text: &str,
) -> Result<(&'static Filter, Value), String> {
    let filter = resource.filters.iter().find(|filter| filter.parameter == name);
    let Some(filter) = filter else {
        let known: Vec<_> = resource.filters.iter().map(|filter| filter.parameter).collect();
        return Err(format!(
            "is not a filter of {}: {}, page, page_size",
            resource.name,
            known.join(", ")
        ));
    };
    // Every filter's column is a field: `resource` is a static table, checked by a test.
    let rule = resource.field(filter.column).map(|field| field.rule);
    let value = rule.ok_or("has no column")?.read_parameter(text)?;
    Ok((filter, value))
}

/// `POST /{resource}/`
pub async fn create(
    State(clinic): State<Clinic>,
    Path(name): Path<String>,
    body: axum::body::Bytes,
) -> Result<Response, ApiError> {
    let resource = named(&name).ok_or(ApiError::NoSuchResource)?;
    let now = now();
    let values = resource.validate(&body_object(&body)?, false, &now).map_err(ApiError::Fields)?;
    let row = write(&clinic, resource, "create", query::insert(resource, values), &now).await?;
    let row = row.ok_or(ApiError::NoSuchRow)?;
    let location = match row.first() {
        Some(Value::Integer(id)) => format!("/{}/{id}/", resource.name),
        _ => format!("/{}/", resource.name),
    };
    let headers = [(header::LOCATION, location)];
    Ok((StatusCode::CREATED, headers, Json(object(resource, row))).into_response())
}

/// Runs a statement that returns the written row, and raises the alarm that it may call for.
async fn write(
    clinic: &Clinic,
    resource: &'static Resource,
    operation: &'static str,
    statement: Statement,
    now: &str,
) -> Result<Option<Row>, ApiError> {
    let mut statements = vec![statement];
    if resource.name == MEASUREMENTS.name {
        statements.push(query::raise_alarm(now));
    }
    let results =
        clinic.run(operation, statements).await.map_err(|error| store_error(resource, error))?;
    Ok(results.into_iter().next().and_then(|rows| rows.into_iter().next()))
}

/// `GET /{resource}/{id}/`
pub async fn detail(
    State(clinic): State<Clinic>,
    Path((name, id)): Path<(String, String)>,
) -> Result<Response, ApiError> {
    let (resource, id) = row_of(&name, &id)?;
    let results = clinic
        .run("detail", vec![query::get(resource, id)])
        .await
        .map_err(|error| store_error(resource, error))?;
    let row = results.into_iter().next().and_then(|rows| rows.into_iter().next());
    Ok(Json(object(resource, row.ok_or(ApiError::NoSuchRow)?)).into_response())
}

fn row_of(name: &str, id: &str) -> Result<(&'static Resource, i64), ApiError> {
    let resource = named(name).ok_or(ApiError::NoSuchResource)?;
    Ok((resource, id.parse().map_err(|_| ApiError::NoSuchRow)?))
}

/// `PUT /{resource}/{id}/`: the whole row.
pub async fn replace(
    state: State<Clinic>,
    path: Path<(String, String)>,
    body: axum::body::Bytes,
) -> Result<Response, ApiError> {
    change(state, path, body, false).await
}

/// `PATCH /{resource}/{id}/`: the fields that are given.
pub async fn update(
    state: State<Clinic>,
    path: Path<(String, String)>,
    body: axum::body::Bytes,
) -> Result<Response, ApiError> {
    change(state, path, body, true).await
}

async fn change(
    State(clinic): State<Clinic>,
    Path((name, id)): Path<(String, String)>,
    body: axum::body::Bytes,
    partial: bool,
) -> Result<Response, ApiError> {
    let (resource, id) = row_of(&name, &id)?;
    let now = now();
    let values =
        resource.validate(&body_object(&body)?, partial, &now).map_err(ApiError::Fields)?;
    // A check over two fields may need the one that a partial update leaves out.
    if partial {
        let stored = clinic
            .run("detail", vec![query::get(resource, id)])
            .await
            .map_err(|error| store_error(resource, error))?;
        let row = stored.into_iter().next().and_then(|rows| rows.into_iter().next());
        let row = row.ok_or(ApiError::NoSuchRow)?;
        let mut whole: Columns =
            resource.fields.iter().map(|field| field.name).zip(row.into_iter().skip(1)).collect();
        whole.extend(values.clone());
        if let Some((field, text)) = (resource.check)(&whole) {
            return Err(field_error(field, text));
        }
    }
    let row = write(&clinic, resource, "update", query::update(resource, id, values), &now).await?;
    Ok(Json(object(resource, row.ok_or(ApiError::NoSuchRow)?)).into_response())
}

/// `DELETE /{resource}/{id}/`
pub async fn delete(
    State(clinic): State<Clinic>,
    Path((name, id)): Path<(String, String)>,
) -> Result<Response, ApiError> {
    let (resource, id) = row_of(&name, &id)?;
    let results = clinic
        .run("delete", vec![query::delete(resource, id)])
        .await
        .map_err(|error| store_error(resource, error))?;
    match results.first().map(Vec::len) {
        Some(1) => Ok(StatusCode::NO_CONTENT.into_response()),
        _ => Err(ApiError::NoSuchRow),
    }
}

#[cfg(test)]
mod tests {
    use super::super::resource::ALL;
    use super::*;

    #[test]
    fn every_filter_names_a_field() {
        for resource in ALL {
            for filter in resource.filters {
                assert!(resource.field(filter.column).is_some(), "{}", filter.parameter);
            }
        }
    }

    #[test]
    fn wrong_parameters_are_named() {
        let parameters = [("page", "0"), ("colour", "red"), ("variable", "x")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()));
        let errors = read_parameters(&MEASUREMENTS, &parameters).unwrap_err();
        assert_eq!(errors["page"], ["must be a whole number from 1 to 4294967294"]);
        assert_eq!(errors["variable"], ["must be an id (a whole number)"]);
        assert!(errors["colour"][0].starts_with("is not a filter of measurements: variable,"));
    }
}
