//! SQL text for resources, the same for SQLite and PostgreSQL.
//!
//! Pure: names come from the static tables of `resource` only, values are always parameters.
//! Parameters are numbered `$1…` in order of appearance, which both engines understand.

use super::resource::{Columns, Comparison, Filter, Resource, Rule};
use super::store::{Kind, Statement, Value};

/// One page of a list.
#[derive(Debug)]
pub struct Page {
    /// From 1.
    pub number: u32,
    /// Rows a page.
    pub size: u32,
}

fn columns(resource: &Resource) -> String {
    std::iter::once("id")
        .chain(resource.fields.iter().map(|field| field.name))
        .collect::<Vec<_>>()
        .join(", ")
}

/// The count of matching rows, and one page of them.
pub fn list(resource: &Resource, filters: &[(&Filter, Value)], page: &Page) -> [Statement; 2] {
    let mut parameters = Vec::new();
    let mut conditions = Vec::new();
    for (filter, value) in filters {
        parameters.push(match (filter.comparison, value) {
            (Comparison::Contains, Value::Text(text)) => {
                Value::Text(format!("%{}%", escape_like(&text.to_lowercase())))
            }
            (_, value) => value.clone(),
        });
        let (column, number) = (filter.column, parameters.len());
        conditions.push(match filter.comparison {
            Comparison::Equal => format!("{column} = ${number}"),
            Comparison::AtLeast => format!("{column} >= ${number}"),
            Comparison::AtMost => format!("{column} <= ${number}"),
            Comparison::Contains => format!("lower({column}) LIKE ${number} ESCAPE '!'"),
        });
    }
    let conditions = match conditions.as_slice() {
        [] => String::new(),
        all => format!(" WHERE {}", all.join(" AND ")),
    };
    let count = Statement {
        sql: format!("SELECT count(*) FROM {}{conditions}", resource.name),
        parameters: parameters.clone(),
        columns: vec![Kind::Integer],
    };
    let first = i64::from(page.number - 1) * i64::from(page.size);
    parameters.push(Value::Integer(i64::from(page.size)));
    parameters.push(Value::Integer(first));
    let rows = Statement {
        sql: format!(
            "SELECT {} FROM {}{conditions} ORDER BY id LIMIT ${} OFFSET ${}",
            columns(resource),
            resource.name,
            parameters.len() - 1,
            parameters.len()
        ),
        parameters,
        columns: resource.kinds(),
    };
    [count, rows]
}

fn escape_like(text: &str) -> String {
    text.replace('!', "!!").replace('%', "!%").replace('_', "!_")
}

/// One row by id.
pub fn get(resource: &Resource, id: i64) -> Statement {
    Statement {
        sql: format!("SELECT {} FROM {} WHERE id = $1", columns(resource), resource.name),
        parameters: vec![Value::Integer(id)],
        columns: resource.kinds(),
    }
}

/// A new row; returns it.
pub fn insert(resource: &Resource, values: Columns) -> Statement {
    let names: Vec<_> = values.keys().copied().collect();
    let marks: Vec<_> = (1..=names.len()).map(|number| format!("${number}")).collect();
    Statement {
        sql: format!(
            "INSERT INTO {} ({}) VALUES ({}) RETURNING {}",
            resource.name,
            names.join(", "),
            marks.join(", "),
            columns(resource)
        ),
        parameters: values.into_values().collect(),
        columns: resource.kinds(),
    }
}

/// A changed row; returns it, or nothing where there is none.
pub fn update(resource: &Resource, id: i64, values: Columns) -> Statement {
    if values.is_empty() {
        return get(resource, id);
    }
    let names: Vec<_> =
        values.keys().enumerate().map(|(index, name)| format!("{name} = ${}", index + 1)).collect();
    let mut parameters: Vec<_> = values.into_values().collect();
    parameters.push(Value::Integer(id));
    Statement {
        sql: format!(
            "UPDATE {} SET {} WHERE id = ${} RETURNING {}",
            resource.name,
            names.join(", "),
            parameters.len(),
            columns(resource)
        ),
        parameters,
        columns: resource.kinds(),
    }
}

