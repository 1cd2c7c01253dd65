use proptest::prelude::*;

use super::*;

fn builder() -> Builder {
    let mut builder = Builder::default();
    for name in ["name", "users.email", "page"] {
        builder.slot(name);
    }
    builder
}

fn read(text: &str) -> Result<Template, Refusal> {
    parse(text, &mut builder(), &mut Uses::default())
}

/// A template as it would be written.
fn written(template: &Template) -> String {
    let piece = |piece: &Piece| match piece {
        Piece::Text(text) => text.clone(),
        Piece::Variable(slot, _) => format!("<{slot}>"),
        Piece::Call(call) => {
            let arguments: Vec<String> = call.arguments.iter().map(written).collect();
            let store = call.store.map_or(String::new(), |slot| format!("{slot}="));
            format!("<{store}{:?}({})>", call.function, arguments.join("|"))
        }
    };
    template.0.iter().map(piece).collect()
}

#[test]
fn holes_are_found() {
    let cases = [
        ("", ""),
        ("/plain?a={b}", "/plain?a={b}"),
        ("/{{name}}/{{ users.email }}", "/<0>/<1>"),
        ("{{uuid()}}", "<Uuid()>"),
        ("a{{random_int( -5 , 1 )}}b", "a<RandomInt(-5|1)>b"),
        ("{{pick('a, b)}}', \"c\", name)}}", "<Pick(a, b)}}|c|<0>)>"),
        ("{{upper(substring(name, 0, 3))}}", "<Upper(<Substring(<0>|0|3)>)>"),
        ("{{id = uuid()}}-{{id}}", "<3=Uuid()>-<3>"),
        ("{{{{name}} }}", "{{name}} }}"),
        ("{\"a\":{{page}}}", "{\"a\":<2>}"),
        ("{{char(0x42)}}", "<Char(0x42)>"),
        ("{{{{{{name}}", "{{<0>"),
    ];
    for (text, expected) in cases {
        assert_eq!(written(&read(text).unwrap_or_else(|r| panic!("{text}: {r:?}"))), expected);
    }
}

#[test]
fn mistakes_are_met_with_a_remedy() {
    let cases = [
        ("{{nmae}}", "did you mean `name`?"),
        ("{{colour}}", "set it, or use {{name}}, {{page}} or {{users.email}}"),
        ("{{uuid}}", "`uuid` is a function: write {{uuid()}}"),
        ("{{uid()}}", "did you mean `uuid`?"),
        ("{{random_int(1)}}", "write it as in {{random_int(1, 100)}}"),
        ("{{upper(hello)}}", "put a text in quotes: 'hello'"),
        ("{{x = name}}", "there is no function `name`"),
        ("{{name", "has no closing `}}`"),
        ("{{name]}}", "there is a `]` where `}}` belongs"),
        ("{{pick('a}}", "a quote is not closed"),
        ("{{}}", "`{{{{` for the characters themselves"),
        ("{{ ", "a name was expected"),
        ("{{é\u{301}}}", "there is no variable"),
        ("{{name€}}", "there is a `€`"),
    ];
    for (text, words) in cases {
        let refusal = read(text).unwrap_err();
        let said = format!("{}; {}", refusal.message, refusal.remedy.unwrap());
        assert!(said.contains(words), "{text}: {said}");
    }
    let deep = format!("{{{{{}'a'{}}}}}", "upper(".repeat(40), ")".repeat(40));
    assert!(read(&deep).unwrap_err().message.contains("too deeply"));
}

#[test]
fn what_a_template_needs_is_noted() {
    let (mut builder, mut uses) = (builder(), Uses::default());
    parse("{{page}}{{id = pick(name)}}", &mut builder, &mut uses).unwrap();
    assert_eq!(uses.slots, BTreeSet::from([0, 2]));
    assert!(!uses.any);
    parse("{{variable('x')}}", &mut builder, &mut uses).unwrap();
    assert!(uses.any);
}

#[test]
fn every_example_of_a_function_is_right() {
    for function in FUNCTIONS {
        let mut builder = builder();
        builder.slot("token");
        let text = format!("{{{{{}}}}}", function.example);
        let read = parse(&text, &mut builder, &mut Uses::default());
        assert!(read.is_ok(), "{text}: {read:?}");
    }
}

proptest! {
    #[test]
    fn no_text_breaks_the_reading(text in "[{}a-z(), '\"=.0-9é]{0,40}") {
        if let Ok(template) = read(&text) {
            prop_assert!(template.constant().is_none() || !text.contains("{{") || text.contains("{{{{"));
        }
    }

    #[test]
    fn a_text_without_braces_is_itself(text in "[^{]{0,40}") {
        let template = read(&text).unwrap();
        prop_assert_eq!(template.constant(), Some(text.as_str()));
    }
}
