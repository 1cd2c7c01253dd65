//! Connections of HTTP/2, which several users of a thread share.
//!
//! Each user has a seat on one connection, which has as many as the plan allows requests at once.
//! Whether a server speaks HTTP/2 is known once the first connection to it is made; until then
//! others wait for that one, so that there are not more connections than seats ask for.
//!
//! Invariant: a seat's user is counted as long as the seat lives.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use tokio::sync::Mutex;

use super::connections::connect;
use super::worker::Worker;
use crate::load::client::dial::{Dialled, Purpose};
use crate::load::client::http2::Connection;
use crate::load::client::{Origin, Trouble};

/// The shared connections of a thread.
#[derive(Debug, Default)]
pub(super) struct Multiplex {
    servers: RefCell<Vec<Rc<Server>>>,
}

/// A server and the connections to it.
#[derive(Debug)]
struct Server {
    origin: Rc<Origin>,
    /// Once it is known.
    speaks_http2: Cell<Option<bool>>,
    /// Held while the first connection is made.
    asking: Mutex<()>,
    carriers: RefCell<Vec<Rc<Carrier>>>,
}

/// A connection, made when it is needed and again when it has ended.
#[derive(Debug, Default)]
struct Carrier {
    connection: Mutex<Option<Rc<Connection>>>,
    users: Cell<usize>,
}

/// A user's place on a connection.
#[derive(Debug)]
pub(super) struct Seat {
    server: Rc<Server>,
    carrier: Rc<Carrier>,
}

/// What there is to send a request on.
#[derive(Debug)]
pub(super) enum Carried {
    /// A connection of HTTP/2.
    Http2(Rc<Connection>),
    /// The server does not speak it. A new connection of HTTP/1.1, if one was made.
    Http1(Option<Dialled>),
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.carrier.users.set(self.carrier.users.get() - 1);
    }
}

impl Multiplex {
    /// A seat on a connection to a server on which fewer than `streams` users have one.
    pub(super) fn seat(&self, origin: &Rc<Origin>, streams: usize) -> Seat {
        let mut servers = self.servers.borrow_mut();
        let server = match servers.iter().find(|server| server.origin == *origin) {
            Some(server) => Rc::clone(server),
            None => {
                let server = Rc::new(Server {
                    origin: Rc::clone(origin),
                    speaks_http2: Cell::new(None),
                    asking: Mutex::new(()),
                    carriers: RefCell::default(),
                });
                servers.push(Rc::clone(&server));
                server
            }
        };
        let mut carriers = server.carriers.borrow_mut();
        let free = carriers.iter().find(|carrier| carrier.users.get() < streams.max(1));
        let carrier = free.map(Rc::clone).unwrap_or_else(|| {
            let carrier = Rc::new(Carrier::default());
            carriers.push(Rc::clone(&carrier));
            carrier
        });
        drop(carriers);
        carrier.users.set(carrier.users.get() + 1);
        Seat { server, carrier }
    }
}

impl Seat {
    /// Whether it is at this server.
    pub(super) fn is_at(&self, origin: &Rc<Origin>) -> bool {
        Rc::ptr_eq(&self.server.origin, origin) || self.server.origin == *origin
    }

    /// The connection, made if there is none that can take a request.
    ///
    /// # Errors
    /// None can be made.
    pub(super) async fn connection(&self, worker: &Worker) -> Result<Carried, Trouble> {
        let server = &self.server;
        let first = match server.speaks_http2.get() {
            None => Some(server.asking.lock().await),
            Some(_) => None,
        };
        // Another may have found out meanwhile.
        if server.speaks_http2.get() == Some(false) {
            return Ok(Carried::Http1(None));
        }
        let first = first.filter(|_| server.speaks_http2.get().is_none());
        let mut connection = self.carrier.connection.lock().await;
        if let Some(connection) = connection.as_ref().filter(|one| one.is_usable()) {
            return Ok(Carried::Http2(Rc::clone(connection)));
        }
        let dialled = connect(worker, &server.origin, Purpose::Requests).await?;
        if server.speaks_http2.get().is_none() {
            server.speaks_http2.set(Some(dialled.http2));
        }
        drop(first);
        if !dialled.http2 {
            return Ok(Carried::Http1(Some(dialled)));
        }
        let streams = worker.common.plan.http.streams;
        let opened = Rc::new(Connection::open(dialled.transport, &server.origin, streams).await?);
        *connection = Some(Rc::clone(&opened));
        Ok(Carried::Http2(opened))
    }
}
