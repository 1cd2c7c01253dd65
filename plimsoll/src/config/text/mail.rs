//! Mail addresses, and the servers that take mail.

use super::super::address;
use super::super::model::Address;
use super::super::quantity::Refusal;

/// Longest address (RFC 5321 section 4.5.3.1.3, less the angle brackets).
const ADDRESS_BYTES: usize = 254;

/// `name@example.com`, without a name for people.
pub(in crate::config) fn address(text: &str) -> Result<String, Refusal> {
    let inside = text.split_once('<').and_then(|(_, rest)| rest.split_once('>'));
    if let Some((address, _)) = inside {
        return Err(Refusal::new("only the address itself stands here")
            .remedy(format!("write \"{}\"", address.trim())));
    }
    if text.contains(',') {
        return Err(Refusal::new("there is more than one address here")
            .remedy("write each in a text of its own: [\"a@example.com\", \"b@example.com\"]"));
    }
    let is_address = text.rsplit_once('@').is_some_and(|(name, host)| {
        let plain = |c: char| c.is_ascii_graphic() && !"\"()<>[]:;\\@".contains(c);
        !name.is_empty() && name.chars().all(plain) && address::explain_host(host).is_none()
    });
    if !is_address || text.len() > ADDRESS_BYTES {
        return Err(Refusal::new(format!("`{text}` is not a mail address"))
            .remedy("write it as in \"ops@example.com\""));
    }
    Ok(text.to_owned())
}

/// The server that takes the mail, with its port.
pub(in crate::config) fn server(text: &str) -> Result<(String, u16), Refusal> {
    let example = "write it as in \"mail.example.com:587\"";
    if let Some((_, rest)) = text.split_once("://") {
        return Err(Refusal::new("a mail server is named without a scheme")
            .remedy(format!("write \"{}\"", rest.trim_end_matches('/'))));
    }
    match address::server(text) {
        Ok(Address::Tcp(address)) => Ok((address.ip().to_string(), address.port())),
        Ok(Address::Host(host, port)) => Ok((host, port)),
        Ok(Address::Unix(_)) => {
            Err(Refusal::new("a mail server is reached by TCP").remedy(example))
        }
        Err(_) if !text.contains(':') && address::explain_host(text).is_none() => {
            Err(Refusal::new("the port is missing").remedy(format!("write \"{text}:587\"")))
        }
        Err(refusal) => Err(Refusal { remedy: Some(example.to_owned()), ..refusal }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_servers() {
        for text in ["ops@example.com", "a.b+c@mail", "o'neil@x.org"] {
            assert_eq!(address(text).as_deref(), Ok(text));
        }
        for text in
            ["", "ops", "@x", "a@", "a b@x", "a@b@c", "Ops <a@b.c>", "a@b.c, d@e.f", "a@b\r\n"]
        {
            assert!(address(text).unwrap_err().remedy.is_some(), "{text}");
        }
        assert_eq!(server("mail:587"), Ok(("mail".to_owned(), 587)));
        assert_eq!(server("[::1]:25"), Ok(("::1".to_owned(), 25)));
        for (text, remedy) in
            [("mail", "write \"mail:587\""), ("smtp://mail:25", "write \"mail:25\"")]
        {
            assert_eq!(server(text).unwrap_err().remedy.as_deref(), Some(remedy));
        }
        assert!(server("unix:/x").is_err() && server("mail:x").is_err());
    }
}
