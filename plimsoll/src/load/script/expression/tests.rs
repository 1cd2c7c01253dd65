use super::*;

#[test]
fn expressions_hold_or_do_not() {
    for (text, expected) in [
        ("true", true),
        (" TRUE ", true),
        ("false", false),
        ("yes", false),
        ("1 == 1.0", true),
        ("\"1\" == 1", true),
        ("9 < 10", true),
        ("\"9\" < \"10\"", true),
        ("b > a", true),
        ("a == a", true),
        ("'a b' eq 'a b'", true),
        ("'it\\'s' == \"it's\"", true),
        ("9007199254740993 == 9007199254740992", false),
        ("nan == nan", true),
        ("5 ne 5", false),
        ("1 le 1 and 2 ge 3", false),
        ("1 lt 2 && 2 gt 1 || false", true),
        ("false && false || true", true),
        ("false && (false || true)", false),
        ("!(1 == 2)", true),
        ("not false", true),
        ("!true == false", true),
        ("7 % 2 == 1", true),
        ("2 + 3 * 4 == 14", true),
        ("(2 + 3) * 4 == 20", true),
        ("-2 < -1", true),
        ("5 - 3 == 2", true),
        ("\"abc123\" =~ \"[a-z]+\\d+\"", true),
        ("\"abc123x\" =~ \"[a-z]+\\d+\"", false),
        ("\"abc\" !~ \"\\d\"", true),
        ("\"\" == ''", true),
        ("${unset} == ${unset}", true),
        ("übung == übung", true),
    ] {
        assert_eq!(holds(text), Ok(expected), "{text}");
    }
}

#[test]
fn what_is_no_expression_is_said() {
    for (text, expected) in [
        ("", "“” is no condition: a value is missing at its end"),
        ("== 1", "“== 1” is no condition: a value is missing before “==”"),
        ("1 == 1 1", "“1 == 1 1” is no condition: “1” is one too many"),
        ("(1 == 1", "“(1 == 1” is no condition: its “(” stays open"),
        ("'a == 1", "“'a == 1” is no condition: its ' stays open"),
        ("a = 1", "“a = 1” is no condition: “=” means nothing there"),
        ("a =~ '('", "“a =~ '('” is no condition: “(” is no regular expression"),
    ] {
        assert_eq!(holds(text), Err(expected.to_owned()));
    }
    let deep = "(".repeat(100_000);
    assert!(holds(&deep).unwrap_err().ends_with("it nests deeper than 64"));
    assert!(holds(&"!".repeat(100_000)).is_err());
}

#[test]
fn numbers_compare_as_numbers_and_texts_as_texts() {
    use Comparison::*;
    for (left, comparison, right, expected) in [
        ("10", Greater, "9", true),
        (" 10 ", Equal, "10.00", true),
        ("10", Greater, "9a", false),
        ("1e3", Equal, "1000", true),
        ("-1", Less, "0", true),
        ("", Equal, "0", false),
        ("inf", Less, "1", false),
        ("a", NotEqual, "b", true),
        ("3", GreaterOrEqual, "3", true),
        ("3", LessOrEqual, "2.9", false),
    ] {
        assert_eq!(compare(left, comparison, right), expected, "{left} {comparison:?} {right}");
    }
}
