use super::*;

fn lasting_of(load: &Load) -> Duration {
    let stages = match load {
        Load::Open(Open { arrivals: Arrivals::Scheduled { stages, .. }, .. }) => stages,
        Load::Closed(closed) => &closed.stages,
        Load::Open(_) => return Duration::ZERO,
    };
    stages.iter().map(|stage| stage.lasting).sum()
}

#[test]
fn rates_are_read_per_second() {
    let cases =
        [("2000", 2000.0), ("2000/s", 2000.0), ("90/min", 1.5), ("36/h", 0.01), ("0.5", 0.5)];
    for (text, expected) in cases {
        assert_eq!(rate(text), Ok(expected), "{text}");
        assert_eq!(rate(&show_rate(expected)), Ok(expected));
    }
    for text in ["", "0", "-1", "1/x", "x", "1e9", "nan", "inf", "99999999999", ".5", "1.2.3"] {
        assert!(rate(text).is_err(), "{text}");
    }
    assert_eq!(rate("5/d").unwrap_err().remedy.as_deref(), Some("write \"5/s\", /min or /h"));
}

#[test]
fn stages_are_read_and_shown() {
    let read = stages("0..500/30s, 500/2m ,..0/30s").unwrap();
    let seconds = Duration::from_secs;
    let expected = [(0.0, 500.0, 30), (500.0, 500.0, 120), (500.0, 0.0, 30)];
    for (stage, (from, to, lasting)) in read.iter().zip(expected) {
        assert_eq!((stage.from, stage.to, stage.lasting), (from, to, seconds(lasting)));
    }
    assert_eq!(show_stages(&read), "0..500/30s,500/2m,500..0/30s");
    assert_eq!(stages(&show_stages(&read)).unwrap(), read);
    for text in ["", "500", "5..6", "a..b/3s", "1..2..3/3s", "0/5s", "5/0s", "5/5", ",", "1/1s,"] {
        assert!(stages(text).is_err(), "{text}");
    }
}

#[test]
fn users_are_a_number_or_stages() {
    assert_eq!(users("64"), Ok(Users::Fixed(64)));
    assert!(matches!(users("0..64/30s,64/1m"), Ok(Users::Staged(stages)) if stages.len() == 2));
    for text in ["0", "-1", "many", "1000001", "0..2000000/5s", "1.5"] {
        assert!(users(text).is_err(), "{text}");
    }
}

#[test]
fn pauses_are_in_milliseconds() {
    assert_eq!(pause("1.5s"), Ok(Pause::Constant(Template::text("1500"))));
    let (from, to) = (Template::text("1000"), Template::text("3000"));
    assert_eq!(pause("1s..3s"), Ok(Pause::Uniform { from, to }));
    assert_eq!(pause("3s..1s").unwrap_err().remedy.as_deref(), Some("write \"1s..3s\""));
    assert!(pause("25h").is_err());
}

#[test]
fn a_rate_makes_the_load_open_and_its_absence_closed() {
    let load = Keys { rate: Some(50.0), ..Keys::default() }.load(Voice::Options).unwrap();
    assert!(matches!(&load, Load::Open(open) if open.in_flight_max == IN_FLIGHT_MAX));
    assert_eq!(lasting_of(&load), LASTING);
    let keys = Keys { rate: Some(50.0), connections: Some(Users::Fixed(7)), ..Keys::default() };
    assert!(matches!(keys.load(Voice::Options), Ok(Load::Open(open)) if open.in_flight_max == 7));
    let load = Keys::default().load(Voice::Options).unwrap();
    assert!(matches!(&load, Load::Closed(closed) if closed.stages[0].to == 64.0));
    assert_eq!(lasting_of(&load), LASTING);
    let keys = Keys { requests: Some(3), ..Keys::default() };
    let Ok(Load::Closed(closed)) = keys.load(Voice::Options) else { panic!() };
    assert_eq!((closed.iterations, closed.stages[0].to), (Some(3), 3.0));
    assert_eq!(closed.stages[0].lasting, Duration::MAX);
}

#[test]
fn the_command_line_wins_over_the_file() {
    let file = || Keys {
        rate: Some(5.0),
        poisson: true,
        lasting: Some(Duration::from_secs(60)),
        connections: Some(Users::Fixed(7)),
        ..Keys::default()
    };
    let faster = Keys { rate: Some(9.0), ..Keys::default() }.over(file(), false);
    assert_eq!((faster.rate, faster.lasting, faster.poisson), (Some(9.0), file().lasting, true));
    assert_eq!(faster.connections, Some(Users::Fixed(7)));
    let staged = Keys { stages: stages("1/5s").ok(), ..Keys::default() }.over(file(), false);
    assert_eq!((staged.rate, staged.lasting), (None, None));
    let shorter = Keys { lasting: Some(LASTING), ..Keys::default() }.over(file(), false);
    assert_eq!((shorter.rate, shorter.lasting), (Some(5.0), Some(LASTING)));
    let users =
        || Keys { connections: users("0..5/3s").ok(), requests: Some(100), ..Keys::default() };
    let open = Keys { rate: Some(9.0), ..Keys::default() }.over(users(), false);
    assert_eq!((open.connections, open.requests), (None, None));
    let replayed = Keys::default().over(file(), true);
    assert_eq!((replayed.rate, replayed.poisson), (None, false));
}

#[test]
fn recorded_times_are_cut_where_the_run_ends() {
    let times: Arc<[Duration]> = (0..10).map(Duration::from_secs).collect();
    let lasting = Some(Duration::from_secs(4));
    let keys = Keys { replay: Some(times), lasting, ..Keys::default() };
    let Ok(Load::Open(open)) = keys.load(Voice::File) else { panic!() };
    assert!(matches!(open.arrivals, Arrivals::Recorded(times) if times.len() == 4));
}

#[test]
fn contradictions_are_explained_in_the_words_that_were_used() {
    let ramp = || stages("0..5/3s").unwrap();
    let times: Arc<[Duration]> = Arc::new([Duration::ZERO]);
    let cases = [
        (
            Keys { rate: Some(1.0), stages: Some(ramp()), ..Keys::default() },
            Key::Stages,
            "--rate and --stages both say when requests begin",
        ),
        (
            Keys { rate: Some(2000.0), requests: Some(10_000), ..Keys::default() },
            Key::Requests,
            "--for 5s",
        ),
        (
            Keys { stages: Some(ramp()), lasting: Some(LASTING), ..Keys::default() },
            Key::For,
            "remove --for: the stages take 3s together",
        ),
        (
            Keys {
                connections: Some(Users::Staged(ramp())),
                lasting: Some(LASTING),
                ..Keys::default()
            },
            Key::For,
            "--connections says how long",
        ),
        (Keys { poisson: true, ..Keys::default() }, Key::Poisson, "--rate 100"),
        (Keys { poisson: true, replay: Some(times), ..Keys::default() }, Key::Poisson, "--poisson"),
        (
            Keys { rate: Some(1.0), connections: Some(Users::Staged(ramp())), ..Keys::default() },
            Key::Connections,
            "--connections 500",
        ),
    ];
    for (keys, key, words) in cases {
        let (found, refusal) = keys.clone().load(Voice::Options).unwrap_err();
        let said = format!("{}; {}", refusal.message, refusal.remedy.unwrap());
        assert_eq!(found, key, "{said}");
        assert!(said.contains(words), "{said}");
        let (_, refusal) = keys.load(Voice::File).unwrap_err();
        let said = format!("{}; {}", refusal.message, refusal.remedy.unwrap());
        assert!(!said.contains("--"), "{said}");
    }
}
