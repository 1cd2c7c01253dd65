//! What the samples of a family mean, in the words of the formats.

/// The type of a family. Source: OpenMetrics 1.0, "Metric Types".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum MetricType {
    /// Nobody said; `untyped` in the text format.
    #[default]
    Unknown,
    /// Only rises, from zero.
    Counter,
    /// Rises and falls.
    Gauge,
    /// Counts of observations by upper bound, with their sum.
    Histogram,
    /// The same of something that also falls.
    GaugeHistogram,
    /// Quantiles of observations, with their number and sum.
    Summary,
    /// Facts that do not change, as labels.
    Info,
    /// States, each of which is on or off.
    StateSet,
}

impl MetricType {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Unknown,
        Self::Counter,
        Self::Gauge,
        Self::Histogram,
        Self::GaugeHistogram,
        Self::Summary,
        Self::Info,
        Self::StateSet,
    ];

    /// As OpenMetrics and the metadata of Prometheus' API write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
            Self::GaugeHistogram => "gaugehistogram",
            Self::Summary => "summary",
            Self::Info => "info",
            Self::StateSet => "stateset",
        }
    }

    /// The reverse of [`MetricType::as_str`].
    pub fn of_openmetrics(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }

    /// Of a `# TYPE` line of the text format, which knows five of them.
    pub fn of_text(word: &str) -> Option<Self> {
        match word {
            "counter" => Some(Self::Counter),
            "gauge" => Some(Self::Gauge),
            "histogram" => Some(Self::Histogram),
            "summary" => Some(Self::Summary),
            "untyped" => Some(Self::Unknown),
            _ => None,
        }
    }
}
