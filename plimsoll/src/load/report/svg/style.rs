//! The colours of pictures that stand alone; in a page, its style sheet has the same and dark ones.

use std::fmt::Write as _;

/// Colours that people tell apart however they see them (after Okabe and Ito, "Color Universal
/// Design", 2008), darkened to a contrast of 3 to 1 with white (WCAG 2.2, 1.4.11).
pub const PALETTE: [&str; 8] =
    ["#0072b2", "#c9510c", "#00855f", "#a8477e", "#9a6700", "#2b7fb8", "#5b4fb5", "#667281"];
/// From few to many, light to dark.
const HEAT: [&str; 8] =
    ["#cbe0ef", "#b1d3e8", "#93c4e0", "#6db0d5", "#4596c4", "#2577ad", "#125a8f", "#083d6b"];

/// What does not depend on colours of series.
const RULES: &str = "text{font-family:'DejaVu Sans','Segoe UI',Helvetica,Arial,sans-serif;\
    font-size:12px;fill:#1b2430}\
    .title{font-size:17px;font-weight:bold}.reading{font-size:12.5px;fill:#4a5563}\
    .tick,.label{fill:#4a5563}.label{font-size:12px}.ground{fill:#fff}\
    .grid{stroke:#e4e8ed;stroke-width:1;fill:none}.axis{stroke:#8a95a3;stroke-width:1;fill:none}\
    .line,.edge,.thick{fill:none;stroke-linejoin:round}.line{stroke-width:1.8}.thin{stroke-width:1.1}\
    .edge{stroke-width:1.2}.thick{stroke-width:6}.dashed{stroke-dasharray:6 4}.area{fill-opacity:.3}\
    .stack{fill-opacity:.85}";

/// Writes the style sheet of a picture that stands alone.
pub(super) fn write(out: &mut String) {
    out.push_str(RULES);
    for (index, colour) in PALETTE.iter().enumerate() {
        let _ = write!(out, ".s{index}{{stroke:{colour}}}.f{index}{{fill:{colour}}}");
    }
    for (index, colour) in HEAT.iter().enumerate() {
        let _ = write!(out, ".h{}{{fill:{colour}}}", index + 1);
    }
}