/// Removes a row; returns its id, or nothing where there was none.
pub fn delete(resource: &Resource, id: i64) -> Statement {
    Statement {
        sql: format!("DELETE FROM {} WHERE id = $1 RETURNING id", resource.name),
        parameters: vec![Value::Integer(id)],
        columns: vec![Kind::Integer],
    }
}

/// Raises an alarm for the measurement that the transaction's first statement returned, if it
/// is beyond its variable's limits and has none yet.
pub fn raise_alarm(now: &str) -> Statement {
    Statement {
        sql: "INSERT INTO alarms (variable, measurement, kind, message, acknowledged, raised_at) \
              SELECT v.id, m.id, \
                CASE WHEN m.value > v.upper THEN 'above' ELSE 'below' END, \
                v.name || CASE WHEN m.value > v.upper THEN ' is above its upper limit' \
                               ELSE ' is below its lower limit' END, \
                FALSE, $1 \
              FROM measurements m JOIN variables v ON v.id = m.variable \
              WHERE m.id = $2 AND (m.value > v.upper OR m.value < v.lower) \
                AND NOT EXISTS (SELECT 1 FROM alarms a WHERE a.measurement = m.id) \
              RETURNING id"
            .to_owned(),
        parameters: vec![Value::Text(now.to_owned()), Value::ReturnedId],
        columns: vec![Kind::Integer],
    }
}

/// The tables, in the dialect whose `id` column is declared as `id`.
pub fn schema(id: &str) -> Vec<String> {
    let mut statements: Vec<String> = super::resource::ALL
        .iter()
        .map(|resource| {
            let fields: Vec<_> = resource
                .fields
                .iter()
                .map(|field| {
                    let kind = match field.rule.kind() {
                        Kind::Integer => "BIGINT",
                        Kind::Number => "DOUBLE PRECISION",
                        Kind::Text => "TEXT",
                        Kind::Flag => "BOOLEAN",
                    };
                    let null = match field.absent {
                        super::resource::Absent::Null => "",
                        _ => " NOT NULL",
                    };
                    let reference = match field.rule {
                        Rule::Reference(table) => {
                            format!(" REFERENCES {table} (id) ON DELETE CASCADE")
                        }
                        _ => String::new(),
                    };
                    format!("{} {kind}{null}{reference}", field.name)
                })
                .collect();
            format!("CREATE TABLE {} ({id}, {})", resource.name, fields.join(", "))
        })
        .collect();
    statements.extend(
        [
            "CREATE UNIQUE INDEX variables_name ON variables (name)",
            "CREATE INDEX measurements_variable ON measurements (variable, measured_at)",
            "CREATE INDEX alarms_variable ON alarms (variable)",
            "CREATE INDEX alarms_measurement ON alarms (measurement)",
        ]
        .map(str::to_owned),
    );
    statements
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::resource::{MEASUREMENTS, VARIABLES};
    use super::*;

    #[test]
    fn a_list_with_filters_counts_and_pages() {
        let filters = [(&VARIABLES.filters[0], Value::Text("50%_!".into()))];
        let [count, rows] = list(&VARIABLES, &filters, &Page { number: 3, size: 10 });
        assert_eq!(
            count.sql,
            "SELECT count(*) FROM variables WHERE lower(name) LIKE $1 ESCAPE '!'"
        );
        assert_eq!(count.parameters, [Value::Text("%50!%!_!!%".into())]);
        assert!(rows.sql.ends_with("ORDER BY id LIMIT $2 OFFSET $3"), "{}", rows.sql);
        assert_eq!(rows.parameters[1..], [Value::Integer(10), Value::Integer(20)]);
    }

    #[test]
    fn an_update_names_only_what_changes() {
        let statement = update(&MEASUREMENTS, 7, BTreeMap::from([("value", Value::Number(1.0))]));
        assert!(
            statement.sql.starts_with("UPDATE measurements SET value = $1 WHERE id = $2"),
            "{}",
            statement.sql
        );
    }
}
