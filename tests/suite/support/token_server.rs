//! A token server as Docker's token specification describes it: Basic login, one scope or many, signed ES256 tokens whose header
//! carries the certificate. It knows one account, [`USERNAME`] with [`PASSWORD`]; nobody else may do more than pull.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use rcgen::{CertifiedIssuer, KeyPair};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use serde_json::{Value, json};

use super::canned::{Answer, Canned, Received};
use super::certificates;

/// The one account that token server and password file know.
pub const USERNAME: &str = "alice";
/// Its password.
pub const PASSWORD: &str = "s3cret";
/// Who signs, as the registry has to expect it.
pub const ISSUER: &str = "regctl-test-issuer";
/// The `service` that the registry has to ask for.
pub const SERVICE: &str = "regctl-test";
/// Prefix of refresh tokens; the user follows.
const REFRESH: &str = "refresh-for-";

/// Answers until the test ends.
pub struct TokenServer {
    address: SocketAddr,
    certificate: PathBuf,
    log: Arc<Mutex<Vec<Request>>>,
}

/// What somebody asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    pub method: String,
    /// Empty for an anonymous one.
    pub user: String,
    pub scopes: Vec<String>,
}

impl TokenServer {
    /// Starts to listen and writes the certificate that a registry has to trust into `folder`.
    pub fn start(folder: &Path) -> TokenServer {
        let signer = certificates::authority("regctl test token issuer");
        let certificate = folder.join("token.pem");
        std::fs::write(&certificate, signer.pem()).expect("the test's folder can be written");
        let log = Arc::new(Mutex::new(Vec::new()));
        let desk = Desk { signer, log: Arc::clone(&log) };
        let address = Canned::start(move |request| desk.serve(request)).address();
        TokenServer { address, certificate, log }
    }

    /// Where tokens are to be had.
    pub fn realm(&self) -> String {
        format!("http://{}/token", self.address)
    }

    /// The file with the certificate that signs.
    pub fn certificate(&self) -> &Path {
        &self.certificate
    }

    /// Everything that was asked for so far.
    pub fn requests(&self) -> Vec<Request> {
        self.log.lock().expect("no thread panics with the log").clone()
    }
}

struct Desk {
    signer: CertifiedIssuer<'static, KeyPair>,
    log: Arc<Mutex<Vec<Request>>>,
}

impl Desk {
    fn serve(&self, request: &Received) -> Answer {
        let authorization = request.headers.get("authorization").map(String::as_str);
        let (status, answer) = self.answer(&request.method, &request.target, authorization, &request.body);
        let answer = Answer::new(status, "application/json", &answer.to_string());
        if status == 401 { answer.header("WWW-Authenticate", "Basic realm=\"token\"") } else { answer }
    }

    fn answer(&self, method: &str, target: &str, authorization: Option<&str>, body: &str) -> (u16, Value) {
        let query = if method == "POST" { body } else { target.split_once('?').map_or("", |(_, query)| query) };
        let fields: Vec<(String, String)> = url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        let field = |name: &str| fields.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value.as_str());
        let user = if method == "POST" {
            match field("grant_type") {
                "password" if (field("username"), field("password")) == (USERNAME, PASSWORD) => USERNAME,
                "refresh_token" if field("refresh_token") == format!("{REFRESH}{USERNAME}") => USERNAME,
                _ => return (401, json!({"error": "invalid_grant"})),
            }
        } else {
            let right = format!("Basic {}", BASE64_STANDARD.encode(format!("{USERNAME}:{PASSWORD}")));
            match authorization {
                None => "",
                Some(header) if header == right => USERNAME,
                Some(_) => return (401, json!({"errors": [{"code": "UNAUTHORIZED", "message": "wrong password"}]})),
            }
        };
        let asked = fields.iter().filter(|(key, _)| key == "scope").map(|(_, value)| value.as_str());
        let scopes: Vec<String> = asked.flat_map(str::split_whitespace).map(str::to_owned).collect();
        let token = self.token(user, field("service"), &scopes);
        self.log.lock().expect("no thread panics with the log").push(Request {
            method: method.to_owned(),
            user: user.to_owned(),
            scopes,
        });
        let mut answer = json!({"token": token, "access_token": token, "expires_in": 300});
        if method == "POST" || field("offline_token") == "true" {
            answer["refresh_token"] = json!(format!("{REFRESH}{user}"));
        }
        (200, answer)
    }

    fn token(&self, user: &str, service: &str, scopes: &[String]) -> String {
        let access: Vec<Value> = scopes
            .iter()
            .filter_map(|scope| {
                let (kind, rest) = scope.split_once(':')?;
                let (name, actions) = rest.rsplit_once(':')?;
                let granted = |action: &&str| user == USERNAME || *action == "pull";
                let actions: Vec<&str> = actions.split(',').filter(granted).collect();
                Some(json!({"type": kind, "name": name, "actions": actions}))
            })
            .collect();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs();
        let header = json!({"typ": "JWT", "alg": "ES256", "x5c": [BASE64_STANDARD.encode(self.signer.der())]});
        let claims = json!({
            "iss": ISSUER, "sub": user, "aud": service, "exp": now + 300, "nbf": now - 10, "iat": now, "jti": format!("{now}"), "access": access,
        });
        let encode = |value: &Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", encode(&header), encode(&claims));
        let random = SystemRandom::new();
        let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, self.signer.key().serialized_der(), &random)
            .expect("a P-256 key");
        let signature = key.sign(&random, signed.as_bytes()).expect("signing works");
        format!("{signed}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature))
    }
}
