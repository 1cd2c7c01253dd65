use std::sync::Arc;
use std::time::Duration;

use rcgen::{CertificateParams, KeyPair, date_time_ymd};
use tokio_rustls::rustls::client::danger::ServerCertVerifier;
use tokio_rustls::rustls::crypto::{CryptoProvider, aws_lc_rs};
use tokio_rustls::rustls::pki_types::{PrivatePkcs8KeyDer, ServerName, UnixTime};
use tokio_rustls::rustls::sign::{CertifiedKey, SingleCertAndKey};
use tokio_rustls::rustls::{
    CertificateError, ClientConfig, ClientConnection, ServerConfig, ServerConnection,
};

use super::*;

/// The first seconds of 2020 and of 2030.
const IN_2020: u64 = 1_577_836_800;
const IN_2030: u64 = 1_893_456_000;

/// A certificate for `localhost` that issued itself and holds for these years.
fn certificate(first: i32, last: i32) -> CertificateDer<'static> {
    let mut parameters = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    parameters.not_before = date_time_ymd(first, 1, 1);
    parameters.not_after = date_time_ymd(last, 1, 1);
    parameters.self_signed(&KeyPair::generate().unwrap()).unwrap().der().clone()
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

fn verify(
    verifier: &Verifier,
    chain: &[CertificateDer<'static>],
    name: &str,
    at: u64,
) -> Result<(), Error> {
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let now = UnixTime::since_unix_epoch(Duration::from_secs(at));
    verifier.verify_server_cert(&chain[0], &chain[1..], &name, &[], now).map(|_| ())
}

#[test]
fn a_named_certificate_holds_for_its_time_and_name() {
    let own = certificate(2020, 2030);
    let issuers = Issuers::none().and(vec![own.clone()]).unwrap();
    let verifier = Verifier::new(issuers, provider()).unwrap();
    let chain = [own];
    let reason = |name: &str, at| match verify(&verifier, &chain, name, at).unwrap_err() {
        Error::InvalidCertificate(reason) => reason,
        error => panic!("{error}"),
    };
    assert_eq!(verify(&verifier, &chain, "localhost", IN_2020), Ok(()));
    assert_eq!(verify(&verifier, &chain, "localhost", IN_2030), Ok(()));
    let early = reason("localhost", IN_2020 - 1);
    assert!(matches!(early, CertificateError::NotValidYetContext { .. }), "{early:?}");
    let late = reason("localhost", IN_2030 + 1);
    assert!(matches!(late, CertificateError::ExpiredContext { .. }), "{late:?}");
    let other = reason("other", IN_2020);
    assert!(matches!(other, CertificateError::NotValidForNameContext { .. }), "{other:?}");
    let any_name = verifier.without_names();
    assert_eq!(verify(&any_name, &chain, "other", IN_2020), Ok(()));
    assert!(verify(&any_name, &chain, "other", IN_2030 + 1).is_err());
}

/// The same certificate with other bytes at one place.
fn forged(
    certificate: &CertificateDer<'_>,
    before: &[u8],
    after: &[u8],
) -> CertificateDer<'static> {
    let mut bytes = certificate.to_vec();
    let at = bytes.windows(before.len()).position(|part| part == before).unwrap();
    bytes[at..at + after.len()].copy_from_slice(after);
    CertificateDer::from(bytes)
}

#[test]
fn a_named_certificate_whose_time_cannot_be_read_does_not_hold_for_ever() {
    // There is no month 99.
    let own = forged(&certificate(2020, 2030), b"300101000000Z", b"309901000000Z");
    let issuers = Issuers::none().and(vec![own.clone()]).unwrap();
    let verifier = Verifier::new(issuers, provider()).unwrap();
    let refused = verify(&verifier, &[own], "localhost", IN_2020);
    assert_eq!(refused, Err(CertificateError::BadEncoding.into()));
}

