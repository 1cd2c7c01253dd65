//! The live view's hold on the terminal: the alternate screen, raw mode, keys and resizes.
//!
//! The terminal is given back however it ends: by [`View::close`], by dropping the view, in a panic.
//! In raw mode Ctrl-C is a key and no signal; a thread reads keys and tells the caller. The shell's
//! history stays as it was, for all is drawn on the alternate screen of the standard error.
//!
//! Invariant: at most one view at a time is open; after [`restore`] nothing is drawn any more.

use std::io::{self, BufWriter, Stderr, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, Once, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;
use ratatui::crossterm::cursor::{Hide, Show};
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use ratatui::crossterm::execute;
use ratatui::crossterm::terminal::{
    EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode,
};

use super::draw::draw;
use super::screen::Screen;
use crate::load::progress::Progress;

/// How often the thread that reads keys looks whether it is to end.
const KEY_PATIENCE: Duration = Duration::from_millis(100);

/// Whether the terminal is ours; written by `View::open` and `restore`, read before drawing.
static HELD: AtomicBool = AtomicBool::new(false);

/// What somebody asked for with a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quit {
    /// No new requests, those under way are awaited.
    Gently,
    /// At once.
    AtOnce,
}

/// A live view that holds the terminal.
pub struct View {
    shared: Arc<Shared>,
    keys: Option<JoinHandle<()>>,
}

/// What the owner and the thread that reads keys share.
struct Shared {
    /// Drawn by either; held for no longer than drawing takes.
    canvas: Mutex<Canvas>,
    /// Written by `close`, read by the thread.
    closing: AtomicBool,
}

struct Canvas {
    terminal: Terminal<CrosstermBackend<BufWriter<Stderr>>>,
    screen: Screen,
}

impl View {
    /// Takes the terminal and draws the first picture. `quit` is called on another thread: the
    /// first time somebody presses q, Escape or Ctrl-C gently, then for each further time at once.
    ///
    /// # Errors
    /// When there is no terminal or it refuses.
    pub fn open(
        title: &str,
        model: &str,
        mut quit: impl FnMut(Quit) + Send + 'static,
    ) -> io::Result<Self> {
        restore_in_panics();
        let screen = Screen::new(title, model, crate::log::may_colour());
        let terminal = Terminal::new(CrosstermBackend::new(BufWriter::new(io::stderr())))?;
        enable_raw_mode()?;
        HELD.store(true, Ordering::SeqCst);
        if let Err(error) = execute!(io::stderr(), EnterAlternateScreen, Hide) {
            restore();
            return Err(error);
        }
        let shared = Arc::new(Shared {
            canvas: Mutex::new(Canvas { terminal, screen }),
            closing: AtomicBool::new(false),
        });
        let mut view = Self { shared: Arc::clone(&shared), keys: None };
        view.shared.redraw()?;
        let keys = std::thread::Builder::new()
            .name("bench-keys".to_owned())
            .spawn(move || shared.read_keys(&mut quit))?;
        view.keys = Some(keys);
        Ok(view)
    }

    /// Shows how the run is doing. A terminal that went away is no reason to end a run: what cannot
    /// be drawn is not.
    pub fn show(&self, progress: &Progress) {
        self.shared.lock().screen.take(progress);
        let _ = self.shared.redraw();
    }

    /// Gives the terminal back, as it was.
    pub fn close(mut self) {
        self.end();
    }

    fn end(&mut self) {
        self.shared.closing.store(true, Ordering::SeqCst);
        // Not from the keys' own thread, which holds no view; it ends within `KEY_PATIENCE`.
        if let Some(keys) = self.keys.take() {
            let _ = keys.join();
        }
        restore();
    }
}

impl Drop for View {
    fn drop(&mut self) {
        self.end();
    }
}

impl Shared {
    fn lock(&self) -> std::sync::MutexGuard<'_, Canvas> {
        // A panic while drawing leaves a picture half drawn, which the next one mends.
        self.canvas.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn redraw(&self) -> io::Result<()> {
        let mut canvas = self.lock();
        let Canvas { terminal, screen } = &mut *canvas;
        if HELD.load(Ordering::SeqCst) {
            // Asks for the terminal's size first, so a resize needs nothing more.
            terminal.draw(|frame| draw(frame, screen))?;
        }
        Ok(())
    }

    /// Until the view is closed, or nothing can be read any more.
    fn read_keys(&self, quit: &mut dyn FnMut(Quit)) {
        while !self.closing.load(Ordering::SeqCst) {
            match event::poll(KEY_PATIENCE) {
                Ok(false) => continue,
                Ok(true) => {}
                Err(_) => return,
            }
            match event::read() {
                Ok(Event::Key(key)) if asks_to_quit(key) => {
                    let again = std::mem::replace(&mut self.lock().screen.ending, true);
                    quit(if again { Quit::AtOnce } else { Quit::Gently });
                }
                Ok(_) => {}
                Err(_) => return,
            }
            let _ = self.redraw();
        }
    }
}

/// `q`, Escape, Ctrl-C.
fn asks_to_quit(key: KeyEvent) -> bool {
    key.kind == KeyEventKind::Press
        && match key.code {
            KeyCode::Char('q') | KeyCode::Esc => true,
            KeyCode::Char('c') => key.modifiers.contains(KeyModifiers::CONTROL),
            _ => false,
        }
}

/// Gives the terminal back if a view holds it. For ends that pass every drop by: a second Ctrl-C,
/// `std::process::exit`.
pub fn restore() {
    if HELD.swap(false, Ordering::SeqCst) {
        let _ = execute!(io::stderr(), Show, LeaveAlternateScreen);
        let _ = io::stderr().flush();
        let _ = disable_raw_mode();
    }
}

/// A panic's message is to be read, on the shell's screen.
fn restore_in_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            restore();
            before(panic);
        }));
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_that_end_a_run() {
        let key = |code, modifiers| asks_to_quit(KeyEvent::new(code, modifiers));
        assert!(key(KeyCode::Char('q'), KeyModifiers::NONE));
        assert!(key(KeyCode::Esc, KeyModifiers::NONE));
        assert!(key(KeyCode::Char('c'), KeyModifiers::CONTROL));
        assert!(!key(KeyCode::Char('c'), KeyModifiers::NONE));
        assert!(!key(KeyCode::Enter, KeyModifiers::NONE));
    }
}
