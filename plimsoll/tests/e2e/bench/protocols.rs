//! TLS, HTTP/2, Unix sockets and WebSockets, against nginx and this program's own clinic.
