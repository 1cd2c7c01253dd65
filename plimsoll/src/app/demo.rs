//! The demonstration: a gentle load and a little chaos for the built-in clinic service.
//!
//! The load is a client like any other: it comes in through the listening address. What it asks is
//! bounded by [`REQUESTS_A_SECOND`]; an answer that does not come is left behind.

use std::ffi::OsStr;
use std::net::SocketAddr;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;

use super::{App, Plan};
use crate::admin::units::plural;
use crate::config::Origin;
use crate::config::model::{Service, Source};
use crate::edge::roster::ServiceView;
use crate::edge::server::ServerState;
use crate::temporary::Temporary;
use crate::{config, log};

/// The gentle load.
const REQUESTS_A_SECOND: u32 = 20;
/// Requests of the load in flight; beyond it a turn is left out.
const IN_FLIGHT_MAX: usize = 50;
/// An answer that takes longer counts as none.
const PATIENCE: Duration = Duration::from_secs(10);
/// What this program is called where the search path leads to it.
const NAME: &str = "plimsoll";
/// Where the commands look unless told otherwise.
const DEFAULT_ADMIN: &str = "127.0.0.1:9900";
/// Time between two killed instances.
const CHAOS_INTERVAL: Duration = Duration::from_secs(20);

/// What the demonstration adds to a fleet.
#[derive(Debug, Clone, Copy)]
pub struct Demo {
    /// Send a gentle load.
    pub traffic: bool,
    /// Kill an instance now and then.
    pub chaos: bool,
}

/// Where and how large the demonstration is.
#[derive(Debug, Clone)]
pub struct DemoOptions {
    /// Clinic servers.
    pub instances: u32,
    /// Address for clients.
    pub listen: String,
    /// Address of the admin server.
    pub admin: String,
    /// What is added.
    pub demo: Demo,
}

/// Runs the demonstration until it is stopped; its data goes with it.
pub fn run_demo(options: DemoOptions) -> ExitCode {
    let refuse = |error: &dyn std::fmt::Display| {
        eprintln!("plimsoll: {error}");
        ExitCode::from(2)
    };
    let program = match std::env::current_exe() {
        Ok(program) => program,
        Err(error) => return refuse(&format_args!("cannot find its own program: {error}")),
    };
    let directory = match Temporary::make() {
        Ok(directory) => directory,
        Err(error) => return refuse(&format_args!("cannot make a directory for data: {error}")),
    };
    let text = config_text(&options, &program, directory.path());
    match config::parse("the demonstration's config", &text) {
        Ok(loaded) => super::run(Plan {
            config: loaded.config,
            origin: Origin::CommandLine,
            path: None,
            demo: Some(options.demo),
        }),
        Err(errors) => refuse(&errors),
    }
}

/// A fleet of clinic servers that share a store in `directory`.
fn config_text(options: &DemoOptions, program: &Path, directory: &Path) -> String {
    format!(
        "listen = [{listen:?}]\n\
         admin = {admin:?}\n\
         drain_timeout = \"5s\"\n\
         [service.clinic]\n\
         run = [{program:?}, \"clinic\"]\n\
         instances = {instances}\n\
         connect = \"socket\"\n\
         environment = {{ DATABASE_URL = {database:?} }}\n\
         balance = \"least-conn\"\n\
         health = {{ path = \"/health/\", every = \"1s\", timeout = \"1s\", fall = 2 }}\n\
         [observe]\n\
         directory = {figures:?}\n",
        listen = options.listen,
        admin = options.admin,
        instances = options.instances,
        database = directory.join("clinic.db"),
        figures = directory.join("figures"),
    )
}

impl Demo {
    /// Says where to look, and starts what was asked for; it ends when the tasks are dropped.
    pub(super) fn start(
        self,
        app: &Arc<App>,
        addresses: &[SocketAddr],
        admin: Option<SocketAddr>,
    ) -> JoinSet<()> {
        let mut tasks = JoinSet::new();
        let Some(address) = addresses.first().copied() else { return tasks };
        let config = app.config();
        let admin = admin.map(|admin| admin.to_string()).unwrap_or_default();
        let wanted = |service: &Arc<Service>| match &service.source {
            Source::Processes(spec) => spec.instances,
            Source::Servers(_) => 0,
        };
        let instances = config.services.values().map(wanted).sum();
        println!("{}", self.welcome(&own_call(), instances, &address.to_string(), &admin));
        if self.traffic {
            tasks.spawn(load(Arc::clone(app), address));
        }
        if self.chaos {
            tasks.spawn(chaos(Arc::clone(app)));
        }
        tasks
    }

