//! From tokens to a tree; here everything is found that can be known before there is data.

use std::collections::BTreeMap;

use super::call::Function;
use super::lex::{self, Piece, Placed, Token};
use super::tree::{Branch, Command, Node, Operand, OperandKind, Pipeline, Tree};
use super::{Fault, NESTING_MAX, TEXT_BYTES_MAX};
use crate::config::problem::nearest;

/// What Prometheus declares before each template.
pub(super) const VARIABLES: [&str; 4] = ["$labels", "$externalLabels", "$externalURL", "$value"];

/// Words that are no functions, `call` because there is nothing that it could call.
const KEYWORDS: [&str; 12] = [
    "block", "break", "continue", "define", "else", "end", "if", "nil", "range", "template",
    "with", "call",
];

pub(super) fn parse(text: &str) -> Result<Tree, Fault> {
    if text.len() > TEXT_BYTES_MAX {
        let message = format!("the template is longer than {TEXT_BYTES_MAX} bytes");
        return Err(Fault::new(0, message).remedy("shorten it"));
    }
    let mut pieces = lex::pieces(text)?;
    pieces.reverse();
    let variables = VARIABLES.iter().map(ToString::to_string).chain(["$".to_owned()]).collect();
    let mut parser = Parser {
        pieces,
        variables,
        defined: BTreeMap::new(),
        depth: 0,
        loops: 0,
        used: Vec::new(),
    };
    let (main, end) = parser.list()?;
    match end {
        End::Text => {}
        End::Else(position, _) => {
            return Err(Fault::new(position, "this `else` belongs to nothing").remedy("remove it"));
        }
        End::Closed(position) => {
            return Err(Fault::new(position, "this `end` ends nothing").remedy("remove it"));
        }
    }
    for (name, position) in &parser.used {
        if !parser.defined.contains_key(name) {
            return Err(Fault::new(*position, format!("no template `{name}` is defined here"))
                .remedy("define it in this text; templates of other texts are not known"));
        }
    }
    Ok(Tree { main, defined: parser.defined })
}

/// What ended a list.
enum End {
    /// The text's end.
    Text,
    Closed(usize),
    /// With what follows it in its braces.
    Else(usize, Vec<Placed>),
}

struct Parser {
    /// The next one is the last.
    pieces: Vec<Piece>,
    /// Those that are declared here.
    variables: Vec<String>,
    defined: BTreeMap<String, Vec<Node>>,
    depth: usize,
    /// How many `range` are open.
    loops: usize,
    /// Names that `template` wants, and where.
    used: Vec<(String, usize)>,
}

impl Parser {
    fn list(&mut self) -> Result<(Vec<Node>, End), Fault> {
        let mut nodes = Vec::new();
        while let Some(piece) = self.pieces.pop() {
            let (tokens, position) = match piece {
                Piece::Text(text) => {
                    nodes.push(Node::Text(text));
                    continue;
                }
                Piece::Action { tokens, position } => (tokens, position),
            };
            let keyword = match tokens.first() {
                Some(Placed { token: Token::Word(word), .. }) => word.as_str(),
                Some(_) => "",
                None => {
                    return Err(Fault::new(position, "there is nothing between these braces")
                        .remedy("name a value, as in {{ $value }}"));
                }
            };
            let mut rest = Tokens::new(&tokens[1..], position);
            match keyword {
                "end" => {
                    rest.finish()?;
                    return Ok((nodes, End::Closed(position)));
                }
                "else" => return Ok((nodes, End::Else(position, tokens[1..].to_vec()))),
                "if" | "with" | "range" => {
                    nodes.push(self.branch(keyword, &tokens[1..], position)?)
                }
                "define" => self.define(&mut rest)?,
                "template" => nodes.push(self.template(&mut rest)?),
                "break" | "continue" => {
                    if self.loops == 0 {
                        let message = format!("`{keyword}` outside of a `range`");
                        return Err(Fault::new(position, message));
                    }
                    rest.finish()?;
                    nodes.push(if keyword == "break" { Node::Break } else { Node::Continue });
                }
                "block" => {
                    return Err(Fault::new(position, "`block` is not known here")
                        .remedy("use `define` and `template`"));
                }
                _ => {
                    let mut all = Tokens::new(&tokens, position);
                    let pipeline = self.pipeline(&mut all, 1)?;
                    all.finish()?;
                    nodes.push(Node::Action(pipeline));
                }
            }
        }
        Ok((nodes, End::Text))
    }

