//! Which family a sample belongs to, and what each family has told about itself.
//!
//! A step costs one look into the table for each family, not for each sample: samples follow their
//! family's metadata, and a name that was just there is compared only.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use super::super::format::Format;
use super::super::metric_type::MetricType;
use super::event::Part;
use super::refusal::{
    COUNTER_SUFFIX, FAMILIES, GAUGE_HISTOGRAM_SUFFIX, HISTOGRAM_SUFFIX, INFO_SUFFIX, INTERLEAVED,
    Rule, SECOND_LINE, TYPE_AFTER_SAMPLES,
};

/// The families of a body so far.
#[derive(Debug)]
pub(super) struct Families<'a> {
    format: Format,
    families_max: usize,
    known: Vec<Known<'a>>,
    /// Places in `known`.
    places: HashMap<&'a str, usize>,
    /// The family of the line before.
    current: usize,
    /// The sample of the line before, if it was one, and its name not in quotes.
    last: Option<&'a str>,
}

#[derive(Debug)]
struct Known<'a> {
    name: &'a str,
    /// Whether its name stood in quotes.
    is_quoted: bool,
    kind: Option<MetricType>,
    has_help: bool,
    has_unit: bool,
    has_samples: bool,
}

/// A sample's place in its family.
#[derive(Debug, Clone, Copy)]
pub(super) struct Membership<'a> {
    pub(super) family: &'a str,
    pub(super) kind: MetricType,
    pub(super) part: Part,
}

/// A line of metadata.
#[derive(Debug, Clone, Copy)]
pub(super) enum Metadata {
    Type(MetricType),
    Help,
    Unit,
}

/// Bytes that a family takes in a body of average exporters, to size tables once.
const FAMILY_BYTES: usize = 256;

/// The most families that tables are sized for before they are there.
const EXPECTED_MAX: usize = 4096;

/// What may follow a family's name in those of its samples.
const SUFFIXES: [&str; 8] =
    ["_bucket", "_count", "_sum", "_total", "_created", "_info", "_gcount", "_gsum"];

impl<'a> Families<'a> {
    /// For a body of so many bytes.
    pub(super) fn new(format: Format, families_max: usize, body_bytes: usize) -> Self {
        let expected = (body_bytes / FAMILY_BYTES).min(EXPECTED_MAX).min(families_max);
        let (known, places) = (Vec::with_capacity(expected), HashMap::with_capacity(expected));
        Self { format, families_max, known, places, current: usize::MAX, last: None }
    }

    /// Takes note of a family's metadata.
    pub(super) fn metadata(
        &mut self,
        (name, is_quoted): (&'a str, bool),
        line: Metadata,
    ) -> Result<(), &'static Rule> {
        self.last = None;
        let openmetrics = self.format == Format::OpenMetrics;
        let is_current = self.known.get(self.current).is_some_and(|family| family.name == name);
        if !is_current {
            // One look for both, because every family comes through here.
            match self.places.entry(name) {
                Entry::Occupied(_) if openmetrics => return Err(INTERLEAVED),
                Entry::Occupied(place) => self.current = *place.get(),
                Entry::Vacant(_) if self.known.len() == self.families_max => {
                    return Err(&FAMILIES);
                }
                Entry::Vacant(place) => {
                    self.current = *place.insert(self.known.len());
                    self.known.push(Known::new(name, is_quoted));
                }
            }
        }
        let family = &mut self.known[self.current];
        if family.has_samples && (openmetrics || matches!(line, Metadata::Type(_))) {
            return Err(TYPE_AFTER_SAMPLES);
        }
        let is_second = match line {
            Metadata::Type(kind) => family.kind.replace(kind).is_some(),
            Metadata::Help => std::mem::replace(&mut family.has_help, true),
            Metadata::Unit => std::mem::replace(&mut family.has_unit, true),
        };
        if is_second { Err(SECOND_LINE) } else { Ok(()) }
    }

