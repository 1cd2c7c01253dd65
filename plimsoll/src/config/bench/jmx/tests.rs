//! Plans as JMeter saves them, what becomes of them, and what is refused.
//!
//! `plimsoll/tests/jmx/NAME.jmx` is read and compared: with `NAME.plan.txt`, the outline of the plan
//! and its warnings, or with `NAME.refused.txt`, the exact message. `NAME.skipped.txt` is the outline
//! with what cannot be done left out. `BLESS=1` writes these files anew, to be read over.

mod outline;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use proptest::prelude::*;

use super::scope::{CLASSES, Kind};
use super::{JmxOptions, Loaded, function, load, parse};
use crate::config::problem::ConfigErrors;

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/jmx")
}

fn options(skip_unsupported: bool) -> JmxOptions {
    let properties = [("host", "shop.test"), ("threads", "7")];
    let properties = properties.map(|(name, value)| (name.to_owned(), value.to_owned()));
    JmxOptions { skip_unsupported, properties: BTreeMap::from(properties) }
}

/// What came of a plan, as text.
fn shown(result: Result<Loaded, ConfigErrors>) -> String {
    let text = match result {
        Ok(Loaded { plan, warnings, .. }) => {
            let told = |warning: &&_| format!("{warning}").contains("; this is left out");
            assert_eq!(plan.left_out.len(), warnings.iter().filter(told).count());
            let warnings: String =
                warnings.iter().map(|warning| format!("\n{warning}\n")).collect();
            outline::outline(&plan) + &warnings
        }
        Err(errors) => format!("{errors}\n"),
    };
    // Names of files are shown as they were given, which differs from machine to machine.
    text.replace(&format!("{}/", directory().display()), "")
}

fn compare(result: Result<Loaded, ConfigErrors>, expected: &Path) {
    let found = shown(result);
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(expected, &found).unwrap();
    }
    let known = std::fs::read_to_string(expected).unwrap();
    assert!(found == known, "{} should be:\n{found}", expected.display());
}

#[test]
fn plans_become_what_their_outlines_say() {
    let mut plans: Vec<PathBuf> = std::fs::read_dir(directory())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "jmx"))
        .collect();
    plans.sort();
    assert!(plans.len() >= 10, "{plans:?}");
    for path in plans {
        let result = load(&path, &options(false));
        let kind = if result.is_ok() { "plan.txt" } else { "refused.txt" };
        let refused = result.is_err();
        let other = if refused { "plan.txt" } else { "refused.txt" };
        assert!(!path.with_extension(other).exists(), "{} changed sides", path.display());
        compare(result, &path.with_extension(kind));
        if refused {
            let skipped = path.with_extension("skipped.txt");
            compare(load(&path, &options(true)), &skipped);
        }
    }
}

/// What stands in code style in the first columns of a section's table.
fn documented(section: &str) -> BTreeSet<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/bench-jmeter.md");
    let text = std::fs::read_to_string(path).unwrap();
    let after = text.split(&format!("\n## {section}\n")).nth(1).unwrap();
    let rows = after.split("\n## ").next().unwrap().lines().filter(|line| line.starts_with("| `"));
    let first = rows.map(|row| row.split(" | ").next().unwrap());
    first.flat_map(|cell| cell.split('`').skip(1).step_by(2)).map(str::to_owned).collect()
}

#[test]
fn the_document_tells_of_what_is_known_and_of_nothing_else() {
    let classes = |listeners: bool| {
        let known = CLASSES.iter().filter(|(_, kind)| (*kind == Kind::Listener) == listeners);
        known.map(|(class, _)| (*class).to_owned()).collect::<BTreeSet<String>>()
    };
    let mut run = classes(false);
    run.insert("TestPlan".to_owned());
    assert_eq!(documented("Elements that are run"), run);
    assert_eq!(documented("Elements that are passed over"), classes(true));
    let functions: BTreeSet<String> = function::names().map(str::to_owned).collect();
    assert_eq!(documented("Functions"), functions);
}

/// A plan of one group with this below it.
fn with(elements: &str) -> String {
    format!(
        r#"<?xml version="1.0" encoding="UTF-8"?>
<jmeterTestPlan version="1.2" properties="5.0" jmeter="5.6.3">
<hashTree><TestPlan testname="p"/><hashTree>
<ThreadGroup testname="g"><stringProp name="ThreadGroup.num_threads">1</stringProp>
</ThreadGroup><hashTree>
{elements}
</hashTree></hashTree></hashTree></jmeterTestPlan>"#
    )
}