    /// What stands above the log. Addresses vary in length; the second column does not.
    fn welcome(self, plimsoll: &str, instances: u32, traffic: &str, admin: &str) -> String {
        let others = if admin == DEFAULT_ADMIN { "" } else { &format!(" --admin {admin}") };
        let servers = plural(instances as usize, "server");
        let tries = [
            (format!("curl http://{traffic}/"), "which instance answers?"),
            (format!("curl 'http://{traffic}/load?ms=500'"), "keep one busy"),
            (format!("curl http://{traffic}/variables/"), "a REST API on a shared store"),
            (format!("{plimsoll} status{others}"), "the fleet as a table"),
            (format!("{plimsoll} drain clinic-1{others}"), "take one out of traffic"),
            (format!("{plimsoll} restart clinic{others}"), "replace all, losing no request"),
        ];
        let places = [
            (format!("The clinic, {servers} behind one port:"), traffic),
            ("Who is healthy, how busy, how fast:".to_owned(), admin),
        ];
        let wide = |length: Option<usize>| length.unwrap_or_default();
        let width = wide(places.iter().map(|(what, _)| what.len()).max());
        let mut text = String::from("\n");
        for (what, address) in places {
            text.push_str(&format!("  {what:width$}  http://{address}\n"));
        }
        text.push_str("\n  Try, in another terminal:\n");
        let width = wide(tries.iter().map(|(command, _)| command.len()).max());
        for (command, meaning) in tries {
            text.push_str(&format!("    {command:width$}   {meaning}\n"));
        }
        text.push('\n');
        if !self.traffic {
            text.push_str("  With --traffic there is a gentle load to watch.\n");
        }
        let chaos = CHAOS_INTERVAL.as_secs();
        if self.chaos {
            text.push_str(&format!("  Every {chaos} s an instance is killed and comes back.\n"));
        } else {
            text.push_str(&format!("  With --chaos an instance is killed every {chaos} s.\n"));
        }
        text.push_str("  Ctrl-C stops everything.\n");
        text
    }
}

/// What to type to call this program: who runs the demonstration has often just built it.
fn own_call() -> String {
    let Ok(program) = std::env::current_exe() else { return NAME.to_owned() };
    let folder = std::env::current_dir().unwrap_or_default();
    call_of(&program, &folder, &std::env::var_os("PATH").unwrap_or_default())
}

/// What to type in `folder` to call `program`, as short as it can be.
fn call_of(program: &Path, folder: &Path, search_path: &OsStr) -> String {
    let found = std::env::split_paths(search_path).map(|place| place.join(NAME));
    // The search goes on past what is not there, and ends at the first that is.
    if found.into_iter().find_map(|file| file.canonicalize().ok()).as_deref() == Some(program) {
        return NAME.to_owned();
    }
    let call = match program.strip_prefix(folder) {
        Ok(rest) => Path::new(".").join(rest).display().to_string(),
        Err(_) => program.display().to_string(),
    };
    let is_plain = |c: char| c.is_alphanumeric() || "/._-+".contains(c);
    if call.chars().all(is_plain) { call } else { format!("'{}'", call.replace('\'', r"'\''")) }
}

async fn load(app: Arc<App>, address: SocketAddr) {
    let mut tasks = JoinSet::new();
    let pulse = r#"{"name":"pulse","unit":"1/min","lower":50,"upper":120}"#;
    let mut ticks = tokio::time::interval(Duration::from_secs(1) / REQUESTS_A_SECOND);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let mut seeded = false;
    for turn in 0_u64.. {
        ticks.tick().await;
        while tasks.try_join_next().is_some() {}
        if tasks.len() >= IN_FLIGHT_MAX {
            continue;
        }
        if !seeded {
            // Before, there would be errors that are nobody's fault.
            if !app.roster.views().iter().all(serves) {
                continue;
            }
            let answer = send(address, "POST", "/variables/", pulse.to_owned()).await;
            seeded = answer.is_some_and(|status| status < 500);
            continue;
        }
        let (method, path, body) = match turn % 20 {
            0..=9 => ("GET", "/", String::new()),
            10..=13 => ("GET", "/measurements/?page_size=5", String::new()),
            14 => ("GET", "/alarms/?page_size=5", String::new()),
            15 | 16 => ("GET", "/load?ms=20", String::new()),
            _ => {
                let value = 80.0 + 50.0 * (fastrand::f64() - 0.5) * 2.0;
                ("POST", "/measurements/", format!("{{\"variable\":1,\"value\":{value:.1}}}"))
            }
        };
        tasks.spawn(async move {
            // Metrics and status tell how it went.
            let _ = send(address, method, path, body).await;
        });
    }
}

