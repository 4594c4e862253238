//! Addresses that a sign-in may end at (RFC 6749, section 3.1.2; RFC 8252, section 7).
//!
//! **Invariant:** an address is compared as it stands, letter by letter, but for the port of a loopback
//! one, which a program on its user's machine gets at its start.

/// Whether an application may name this address; why not.
pub(crate) fn check_redirect(url: &str) -> Result<(), &'static str> {
    let Some((scheme, rest)) = url.split_once(':') else {
        return Err("must be absolute, such as https://app.example.org/signed-in");
    };
    let known = |c: char| c.is_ascii_alphanumeric() || "+-.".contains(c);
    let is_scheme = scheme.starts_with(|c: char| c.is_ascii_lowercase())
        && !scheme.contains(|c: char| !known(c) || c.is_ascii_uppercase());
    if !is_scheme || url.contains(|c: char| !c.is_ascii_graphic() || "\"<>\\^`{|}".contains(c)) {
        return Err("must be a URL in small letters up to its colon, without spaces");
    }
    if url.contains('#') {
        return Err("must have no fragment");
    }
    let host = rest.strip_prefix("//").map(host_and_rest);
    match (scheme, host) {
        ("https", Some((host, _))) if !host.is_empty() && !host.contains('@') => Ok(()),
        ("http", Some((host, _))) if is_loopback(host) => Ok(()),
        ("http", _) => Err("may be http on 127.0.0.1, [::1] or localhost alone"),
        ("https", _) => Err("must name a host"),
        // RFC 8252, section 7.1: a scheme of the program's own, which nobody else's browser runs.
        _ if ["javascript", "data", "file", "blob", "about", "vbscript"].contains(&scheme) => {
            Err("must not have this scheme")
        }
        _ => Ok(()),
    }
}

/// Whether an application that has named `registered` may be sent to `asked`.
pub(crate) fn matches_redirect(registered: &str, asked: &str) -> bool {
    registered == asked
        || match (loopback(registered), loopback(asked)) {
            (Some(one), Some(other)) => one == other,
            _ => false,
        }
}

/// Whether a page of this origin (RFC 6454, section 6.2) is one that `registered` is an address of.
pub(crate) fn is_of_origin(registered: &str, origin: &str) -> bool {
    origin_of(registered).as_deref() == Some(origin)
        || match (loopback(registered), loopback(origin)) {
            (Some((one, _)), Some((other, rest))) => one == other && rest.is_empty(),
            _ => false,
        }
}

/// The origin of an http or https address, as browsers write it.
fn origin_of(url: &str) -> Option<String> {
    let (scheme, rest) = url.split_once("://")?;
    let port = match scheme {
        "https" => ":443",
        "http" => ":80",
        _ => return None,
    };
    let host = host_and_rest(rest).0.to_ascii_lowercase();
    Some(format!("{scheme}://{}", host.strip_suffix(port).unwrap_or(&host)))
}

/// Whether it is an address on this machine, by http or https.
pub(crate) fn is_here(url: &str) -> bool {
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    check_redirect(url).is_ok() && rest.is_some_and(|it| is_loopback(host_and_rest(it).0))
}

/// Host and rest of a loopback address, the port left out.
fn loopback(url: &str) -> Option<(&str, &str)> {
    let (host, rest) = host_and_rest(url.strip_prefix("http://")?);
    let name = without_port(host);
    let port = host[name.len()..].strip_prefix(':').unwrap_or("0");
    let is_port = port.parse::<u16>().is_ok() && port.bytes().all(|it| it.is_ascii_digit());
    (is_port && is_loopback(host)).then_some((name, rest))
}

fn host_and_rest(rest: &str) -> (&str, &str) {
    rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()))
}

fn without_port(host: &str) -> &str {
    match host.rfind(']') {
        Some(end) => &host[..=end],
        None => host.split(':').next().unwrap_or(host),
    }
}

fn is_loopback(host: &str) -> bool {
    ["127.0.0.1", "[::1]", "localhost"].contains(&without_port(host))
}

