//! Capture from pipes to the tail, the terminal and files; a terminal that stands still.

use std::io::{self, Write};
use std::sync::mpsc as threads;

use super::writer::Terminal;
use super::*;

/// A place to write to that tests can look into.
#[derive(Debug, Clone, Default)]
pub struct Screen(Arc<Mutex<Vec<u8>>>);

impl Screen {
    pub fn text(&self) -> String {
        String::from_utf8(lock(&self.0).clone()).unwrap()
    }
}

impl Write for Screen {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        lock(&self.0).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Writers to screens for output and error.
pub fn screens(colours: bool) -> (Arc<Writers>, Screen, Screen) {
    let (out, error) = (Screen::default(), Screen::default());
    let terminal = || Terminal { out: Box::new(out.clone()), error: Box::new(error.clone()) };
    let writers = Writers {
        terminal: Writer::start("terminal", terminal()),
        files: Writer::start("files", terminal()),
        colours,
    };
    (Arc::new(writers), out, error)
}

#[tokio::test]
async fn lines_carry_the_name_and_go_where_they_came_from() {
    let (writers, out, error) = screens(false);
    let output = Output::new("web-1", 1, &writers);
    output.capture(Stream::Out, &b"one\n\x1b[31mtwo\x1b[0m"[..]).await;
    output.capture(Stream::Error, &b"three\n"[..]).await;
    writers.terminal.flush().await;
    assert_eq!(out.text(), "web-1 | one\nweb-1 | two\n");
    assert_eq!(error.text(), "web-1 | three\n");
    assert_eq!(output.recent(2), ["two", "three"]);
    output.clear_recent();
    assert_eq!(output.recent(2), [""; 0]);
}

#[tokio::test]
async fn colours_pass_to_terminals_and_end_with_the_line() {
    let (writers, out, _) = screens(true);
    let output = Output::new("web-1", 1, &writers);
    output.capture(Stream::Out, &b"\x1b[31mred\n"[..]).await;
    writers.terminal.flush().await;
    assert_eq!(out.text(), "\x1b[33mweb-1 |\x1b[0m \x1b[31mred\x1b[0m\n");
}

#[tokio::test]
async fn the_tail_is_bounded_in_lines_and_bytes() {
    let (writers, ..) = screens(false);
    let output = Output::new("web-1", 1, &writers);
    let many: String = (0..1000).map(|number| format!("{number}\n")).collect();
    output.capture(Stream::Out, many.as_bytes()).await;
    let lines = output.recent(usize::MAX);
    assert_eq!((lines.len(), lines[0].as_str(), lines[99].as_str()), (100, "900", "999"));
    let huge = vec![b'x'; 10 * LINE_MAX];
    for _ in 0..20 {
        output.capture(Stream::Out, &huge[..]).await;
    }
    let bytes: usize = output.recent(usize::MAX).iter().map(String::len).sum();
    assert!(bytes <= RECENT_BYTES_MAX && bytes > LINE_MAX, "{bytes}");
}

#[tokio::test]
async fn a_file_gets_the_bytes_as_they_are() {
    let (writers, ..) = screens(false);
    let directory = tempfile::tempdir().unwrap();
    let output = Output::new("web-1", 1, &writers);
    let log = InstanceLog { directory: directory.path().to_owned(), max_bytes: 1000, keep: 1 };
    output.set_log(Some(&log));
    output.capture(Stream::Out, &b"\xff\x00one\n"[..]).await;
    output.set_log(Some(&log));
    output.capture(Stream::Error, &b"two"[..]).await;
    output.set_log(None);
    output.capture(Stream::Out, &b"three\n"[..]).await;
    writers.files.flush().await;
    assert_eq!(std::fs::read(directory.path().join("web-1.log")).unwrap(), b"\xff\x00one\ntwo\n");
}

/// A terminal that takes nothing until it is let go.
struct Stuck(threads::Receiver<()>, Screen);

impl Write for Stuck {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let _ = self.0.recv();
        self.1.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn a_terminal_that_stands_still_costs_lines_but_stops_nobody() {
    let (release, stuck) = threads::channel();
    let (out, error) = (Screen::default(), Screen::default());
    let terminal =
        Terminal { out: Box::new(Stuck(stuck, out.clone())), error: Box::new(error.clone()) };
    let (others, ..) = screens(false);
    let writers = Arc::new(Writers {
        terminal: Writer::start("terminal", terminal),
        files: Writer::start("files", Terminal::own()),
        colours: false,
    });
    drop(others);
    let output = Output::new("web-1", 1, &writers);
    for number in 0..200 {
        output.capture(Stream::Out, format!("line {number}\n").as_bytes()).await;
    }
    drop(release);
    writers.terminal.flush().await;
    assert!(error.text().contains("bytes of output dropped"), "{}", error.text());
    assert!(!out.text().contains("line 199"), "the last line was not dropped");
    assert_eq!(output.recent(1), ["line 199"]);
}
