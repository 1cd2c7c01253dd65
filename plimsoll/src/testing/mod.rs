//! Real servers that tests talk to, from Debian's packages (`cargo xtask test` installs them).
//!
//! Each listens on a port of its own of 127.0.0.1, keeps what it keeps in a temporary folder, and ends
//! with the value that stands for it.

pub mod alertmanager;
pub mod postgres;
pub mod program;
pub mod prometheus;
pub mod redis;

use std::net::TcpListener;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};

/// A port that was free may be taken by another process before the server takes it.
const STARTS_MAX: usize = 10;

/// A port that nobody listens on just now.
pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// An issuer's certificate, one of `localhost` by it, and the key of that, all in PEM.
pub fn certificate() -> (String, String, String) {
    let mut authority = CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority_key = KeyPair::generate().unwrap();
    let authority_pem = authority.self_signed(&authority_key).unwrap().pem();
    let issuer = Issuer::new(authority, authority_key);
    let key = KeyPair::generate().unwrap();
    let server = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let certificate = server.signed_by(&key, &issuer).unwrap();
    (authority_pem, certificate.pem(), key.serialize_pem())
}