/// What a page whose form ends at this address may say in its policy of forms: the origin, or a scheme
/// alone where the policy has no word for the host.
pub(crate) fn form_target(url: &str) -> String {
    let (scheme, rest) = url.split_once(':').unwrap_or((url, ""));
    match rest.strip_prefix("//").map(|it| host_and_rest(it).0) {
        Some(host) if scheme.starts_with("http") && !host.contains(['[', ';', ',', '\'']) => {
            format!("{scheme}://{host}")
        }
        _ => format!("{scheme}:"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_that_keep_a_code_safe_may_be_named() {
        for good in [
            "https://app.example.org/signed-in",
            "https://app.example.org",
            "https://app.example.org:8443/a?b=c",
            "http://localhost/callback",
            "http://127.0.0.1:3000",
            "http://[::1]/",
            "org.example.app:/signed-in",
            "msal0194a1b2://auth",
        ] {
            assert_eq!(check_redirect(good), Ok(()), "{good}");
        }
        for bad in [
            "",
            "/signed-in",
            "app.example.org/signed-in",
            "http://app.example.org/",
            "http://127.0.0.1.example.org/",
            "http://localhost@example.org/",
            "https://user@example.org/",
            "https:///x",
            "https:app.example.org",
            "https://app.example.org/#x",
            "https://app.example.org/a b",
            "https://app.example.org/<",
            "HTTPS://app.example.org/",
            "javascript:alert(1)",
            "data:text/html,x",
        ] {
            assert!(check_redirect(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn addresses_match_exactly_but_for_the_port_of_a_loopback_one() {
        let cases = [
            ("https://a.example/x", "https://a.example/x", true),
            ("https://a.example/x", "https://a.example/x/", false),
            ("https://a.example/x", "https://a.example/x?y=z", false),
            ("https://a.example/x", "https://A.example/x", false),
            ("https://a.example/x", "https://a.example:443/x", false),
            ("https://a.example/", "https://a.example.evil/", false),
            ("http://localhost/x", "http://localhost:5001/x", true),
            ("http://localhost:1/x", "http://localhost:2/x", true),
            ("http://localhost/x", "http://localhost:5001/y", false),
            ("http://localhost/x", "http://127.0.0.1:5001/x", false),
            ("http://[::1]:1/x", "http://[::1]:2/x", true),
            ("http://localhost/x", "http://localhost:5001@evil.example/x", false),
            ("http://localhost", "http://localhost.evil.example", false),
            ("http://localhost/x", "https://localhost/x", false),
        ];
        for (registered, asked, expected) in cases {
            assert_eq!(matches_redirect(registered, asked), expected, "{registered} {asked}");
        }
    }

    #[test]
    fn an_origin_is_that_of_an_address_to_its_last_letter() {
        let cases = [
            ("https://a.example/x", "https://a.example", true),
            ("https://A.example:443/x", "https://a.example", true),
            ("https://a.example:444/x", "https://a.example:444", true),
            ("https://a.example/x", "https://a.example/", false),
            ("https://a.example/x", "http://a.example", false),
            ("https://a.example/x", "https://b.a.example", false),
            ("https://a.example/x", "https://a.example.evil", false),
            ("https://a.example/x", "https://a.example:444", false),
            ("https://a.example/x", "null", false),
            ("https://a.example/x", "", false),
            ("http://localhost/x", "http://localhost:5001", true),
            ("http://localhost/x", "http://127.0.0.1:5001", false),
            ("http://localhost/x", "http://localhost:5001/x", false),
            ("http://localhost/x", "https://localhost:5001", false),
            ("org.example.app:/x", "null", false),
            ("org.example.app://host/x", "org.example.app://host", false),
        ];
        for (registered, origin, expected) in cases {
            assert_eq!(is_of_origin(registered, origin), expected, "{registered} {origin}");
        }
    }

    #[test]
    fn an_address_is_here_or_elsewhere() {
        for here in ["http://localhost", "https://127.0.0.1:1/x?y", "http://[::1]:1/"] {
            assert!(is_here(here), "{here}");
        }
        for elsewhere in [
            "http://localhost.evil.example/",
            "https://localhost@evil.example/",
            "https://evil.example/?localhost",
            "org.example.app://localhost/",
            "http://localhost/#x",
            "http://localhost/\r\nx",
            "",
        ] {
            assert!(!is_here(elsewhere), "{elsewhere}");
        }
    }

    #[test]
    fn forms_may_end_where_the_address_leads() {
        assert_eq!(form_target("https://a.example:1/x?y"), "https://a.example:1");
        assert_eq!(form_target("http://[::1]:1/x"), "http:");
        assert_eq!(form_target("org.example.app:/x"), "org.example.app:");
    }
}
