//! Operators between two vectors: which series belong together, and what becomes of them.
//!
//! Series are grouped once by the labels that must agree; within a group, columns are combined step
//! by step. One side of a group may have one series at each step: which that is may change from step
//! to step, so that it is checked for each, and only where there is more than one column at all.

use super::binary::{combine, drops_name};
use super::column::{ABSENT, Column, Distinct, Metric, is_absent, merge};
use super::evaluate::{Evaluator, Sink};
use super::grouping::Groups;
use super::outcome::{Grid, QueryError};
use super::plan::{Arithmetic, Binary, Cardinality, Operator};
use crate::labels::NAME;

/// Columns that agree in the labels that must.
#[derive(Default)]
struct Group {
    many: Vec<usize>,
    one: Vec<usize>,
}

struct Join<'j> {
    binary: &'j Binary,
    steps: usize,
    many: Vec<Column>,
    one: Vec<Column>,
    /// The right side is that of many.
    swapped: bool,
    /// What stands for a missing series of either side.
    fill_many: Option<f64>,
    fill_one: Option<f64>,
}

/// Evaluates an arithmetic operator or a comparison between two vectors.
pub(super) fn stream(
    evaluator: &Evaluator,
    binary: &Binary,
    grid: &Grid,
    sink: Sink,
) -> Result<(), QueryError> {
    let mut left = evaluator.collect(&binary.left, grid)?;
    let mut right = evaluator.collect(&binary.right, grid)?;
    let matching = &binary.matching;
    let swapped = matching.cardinality == Cardinality::OneToMany;
    let (mut many, mut one) = (&mut left.columns, &mut right.columns);
    let (mut fill_many, mut fill_one) = (matching.fill_left, matching.fill_right);
    if swapped {
        std::mem::swap(&mut many, &mut one);
        std::mem::swap(&mut fill_many, &mut fill_one);
    }
    let (many, one) = (std::mem::take(many), std::mem::take(one));
    let mut join = Join { binary, steps: grid.steps(), many, one, swapped, fill_many, fill_one };
    let groups = join.groups();
    join.check_one(&groups)?;
    if join.is_distinct() {
        return groups
            .iter()
            .try_for_each(|group| join.combine(group)?.into_iter().try_for_each(&mut *sink));
    }
    let mut columns = Vec::new();
    for group in &groups {
        columns.append(&mut join.combine(group)?);
    }
    merge(columns, Distinct::EachStep)?.into_iter().try_for_each(sink)
}

