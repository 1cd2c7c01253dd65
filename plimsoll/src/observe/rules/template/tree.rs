//! A parsed template.

use std::collections::BTreeMap;

use super::call::Function;

/// A template and those that it defines.
#[derive(Debug)]
pub(super) struct Tree {
    pub(super) main: Vec<Node>,
    pub(super) defined: BTreeMap<String, Vec<Node>>,
}

#[derive(Debug)]
pub(super) enum Node {
    Text(String),
    Action(Pipeline),
    If(Branch),
    With(Branch),
    Range(Branch),
    Template { name: String, argument: Option<Pipeline> },
    Break,
    Continue,
}

/// `if`, `with` or `range` with its two lists.
#[derive(Debug)]
pub(super) struct Branch {
    pub(super) pipeline: Pipeline,
    pub(super) then: Vec<Node>,
    pub(super) otherwise: Vec<Node>,
}

#[derive(Debug)]
pub(super) struct Pipeline {
    /// Names with their dollar; at most two, and two only of `range`.
    pub(super) variables: Vec<String>,
    /// Whether they are new.
    pub(super) declares: bool,
    /// At least one.
    pub(super) commands: Vec<Command>,
}

#[derive(Debug)]
pub(super) struct Command {
    /// At least one.
    pub(super) operands: Vec<Operand>,
}

#[derive(Debug)]
pub(super) struct Operand {
    pub(super) position: usize,
    pub(super) kind: OperandKind,
    /// Fields of it, one of the other.
    pub(super) fields: Vec<String>,
}

#[derive(Debug)]
pub(super) enum OperandKind {
    Function(Function),
    Dot,
    Nil,
    Bool(bool),
    Integer(i64),
    Float(f64),
    Text(String),
    Variable(String),
    Pipeline(Box<Pipeline>),
}