    /// The metric's name of the sample before, if the line before was a sample whose name is not in
    /// quotes. Its membership is that of every sample of the name that follows.
    #[inline]
    pub(super) fn last(&self) -> Option<&'a str> {
        self.last
    }

    /// The name of the family of the line before, if there is one and it was not in quotes.
    pub(super) fn current(&self) -> Option<&'a str> {
        self.known.get(self.current).filter(|family| !family.is_quoted).map(|family| family.name)
    }

    /// The place of a sample by its metric's name.
    pub(super) fn sample(
        &mut self,
        name: &'a str,
        is_quoted: bool,
    ) -> Result<Membership<'a>, &'static Rule> {
        let mut membership = match self.known.get(self.current) {
            Some(family) => family.member(name, self.format)?,
            None => None,
        };
        if membership.is_none() {
            match self.family_of(name)? {
                Some(_) if self.format == Format::OpenMetrics => return Err(INTERLEAVED),
                Some((place, found)) => (self.current, membership) = (place, Some(found)),
                None => self.add(name, is_quoted)?,
            }
        }
        self.known[self.current].has_samples = true;
        let of_its_own = Membership { family: name, kind: MetricType::Unknown, part: Part::Value };
        let membership = membership.unwrap_or(of_its_own);
        self.last = (!is_quoted).then_some(name);
        Ok(membership)
    }

    /// The known family of a name.
    fn family_of(&self, name: &'a str) -> Result<Option<(usize, Membership<'a>)>, &'static Rule> {
        let suffixes = SUFFIXES.iter().filter_map(|suffix| name.strip_suffix(suffix));
        for candidate in std::iter::once(name).chain(suffixes) {
            if let Some(place) = self.places.get(candidate)
                && let Some(membership) = self.known[*place].member(name, self.format)?
            {
                return Ok(Some((*place, membership)));
            }
        }
        Ok(None)
    }

    fn add(&mut self, name: &'a str, is_quoted: bool) -> Result<(), &'static Rule> {
        if self.known.len() == self.families_max {
            return Err(&FAMILIES);
        }
        self.current = self.known.len();
        self.places.insert(name, self.current);
        self.known.push(Known::new(name, is_quoted));
        Ok(())
    }
}

impl<'a> Known<'a> {
    fn new(name: &'a str, is_quoted: bool) -> Self {
        let (kind, has_help, has_unit, has_samples) = (None, false, false, false);
        Self { name, is_quoted, kind, has_help, has_unit, has_samples }
    }

    /// The place of a sample of this name here; `None` if it is another family's. Sources: text
    /// format, "Histograms and summaries"; OpenMetrics 1.0, "Suffixes".
    fn member(&self, name: &str, format: Format) -> Result<Option<Membership<'a>>, &'static Rule> {
        let Some(suffix) = name.strip_prefix(self.name) else { return Ok(None) };
        let openmetrics = format == Format::OpenMetrics;
        let kind = self.kind.unwrap_or_default();
        let part = match (kind, suffix) {
            (MetricType::Counter, "") if !openmetrics => Part::Value,
            (MetricType::Counter, "_total") if openmetrics => Part::Value,
            (MetricType::Counter, "") => return Err(COUNTER_SUFFIX),
            (MetricType::Histogram, "") => return Err(HISTOGRAM_SUFFIX),
            (MetricType::GaugeHistogram, "") => return Err(GAUGE_HISTOGRAM_SUFFIX),
            (MetricType::Info, "") => return Err(INFO_SUFFIX),
            (_, "") | (MetricType::Info, "_info") => Part::Value,
            (MetricType::Histogram | MetricType::GaugeHistogram, "_bucket") => Part::Bucket,
            (MetricType::Histogram | MetricType::Summary, "_sum")
            | (MetricType::GaugeHistogram, "_gsum") => Part::Sum,
            (MetricType::Histogram | MetricType::Summary, "_count")
            | (MetricType::GaugeHistogram, "_gcount") => Part::Count,
            (MetricType::Counter | MetricType::Histogram | MetricType::Summary, "_created")
                if openmetrics =>
            {
                Part::Created
            }
            _ => return Ok(None),
        };
        Ok(Some(Membership { family: self.name, kind, part }))
    }
}
