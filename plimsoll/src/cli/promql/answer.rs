//! Answers of Prometheus' API as tables for a terminal.

use serde_json::Value;

use crate::cli::table::{Align, Cell, Painter, Table};

/// Most values of a series that a line of blocks shows; of more, neighbours are joined.
const BLOCKS_MAX: usize = 60;
/// Where the terminal is narrow.
const BLOCKS_LEAST: usize = 20;
/// From the least value to the largest.
const BLOCKS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// The times of a span: the first, and how far they are apart, in seconds; and how many they are.
#[derive(Debug, Clone, Copy)]
pub struct Times {
    /// Seconds since 1970.
    pub first: f64,
    /// Seconds.
    pub step: f64,
    /// Of the whole span, with a value or without.
    pub count: usize,
}

/// The `data` of an answer as text; `None` if it is none. Of a span, `times` are those asked for.
pub fn table(data: &Value, times: Option<Times>, painter: Painter) -> Option<String> {
    let result = data.get("result")?;
    match data.get("resultType")?.as_str()? {
        "scalar" | "string" => Some(format!("{}\n", result.get(1)?.as_str()?)),
        "vector" => rows(
            result.as_array()?,
            painter,
            |sample| Some(vec![sample.get("value")?.get(1)?.as_str()?.to_owned()]),
            &["VALUE"],
        ),
        "matrix" => rows(
            result.as_array()?,
            painter,
            |series| span(series.get("values")?, times, blocks_of(painter)),
            &["LAST", "MIN", "MAX", "VALUES"],
        ),
        _ => None,
    }
}

/// A row for each series: its labels, then what `cells` makes of it under `headings`.
fn rows(
    result: &[Value],
    painter: Painter,
    cells: impl Fn(&Value) -> Option<Vec<String>>,
    headings: &[&str],
) -> Option<String> {
    if result.is_empty() {
        return Some("no series\n".to_owned());
    }
    let mut table = Table::default();
    let names =
        result.iter().map(|series| name(series.get("metric")?)).collect::<Option<Vec<_>>>()?;
    let rows = result.iter().map(cells).collect::<Option<Vec<_>>>()?;
    table.column("SERIES", Align::Text, names.into_iter().map(Cell::plain));
    for (place, heading) in headings.iter().enumerate() {
        let align = if *heading == "VALUES" { Align::Left } else { Align::Right };
        table.column(heading, align, rows.iter().map(|row| Cell::plain(row[place].clone())));
    }
    Some(table.render(painter))
}

/// `name{label="value"}`, as PromQL writes it.
fn name(metric: &Value) -> Option<String> {
    let labels = metric.as_object()?;
    let mut pairs = Vec::new();
    for (label, value) in labels {
        if label != "__name__" {
            pairs.push(format!("{label}={:?}", value.as_str()?));
        }
    }
    let name = labels.get("__name__").and_then(Value::as_str).unwrap_or_default();
    match pairs.is_empty() && !name.is_empty() {
        true => Some(name.to_owned()),
        false => Some(format!("{name}{{{}}}", pairs.join(", "))),
    }
}

/// The last, least and largest value, and all as blocks; blanks stand where there is none.
fn span(values: &Value, times: Option<Times>, most: usize) -> Option<Vec<String>> {
    let values = values.as_array()?;
    let mut numbers = vec![f64::NAN; times.map_or(values.len(), |times| times.count)];
    let mut last = f64::NAN;
    for (place, value) in values.iter().enumerate() {
        let at = value.get(0)?.as_f64()?;
        last = value.get(1)?.as_str()?.parse::<f64>().ok()?;
        let place = match times {
            Some(Times { first, step, .. }) => ((at - first) / step).round().max(0.0) as usize,
            None => place,
        };
        *numbers.get_mut(place)? = last;
    }
    let finite = || numbers.iter().copied().filter(|number| number.is_finite());
    let least = finite().fold(f64::INFINITY, f64::min);
    let largest = finite().fold(f64::NEG_INFINITY, f64::max);
    Some(vec![short(last), short(least), short(largest), blocks(&numbers, least, largest, most)])
}