impl Join<'_> {
    /// Groups in the order of the side of many; then those that this side lacks.
    fn groups(&self) -> Vec<Group> {
        let mut keys = Groups::new(&self.binary.matching.grouping);
        let mut groups: Vec<Group> = Vec::new();
        for (place, column) in self.one.iter().enumerate() {
            let (number, is_new) = keys.place(&column.metric);
            if is_new {
                groups.push(Group::default());
            }
            groups[number].one.push(place);
        }
        for (place, column) in self.many.iter().enumerate() {
            if self.fill_one.is_some() {
                let (number, is_new) = keys.place(&column.metric);
                if is_new {
                    groups.push(Group::default());
                }
                groups[number].many.push(place);
            } else if let Some(number) = keys.find(&column.metric) {
                groups[number].many.push(place);
            }
        }
        groups.sort_by_key(|group| group.many.first().copied().unwrap_or(usize::MAX));
        groups
    }

    /// Whether no two groups can yield series of the same labels.
    fn is_distinct(&self) -> bool {
        let grouping = &self.binary.matching.grouping;
        let by_name = grouping.with && grouping.names.iter().any(|name| name == NAME);
        self.binary.matching.cardinality == Cardinality::OneToOne && !by_name
    }

    /// The series a group yields.
    fn combine(&mut self, group: &Group) -> Result<Vec<Column>, QueryError> {
        let mut results = Vec::with_capacity(group.many.len());
        let any_one = self.presence(&self.one, &group.one, self.fill_one.is_some());
        let any_many = self.presence(&self.many, &group.many, self.fill_many.is_some());
        for many in &group.many {
            if let Some((fill, any_one)) = self.fill_one.zip(any_one.as_ref()) {
                let filled = self.filled(any_one, fill);
                let other = self.many[*many].metric.grouped(&self.binary.matching.grouping);
                let metric = self.metric(&self.many[*many].metric, &other);
                let values = self.values(self.many[*many].values.clone(), &filled);
                results.push(Column { metric, values });
            }
            // The last use of a column's values may take them.
            for (place, one) in group.one.iter().enumerate() {
                let metric = self.metric(&self.many[*many].metric, &self.one[*one].metric);
                let values = if place + 1 == group.one.len() {
                    std::mem::take(&mut self.many[*many].values)
                } else {
                    self.many[*many].values.clone()
                };
                results
                    .push(Column { metric, values: self.values(values, &self.one[*one].values) });
            }
        }
        if let Some((fill, any_many)) = self.fill_many.zip(any_many) {
            let filled = self.filled(&any_many, fill);
            for one in &group.one {
                let one = &self.one[*one];
                let other = one.metric.grouped(&self.binary.matching.grouping);
                let values = self.values(filled.clone(), &one.values);
                results.push(Column { metric: self.metric(&other, &one.metric), values });
            }
        }
        self.unite(results)
    }

    /// Where any of a group's columns has a value, if that is wanted.
    fn presence(&self, columns: &[Column], places: &[usize], wanted: bool) -> Option<Vec<bool>> {
        wanted.then(|| {
            let mut there = vec![false; self.steps];
            for place in places {
                for (there, value) in there.iter_mut().zip(&columns[*place].values) {
                    *there |= !is_absent(*value);
                }
            }
            there
        })
    }

    /// A value where there is none.
    fn filled(&self, there: &[bool], fill: f64) -> Vec<f64> {
        there.iter().map(|there| if *there { ABSENT } else { fill }).collect()
    }

    /// A group may have one series at each step on the side of one, unless the other side is empty.
    fn check_one(&self, groups: &[Group]) -> Result<(), QueryError> {
        if groups.iter().all(|group| group.one.len() < 2) {
            return Ok(());
        }
        let filled = self.fill_many.is_some() || self.fill_one.is_some();
        let all: Vec<usize> = (0..self.many.len()).collect();
        let any_many = self.presence(&self.many, &all, !filled);
        let is_asked = |step: usize| any_many.as_ref().is_none_or(|there| there[step]);
        for group in groups.iter().filter(|group| group.one.len() > 1) {
            for step in (0..self.steps).filter(|step| is_asked(*step)) {
                let is_there = |place: &&usize| !is_absent(self.one[**place].values[step]);
                let mut there = group.one.iter().filter(is_there);
                if let (Some(first), Some(second)) = (there.next(), there.next()) {
                    return Err(self.not_one(&self.one[*first].metric, &self.one[*second].metric));
                }
            }
        }
        Ok(())
    }

    fn not_one(&self, first: &Metric, second: &Metric) -> QueryError {
        let side = if self.swapped { "left" } else { "right" };
        let group = second.grouped(&self.binary.matching.grouping);
        QueryError::Execution(format!(
            "found duplicate series for the match group {} on the {side} hand-side of the \
             operation: [{}, {}];many-to-many matching not allowed: matching labels must be unique \
             on one side",
            group.braced(),
            second.braced(),
            first.braced()
        ))
    }

    /// Values of both sides combined, in the place of those of many.
    fn values(&self, mut many: Vec<f64>, one: &[f64]) -> Vec<f64> {
        let (operator, to_bool) = (self.binary.operator, self.binary.to_bool);
        match operator {
            // What dashboards are full of gets loops of its own.
            Operator::Arithmetic(Arithmetic::Divide) if !self.swapped => {
                zip(&mut many, one, |a, b| a / b)
            }
            Operator::Arithmetic(Arithmetic::Multiply) => zip(&mut many, one, |a, b| a * b),
            Operator::Arithmetic(Arithmetic::Add) => zip(&mut many, one, |a, b| a + b),
            Operator::Arithmetic(Arithmetic::Subtract) if !self.swapped => {
                zip(&mut many, one, |a, b| a - b);
            }
            _ if self.swapped => zip(&mut many, one, |a, b| combine(operator, to_bool, b, a)),
            _ => zip(&mut many, one, |a, b| combine(operator, to_bool, a, b)),
        }
        many
    }

    /// The labels of a result.
    fn metric(&self, many: &Metric, one: &Metric) -> Metric {
        let matching = &self.binary.matching;
        let mut metric = many.clone();
        if drops_name(self.binary) {
            metric.drop_name();
        }
        let listed = |name: &str| matching.grouping.names.iter().any(|listed| listed == name);
        if matching.cardinality == Cardinality::OneToOne {
            if matching.grouping.with {
                metric = metric.filtered(listed);
            } else if !matching.grouping.names.is_empty() {
                metric = metric.filtered(|name| !listed(name));
            }
        }
        if matching.include.is_empty() {
            return metric;
        }
        metric.with(matching.include.iter().map(|name| (name.as_str(), one.get(name))))
    }

    /// A group's series of equal labels are one if no step has two of them.
    fn unite(&self, results: Vec<Column>) -> Result<Vec<Column>, QueryError> {
        if results.len() < 2 {
            return Ok(results);
        }
        if self.binary.matching.cardinality != Cardinality::OneToOne {
            return merge(results, Distinct::EachStep).map_err(|_| {
                QueryError::Execution(
                    "multiple matches for labels: grouping labels must ensure unique matches"
                        .to_owned(),
                )
            });
        }
        for step in 0..self.steps {
            let there = results.iter().filter(|column| !is_absent(column.values[step]));
            if there.count() > 1 {
                return Err(QueryError::Execution(
                    "multiple matches for labels: many-to-one matching must be explicit \
                     (group_left/group_right)"
                        .to_owned(),
                ));
            }
        }
        merge(results, Distinct::EachStep)
    }
}

