//! Signatures of requests as the vendors' servers check them, written from the vendors' descriptions and from nothing of ours: the headers
//! that were signed are those that the request names.

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};

use super::fake::Call;

fn hash(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn sign(key: &[u8], text: &str) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

/// `Key=value` parts of an `Authorization` header of this procedure.
fn part<'a>(call: &'a Call<'_>, procedure: &str, key: &str) -> Option<&'a str> {
    let parts = call.header("authorization")?.strip_prefix(procedure)?;
    parts.split(',').find_map(|part| part.trim().strip_prefix(key)?.strip_prefix('='))
}

/// The lines of signed headers, or nothing if one of those that have to be signed isn't.
fn lines(call: &Call<'_>, names: &str, wanted: &[&str]) -> Option<String> {
    let names: Vec<&str> = names.split(';').collect();
    let in_order = names.windows(2).all(|pair| pair[0] < pair[1]);
    if !in_order || !wanted.iter().all(|name| names.contains(name)) {
        return None;
    }
    names.iter().map(|name| Some(format!("{name}:{}\n", call.header(name)?))).collect()
}

/// Whether Tencent would take it ("Signature v3"), of the key with this name.
pub fn tencent(call: &Call<'_>, secret_id: &str, secret_key: &str) -> bool {
    let checked = || {
        const PROCEDURE: &str = "TC3-HMAC-SHA256";
        let scope = part(call, PROCEDURE, "Credential")?.strip_prefix(secret_id)?.strip_prefix('/')?;
        let names = part(call, PROCEDURE, "SignedHeaders")?;
        // Tencent signs the words of these headers in lower case
        let lines = lines(call, names, &["content-type", "host", "x-tc-action"])?.to_lowercase();
        let time = call.header("x-tc-timestamp")?;
        let now = jiff::Timestamp::from_second(time.parse().ok()?).ok()?;
        let [day, service, end] = scope.split('/').collect::<Vec<_>>()[..] else { return None };
        if day != now.strftime("%Y-%m-%d").to_string() || service != "tcr" || end != "tc3_request" {
            return None;
        }
        let canonical = ["POST", "/", "", &lines, names, &hash(call.request.body.as_bytes())].join("\n");
        let text = [PROCEDURE, time, scope, &hash(canonical.as_bytes())].join("\n");
        let key = sign(&sign(&sign(format!("TC3{secret_key}").as_bytes(), day), service), end);
        Some(hex(&sign(&key, &text)) == part(call, PROCEDURE, "Signature")?)
    };
    call.method == "POST" && checked() == Some(true)
}

/// Whether Alibaba would take it ("Request syntax and signature method V3"), of the key with this name.
pub fn alibaba(call: &Call<'_>, access_key: &str, secret_key: &str) -> bool {
    let checked = || {
        const PROCEDURE: &str = "ACS3-HMAC-SHA256";
        if part(call, PROCEDURE, "Credential")? != access_key {
            return None;
        }
        let names = part(call, PROCEDURE, "SignedHeaders")?;
        let wanted = ["host", "x-acs-action", "x-acs-content-sha256", "x-acs-date", "x-acs-signature-nonce", "x-acs-version"];
        let lines = lines(call, names, &wanted)?;
        let body = hash(call.request.body.as_bytes());
        if call.header("x-acs-content-sha256")? != body {
            return None;
        }
        let query = call.request.target.split_once('?').map_or("", |(_, query)| query);
        let mut query: Vec<(String, String)> =
            url::form_urlencoded::parse(query.as_bytes()).map(|(key, value)| (escaped(&key), escaped(&value))).collect();
        query.sort();
        let query: Vec<String> = query.iter().map(|(key, value)| format!("{key}={value}")).collect();
        let canonical = [call.method, call.path, &query.join("&"), &lines, names, &body].join("\n");
        let text = [PROCEDURE, &hash(canonical.as_bytes())].join("\n");
        Some(hex(&sign(secret_key.as_bytes(), &text)) == part(call, PROCEDURE, "Signature")?)
    };
    checked() == Some(true)
}

/// As RFC 3986 has it.
fn escaped(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes())
        .collect::<String>()
        .replace('+', "%20")
        .replace('*', "%2A")
        .replace("%7E", "~")
}