/// At most five digits: the whole number is in `--json`.
fn short(value: f64) -> String {
    if !value.is_finite() {
        return "-".to_owned();
    }
    let digits = value.abs().log10().floor().max(-9.0) as i32;
    match digits {
        _ if value == 0.0 => "0".to_owned(),
        15.. => format!("{value:.4e}"),
        _ => {
            let decimals = usize::try_from(4 - digits).unwrap_or(0);
            let text = format!("{value:.decimals$}");
            match text.contains('.') {
                true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
                false => text,
            }
        }
    }
}

/// How many there is room for beside series and figures: a third of a terminal.
fn blocks_of(painter: Painter) -> usize {
    painter.columns.map_or(BLOCKS_MAX, |columns| (columns / 3).clamp(BLOCKS_LEAST, BLOCKS_MAX))
}

fn blocks(numbers: &[f64], least: f64, largest: f64, most: usize) -> String {
    let joined = numbers.len().div_ceil(most).max(1);
    let block = |part: &[f64]| {
        let finite: Vec<f64> = part.iter().copied().filter(|number| number.is_finite()).collect();
        if finite.is_empty() {
            return ' ';
        }
        let mean = finite.iter().sum::<f64>() / finite.len() as f64;
        let share = if largest > least { (mean - least) / (largest - least) } else { 0.0 };
        BLOCKS[((share * 7.0).round() as usize).min(7)]
    };
    numbers.chunks(joined).map(block).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn shown(data: &Value) -> String {
        table(data, None, Painter::PLAIN).unwrap()
    }

    #[test]
    fn a_value_for_each_series() {
        let data = json!({"resultType": "vector", "result": [
            {"metric": {"__name__": "up", "job": "a\"b"}, "value": [1.0, "1"]},
            {"metric": {}, "value": [1.0, "0.25"]},
        ]});
        assert_eq!(
            shown(&data),
            "\
SERIES          VALUE
up{job=\"a\\\"b\"}      1
{}               0.25
"
        );
        assert_eq!(shown(&json!({"resultType": "vector", "result": []})), "no series\n");
        assert_eq!(shown(&json!({"resultType": "scalar", "result": [1.0, "NaN"]})), "NaN\n");
    }

    #[test]
    fn a_span_is_a_line_of_blocks() {
        let values: Vec<Value> = (0..8).map(|at| json!([at, format!("{}", at * 1000)])).collect();
        let data = json!({"resultType": "matrix", "result": [
            {"metric": {"__name__": "up"}, "values": values},
            {"metric": {"a": "b"}, "values": [[0, "NaN"], [1, "3.14159265"]]},
        ]});
        assert_eq!(
            shown(&data),
            "\
SERIES     LAST     MIN     MAX  VALUES
up         7000       0    7000  ▁▂▃▄▅▆▇█
{a=\"b\"}  3.1416  3.1416  3.1416   ▁
"
        );
    }

    #[test]
    fn a_span_fits_its_terminal() {
        let values: Vec<Value> = (0..60).map(|at| json!([at, "12345.678"])).collect();
        let metric = json!({"__name__": "plimsoll_service_requests_total", "code": "200",
                            "instance": "host.example:9900", "service": "web"});
        let data =
            json!({"resultType": "matrix", "result": [{"metric": metric, "values": values}]});
        for columns in [80, 100, 140] {
            let painter = Painter { colours: false, columns: Some(columns) };
            let shown = table(&data, None, painter).unwrap();
            let wide = shown.lines().find(|line| line.chars().count() > columns);
            assert_eq!(wide, None, "{columns}: {shown}");
        }
    }

    #[test]
    fn gaps_stay_gaps() {
        let data = json!({"resultType": "matrix", "result": [
            {"metric": {"a": "b"}, "values": [[20, "1"], [30, "2"], [60, "1"]]},
        ]});
        let times = Times { first: 10.0, step: 10.0, count: 7 };
        let shown = table(&data, Some(times), Painter::PLAIN).unwrap();
        assert!(shown.ends_with("   1    1    2   ▁█  ▁ \n"), "{shown:?}");
        // Times that were not asked for are no answer.
        let times = Times { count: 3, ..times };
        assert!(table(&data, Some(times), Painter::PLAIN).is_none());
    }

    #[test]
    fn what_is_no_answer_is_not_shown() {
        let plain = Painter::PLAIN;
        for data in [json!({}), json!({"resultType": "vector"}), json!(null)] {
            assert!(table(&data, None, plain).is_none(), "{data}");
        }
    }
}