    fn deeper(&mut self, position: usize) -> Result<(), Fault> {
        self.depth += 1;
        if self.depth > NESTING_MAX {
            let message = format!("this is nested deeper than {NESTING_MAX} levels");
            return Err(Fault::new(position, message).remedy("write it flatter"));
        }
        Ok(())
    }

    fn branch(&mut self, word: &str, tokens: &[Placed], position: usize) -> Result<Node, Fault> {
        self.deeper(position)?;
        let scope = self.variables.len();
        let mut rest = Tokens::new(tokens, position);
        if rest.peek().is_none() {
            return Err(Fault::new(position, format!("`{word}` needs a value"))
                .remedy(format!("write it as in {{{{ {word} $labels.job }}}}")));
        }
        let pipeline = self.pipeline(&mut rest, if word == "range" { 2 } else { 1 })?;
        rest.finish()?;
        self.loops += usize::from(word == "range");
        let (then, end) = self.list()?;
        self.loops -= usize::from(word == "range");
        let unclosed =
            || Fault::new(position, format!("this `{word}` has no `end`")).remedy("add {{ end }}");
        let otherwise = match end {
            End::Closed(_) => Vec::new(),
            End::Text => return Err(unclosed()),
            End::Else(position, tokens) => match tokens.first() {
                // `else if` is an `if` in the `else` that ends with it.
                Some(Placed { token: Token::Word(next), .. })
                    if next == word && word != "range" =>
                {
                    let nested = self.branch(word, &tokens[1..], position)?;
                    vec![nested]
                }
                Some(extra) => {
                    return Err(Fault::new(extra.position, "this does not belong behind `else`"));
                }
                None => match self.list()? {
                    (nodes, End::Closed(_)) => nodes,
                    (_, End::Else(position, _)) => {
                        return Err(Fault::new(position, "there is an `else` already"));
                    }
                    (_, End::Text) => return Err(unclosed()),
                },
            },
        };
        self.variables.truncate(scope);
        self.depth -= 1;
        let branch = Branch { pipeline, then, otherwise };
        Ok(match word {
            "if" => Node::If(branch),
            "with" => Node::With(branch),
            _ => Node::Range(branch),
        })
    }

    fn define(&mut self, rest: &mut Tokens<'_>) -> Result<(), Fault> {
        let position = rest.position;
        let name = rest.name("define")?;
        rest.finish()?;
        if self.depth > 0 {
            return Err(Fault::new(position, "`define` stands outside of all others")
                .remedy("move it to the front"));
        }
        self.deeper(position)?;
        // A template sees its argument and nothing of its caller.
        let outer = std::mem::replace(&mut self.variables, vec!["$".to_owned()]);
        let (nodes, end) = self.list()?;
        self.variables = outer;
        self.depth -= 1;
        if !matches!(end, End::Closed(_)) {
            return Err(Fault::new(position, "this `define` has no `end`").remedy("add {{ end }}"));
        }
        if self.defined.insert(name.clone(), nodes).is_some() {
            return Err(Fault::new(position, format!("the template `{name}` is defined twice")));
        }
        Ok(())
    }

    fn template(&mut self, rest: &mut Tokens<'_>) -> Result<Node, Fault> {
        let position = rest.position;
        let name = rest.name("template")?;
        self.used.push((name.clone(), position));
        let argument = match rest.peek() {
            Some(_) => Some(self.pipeline(rest, 1)?),
            None => None,
        };
        rest.finish()?;
        Ok(Node::Template { name, argument })
    }

