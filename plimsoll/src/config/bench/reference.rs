//! What is known about plan files, made from the tables of `grammar` and the list of functions:
//! `docs/bench-plan.md` and `docs/bench-plan.schema.json`.

use std::fmt::Write;

use serde_json::Value;

use super::super::table::RawTable;
use super::super::{reference, schema};
use super::functions::{FUNCTIONS, arity};
use super::grammar;

const OPENING: &str = "\
# Plans of `plimsoll bench`

<!-- Made by `plimsoll config plan-reference` from the declarations in
     plimsoll/src/config/bench/grammar.rs. To change it, change them and run `cargo xtask docs`. -->

A plan is a [TOML](https://toml.io) file that says what is asked, by whom and when:
`plimsoll bench -c plan.toml`. A key that is not listed here is refused. The smallest plan is a URL
and a load:

```toml
url = \"http://127.0.0.1:9999\"
rate = 500
for = \"60s\"
```

More to learn from is in [examples/bench](../examples/bench).

## Who arrives when

- With `rate`, `stages` or `replay` the load is **open**: iterations begin by the clock, as visitors
  come, whatever became of earlier ones. Latency counts from the time at which a request should have
  been sent. `connections` is then the most that are in use at once.
- Otherwise it is **closed**: so many `connections`, each of which asks again when it was answered.
- An iteration is one of the `[[request]]` and `[[scenario]]` entries, picked by weight; without any it
  is one `GET` of the `url`.
- `requests` counts requests; users finish the iteration that they began.
- Options of the command line win over the file: `--rate`, `--stages` and `--replay` each take the place
  of whatever the file says of these three, and of its `think`. Those that say what a request is
  (`--method`, `--data`, `--expect-status` and the like) are refused beside a file; where the file has
  groups, so are those that say how much is asked (`--rate`, `--connections`, `--for`, `--think` and the
  like). `--set` changes a variable that `[variables]` has.

JMeter plans are run, too: [bench-jmeter.md](bench-jmeter.md).

## How values are written

- **Durations** carry their unit: `\"500us\"`, `\"200ms\"`, `\"5s\"`, `\"1.5m\"`, `\"1h30m\"`.
- **Rates** count seconds unless they say otherwise: `500`, `\"500/s\"`, `\"100/min\"`, `\"5/h\"`.
- **Paths** of files that are relative begin at the directory of the plan.
- **Environment variables** stand in any text as `${NAME}`, or as `${NAME:-default}` where the variable
  may be unset or empty; `$${` stands for `${` itself. They are replaced when the plan is read.

## Templates

URLs, headers, bodies, messages, variables and what checks compare with may hold `{{name}}`, the value
of a variable, and `{{function(…)}}`. They are filled in for each request. `{{{{` stands for `{{` itself.

Variables come from `[variables]`, from the columns of `[data.NAME]`, from `extract`, and from
`{{name = function(…)}}`, which keeps a result. A name that nothing sets is refused.

Arguments are texts in quotes, numbers, variables, or further calls: `{{pick('a', upper(name))}}`.

| Function | Arguments | Gives |
| --- | --- | --- |
";

const FLOW: &str = "
## Loops and conditions

A step with `when` is done only if that holds: `\"{{count}} > 0\"`, `\"{{state}} != 'done'\"`,
`\"{{name}} =~ [a-z]+\"` for a regular expression that the whole value matches, `\"{{flag}}\"` for a value
that is `true`, `\"succeeded\"` or `\"failed\"` for the user's last request. Two values that are numbers
compare as numbers. In a list of conditions all must hold.

With `repeat` a step is done several times; `when` is asked in each round, so that it ends a loop too:

```toml
[[scenario.step]]
path = \"/jobs/{{id}}\"
extract = { state = \"$.state\" }
repeat = 20
when = \"{{state}} != 'done'\"
think = \"500ms\"
```

With `each` a step is done once for each value that an earlier step extracted with `all`. What holds
`[[scenario.step.step]]` does those in its place:

```toml
[[scenario.step]]
path = \"/orders\"
extract = { order = { json = \"$[*].id\", all = true } }

[[scenario.step]]
each = \"order\"
when = \"{{order_count}} < 100\"

[[scenario.step.step]]
path = \"/orders/{{order}}\"

[[scenario.step.step]]
path = \"/orders/{{order}}/items\"
```
";

/// `docs/bench-plan.md`: templates with their functions, then every table with its keys.
pub fn plan_reference() -> String {
    let mut opening = OPENING.to_owned();
    for function in FUNCTIONS {
        let (example, takes, gives) = (function.example, arity(function), function.meaning);
        // Writing to a `String` cannot fail.
        let _ = writeln!(opening, "| `{{{{{example}}}}}` | {takes} | {gives} |");
    }
    opening.push_str(FLOW);
    opening.push('\n');
    reference::of_tables(&opening, &grammar::tables())
}

/// `docs/bench-plan.schema.json` (JSON Schema 2020-12).
pub fn plan_schema() -> Value {
    schema::of_table(&grammar::Top::doc(), "Plan of plimsoll bench")
}
