//! From what was typed to a plan: the command line alone, a TOML file, or a JMeter file.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::cli::arguments::bench::{BenchArguments, HttpArgument};
use crate::config::bench::jmx::{self, JmxOptions};
use crate::config::bench::model::{Arrivals, Load, Open, Plan, Stage};
use crate::config::bench::{BenchOptions, Prepared, from_options, over};
use crate::config::{ConfigErrors, Warning};

/// Beginnings of what is a URL and not the name of a file.
const SCHEMES: &str = "://";
/// How JMeter calls its files.
const JMETER: &str = "jmx";
/// How the files of plans are called, those of other testers too. No host is called so.
const PLANS: [&str; 7] = ["toml", JMETER, "yaml", "yml", "json", "js", "xml"];
/// Beginnings of what is a path and not the name of a host.
const PATHS: [&str; 4] = ["./", "../", "/", "~"];

/// A plan that holds, with what is likely not meant.
pub(super) struct Loaded {
    pub(super) plan: Plan,
    pub(super) warnings: Vec<Warning>,
    /// How long each rate of a search for the limit is measured: what `--for` says.
    pub(super) probe: Option<Duration>,
}

/// The plan that the arguments mean.
///
/// # Errors
/// Everything that is wrong with them and the file they name.
pub(super) fn load(arguments: &BenchArguments) -> Result<Loaded, ConfigErrors> {
    let options = options(arguments);
    let prepared = match file(arguments) {
        Some(path) if is_jmeter(&path) => {
            let jmx = JmxOptions {
                skip_unsupported: arguments.target.skip_unsupported,
                properties: properties(&arguments.target.set),
            };
            let loaded = jmx::load(&path, &jmx)?;
            loaded.verify_properties(&jmx)?;
            // What `--set` gives are its properties.
            let options = BenchOptions { variables: Vec::new(), plan: None, ..options };
            let Prepared { plan, warnings } = over(loaded.plan, &options)?;
            Prepared { plan, warnings: [loaded.warnings, warnings].concat() }
        }
        _ => {
            let tell = (!arguments.output.quiet).then_some(tell as fn(&str));
            from_options(&BenchOptions { tell, ..options })?
        }
    };
    let Prepared { plan, warnings } = prepared;
    let probe = arguments.load.duration.as_ref().and_then(|_| lasting(&plan));
    Ok(Loaded { plan, warnings, probe })
}

/// Tells what takes long before the run.
fn tell(words: &str) {
    let _ = writeln!(io::stderr(), "{words}");
}

/// Refuses two plans, and what only goes with another kind of plan.
///
/// # Errors
/// In words.
pub(super) fn verify_target(arguments: &BenchArguments) -> Result<(), String> {
    let target = &arguments.target;
    let word = target.target.as_deref().filter(|word| !word.contains(SCHEMES));
    if let (Some(config), Some(word)) = (&target.config, word)
        && is_plan(Path::new(word))
    {
        let config = config.display();
        return Err(format!(
            "error: --config: {word} and {config} are two plans; keep one of them"
        ));
    }
    if let Some(word) = word.filter(|word| is_missing(word)) {
        let advice = match PATHS.iter().any(|beginning| word.starts_with(beginning)) {
            true => String::new(),
            false => format!("; if it is asked of a host, write http://{word}"),
        };
        return Err(format!(
            "error: {word} does not exist; name a plan (.toml, or .jmx of JMeter){advice}"
        ));
    }
    if target.skip_unsupported && !file(arguments).is_some_and(|path| is_jmeter(&path)) {
        return Err("error: --skip-unsupported: this is no JMeter plan, so that nothing could be \
                    left out; remove it"
            .to_owned());
    }
    Ok(())
}

/// How long the longest group of a plan lasts.
fn lasting(plan: &Plan) -> Option<Duration> {
    let stages = plan.groups.iter().filter_map(|group| match &group.load {
        Load::Closed(closed) => Some(&closed.stages),
        Load::Open(Open { arrivals: Arrivals::Scheduled { stages, .. }, .. }) => Some(stages),
        Load::Open(_) => None,
    });
    let sum = |stages: &Vec<Stage>| {
        stages.iter().fold(Duration::ZERO, |sum, stage| sum.saturating_add(stage.lasting))
    };
    stages.map(sum).max().filter(|lasting| *lasting < Duration::MAX)
}

