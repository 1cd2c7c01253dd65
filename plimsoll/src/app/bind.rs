//! Takes the addresses that are asked for, before anything is started: all of them or none; and
//! says what could not be had as a mistake of the config file or the command line.

use crate::admin;
use crate::config::model::{Config, Listen, LogTarget};
use crate::config::{ConfigError, ConfigErrors, Origin};
use crate::edge::{BindError, Edge, EdgeError, Listeners};

/// Every address that was asked for; nobody is answered yet.
pub struct Bound {
    /// Of the data path.
    pub listeners: Listeners,
    /// Of the admin server, if there is to be one.
    pub admin: Option<admin::Admin>,
}

/// Binds what `config` asks for.
///
/// # Errors
/// The addresses that cannot be had, as mistakes of where they come from.
pub fn bind(config: &Config, origin: &Origin) -> Result<Bound, ConfigErrors> {
    let admin = config.admin.as_ref().map(|admin| admin::Admin::bind(admin.bind)).transpose();
    match (Edge::bind(config), admin) {
        (Ok(listeners), Ok(admin)) => Ok(Bound { listeners, admin }),
        (listeners, admin) => {
            let listen = listeners.err().map(|error| {
                origin.refuse(&listen_key(&config.listen, &error), &error.to_string())
            });
            let admin = admin.err().map(|error| origin.refuse("admin.bind", &error.to_string()));
            Err(listen.into_iter().chain(admin).collect::<Vec<_>>().into())
        }
    }
}

/// What of `config` the edge could not have; `None` if that is no fault of the config.
pub fn mistake(error: &EdgeError, config: &Config, origin: &Origin) -> Option<ConfigError> {
    match error {
        EdgeError::Bind(error) => {
            Some(origin.refuse(&listen_key(&config.listen, error), &error.to_string()))
        }
        EdgeError::AccessLog { target, error } => {
            let target = match target {
                LogTarget::File(path) => path.display().to_string(),
                LogTarget::Stdout | LogTarget::Stderr => "of this process".to_owned(),
            };
            // What open(2) says of a FIFO without a reader.
            let sentence = if error.raw_os_error() == Some(libc::ENXIO) {
                format!(
                    "nobody reads the access log {target}, a FIFO; start its reader first, or \
                     name a file"
                )
            } else {
                format!(
                    "cannot open the access log {target}: {error}; let Plimsoll write there, or \
                     name another file"
                )
            };
            Some(origin.refuse("access_log.to", &sentence))
        }
        EdgeError::Worker(_) => None,
    }
}

/// Which of the addresses to listen on it was.
fn listen_key(listen: &[Listen], error: &BindError) -> String {
    let (BindError::InUse { name }
    | BindError::Denied { name }
    | BindError::NoSuchAddress { name }
    | BindError::Other { name, .. }) = error;
    let index = listen.iter().position(|listen| listen.name == *name);
    format!("listen[{}]", index.unwrap_or_default())
}