/// A request for this path.
fn request(path: &str) -> String {
    format!(
        r#"<HTTPSamplerProxy testname="r">
<stringProp name="HTTPSampler.domain">a.test</stringProp>
<stringProp name="HTTPSampler.path">{path}</stringProp></HTTPSamplerProxy><hashTree/>"#
    )
}

fn read(text: &str) -> Result<Loaded, ConfigErrors> {
    parse("plan.jmx", text, Path::new(""), &options(false))
}

/// The outline of a request's line.
fn line_of(path: &str) -> String {
    let text = shown(read(&with(&request(path))));
    let line = text.lines().find(|line| line.trim_start().starts_with("GET "));
    line.unwrap_or(&text).trim().trim_start_matches("GET ").to_owned()
}

#[test]
fn functions_become_calls_or_what_they_are() {
    for (given, expected) in [
        ("${__P(host)}", "shop.test"),
        ("${__P(port,8080)}", "8080"),
        ("${__P(port)}", "1"),
        ("${__property(port)}", "port"),
        ("${__property(port,,80)}", "80"),
        ("${__isPropDefined(host)}", "true"),
        ("${__Random(1,10,n)}", "{{RandomInt(1; 10) into n}}"),
        ("${__Random(1,${__P(port,9)})}", "{{RandomInt(1; 9)}}"),
        ("${__RandomString(8,abc\\,d)}", "{{RandomText(8; abc,d)}}"),
        ("${__UUID}", "{{Uuid()}}"),
        ("${__UUID()}", "{{Uuid()}}"),
        ("${__time()}", "{{Time()}}"),
        ("${__time(,t)}", "{{Time() into t}}"),
        ("${__time(yyyy-MM-dd,)}", "{{Time(yyyy-MM-dd)}}"),
        ("${__timeShift(yyyy,,P1D,,)}", "{{TimeShift(yyyy; ; P1D)}}"),
        ("${__counter(TRUE,)}", "{{Counter(TRUE)}}"),
        ("${__counter(FALSE,c)}", "{{Counter() into c}}"),
        ("${__intSum(1,2,3,s)}", "{{Sum(1; 2; 3) into s}}"),
        ("${__longSum(1,2)}", "{{Sum(1; 2)}}"),
        ("${__changeCase(ab,UPPER,)}", "{{Upper(ab)}}"),
        ("${__lowercase(AB,x)}", "{{Lower(AB) into x}}"),
        ("${__threadNum}-${__threadGroupName}", "{{User()}}-{{Group()}}"),
        ("${__V(a_${__threadNum},d)}", "{{VariableByName(a_{{User()}}; d)}}"),
        ("${__evalVar(q)}", "{{Evaluate({{VariableByName(q)}})}}"),
        ("${__samplerName}", "r"),
        ("${__TestPlanName}", "plan.jmx"),
        ("${__env(HOME,,d)}", "{{Environment(HOME; d)}}"),
        ("${__char(65,66)}", "{{Char(65; 66)}}"),
        ("${__split(a;b,s,;)}", "{{Split(a;b; s; ;)}}"),
        ("${__jexl3(1 &lt; 2,j)}", "{{Holds(1 < 2) into j}}"),
        ("${nowhere}", "${nowhere}"),
        ("\\${a} ${__P(host)}", "${a}%20shop.test"),
    ] {
        let line = line_of(&format!("/{given}"));
        let line = line.split(" as \"r\"").next().unwrap();
        assert_eq!(line, format!("http://a.test/{expected}"), "{given}");
    }
}

