//! A picture as pixels.
//!
//! Text needs a font of this machine: there is none in the program, which would carry a megabyte for
//! the few who want pixels where SVG would do.

use std::sync::Arc;

use resvg::tiny_skia::{Pixmap, Transform};
use resvg::usvg::fontdb::{Database, Family, Query};
use resvg::usvg::{Options, Tree};

use super::ReportError;

/// Pixels for each of the picture's own, for screens of today and for print.
pub const SCALE: f32 = 2.0;
/// Families that read well in plots, best first.
const FAMILIES: [&str; 9] = [
    "DejaVu Sans",
    "Noto Sans",
    "Liberation Sans",
    "Open Sans",
    "Roboto",
    "Ubuntu",
    "Cantarell",
    "Helvetica",
    "Arial",
];

/// Fonts of this machine. Finding them takes a while: do it once for several pictures.
pub struct Fonts {
    database: Arc<Database>,
    family: String,
}

impl Fonts {
    /// Those that the system has.
    ///
    /// # Errors
    /// [`ReportError::NoFont`] if it has none.
    pub fn of_system() -> Result<Self, ReportError> {
        let mut database = Database::new();
        database.load_system_fonts();
        Self::of(database)
    }

    /// Those of a database.
    fn of(mut database: Database) -> Result<Self, ReportError> {
        let known = FAMILIES.into_iter().find(|family| {
            let families = &[Family::Name(family)];
            database.query(&Query { families, ..Query::default() }).is_some()
        });
        let any = || {
            let face = database.faces().next()?;
            face.families.first().map(|(name, _)| name.clone())
        };
        let family = known.map(str::to_owned).or_else(any).ok_or(ReportError::NoFont)?;
        database.set_sans_serif_family(&family);
        database.set_serif_family(&family);
        Ok(Self { database: Arc::new(database), family })
    }
}

/// A PNG file of an SVG picture.
///
/// # Errors
/// [`ReportError::Picture`] if it cannot be drawn.
pub fn of_svg(svg: &str, fonts: &Fonts) -> Result<Vec<u8>, ReportError> {
    let options = Options {
        fontdb: Arc::clone(&fonts.database),
        font_family: fonts.family.clone(),
        ..Options::default()
    };
    let tree =
        Tree::from_str(svg, &options).map_err(|error| ReportError::Picture(error.to_string()))?;
    let size = tree.size();
    let width = (size.width() * SCALE).ceil() as u32;
    let height = (size.height() * SCALE).ceil() as u32;
    let mut pixmap = Pixmap::new(width, height)
        .ok_or_else(|| ReportError::Picture(format!("{width} by {height} pixels are too many")))?;
    resvg::render(&tree, Transform::from_scale(SCALE, SCALE), &mut pixmap.as_mut());
    pixmap.encode_png().map_err(|error| ReportError::Picture(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::report::figure::figures;
    use crate::load::report::samples;
    use crate::load::report::svg::{Setting, picture};

    #[test]
    fn without_a_font_the_error_says_what_helps() {
        let error = Fonts::of(Database::new()).err().map(|error| error.to_string());
        let error = error.unwrap_or_default();
        assert!(error.contains("fonts-dejavu-core") && error.contains(".svg"), "{error}");
    }

    #[test]
    fn pictures_have_twice_the_size_of_their_drawing() {
        // A machine without fonts has the error above instead.
        let Ok(fonts) = Fonts::of_system() else { return };
        for figure in figures(&samples::stalled(20)) {
            let svg = picture(&figure, Setting::Alone);
            let png = of_svg(&svg, &fonts).unwrap();
            assert_eq!(&png[..8], b"\x89PNG\r\n\x1a\n");
            let number = |at: usize| u32::from_be_bytes(png[at..at + 4].try_into().unwrap());
            let height = svg.split("height=\"").nth(1).unwrap().split('"').next().unwrap();
            assert_eq!(number(16), 1720, "{}", figure.id);
            assert_eq!(f64::from(number(20)), (height.parse::<f64>().unwrap() * 2.0).ceil());
        }
    }
}