/// Shakes hands, without a network, with a server that shows `certificate`.
fn shake(
    verifier: Verifier,
    certificate: CertificateDer<'static>,
    key: &KeyPair,
) -> Result<(), Error> {
    let key = PrivatePkcs8KeyDer::from(key.serialize_der()).into();
    let key = aws_lc_rs::sign::any_supported_type(&key).unwrap();
    let shown = CertifiedKey::new(vec![certificate], key);
    let server = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(SingleCertAndKey::from(shown)));
    let client = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    let name = ServerName::try_from("localhost").unwrap();
    let mut client = ClientConnection::new(Arc::new(client), name).unwrap();
    let mut server = ServerConnection::new(Arc::new(server)).unwrap();
    while client.is_handshaking() || server.is_handshaking() {
        let mut bytes = Vec::new();
        while client.wants_write() {
            client.write_tls(&mut bytes).unwrap();
        }
        let mut bytes = &bytes[..];
        while !bytes.is_empty() {
            server.read_tls(&mut bytes).unwrap();
            server.process_new_packets()?;
        }
        let mut bytes = Vec::new();
        while server.wants_write() {
            server.write_tls(&mut bytes).unwrap();
        }
        let mut bytes = &bytes[..];
        while !bytes.is_empty() {
            client.read_tls(&mut bytes).unwrap();
            client.process_new_packets()?;
        }
    }
    Ok(())
}

#[test]
fn anybody_is_also_who_shows_a_certificate_of_old() {
    let key = KeyPair::generate().unwrap();
    let parameters = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let new = parameters.self_signed(&key).unwrap().der().clone();
    // Version 1, as `openssl x509 -req` made them for long.
    let old = forged(&new, &[0xa0, 3, 2, 1, 2], &[0xa0, 3, 2, 1, 0]);
    for certificate in [new.clone(), old] {
        assert_eq!(shake(Verifier::anybody(provider()), certificate, &key), Ok(()));
    }
    // Who trusts somebody asks for the key.
    let trusting = || {
        let issuers = Issuers::none().and(vec![new.clone()]).unwrap();
        Verifier::new(issuers, provider()).unwrap()
    };
    assert_eq!(shake(trusting(), new.clone(), &key), Ok(()));
    let other = KeyPair::generate().unwrap();
    let refused = shake(trusting(), new.clone(), &other);
    assert_eq!(refused, Err(CertificateError::BadSignature.into()));
}

#[test]
fn without_anybody_to_trust_nobody_is_trusted() {
    let verifier = Verifier::new(Issuers::none(), provider()).unwrap();
    let refused = verify(&verifier, &[certificate(2020, 2030)], "localhost", IN_2020);
    assert_eq!(refused, Err(CertificateError::UnknownIssuer.into()));
}

#[test]
fn the_first_end_of_a_chain_is_noted_whether_it_is_accepted_or_not() {
    let (long, short) = (certificate(2020, 2040), certificate(2020, 2030));
    let broken = CertificateDer::from(vec![1, 2, 3]);
    let nobody = Verifier::new(Issuers::none(), provider()).unwrap();
    for (verifier, is_accepted) in [(Verifier::anybody(provider()), true), (nobody, false)] {
        let presented = Arc::<Presented>::default();
        let verifier = verifier.noting(Arc::clone(&presented));
        assert_eq!(presented.expires_at(), None);
        assert!(!presented.is_older_than(Duration::ZERO), "there was no handshake");
        let chain = [long.clone(), short.clone(), broken.clone()];
        assert_eq!(verify(&verifier, &chain, "localhost", IN_2020).is_ok(), is_accepted);
        assert_eq!(presented.expires_at(), Some(IN_2030.cast_signed()));
        assert!(presented.is_older_than(Duration::ZERO));
        let _ = verify(&verifier, &chain[2..], "localhost", IN_2020);
        assert_eq!(presented.expires_at(), None, "it cannot be read");
    }
}

#[test]
fn what_tls_said_is_found_within_other_errors() {
    let error = std::io::Error::other(Error::DecryptError);
    let outer = std::io::Error::other(error);
    assert_eq!(error_of(&outer), Some(&Error::DecryptError));
    assert_eq!(error_of(&std::io::Error::other("something else")), None);
}