/// The file of a plan, if one is named.
fn file(arguments: &BenchArguments) -> Option<PathBuf> {
    let target = arguments.target.target.as_deref();
    let named = target.filter(|target| !target.contains(SCHEMES)).map(PathBuf::from);
    arguments.target.config.clone().or_else(|| named.filter(|path| is_plan(path)))
}

/// Whether a word without a scheme is meant as a file: it is called like one, or is one.
fn is_plan(path: &Path) -> bool {
    is_jmeter(path) || path.extension().is_some_and(|it| it == "toml") || path.is_file()
}

/// Whether a word without a scheme is the path of a file that is not there: it begins like a path,
/// or is called like a plan and has no host in front. Plans that are read here tell it themselves.
fn is_missing(word: &str) -> bool {
    let path = Path::new(word);
    if is_plan(path) {
        return false;
    }
    let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
    let is_called_so = PLANS.contains(&ending.to_ascii_lowercase().as_str());
    let has_host = word
        .split_once('/')
        .is_some_and(|(host, _)| host.contains(['.', ':']) || host == "localhost");
    PATHS.iter().any(|beginning| word.starts_with(beginning)) || is_called_so && !has_host
}

fn is_jmeter(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case(JMETER))
}

/// `NAME=VALUE`; a name alone is given nothing.
fn properties(set: &[String]) -> BTreeMap<String, String> {
    let pair = |text: &String| {
        let (name, value) = text.split_once('=').unwrap_or((text, ""));
        (name.to_owned(), value.to_owned())
    };
    set.iter().map(pair).collect()
}

