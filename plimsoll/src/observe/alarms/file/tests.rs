//! The file by itself: what is written is read, and what is too long is shortened.

use super::*;

fn alarm(state: State, value: f64) -> Alarm {
    let annotations = [("summary".to_owned(), "it is \"so\"\n".to_owned())].into();
    Alarm { annotations, value, active: 1_000, state, unproven_since: None }
}

fn rule(name: &str, alarms: Vec<(Labels, Alarm)>) -> SavedRule {
    SavedRule {
        file: "rules.yml".to_owned(),
        group: "a".to_owned(),
        name: name.to_owned(),
        query: "up == 0".to_owned(),
        labels: [("severity".to_owned(), "{{ $value }}".to_owned())].into(),
        alarms: alarms.iter().map(|(labels, alarm)| SavedAlarm::of(labels, alarm)).collect(),
    }
}

fn labels(job: usize) -> Labels {
    Labels::from_pairs([("alertname", "Down"), ("job", &job.to_string())])
}

const PENDING: State = State::Pending;
const FIRING: State = State::Firing { since: 2_000, unanswered: None };
const KEPT: State = State::Firing { since: 2_000, unanswered: Some(3_000) };
const OVER: State = State::Over { since: 2_000, ended: 3_000 };

#[test]
fn what_is_written_is_read() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(read(folder.path()), Found::Nothing);
    let values = [1.5, f64::INFINITY, f64::NEG_INFINITY, -1e-300];
    let states = [PENDING, FIRING, KEPT, OVER];
    let pairs = states.into_iter().zip(values).enumerate();
    let alarms: Vec<_> =
        pairs.map(|(job, (state, value))| (labels(job), alarm(state, value))).collect();
    let saved = Saved { written: 5_000, rules: vec![rule("Down", alarms.clone())] };
    assert_eq!(write(folder.path(), saved.clone()).unwrap(), 0);
    assert_eq!(read(folder.path()), Found::Alarms(saved.clone()));
    let read: Vec<_> =
        saved.rules.into_iter().flat_map(|rule| rule.alarms).map(SavedAlarm::alarm).collect();
    assert_eq!(read, alarms);
    let (_, nan) = SavedAlarm::of(&labels(0), &alarm(PENDING, f64::NAN)).alarm();
    assert!(nan.value.is_nan());
    let names: Vec<_> =
        fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, [NAME]);
}

#[test]
fn the_format_stays() {
    let alarms = vec![(labels(1), alarm(KEPT, 0.5)), (labels(2), alarm(PENDING, 1.0))];
    let saved = Saved { written: 5_000, rules: vec![rule("Down", alarms)] };
    let (text, _) = text(saved, BYTES_MAX).unwrap();
    let expected = concat!(
        r#"{"format":"plimsoll alarms","version":1,"written":5000,"rules":[{"file":"rules.yml","#,
        r#""group":"a","name":"Down","query":"up == 0","labels":{"severity":"{{ $value }}"},"#,
        r#""alarms":[{"labels":{"alertname":"Down","job":"1"},"annotations":{"summary":"#,
        r#""it is \"so\"\n"},"value":"0.5","active":1000,"state":"firing","since":2000,"#,
        r#""unanswered":3000},{"labels":{"alertname":"Down","job":"2"},"annotations":{"summary":"#,
        r#""it is \"so\"\n"},"value":"1","active":1000,"state":"pending"}]}]}"#,
    );
    assert_eq!(String::from_utf8(text).unwrap(), expected);
}

#[test]
fn what_fires_goes_first_when_there_is_little_room() {
    let states = |state: State| move |job| (labels(job), alarm(state, 1.0));
    let over = rule("Over", (0..100).map(states(OVER)).collect());
    let mut mixed: Vec<_> = (0..30).map(states(FIRING)).collect();
    mixed.extend((30..80).map(states(PENDING)));
    let saved = Saved { written: 5_000, rules: vec![over, rule("Mixed", mixed)] };
    let bytes_max = 10_000;
    let (text, left_out) = text(saved, bytes_max).unwrap();
    assert!(text.len() <= bytes_max && text.len() > bytes_max * 7 / 10, "{}", text.len());
    let document: Document<SavedRule> = serde_json::from_slice(&text).unwrap();
    let [mixed] = document.rules.as_slice() else { panic!("one rule has room") };
    assert_eq!(mixed.alarms.len() + left_out, 180);
    let firing = mixed.alarms.iter().filter(|alarm| alarm.rank() == 0).count();
    let pending = mixed.alarms.iter().filter(|alarm| alarm.rank() == 1).count();
    assert_eq!((firing, firing + pending), (30, mixed.alarms.len()));
}

#[test]
fn what_cannot_be_understood_is_put_aside_and_told_of() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(NAME);
    let aside = folder.path().join("alarms.json.damaged");
    for (text, reason) in [
        ("{", "it is damaged, or none of Plimsoll's (EOF while parsing"),
        ("{\"format\":\"notes\",\"version\":1}", "it is none of Plimsoll's (\"notes\")"),
        (
            "{\"format\":\"plimsoll alarms\",\"version\":7,\"new\":1}",
            "it is of version 7, and this Plimsoll reads version 1",
        ),
    ] {
        fs::write(&path, text).unwrap();
        let Found::Loss(words) = read(folder.path()) else { panic!("{text} is read") };
        let begin = format!("the alarms of before cannot be read from {}: ", path.display());
        assert!(words.starts_with(&(begin + reason)), "{words}");
        let end = format!("; it is kept as {}. Alarms begin anew", aside.display());
        assert!(words.ends_with(&end), "{words}");
        assert_eq!((fs::read_to_string(&aside).unwrap().as_str(), path.exists()), (text, false));
    }
    fs::create_dir(&path).unwrap();
    assert!(matches!(read(folder.path()), Found::Loss(_)), "no file at all");
}
