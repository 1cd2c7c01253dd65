//! Files that cannot be read, and where relative paths begin.

use super::super::load;
use super::super::model::Source;

/// What loading the file `name` says; `bytes` is what is in it.
fn refusal(name: &str, bytes: &[u8]) -> String {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join(name);
    std::fs::write(&path, bytes).unwrap();
    load(&path).unwrap_err().to_string()
}

#[test]
fn files_that_are_none() {
    let directory = tempfile::tempdir().unwrap();
    let missing = load(&directory.path().join("missing.toml")).unwrap_err().to_string();
    assert!(missing.contains("missing.toml does not exist"), "{missing}");
    assert!(missing.contains("-c FILE"), "{missing}");
    let folder = load(directory.path()).unwrap_err().to_string();
    assert!(folder.contains("is a directory"), "{folder}");
    assert!(folder.contains("plimsoll.toml"), "{folder}");
    let empty = refusal("empty.toml", b" \n");
    assert!(empty.contains("empty.toml is empty"), "{empty}");
    let large = refusal("large.toml", &vec![b'#'; (4 << 20) + 1]);
    assert!(large.contains("larger than 4 MiB"), "{large}");
}

#[test]
fn text_that_is_not_utf8_is_shown_with_its_place() {
    let said = refusal("latin1.toml", b"# gr\xfcn\n[service.web]\nrun = \"x\"\n");
    assert!(said.contains("latin1.toml:1:5"), "{said}");
    assert!(said.contains("0xfc"), "{said}");
    let second = refusal("latin1.toml", b"listen = \":80\"\n# f\xfcr\n");
    assert!(second.contains("latin1.toml:2:4"), "{second}");
}

#[test]
fn a_byte_order_mark_is_let_pass() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("plimsoll.toml");
    std::fs::write(&path, "\u{feff}[service.web]\nrun = \"server\"\n").unwrap();
    assert!(load(&path).is_ok());
}

#[test]
fn relative_paths_begin_at_the_file() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("plimsoll.toml");
    let text = "[service.a]\nrun = \"x\"\n[service.b]\nrun = \"x\"\ndirectory = \"app\"\n\
                log = { directory = \"log\" }\n[[route]]\nservice = \"a\"\n";
    std::fs::write(&path, text).unwrap();
    let config = load(&path).unwrap().config;
    let process = |name: &str| match &config.services[name].source {
        Source::Processes(process) => (**process).clone(),
        Source::Servers(_) => panic!("{name}"),
    };
    assert_eq!(process("a").directory.as_deref(), Some(directory.path()));
    assert_eq!(process("b").directory, Some(directory.path().join("app")));
    assert_eq!(process("b").log.unwrap().directory, directory.path().join("log"));
}