#[inline]
fn zip(many: &mut [f64], one: &[f64], combine: impl Fn(f64, f64) -> f64) {
    for (a, b) in many.iter_mut().zip(one) {
        let result = combine(*a, *b);
        *a = if is_absent(*a) || is_absent(*b) { ABSENT } else { result };
    }
}

impl Metric {
    /// As Prometheus writes labels in messages, the name among the others.
    fn braced(&self) -> String {
        let pairs: Vec<String> =
            self.pairs().map(|(name, value)| format!("{name}={value:?}")).collect();
        format!("{{{}}}", pairs.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use crate::labels::Labels;
    use crate::promql::{Grid, Limits, Memory, Value, parse, range};
    use crate::sample::STALE;

    const STEP: i64 = 60_000;

    /// A name, labels, and values at three steps; `_` is a gap.
    type Given = (&'static str, &'static [(&'static str, &'static str)], &'static str);

    fn ask(series: &[Given], query: &str) -> Result<Vec<String>, String> {
        let mut memory = Memory::new();
        for (name, labels, values) in series {
            let labels = Labels::from_pairs(labels.iter().copied().chain([("__name__", *name)]));
            for (time, value) in (0..).step_by(STEP as usize).zip(values.split(' ')) {
                memory.append(&labels, time, value.parse().unwrap_or(STALE));
            }
        }
        let query = parse(query).map_err(|error| error.to_string())?;
        let grid = Grid { start: 0, end: 2 * STEP, step: STEP };
        let outcome = range(&query, &memory, grid, &Limits::default());
        let Value::Matrix(rows) = outcome.map_err(|error| error.to_string())?.value else {
            panic!("a range query answers with a matrix")
        };
        let row = |row: &crate::promql::Row| {
            let steps = row.samples.times.iter().map(|time| time / STEP);
            let points =
                steps.zip(&row.samples.values).map(|(step, value)| format!(" {step}:{value}"));
            format!("{}{}", row.labels, points.collect::<String>())
        };
        Ok(rows.iter().map(row).collect())
    }

    #[test]
    fn the_one_side_may_change_from_step_to_step() {
        let series: [Given; 3] = [
            ("used", &[("host", "a")], "10 20 30"),
            ("total", &[("host", "a"), ("boot", "1")], "100 _ _"),
            ("total", &[("host", "a"), ("boot", "2")], "_ 200 300"),
        ];
        let answer = ask(&series, "used / on (host) total");
        assert_eq!(answer, Ok(vec![r#"{host="a"} 0:0.1 1:0.1 2:0.1"#.to_owned()]));
        let answer = ask(&series, "used / on (host) group_left (boot) total");
        let boots = [r#"{boot="1", host="a"} 0:0.1"#, r#"{boot="2", host="a"} 1:0.1 2:0.1"#];
        assert_eq!(answer, Ok(boots.map(str::to_owned).to_vec()));
    }

    #[test]
    fn two_at_one_step_are_refused_in_prometheus_words() {
        let series: [Given; 4] = [
            ("used", &[("host", "a"), ("disk", "1")], "1 2 3"),
            ("used", &[("host", "a"), ("disk", "2")], "_ 2 _"),
            ("total", &[("host", "a")], "4 4 4"),
            ("other", &[("host", "b")], "4 4 4"),
        ];
        assert_eq!(
            ask(&series, "total * on (host) used"),
            Err("found duplicate series for the match group {host=\"a\"} on the right hand-side of \
                 the operation: [{__name__=\"used\", disk=\"2\", host=\"a\"}, {__name__=\"used\", \
                 disk=\"1\", host=\"a\"}];many-to-many matching not allowed: matching labels must \
                 be unique on one side"
                .to_owned())
        );
        // Though nothing meets them; but not if the other side is empty.
        let refused =
            ask(&series, "used * on (host) group_right other").expect_err("two at a step");
        assert!(refused.contains("on the left hand-side"), "{refused}");
        assert_eq!(ask(&series, "nothing * on (host) used"), Ok(vec![]));
        assert_eq!(
            ask(&series, "used * on (host) total"),
            Err("multiple matches for labels: many-to-one matching must be explicit \
                 (group_left/group_right)"
                .to_owned())
        );
        // A filter may leave one of them.
        let kept = ask(&series, r#"used{disk="1"} > on (host) total - 2"#);
        assert_eq!(kept, Ok(vec![r#"{host="a"} 2:3"#.to_owned()]));
        assert_eq!(
            ask(&series, r#"label_replace(used, "disk", "", "", "") * on (host) group_left total"#)
                .expect_err("two become one"),
            "vector cannot contain metrics with the same labelset"
        );
        assert_eq!(
            ask(&series, r#"{host="a"} * on (host) group_left (disk) total"#),
            Err("multiple matches for labels: grouping labels must ensure unique matches"
                .to_owned())
        );
    }

    #[test]
    fn comparisons_keep_the_left_value_whichever_side_is_many() {
        let series: [Given; 2] = [
            ("used", &[("host", "a"), ("disk", "1")], "1 5 9"),
            ("total", &[("host", "a")], "4 4 4"),
        ];
        assert_eq!(
            ask(&series, "total > on (host) group_right used"),
            Ok(vec![r#"used{disk="1", host="a"} 0:4"#.to_owned()])
        );
        assert_eq!(
            ask(&series, "total > bool on (host) group_right used"),
            Ok(vec![r#"{disk="1", host="a"} 0:1 1:0 2:0"#.to_owned()])
        );
    }

    #[test]
    fn what_is_missing_is_filled_in() {
        let series: [Given; 2] = [("a", &[("x", "1")], "1 2 _"), ("b", &[("x", "1")], "10 _ 30")];
        let filled = |fill: &str| ask(&series, &format!("a + {fill} b"));
        assert_eq!(filled(""), Ok(vec![r#"{x="1"} 0:11"#.to_owned()]));
        assert_eq!(filled("fill (0)"), Ok(vec![r#"{x="1"} 0:11 1:2 2:30"#.to_owned()]));
        assert_eq!(filled("fill_right (5)"), Ok(vec![r#"{x="1"} 0:11 1:7"#.to_owned()]));
        assert_eq!(filled("fill_left (5)"), Ok(vec![r#"{x="1"} 0:11 2:35"#.to_owned()]));
    }
}
