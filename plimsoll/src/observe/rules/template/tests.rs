use std::collections::BTreeMap;

use proptest::prelude::*;
use tsdb::labels::Labels;

use super::super::files::Read;
use super::super::tests::promtool::{self, Case};
use super::{Data, OUTPUT_BYTES_MAX, expand, verify};

const SERIES: &[(&str, &str)] = &[
    (r#"m{job="api server",instance="host.example.com:9100",path="/a?b=c&d"}"#, "1234.5x10"),
    (r#"up{instance="b",job="x"}"#, "1x10"),
    (r#"up{instance="a",job="x"}"#, "0x10"),
    (r#"one{instance="a"}"#, "0.25x10"),
];

/// Templates that expand to the same here and in the real Prometheus.
const SAME: &[&str] = &[
    "plain",
    "{{ $value | }}",
    "{{ $labels.job }}",
    "{{.Labels.job}} {{ $labels.missing }}|",
    "{{ $value }} {{ .Value }}",
    "{{ $labels }}",
    "{{ $externalLabels.region }} {{ .ExternalLabels.region }} {{ $externalURL }} {{ .ExternalURL }}",
    r#"{{ $value | printf "%.2f" }}"#,
    r#"{{ printf "%s %d %v %q %.2f %f %g %x %e %t %%" "s" 42 1.5 "q\"" 3.14159 2.5 1e21 255 12345.678 true }}"#,
    r#"{{ printf "%5d|%-5d|%05d|%+d|% d|%x|%X|%o|%b|%c|%U" 42 42 42 42 42 42 42 42 42 65 65 }}"#,
    r#"{{ printf "%8.3f|%-8.3f|%08.3f|%+.1f|%6.2f%%" 3.14159 3.14159 -3.14159 2.0 $value }}"#,
    r#"{{ printf "%s %d %t" 1.5 "x" 3 }}"#,
    r#"{{ printf "%d" }}|{{ printf "%d %d" 1 2 3 }}|{{ printf "%z %" 1 }}"#,
    r#"{{ printf "%x %X" "hi" "hi" }}"#,
    r#"{{ printf "%v %v %v %v" 1000000.0 123456.0 0.0001 0.00001 }}"#,
    r#"{{ printf "%g %.3g %.10g %G" 100000.0 123456.0 0.1 1e-7 }}"#,
    r#"{{ printf "%[2]s %[1]s" "a" "b" }}"#,
    r#"{{ printf "%*d|%T|%T|%T" 5 42 1.5 "x" 3 }}"#,
    r#"{{ printf "%10s|%-10s|%.2s|%q" "abc" "abc" "abc" 65 }}"#,
    r#"{{ printf "%x %X %x" 1.0 0.1 1024.5 }}"#,
    r#"{{ printf "%e %.2e %E" 0.0 123456.0 1.5 }}"#,
    r#"{{ printf "%v %s" $labels $labels }}"#,
    r#"{{ printf "%#x %#q %+q" 255 "a" "b" }}"#,
    "{{ humanize 1234567.0 }} {{ humanize 0.0 }} {{ humanize 0.00123 }} {{ humanize 1e30 }} {{ humanize -1500.0 }} {{ humanize 999.99 }} {{ humanize 999999.0 }}",
    r#"{{ humanize "123" }} {{ humanize "1e5" }}"#,
    "{{ humanize1024 0.5 }} {{ humanize1024 1.0 }} {{ humanize1024 1048576.0 }} {{ humanize1024 -5000.0 }} {{ humanize1024 1e30 }}",
    "{{ humanizeDuration 0.0 }} {{ humanizeDuration 0.0001 }} {{ humanizeDuration 1.0 }} {{ humanizeDuration 59.95 }} {{ humanizeDuration 60.0 }} {{ humanizeDuration 3661.0 }} {{ humanizeDuration 86400.5 }} {{ humanizeDuration -90.0 }} {{ humanizeDuration 1e10 }}",
    "{{ humanizePercentage 0.1234567 }} {{ humanizePercentage 1.0 }} {{ humanizePercentage -0.5 }}",
    "{{ humanizeTimestamp 1435065584.128 }} {{ humanizeTimestamp 0.0 }} {{ humanizeTimestamp -1.5 }}",
    r#"{{ (1435065584.128 | toTime).Format "2006-01-02 15:04:05.000 Mon Jan _2 3:04PM MST" }} {{ (toTime 1435065584.0).Year }}"#,
    r#"{{ "api server-x" | title }} {{ "aBc" | toUpper }} {{ "aBc" | toLower }}"#,
    r#"{{ reReplaceAll "(.*)\\.(.*)" "$2-${1}" "a.b" }} {{ reReplaceAll "x" "y" "axbx" }}"#,
    r#"{{ if match "^api.*" $labels.job }}yes{{ else }}no{{ end }} {{ match "[0-9]+" "abc" }}"#,
    r#"{{ stripPort $labels.instance }} {{ stripPort "10.0.0.1:80" }} {{ stripPort "[::1]:80" }} {{ stripPort "x" }} {{ stripPort "a:b:c" }}"#,
    r#"{{ stripDomain $labels.instance }} {{ stripDomain "10.0.0.1:80" }} {{ stripDomain "[::1]:80" }} {{ stripDomain "a.b" }} {{ stripDomain "x:1" }}"#,
    r#"{{ graphLink "up{job=\"a b\"} > 0" }} {{ tableLink "up" }}"#,
    r#"{{ parseDuration "1h30m" }} {{ parseDuration "250ms" }}"#,
    r#"{{ safeHtml "<b>" }} {{ html "<a href='x'>\"&" }} {{ urlquery "a b&c" "é" }} {{ js "it's <x> \"q\"" }}"#,
    r#"{{ define "x" }}{{ .arg0 }}-{{ .arg1 }}{{ end }}{{ template "x" (args 1 "b") }}{{ template "x" args 2.5 $labels.job }}"#,
    r#"{{ define "y" }}[{{ . }}]{{ end }}{{ template "y" $value }}{{ template "y" "t" }}"#,
    r#"{{ with query "one" }}{{ . | first | value }} {{ . | first | label "instance" }}{{ end }}"#,
    r#"{{ range $i, $e := query "up" | sortByLabel "instance" }}{{ $i }}={{ $e.Labels.instance }}:{{ $e.Value }};{{ end }}"#,
    r#"{{ range query "up" | sortByLabel "instance" }}{{ .Labels.instance }}{{ .Value | printf "%.1f" }},{{ end }}"#,
    r#"{{ range $e := sortByLabel "instance" (query "up") }}{{ if eq $e.Labels.instance "a" }}{{ continue }}{{ end }}{{ $e.Labels.instance }}{{ break }}{{ end }}"#,
    r#"{{ range query "none" }}x{{ else }}empty{{ end }} {{ with query "none" }}x{{ else }}nothing{{ end }}"#,
    r#"{{ if gt $value 1000.0 }}high{{ else if gt $value 100.0 }}mid{{ else }}low{{ end }}"#,
    r#"{{ if lt $value 10.0 }}a{{ else if le $value 1234.5 }}b{{ end }} {{ ge 1 2 }} {{ ne "a" "b" }} {{ eq 1 2 1 }} {{ lt "a" "b" }}"#,
    r#"{{ and true 0 }} {{ or "" "x" }} {{ not 1 }} {{ and 1 2 3 }} {{ or 0 "" }} {{ "z" | or "" }}"#,
    r#"{{ index $labels "job" }} {{ len $labels }} {{ len "héé" }} {{ (index (query "one") 0).Value }} {{ index "abc" 1 }} {{ slice "abcdef" 1 3 }}"#,
    r#"{{ print 1 2 "a" "b" 3 4.5 }}|{{ println 1 "a" }}|{{ print }}"#,
    r#"{{ $labels.job | toUpper | printf "%s!" }} {{ printf "%s-%s" "a" ("b" | toUpper) }}"#,
    "{{ 1_000 }} {{ 0x1F }} {{ 'a' }} {{ 1e3 }} {{ -5 }} {{ .5 }} {{ 1.0 }} {{ 017 }} {{ true }} {{ \"\\u00e9\\x41\\n\\t\" }} {{ `raw\\n` }}",
    "{{ $x := 5 }}{{ if true }}{{ $x = 6 }}{{ $y := 7 }}{{ $y }}{{ end }}{{ $x }}",
    "{{ $x := 1 }}{{ if true }}{{ $x := 2 }}{{ $x }}{{ end }}{{ $x }}{{ with 3 }}{{ $x := . }}{{ end }}{{ $x }}",
    r#"{{ $x := 1 }}{{ range query "up" }}{{ $x }}{{ $x := 2 }}{{ $x }}{{ end }}{{ $x }}"#,
    r#"{{ define "v" }}{{ $y := 2 }}{{ . }}{{ end }}{{ $y := 1 }}{{ template "v" $y }}{{ $y }}{{ $labels.job }}"#,
    "{{ humanize 0.001 }} {{ humanize 0.000001 }} {{ humanize 1.0 }} {{ humanize 1000.0 }} {{ humanize1024 1024.0 }} {{ humanizeDuration 0.001 }} {{ humanizeDuration 90000.0 }}",
    "{{ ge 2 2 }} {{ ge 1 2 }} {{ le 2 2 }} {{ gt 2 2 }} {{ lt 2 2 }}",
    r#"{{ printf "%.3g %.3g %.3g %.3g" 1000.0 999.0 0.0001 0.00001 }}|{{ printf "%-05d|%05d" 42 42 }}"#,
    "{{ if $z := $labels.job }}{{ $z }}{{ end }}{{ with $w := 3 }}{{ $w }}{{ . }}{{ end }}",
    r#"{{ (query "one" | first).Labels.instance }} {{ $s := query "one" | first }}{{ $s.Value }} {{ $s.Labels }}"#,
    "{{ range $k, $v := $labels }}{{ $k }}={{ $v }},{{ end }}",
    r#"{{ query "up" | len }} {{ query "up > 100" | len }}"#,
    "a {{- 1 -}} b {{/* a comment */}} c {{- /* another */ -}} d\n  {{- if true }}\n x\n {{- end }}",
    r#"{{ $.Value }} {{ with 5 }}{{ $.Labels.job }}{{ . }}{{ end }} {{ ($labels).job }}"#,
    r#"{{ query "one" | first | value | humanizePercentage }} {{ with printf "m{job='%s'}" $labels.job | query }}{{ . | first | value }}{{ end }}"#,
    "{{ define \"unused\" }}{{ end }}{{ $value | humanize }} }} { {",
];

/// Templates that are parsed, and fail when they are expanded.
const FAILING: &[&str] = &[
    "{{ gt $value 10 }}",
    r#"{{ query "(" }}"#,
    r#"{{ first (query "none") }}"#,
    "{{ .Foo }}",
    "{{ $labels.job.x }}",
    "{{ index $labels 1 }}",
    r#"{{ humanize "x" }}"#,
    r#"{{ label "a" 5 }}"#,
    r#"{{ reReplaceAll "(" "" "x" }}"#,
    "{{ $value.x }}",
    "{{ range $value }}{{ end }}",
    "{{ toUpper $value }}",
    r#"{{ parseDuration "5" }}"#,
    r#"{{ "a" "b" }}"#,
    "{{ humanizeTimestamp 1e30 }}",
    r#"{{ toTime "NaN" }}"#,
    "{{ len 5 }}",
    "{{ index (query \"one\") 7 }}",
    "{{ eq $labels 1 }}",
];

/// Templates that are refused at once, with position, message and remedy.
const REFUSED: &[(&str, &str)] = &[
    ("{{ ", "0: this `{{` is not closed; add `}}`"),
    ("a {{ $labels.job", "2: this `{{` is not closed; add `}}`"),
    ("{{ $vale }}", "3: the variable `$vale` is not declared; did you mean `$value`?"),
    ("{{ $value }", "10: one `}` closes nothing here; write `}}`"),
    ("{{ humanise $value }}", "3: there is no function `humanise`; did you mean `humanize`?"),
    ("{{ labels.job }}", "3: there is no function `labels`; did you mean `$labels`?"),
    ("{{ if }}x{{ end }}", "0: `if` needs a value; write it as in {{ if $labels.job }}"),
    ("{{ if true }}x", "0: this `if` has no `end`; add {{ end }}"),
    ("x{{ end }}", "1: this `end` ends nothing; remove it"),
    ("{{ else }}", "0: this `else` belongs to nothing; remove it"),
    ("{{ if true }}{{ else }}{{ else }}{{ end }}", "23: there is an `else` already"),
    ("{{ }}", "0: there is nothing between these braces; name a value, as in {{ $value }}"),
    (
        "{{ $value | 5 }}",
        "12: what follows a `|` is a function; name one, as in {{ $value | humanize }}",
    ),
    ("{{ | $value }}", "3: a value is missing here"),
    ("{{ ($value }}", "3: this parenthesis is not closed; add `)`"),
    ("{{ $value) }}", "9: this does not belong here"),
    ("{{ \"a }}", "3: this text is not closed; add `\"`"),
    ("{{ `a }}", "3: this text is not closed; add a back quote"),
    (
        r#"{{ "\q" }}"#,
        "3: this text has an escape that is none; write `\\\\` for a backslash, or put the text in `back quotes`",
    ),
    ("{{ 'ab' }}", "3: single quotes hold one character; put texts in \"double quotes\""),
    ("{{ 1x }}", "3: `1x` is not a number"),
    ("{{ /* a }}", "0: this comment does not end; add `*/}}`"),
    ("{{ nil }}", "3: `nil` is not a command"),
    ("{{ break }}", "0: `break` outside of a `range`"),
    (
        "{{ template \"x\" }}",
        "0: no template `x` is defined here; define it in this text; templates of other texts are not known",
    ),
    (
        "{{ $x = 1 }}",
        "3: the variable `$x` is not declared; there are $labels, $value, $externalLabels and $externalURL",
    ),
    (
        "{{ if true }}{{ $x := 1 }}{{ end }}{{ $x }}",
        "38: the variable `$x` is not declared; there are $labels, $value, $externalLabels and $externalURL",
    ),
    ("{{ % }}", "3: '%' does not belong here"),
    (
        "{{ range $a, $b, $c := $labels }}{{ end }}",
        "9: the variable `$a` is not declared; there are $labels, $value, $externalLabels and $externalURL",
    ),
    ("{{ printf \"a\"\"b\" }}", "13: there is no space before this; put spaces between arguments"),
];

/// Those of them that Prometheus finds only when it expands them.
const EARLY: [&str; 3] = ["{{ nil }}", "{{ template \"x\" }}", "{{ $x = 1 }}"];

fn data() -> Data {
    Data {
        labels: Labels::from_pairs([("job", "api"), ("instance", "h:1")]),
        value: 1234.5,
        external_labels: BTreeMap::new(),
        external_url: "http://x/y".to_owned(),
        now: 1_000_500,
    }
}

fn alone(text: &str) -> Result<String, String> {
    expand(text, &data(), &mut |_| Ok(vec![(Labels::from_pairs([("a", "1")]), 1.0); 3]))
}

/// A rule file with one alert for each template.
fn rules(templates: &[&str]) -> String {
    let mut text = String::from("groups:\n- name: g\n  rules:\n");
    for (place, template) in templates.iter().enumerate() {
        let quoted = serde_json::to_string(template).unwrap();
        text += &format!(
            "  - alert: A{place}\n    expr: m > 0\n    annotations: {{ text: {quoted} }}\n"
        );
    }
    text
}

fn groups(text: &str) -> Vec<super::super::Group> {
    let mut read = Read::default();
    read.text("rules.yml", text, std::time::Duration::from_secs(60));
    assert!(read.errors.is_empty(), "{}", super::super::RuleErrors::new(read.errors, 0));
    read.groups
}

#[test]
fn templates_expand_as_in_prometheus() {
    let text = rules(SAME);
    let groups = groups(&text);
    let memory = promtool::memory(SERIES, 1);
    let names: Vec<String> = (0..SAME.len()).map(|place| format!("A{place}")).collect();
    let case = |alert| Case {
        series: SERIES,
        interval: 1,
        at: 5,
        alert,
        fires: promtool::firing(&groups, alert, &memory, 5),
    };
    promtool::agree(&text, "1m", &names.iter().map(|name| case(name)).collect::<Vec<_>>());
}

#[test]
fn templates_fail_where_they_fail_in_prometheus() {
    let expected: String = FAILING
        .iter()
        .map(|template| {
            let mut query = |text: &str| match text {
                "(" => Err("no query".to_owned()),
                "none" => Ok(Vec::new()),
                _ => Ok(vec![(Labels::empty(), 1.0)]),
            };
            let result = expand(template, &data(), &mut query);
            format!("{template}: {}\n", result.expect_err(template))
        })
        .collect();
    assert!(expected.contains("write the number with a point, as in 10.0"), "{expected}");
    let failed = promtool::complaints(&rules(FAILING), SERIES, FAILING.len());
    assert_eq!(failed, FAILING.len(), "promtool expands one of them");
}

#[test]
fn mistakes_are_found_before_there_is_data() {
    for (template, expected) in REFUSED {
        let fault = verify(template).expect_err(template);
        let remedy = fault.remedy.map_or(String::new(), |remedy| format!("; {remedy}"));
        assert_eq!(
            format!("{}: {}{remedy}", fault.position, fault.message),
            *expected,
            "{template}"
        );
        let early = EARLY.contains(template);
        assert_eq!(
            promtool::takes(&rules(&[template])),
            early,
            "promtool sees {template} otherwise"
        );
    }
}

#[test]
fn what_promtool_does_not_know() {
    assert_eq!(alone("{{ externalURL }} {{ pathPrefix }}").unwrap(), "http://x/y /y");
    let linked = Data { external_url: "http://x/y/z?a=b#c".to_owned(), ..data() };
    let prefix = expand("{{ pathPrefix }}", &linked, &mut |_| Ok(Vec::new()));
    assert_eq!(prefix.unwrap(), "/y/z");
    assert_eq!(alone(r#"{{ urlQueryEscape "a b" }} {{ now }}"#).unwrap(), "a+b 1000.5");
    assert_eq!(alone("{{ range 3 }}{{ . }}{{ end }}").unwrap(), "012");
    assert_eq!(alone("{{ range -3 }}x{{ else }}none{{ end }}").unwrap(), "none");
    assert_eq!(alone("{{ with \"\" }}a{{ else with 5 }}{{ . }}{{ end }}").unwrap(), "5");
}

#[test]
fn everything_is_bounded() {
    let doubling = "{{ $x := \"ab\" }}{{ range query \"a\" }}{{ range query \"a\" }}{{ range query \"a\" }}{{ $x = printf \"%s%s%s\" $x $x $x }}{{ end }}{{ end }}{{ end }}";
    let endless = "{{ define \"x\" }}{{ template \"x\" . }}{{ end }}{{ template \"x\" 1 }}";
    let nested = format!("{}1{}", "{{ if true }}".repeat(40), "{{ end }}".repeat(40));
    let parentheses = format!("{{{{ {}1{} }}}}", "(".repeat(5000), ")".repeat(5000));
    let arguments = "{{ $x := 1 }}{{ range 100 }}{{ $x = args $x $x }}{{ end }}{{ $x }}";
    for (text, bound) in [
        (doubling, "65536 bytes"),
        (endless, "64 levels"),
        (&nested, "32 levels"),
        (&parentheses, "32 levels"),
        (arguments, "8 levels"),
        ("{{ range 1000000000 }}{{ end }}", "100000 steps"),
        ("{{ range 100000 }}abcdefghij{{ end }}", "65536 bytes"),
        (r#"{{ printf "%1000000d%1000000d" 1 2 }}"#, "65536 bytes"),
        (r#"{{ reReplaceAll "" "xxxxxxxxxxxxxxxxxxxxxxxx" (printf "%60000d" 1) }}"#, "65536 bytes"),
        (r#"{{ match "(((a{1000}){1000}){1000})" "a" }}"#, "cannot be used"),
        (&"x{{1}}".repeat(20_000), "65536 bytes"),
    ] {
        let error = alone(text).expect_err(bound);
        assert!(error.contains(bound), "{error}");
    }
    assert!(alone(&"{{ $value }}".repeat(1000)).unwrap().len() < OUTPUT_BYTES_MAX);
    let series = |count| vec![(Labels::from_pairs([("a", "1")]), 1.0); count];
    let asked = |count| expand("{{ query \"a\" | len }}", &data(), &mut |_| Ok(series(count)));
    assert_eq!(asked(10_000).unwrap(), "10000");
    assert!(asked(10_001).unwrap_err().contains("more than 10000 series"));
}

/// Pieces that templates are made of, sound and unsound.
const PIECES: &[&str] = &[
    "{{",
    "}}",
    "{{-",
    "-}}",
    " ",
    "if",
    "else",
    "end",
    "range",
    "with",
    "define",
    "template",
    "$x",
    "$labels",
    "$value",
    ".",
    ".a",
    ":=",
    "=",
    "|",
    "(",
    ")",
    ",",
    "\"a\"",
    "`b`",
    "'c'",
    "1",
    "-2.5",
    "0x",
    "1e9",
    "printf",
    "\"%*.*d%[3]q%s\"",
    "query",
    "first",
    "value",
    "index",
    "len",
    "eq",
    "gt",
    "and",
    "or",
    "args",
    "humanize",
    "toTime",
    ".Format",
    "slice",
    "nil",
    "true",
    "break",
    "continue",
    "/*",
    "*/",
    "é",
    "\\",
    "\"",
    "\n",
    "x",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_text_panics(text in ".{0,80}") {
        let _ = alone(&text);
        let _ = alone(&format!("{{{{ {text} }}}}"));
    }

    #[test]
    fn no_mix_of_pieces_panics(places in proptest::collection::vec(0..PIECES.len(), 0..40)) {
        let text: String = places.iter().map(|place| PIECES[*place]).collect::<Vec<_>>().join(" ");
        let _ = alone(&text);
        let _ = alone(&text.replace(' ', ""));
    }

    #[test]
    fn no_format_panics(pattern in "[%a-z0-9.*+# \\[\\]-]{0,20}", number in any::<f64>(), integer in any::<i64>()) {
        let values = [
            super::value::Value::Float(number),
            super::value::Value::Integer(integer),
            super::value::Value::text("tëxt"),
        ];
        let _ = super::format::format(&pattern, &values);
        let _ = super::humanize::humanize(number);
        let _ = super::humanize::humanize_1024(number);
        let _ = super::humanize::duration(number);
        let _ = super::humanize::timestamp(number);
    }
}