fn options(arguments: &BenchArguments) -> BenchOptions {
    let BenchArguments { target, load, request, connection, verdict, .. } = arguments.clone();
    let is_url = target.target.as_deref().is_some_and(|it| file(arguments) != Some(it.into()));
    BenchOptions {
        urls: target.target.filter(|_| is_url).into_iter().collect(),
        plan: file(arguments),
        name: arguments.output.name.clone(),
        method: request.method,
        headers: request.headers,
        data: request.data,
        data_file: request.data_file,
        form: request.form,
        message: request.message,
        rate: load.rate,
        poisson: load.poisson,
        stages: load.stages,
        replay: load.replay,
        speed: load.speed,
        tell: None,
        requests: load.requests,
        connections: load.connections,
        lasting: load.duration,
        think: load.think,
        threads: load.threads,
        http: connection.http.map(|version| match version {
            HttpArgument::One => "1".to_owned(),
            HttpArgument::Two => "2".to_owned(),
        }),
        no_keepalive: connection.no_keepalive,
        streams: connection.streams,
        insecure: connection.insecure,
        ca: connection.ca,
        certificate: connection.cert,
        key: connection.key,
        server_name: connection.server_name,
        unix: connection.unix,
        timeout: request.timeout,
        connect_timeout: connection.connect_timeout,
        redirects: request.redirects,
        expect_status: request.expect_status,
        expect_body: request.expect_body,
        served_by: request.served_by,
        thresholds: verdict.threshold,
        slo: verdict.slo.filter(|_| !verdict.find_limit),
        part: load.part,
        seed: load.seed,
        variables: target.set,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::arguments::bench::Target;

    fn said(target: Option<&str>, config: Option<&str>, skip_unsupported: bool) -> String {
        let target = Target {
            target: target.map(str::to_owned),
            config: config.map(PathBuf::from),
            set: Vec::new(),
            skip_unsupported,
        };
        let arguments = BenchArguments { target, ..BenchArguments::default() };
        verify_target(&arguments).err().unwrap_or_default()
    }

    /// What each option of the command line becomes, so that none is lost on the way.
    #[test]
    fn every_option_arrives() {
        use clap::Parser;

        use crate::cli::arguments::{Arguments, Command};

        let line = "plimsoll bench http://a/ --name N --method PUT -H A:1 -d D --expect-status 201 \
                    --expect-body B --redirects 3 --timeout 4s --served-by X-Pod --http 2 \
                    --streams 5 --no-keepalive --unix /s --connect-timeout 6s -k --ca c --cert d \
                    --key e --server-name f --rate 7 --poisson --connections 8 --think 9s --for 10s \
                    --threads 11 --part 1/12 --seed 13 --threshold p99<1s --slo p50=1s --set v=w";
        let arguments = Arguments::try_parse_from(line.split_whitespace()).unwrap();
        let Command::Bench(arguments) = arguments.command else { panic!("not bench") };
        let text = |text: &str| Some(text.to_owned());
        let expected = BenchOptions {
            urls: vec!["http://a/".to_owned()],
            name: text("N"),
            method: text("PUT"),
            headers: vec!["A:1".to_owned()],
            data: text("D"),
            expect_status: text("201"),
            expect_body: text("B"),
            redirects: text("3"),
            timeout: text("4s"),
            served_by: text("X-Pod"),
            http: text("2"),
            streams: text("5"),
            no_keepalive: true,
            unix: Some("/s".into()),
            connect_timeout: text("6s"),
            insecure: true,
            ca: Some("c".into()),
            certificate: Some("d".into()),
            key: Some("e".into()),
            server_name: text("f"),
            rate: text("7"),
            poisson: true,
            connections: text("8"),
            think: text("9s"),
            lasting: text("10s"),
            threads: text("11"),
            part: text("1/12"),
            seed: text("13"),
            thresholds: vec!["p99<1s".to_owned()],
            slo: text("p50=1s"),
            variables: vec!["v=w".to_owned()],
            ..BenchOptions::default()
        };
        assert_eq!(format!("{:?}", options(&arguments)), format!("{expected:?}"));
        let line = "plimsoll bench ws://a/ --stages 1/1s --message M --data-file F --requests 2";
        let arguments = Arguments::try_parse_from(line.split_whitespace()).unwrap();
        let Command::Bench(arguments) = arguments.command else { panic!("not bench") };
        let read = options(&arguments);
        assert_eq!((read.stages, read.message), (text("1/1s"), text("M")));
        assert_eq!((read.data_file, read.requests), (Some("F".into()), text("2")));
        let line = "plimsoll bench http://a/ --replay R --speed 2 --form a=b";
        let arguments = Arguments::try_parse_from(line.split_whitespace()).unwrap();
        let Command::Bench(arguments) = arguments.command else { panic!("not bench") };
        let read = options(&arguments);
        assert_eq!((read.replay, read.speed), (Some("R".into()), text("2")));
        assert_eq!(read.form, ["a=b"]);
    }

    #[test]
    fn one_plan_at_a_time() {
        let two = said(Some("a.toml"), Some("b.jmx"), false);
        assert!(two.contains("a.toml and b.jmx are two plans"), "{two}");
        assert_eq!(said(Some("a.toml"), None, false), "");
        assert_eq!(said(Some("http://host/a.toml"), Some("b.toml"), false), "");
        assert_eq!(said(Some("localhost:80"), Some("b.toml"), false), "");
    }

    #[test]
    fn a_path_is_not_looked_up_as_a_host() {
        for word in ["plans/nosuch.yaml", "nosuch.js", "./nosuch", "../a/b", "/nosuch", "~/a.json"]
        {
            let said = said(Some(word), None, false);
            assert!(said.contains(&format!("{word} does not exist")), "{word}: {said}");
        }
        let hosts =
            ["localhost/a.json", "host:80/a.json", "a.b/c.xml", "web", "web/a", "[::1]/a.js"];
        for word in hosts {
            assert_eq!(said(Some(word), None, false), "", "{word}");
        }
    }

    #[test]
    fn only_jmeter_plans_have_what_could_be_left_out() {
        assert!(said(Some("http://host/"), None, true).contains("--skip-unsupported"));
        assert!(said(None, Some("b.toml"), true).contains("no JMeter plan"));
        assert_eq!(said(Some("a.JMX"), None, true), "");
        assert_eq!(said(None, Some("a.jmx"), true), "");
    }
}
