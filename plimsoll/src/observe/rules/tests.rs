mod built_in;
mod files;
mod objectives;
mod promtool;
