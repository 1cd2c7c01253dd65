//! From a file to the resolved configuration.

use std::io::{ErrorKind, Read};
use std::path::Path;

use toml::de::{DeTable, DeValue};

use super::model::Config;
use super::origin::Origin;
use super::problem::{ConfigError, ConfigErrors, Source, Warning};
use super::reader::{Environment, Node, Places, Reader, Where};
use super::{environment, grammar, kind, probe, resolve, syntax};

/// Largest configuration file, in bytes.
const FILE_BYTES: u64 = 4 << 20;
/// What a first configuration can look like.
const SMALLEST: &str = "[service.web] with run = \"COMMAND\" or servers = [\"HOST:PORT\"]";

/// A configuration file that holds.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// What it says.
    pub config: Config,
    /// What is likely not meant.
    pub warnings: Vec<Warning>,
    places: Places,
}

impl Loaded {
    /// Where it comes from.
    pub fn origin(&self) -> Origin {
        Origin::File(self.places.clone())
    }

    /// Checks what the configuration needs of this machine: commands, users, directories.
    ///
    /// # Errors
    /// All that is missing, with the lines that name it.
    pub fn verify_environment(&self) -> Result<(), ConfigErrors> {
        let errors = environment::verify_environment(&self.config);
        if errors.is_empty() {
            return Ok(());
        }
        let locate = |error: ConfigError| {
            let place = self.places.find(&error.key);
            error.at(place)
        };
        Err(errors.into_iter().map(locate).collect::<Vec<_>>().into())
    }

    /// Tries to reach every server in the file; a warning for each that does not answer now.
    /// Blocks for 3 s or so at most.
    pub fn probe_servers(&self) -> Vec<Warning> {
        let locate = |Warning(error): Warning| {
            let place = self.places.find(&error.key);
            Warning(error.at(place))
        };
        probe::probe_servers(&self.config).into_iter().map(locate).collect()
    }
}

/// Reads and resolves a file.
///
/// # Errors
/// Everything that is wrong with it, at once; if it cannot be read, or is not TOML, that alone.
pub fn load(path: &Path) -> Result<Loaded, ConfigErrors> {
    let name = path.display().to_string();
    let text = read(path, &name, CONFIGURATION)?;
    // Absolute, so that instances find their directory whatever becomes of the current one.
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let base = path.parent().map(Path::to_owned).unwrap_or_default();
    resolve(&name, &text, &base, &|variable| std::env::var(variable).ok())
}

/// Resolves a text. `name` is the file's name in messages; relative paths begin at its directory.
///
/// # Errors
/// Everything that is wrong with it, at once; if it is not TOML, that alone.
pub fn parse(name: &str, text: &str) -> Result<Loaded, ConfigErrors> {
    let base = Path::new(name).parent().map(Path::to_owned).unwrap_or_default();
    resolve(name, text, &base, &|variable| std::env::var(variable).ok())
}

/// Resolves a text with the environment passed in.
pub(super) fn resolve(
    name: &str,
    text: &str,
    base: &Path,
    environment: Environment<'_>,
) -> Result<Loaded, ConfigErrors> {
    let source = Source::new(name, text);
    if text.trim().is_empty() {
        let error = ConfigError::new("", format!("{name} is empty"))
            .remedy(format!("begin with a service: {SMALLEST}"));
        return Err(error.into());
    }
    let table = match DeTable::parse(text) {
        Ok(table) => DeValue::Table(table.into_inner()),
        Err(_) => return Err(syntax::errors(&source, "[service.web]")),
    };
    let mut reader = Reader::new(source, environment, &grammar::VOCABULARY);
    let at = Where { key: String::new(), span: 0..0 };
    let root = Node { value: &table, at };
    let config = kind::Kind::read(&kind::table::<grammar::Top>(), &root, &mut reader)
        .map(|top| resolve::config(&top, base, &mut reader));
    let (warnings, places) = reader.finish()?;
    match config {
        Some(config) => Ok(Loaded { config, warnings, places }),
        None => Err(ConfigError::new("", format!("{name} is not a table")).into()),
    }
}

/// A kind of file, for what is said when there is none.
#[derive(Debug, Clone, Copy)]
pub(super) struct Expected {
    /// What to do where there is no such file.
    pub(super) otherwise: &'static str,
    /// A usual name.
    pub(super) example: &'static str,
}

/// The configuration file.
pub(super) const CONFIGURATION: Expected = Expected {
    otherwise: "name the file with -c FILE, or start a command without one: plimsoll run -- COMMAND",
    example: "plimsoll.toml",
};

/// The text of a file; `name` is its name in messages.
pub(super) fn read(path: &Path, name: &str, expected: Expected) -> Result<String, ConfigErrors> {
    let failed = |error: &std::io::Error| {
        let problem = |message: String| ConfigError::new("", message);
        match error.kind() {
            ErrorKind::NotFound => problem(format!("{name} does not exist"))
                .found(current_directory())
                .remedy(expected.otherwise),
            ErrorKind::PermissionDenied => {
                problem(format!("{name} cannot be read: permission denied"))
                    .remedy(format!("allow it, for example: chmod u+r {name}"))
            }
            ErrorKind::IsADirectory => problem(format!("{name} is a directory")).remedy(format!(
                "name a file in it, as in {}",
                path.join(expected.example).display()
            )),
            _ => problem(format!("{name} cannot be read: {error}"))
                .remedy("check the path and the file system"),
        }
    };
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).map_err(|error| failed(&error))?;
    file.take(FILE_BYTES + 1).read_to_end(&mut bytes).map_err(|error| failed(&error))?;
    if bytes.len() as u64 > FILE_BYTES {
        let error = ConfigError::new("", format!("{name} is larger than 4 MiB"))
            .remedy("check that it is the file you mean");
        return Err(error.into());
    }
    String::from_utf8(bytes).map_err(|error| {
        let valid = error.utf8_error().valid_up_to();
        let text = String::from_utf8_lossy(error.as_bytes()).into_owned();
        let byte = error.as_bytes().get(valid).copied().unwrap_or_default();
        let source = Source::new(name, text);
        // What precedes is valid, so that it has the same length in the lossy text.
        let place = source.place(&(valid..valid + 1));
        ConfigError::new("", format!("{name} is not UTF-8 text"))
            .at(Some(place))
            .found(format!("the byte 0x{byte:02x}"))
            .remedy("save the file as UTF-8")
            .into()
    })
}

fn current_directory() -> String {
    match std::env::current_dir() {
        Ok(directory) => format!("the current directory is {}", directory.display()),
        Err(_) => "the current directory is gone".to_owned(),
    }
}