    /// Commands between pipes, with up to `targets` variables before them.
    fn pipeline(&mut self, tokens: &mut Tokens<'_>, targets: usize) -> Result<Pipeline, Fault> {
        let (variables, declares) = self.targets(tokens, targets)?;
        let mut commands = Vec::new();
        loop {
            let command = self.command(tokens)?;
            commands.push(command);
            // Go lets a pipe lead nowhere.
            let piped = tokens.take_if(&Token::Pipe).is_some();
            if !piped || tokens.peek().is_none_or(|next| next.token == Token::Close) {
                break;
            }
        }
        for command in &commands[1..] {
            let first = &command.operands[0];
            let takes = matches!(first.kind, OperandKind::Function(_)) || !first.fields.is_empty();
            if !takes {
                return Err(Fault::new(first.position, "what follows a `|` is a function")
                    .remedy("name one, as in {{ $value | humanize }}"));
            }
        }
        if declares {
            self.variables.extend(variables.iter().cloned());
        }
        Ok(Pipeline { variables, declares, commands })
    }

    fn targets(
        &mut self,
        tokens: &mut Tokens<'_>,
        most: usize,
    ) -> Result<(Vec<String>, bool), Fault> {
        let mut ahead = tokens.clone();
        let mut variables = Vec::new();
        while most > 0
            && let Some(Placed { token: Token::Variable(name), .. }) = ahead.peek()
        {
            variables.push(name.clone());
            ahead.next();
            if variables.len() == most || ahead.take_if(&Token::Comma).is_none() {
                break;
            }
        }
        let declares = match ahead.peek().map(|placed| &placed.token) {
            Some(Token::Declare) if !variables.is_empty() => true,
            Some(Token::Assign) if !variables.is_empty() => false,
            _ => return Ok((Vec::new(), false)),
        };
        let position = tokens.here();
        if !declares {
            for name in &variables {
                self.known(name, position)?;
            }
        }
        ahead.next();
        *tokens = ahead;
        Ok((variables, declares))
    }

    fn known(&self, name: &str, position: usize) -> Result<(), Fault> {
        if self.variables.iter().any(|known| known == name) {
            return Ok(());
        }
        let fault = Fault::new(position, format!("the variable `{name}` is not declared"));
        let near = nearest(name, self.variables.iter().map(String::as_str));
        Err(match near.filter(|near| *near != "$") {
            Some(near) => fault.remedy(format!("did you mean `{near}`?")),
            None => fault.remedy("there are $labels, $value, $externalLabels and $externalURL"),
        })
    }

    fn command(&mut self, tokens: &mut Tokens<'_>) -> Result<Command, Fault> {
        let mut operands: Vec<Operand> = Vec::new();
        while let Some(placed) = tokens.peek() {
            if matches!(placed.token, Token::Pipe | Token::Close) {
                break;
            }
            if !operands.is_empty() && !placed.spaced {
                return Err(Fault::new(placed.position, "there is no space before this")
                    .remedy("put spaces between arguments"));
            }
            operands.push(self.operand(tokens)?);
        }
        let Some(first) = operands.first() else {
            return Err(Fault::new(tokens.here(), "a value is missing here"));
        };
        if matches!(first.kind, OperandKind::Nil) {
            return Err(Fault::new(first.position, "`nil` is not a command"));
        }
        Ok(Command { operands })
    }