/// Whether there is somebody to ask.
fn serves(service: &ServiceView) -> bool {
    service.servers.iter().any(|server| server.state == ServerState::Healthy)
}

/// The status of one request on a connection of its own.
async fn send(address: SocketAddr, method: &str, path: &str, body: String) -> Option<u16> {
    let answer = async {
        let stream = TcpStream::connect(address).await.ok()?;
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.ok()?;
        let connection = tokio::spawn(connection);
        let request = hyper::Request::builder()
            .method(method)
            .uri(path)
            .header("host", address.to_string())
            .header("user-agent", "plimsoll-demo")
            .header("content-type", "application/json")
            .body(Full::new(Bytes::from(body)))
            .ok()?;
        let response = sender.send_request(request).await.ok()?;
        let status = response.status().as_u16();
        let _ = response.into_body().collect().await;
        connection.abort();
        Some(status)
    };
    tokio::time::timeout(PATIENCE, answer).await.ok()?
}

async fn chaos(app: Arc<App>) {
    let mut ticks = tokio::time::interval(CHAOS_INTERVAL);
    ticks.tick().await;
    loop {
        ticks.tick().await;
        let snapshot = Arc::clone(&app.fleet.changes().borrow());
        let running: Vec<_> = snapshot
            .services
            .values()
            .flatten()
            .filter_map(|instance| Some((instance.name.clone(), instance.pid?)))
            .collect();
        if running.is_empty() {
            continue;
        }
        let (name, pid) = &running[fastrand::usize(..running.len())];
        let Ok(process) = i32::try_from(*pid) else { continue };
        log::warn("chaos", format_args!("kills {name} (kill -9 {pid})"));
        let process = nix::unistd::Pid::from_raw(process);
        if let Err(error) = nix::sys::signal::kill(process, nix::sys::signal::Signal::SIGKILL) {
            log::warn("chaos", format_args!("it was gone already: {error}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;
    use std::path::Path;

    use super::{Demo, call_of};

    #[test]
    fn a_program_is_called_by_its_name_where_that_leads_to_it() {
        let folder = tempfile::tempdir().unwrap();
        // A folder of temporary files may itself be behind a link; a program never is.
        let folder = folder.path().canonicalize().unwrap();
        let (ours, other) = (folder.join("ours"), folder.join("other"));
        for place in [&ours, &other] {
            std::fs::create_dir(place).unwrap();
            std::fs::write(place.join("plimsoll"), "").unwrap();
        }
        let path = |places: &[&Path]| std::env::join_paths(places).unwrap();
        let program = ours.join("plimsoll");
        let call = |places: &[&Path]| call_of(&program, &folder, &path(places));
        assert_eq!(call(&[&folder, &ours, &other]), "plimsoll");
        assert_eq!(call(&[&other, &ours]), "./ours/plimsoll", "the name leads to another one");
        assert_eq!(call(&[]), "./ours/plimsoll");
    }

    #[test]
    fn elsewhere_it_is_called_by_a_path_that_a_shell_takes() {
        let call = |program: &str, folder: &str| {
            call_of(Path::new(program), Path::new(folder), OsStr::new(""))
        };
        assert_eq!(call("/src/target/debug/plimsoll", "/src"), "./target/debug/plimsoll");
        assert_eq!(call("/src/target/debug/plimsoll", "/src/docs"), "/src/target/debug/plimsoll");
        assert_eq!(call("/my work/debug/plimsoll", "/"), "'./my work/debug/plimsoll'");
        assert_eq!(call("/it's/plimsoll", "/src"), r"'/it'\''s/plimsoll'");
    }

    #[test]
    fn what_there_is_to_try_can_be_typed() {
        let demo = Demo { traffic: false, chaos: false };
        let text = demo.welcome("./debug/plimsoll", 3, "127.0.0.1:9999", "127.0.0.1:9901");
        for command in ["status", "drain clinic-1", "restart clinic"] {
            let typed = format!("    ./debug/plimsoll {command} --admin 127.0.0.1:9901  ");
            assert!(text.contains(&typed), "{text}");
        }
    }
}
