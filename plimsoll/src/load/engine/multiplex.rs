//! Connections of HTTP/2, which several users of a thread share.
//!
//! Each user has a seat on one connection, which has as many as the plan allows requests at once.
//! Whether HTTP/2 is spoken is known of each connection once it is made: servers behind one address
//! may differ. Where one cannot be made, all who waited for it are told so: if they tried one after
//! the other, the last of a hundred would wait a hundred times as long as one may wait for a
//! connection.
//!
//! Invariants: a seat's user is counted as long as the seat lives; servers beyond [`SERVERS_MAX`]
//! are forgotten, with their connections, once nobody has a seat at them.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use tokio::sync::Mutex;

use super::connections::connect;
use super::worker::Worker;
use crate::load::client::dial::{Dialled, Purpose};
use crate::load::client::http2::Connection;
use crate::load::client::{Origin, Trouble};

/// Most servers that are remembered without anybody there.
const SERVERS_MAX: usize = 1024;

/// The shared connections of a thread.
#[derive(Debug, Default)]
pub(super) struct Multiplex {
    servers: RefCell<Vec<Rc<Server>>>,
}

/// A server and the connections to it.
#[derive(Debug)]
struct Server {
    origin: Rc<Origin>,
    carriers: RefCell<Vec<Rc<Carrier>>>,
}

/// A connection, made when it is needed and again when it has ended.
#[derive(Debug, Default)]
struct Carrier {
    connection: Mutex<Option<Rc<Connection>>>,
    users: Cell<usize>,
    /// How many attempts to connect have failed, and why the last did.
    failed: Cell<u64>,
    trouble: RefCell<Option<Trouble>>,
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
    /// A new connection, over which the server agreed on HTTP/1.1.
    Http1(Dialled),
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
                if servers.len() >= SERVERS_MAX {
                    servers.retain(|server| server.has_users());
                }
                let server =
                    Rc::new(Server { origin: Rc::clone(origin), carriers: RefCell::default() });
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

impl Server {
    fn has_users(&self) -> bool {
        self.carriers.borrow().iter().any(|carrier| carrier.users.get() > 0)
    }
}

impl Carrier {
    /// Why an attempt failed that ended after there had been so many failures.
    fn trouble_since(&self, failed: u64) -> Option<Trouble> {
        if self.failed.get() == failed {
            return None;
        }
        self.trouble.borrow().clone()
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
        let (carrier, origin) = (&self.carrier, &self.server.origin);
        let failed = carrier.failed.get();
        let mut connection = carrier.connection.lock().await;
        if let Some(connection) = connection.as_ref().filter(|one| one.is_usable()) {
            return Ok(Carried::Http2(Rc::clone(connection)));
        }
        // One that this user waited for: another would end like it.
        if let Some(trouble) = carrier.trouble_since(failed) {
            return Err(trouble);
        }
        let dialled = connect(worker, origin, Purpose::Requests).await.inspect_err(|trouble| {
            carrier.failed.set(carrier.failed.get() + 1);
            carrier.trouble.replace(Some(trouble.clone()));
        })?;
        if !dialled.http2 {
            return Ok(Carried::Http1(dialled));
        }
        let streams = worker.common.plan.http.streams;
        let opened = Rc::new(Connection::open(dialled.transport, origin, streams).await?);
        *connection = Some(Rc::clone(&opened));
        Ok(Carried::Http2(opened))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::client::Scheme;
    use crate::load::client::peers::origin;

    #[test]
    fn servers_without_users_are_forgotten() {
        let multiplex = Multiplex::default();
        let kept = multiplex.seat(&origin(Scheme::Https, "kept", 443), 1);
        for number in 0..3 * SERVERS_MAX {
            drop(multiplex.seat(&origin(Scheme::Https, &format!("a{number}"), 443), 1));
        }
        let servers = multiplex.servers.borrow();
        assert!(servers.len() <= SERVERS_MAX, "{}", servers.len());
        assert!(servers.iter().any(|server| Rc::ptr_eq(server, &kept.server)));
    }

    #[test]
    fn seats_that_were_left_are_taken_first() {
        let multiplex = Multiplex::default();
        let server = origin(Scheme::Https, "a", 443);
        let seats: Vec<Seat> = (0..5).map(|_| multiplex.seat(&server, 2)).collect();
        assert_eq!(seats[0].server.carriers.borrow().len(), 3);
        drop(seats);
        let seats: Vec<Seat> = (0..6).map(|_| multiplex.seat(&server, 2)).collect();
        assert_eq!(seats[0].server.carriers.borrow().len(), 3);
    }
}