#[test]
fn conditions_are_comparisons_or_refused() {
    for (given, expected) in [
        (r#""${n}" == "1""#, r#""${n}" Equal "1""#),
        (
            "${n} >= 5 &amp;&amp; !(${n} lt 9)",
            r#"("${n}" GreaterOrEqual "5" and not "${n}" Less "9")"#,
        ),
        (
            r#"'${n}' ne 'x' or ${n} =~ "[0-9]+""#,
            r#"("${n}" NotEqual "x" or "${n}" matches /[0-9]+/)"#,
        ),
        ("${JMeterThread.last_sample_ok}", "last succeeded"),
        ("${JMeterThread.last_sample_ok} == false", "not last succeeded"),
        ("true", r#"true "true""#),
        (r#"vars.get("n") == 3"#, r#""${n or ""}" Equal "3""#),
        ("${n} % 2 == 0", r#"true "{{Holds(${n} % 2 == 0)}}""#),
        ("-1 &lt; ${n}", r#""-1" Less "${n}""#),
        ("x == 1", "`x` is no value"),
        ("${n} ==", "it ends where a value is missing"),
        ("f(${n})", "`f` is no value"),
        ("\"a", "a text that begins with \" has no end"),
    ] {
        for script in ["__jexl3", ""] {
            let condition = match script {
                "" => given.to_owned(),
                // Commas part arguments.
                name => format!("${{{name}({given},)}}"),
            };
            let expression = !script.is_empty();
            let plan = with(&format!(
                r#"<RandomVariableConfig><stringProp name="variableName">n</stringProp>
</RandomVariableConfig><hashTree/>
<IfController testname="i"><stringProp name="IfController.condition">{condition}</stringProp>
<boolProp name="IfController.useExpression">{expression}</boolProp></IfController>
<hashTree>{}</hashTree>"#,
                request("/")
            ));
            let text = shown(read(&plan));
            assert!(text.contains(expected), "{condition}: {text}");
        }
    }
}

#[test]
fn what_is_no_plan_is_refused_with_its_place() {
    for (given, expected) in [
        ("", "the plan is empty"),
        ("<a/>", "this is XML, but no JMeter plan"),
        ("<a>", "the plan ends within <a>"),
        ("<a></b>", "the plan is not XML"),
        ("no plan", "the plan is not XML: there is no tag in it"),
        ("<!DOCTYPE a [<!ENTITY b SYSTEM \"/etc/passwd\">]><a>&b;</a>", "document type"),
        ("<a>&b;</a>", "unknown entity, `&b;`"),
        ("<a b='&c;'/>", "the plan is not XML"),
        ("<jmeterTestPlan/>", "the file has no enabled test plan"),
        ("<jmeterTestPlan><hashTree><TestPlan/></hashTree></jmeterTestPlan>", "nothing to run"),
    ] {
        let text = shown(read(given));
        assert!(text.contains(expected), "{given}: {text}");
    }
    let deep = "<a>".repeat(100_000);
    assert!(shown(read(&deep)).contains("nested deeper than 200"), "depth is bounded");
}

#[test]
fn what_cannot_be_sent_is_refused_before_the_run() {
    let header = |name: &str, value: &str| {
        format!(
            r#"<HeaderManager testname="h"><collectionProp name="HeaderManager.headers">
<elementProp name="" elementType="Header"><stringProp name="Header.name">{name}</stringProp>
<stringProp name="Header.value">{value}</stringProp></elementProp></collectionProp>
</HeaderManager><hashTree/>{}"#,
            request("/")
        )
    };
    let sampler = |property: &str, value: &str| {
        request("/").replace(
            "<stringProp name=\"HTTPSampler.path\">",
            &format!("<stringProp name=\"{property}\">{value}</stringProp><stringProp name=\"HTTPSampler.path\">"),
        )
    };
    let domain = |name: &str| request("/").replace("a.test", name);
    for (given, expected) in [
        (header("A B", "x"), "the header `A B`, which cannot be sent"),
        (header("A", "x&#10;B: y"), "no line breaks"),
        (sampler("HTTPSampler.method", "GE T"), "a method that cannot be sent"),
        (domain("http://a.test"), "write the name alone"),
        (domain("a b"), "`a b` is not a host name"),
        (domain("1.2.3.400"), "is not an IP address"),
    ] {
        let text = shown(read(&with(&given)));
        assert!(text.contains(expected) && text.contains("plan.jmx:"), "{given}: {text}");
    }
    for good in [header("X-A", " x "), domain("a.test."), domain("::1"), domain("a_b")] {
        let result = read(&with(&good));
        assert!(result.is_ok(), "{good}: {}", shown(result));
    }
}

#[test]
fn times_without_an_end_are_refused_and_add_up_to_none() {
    let group = |delay: &str, duration: &str| {
        format!(
            r#"<ThreadGroup testname="g"><stringProp name="ThreadGroup.num_threads">1</stringProp>
<boolProp name="ThreadGroup.scheduler">true</boolProp>
<stringProp name="ThreadGroup.duration">{duration}</stringProp>
<stringProp name="ThreadGroup.delay">{delay}</stringProp></ThreadGroup>
<hashTree>{}</hashTree>"#,
            request("/")
        )
    };
    let plan = |delay: &str, duration: &str| {
        format!(
            r#"<jmeterTestPlan><hashTree><TestPlan testname="p">
<boolProp name="TestPlan.serialize_threadgroups">true</boolProp></TestPlan>
<hashTree>{0}{0}</hashTree></hashTree></jmeterTestPlan>"#,
            group(delay, duration)
        )
    };
    for (delay, duration) in [("1e300", "1"), ("1", "1e300"), ("1e300", "1e300"), ("4e9", "1")] {
        let text = shown(read(&plan(delay, duration)));
        assert!(text.contains("a time that never ends"), "{text}");
    }
    // Decades are meant as no end.
    assert!(read(&plan("1", "999999999")).is_ok());
}

#[test]
fn values_made_of_values_do_not_grow_without_bound() {
    let member = |name: &str, value: &str| {
        format!(
            r#"<elementProp name="{name}" elementType="Argument"><stringProp name="Argument.name">{name}</stringProp>
<stringProp name="Argument.value">{value}</stringProp></elementProp>"#
        )
    };
    let doubled: String = (1..64)
        .map(|number| member(&format!("a{number}"), &format!("${{a{0}}}${{a{0}}}", number - 1)))
        .collect();
    let variables = format!(
        r#"<Arguments testname="u"><collectionProp name="Arguments.arguments">{}{doubled}</collectionProp></Arguments><hashTree/>"#,
        member("a0", "0123456789")
    );
    let text = shown(read(&with(&format!("{variables}{}", request("/${a63}")))));
    assert!(text.contains("make this plan too large"), "{}", &text[..text.len().min(500)]);
}

#[test]
fn a_file_that_is_not_there_is_told_with_a_remedy() {
    let text = shown(load(Path::new("no-such.jmx"), &options(false)));
    assert!(text.contains("no-such.jmx does not exist") && text.contains("remedy"), "{text}");
}

/// Texts of the kind that plans are made of.
fn fragments() -> impl Strategy<Value = String> {
    let words = prop::sample::select(vec![
        "${",
        "}",
        "__P(",
        ")",
        ",",
        "\\",
        "$",
        "a",
        "__Random(1,2",
        "__jexl3(",
        "\"",
        "==",
        "é",
        "(",
        "{",
        "[",
        "]",
        "&amp;&amp;",
        " ",
        "-1",
        "<b/>",
        "__split(",
        "__counter(TRUE)",
        "/",
        "&#xd;",
        "__V(",
        "__eval(",
        "~",
        "!",
        "99999999999999999999",
        "%",
    ]);
    prop::collection::vec(words, 0..24).prop_map(|words| words.concat())
}

proptest! {
    #[test]
    fn no_text_panics(text in ".{0,200}") {
        let _ = read(&text);
        let _ = read(&with(&text));
    }

    #[test]
    fn no_setting_panics(text in fragments(), other in fragments()) {
        let class = ["IfController", "WhileController", "LoopController", "HTTPSamplerProxy",
            "JSONPostProcessor", "RegexExtractor", "ResponseAssertion", "TestAction"];
        for class in class {
            let settings: String = ["IfController.condition", "WhileController.condition",
                "LoopController.loops", "HTTPSampler.path", "HTTPSampler.domain",
                "JSONPostProcessor.jsonPathExprs", "JSONPostProcessor.referenceNames",
                "RegexExtractor.regex", "RegexExtractor.refname", "RegexExtractor.match_number",
                "HTTPSampler.port", "ActionProcessor.action"]
                .iter()
                .zip([&text, &other].into_iter().cycle())
                .map(|(name, value)| format!("<stringProp name=\"{name}\">{value}</stringProp>"))
                .collect();
            let element = format!("<{class} testname=\"{class}\">{settings}</{class}>");
            let _ = read(&with(&format!("{element}<hashTree>{}</hashTree>", request(&other))));
        }
    }

    /// Parts of a plan cut out anywhere.
    #[test]
    fn no_damage_panics(from in 0_usize..4000, length in 0_usize..400) {
        let text = std::fs::read_to_string(directory().join("shop.jmx")).unwrap();
        let (from, to) = (from.min(text.len()), (from + length).min(text.len()));
        if text.is_char_boundary(from) && text.is_char_boundary(to) {
            let damaged = format!("{}{}", &text[..from], &text[to..]);
            let _ = parse("shop.jmx", &damaged, &directory(), &options(true));
        }
    }
}