    fn operand(&mut self, tokens: &mut Tokens<'_>) -> Result<Operand, Fault> {
        let position = tokens.here();
        let Some(placed) = tokens.next() else {
            return Err(Fault::new(position, "a value is missing here"));
        };
        let mut fields = Vec::new();
        let mut may_have_fields = true;
        let kind = match &placed.token {
            Token::Dot => OperandKind::Dot,
            Token::Field(name) => {
                fields.push(name.clone());
                OperandKind::Dot
            }
            Token::Variable(name) => {
                self.known(name, position)?;
                OperandKind::Variable(name.clone())
            }
            Token::Open => {
                self.deeper(position)?;
                let inner = self.pipeline(tokens, 0)?;
                if tokens.take_if(&Token::Close).is_none() {
                    return Err(
                        Fault::new(position, "this parenthesis is not closed").remedy("add `)`")
                    );
                }
                self.depth -= 1;
                OperandKind::Pipeline(Box::new(inner))
            }
            other => {
                may_have_fields = false;
                constant_or_function(other, position)?
            }
        };
        while let Some(Placed { token: Token::Field(name), spaced: false, .. }) = tokens.peek() {
            if !may_have_fields {
                return Err(Fault::new(tokens.here(), format!("this has no field `{name}`"))
                    .remedy("put what comes before in parentheses"));
            }
            fields.push(name.clone());
            tokens.next();
        }
        Ok(Operand { position, kind, fields })
    }
}

fn constant_or_function(token: &Token, position: usize) -> Result<OperandKind, Fault> {
    Ok(match token {
        Token::Text(text) => OperandKind::Text(text.clone()),
        Token::Integer(value) => OperandKind::Integer(*value),
        Token::Float(value) => OperandKind::Float(*value),
        Token::Word(word) => match word.as_str() {
            "true" => OperandKind::Bool(true),
            "false" => OperandKind::Bool(false),
            "nil" => OperandKind::Nil,
            name => OperandKind::Function(function(name, position)?),
        },
        other => {
            let sign = match other {
                Token::Comma => ",",
                Token::Declare => ":=",
                Token::Assign => "=",
                Token::Close => ")",
                _ => "|",
            };
            return Err(Fault::new(position, format!("`{sign}` does not belong here")));
        }
    })
}

fn function(name: &str, position: usize) -> Result<Function, Fault> {
    if let Some(function) = Function::of(name) {
        return Ok(function);
    }
    if KEYWORDS.contains(&name) {
        return Err(Fault::new(position, format!("`{name}` does not belong here")));
    }
    let fault = Fault::new(position, format!("there is no function `{name}`"));
    let variable = format!("${name}");
    if VARIABLES.contains(&variable.as_str()) {
        return Err(fault.remedy(format!("did you mean `{variable}`?")));
    }
    Err(match nearest(name, Function::names()) {
        Some(near) => fault.remedy(format!("did you mean `{near}`?")),
        None => fault.remedy("put texts in \"quotes\"; variables begin with `$`"),
    })
}

/// What is left of an action.
#[derive(Clone)]
struct Tokens<'t> {
    rest: &'t [Placed],
    /// Where the action begins.
    position: usize,
}

impl<'t> Tokens<'t> {
    fn new(rest: &'t [Placed], position: usize) -> Self {
        Self { rest, position }
    }

    fn peek(&self) -> Option<&'t Placed> {
        self.rest.first()
    }

    fn next(&mut self) -> Option<&'t Placed> {
        let (first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(first)
    }

    fn take_if(&mut self, token: &Token) -> Option<&'t Placed> {
        (&self.peek()?.token == token).then(|| self.next()).flatten()
    }

    /// Where the next token is; at the end of the action, its beginning.
    fn here(&self) -> usize {
        self.peek().map_or(self.position, |placed| placed.position)
    }

    /// The name that `define` and `template` are followed by.
    fn name(&mut self, word: &str) -> Result<String, Fault> {
        match self.next() {
            Some(Placed { token: Token::Text(name), .. }) => Ok(name.clone()),
            _ => Err(Fault::new(self.position, format!("`{word}` needs a name in quotes"))
                .remedy(format!("write it as in {{{{ {word} \"name\" . }}}}"))),
        }
    }

    fn finish(&self) -> Result<(), Fault> {
        match self.peek() {
            None => Ok(()),
            Some(extra) => Err(Fault::new(extra.position, "this does not belong here")),
        }
    }
}
