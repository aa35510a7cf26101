//! moto's server: Amazon's APIs as far as a test needs them, with signatures that are checked.

use std::fs::File;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::http::{client, wait};
use super::left_out::{executable, left_out};

/// How long a start may take before the test gives up: it is a large Python program.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running server; ends with the value.
pub struct Moto {
    process: Child,
    folder: TempDir,
    port: u16,
}

/// Keys that the server knows.
pub struct AccessKey {
    pub id: String,
    pub secret: String,
}

impl Moto {
    /// Starts one, or records that the test is left out.
    pub fn start() -> Option<Moto> {
        let Some(program) = executable("moto_server") else {
            left_out("moto_server", "not installed; tests/run installs it");
            return None;
        };
        let folder = TempDir::new().expect("a temporary folder");
        let log = folder.path().join("log");
        let process = Command::new(program)
            .args(["-H", "127.0.0.1", "-p", "0"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(&log).expect("a file"))
            .spawn()
            .expect("moto_server starts");
        let mut moto = Moto { process, folder, port: 0 };
        let started = Instant::now();
        loop {
            let text = std::fs::read_to_string(moto.folder.path().join("log")).unwrap_or_default();
            if let Some((_, after)) = text.split_once("Running on http://127.0.0.1:")
                && let Some(end) = after.find(|character: char| !character.is_ascii_digit())
            {
                moto.port = after[..end].parse().expect("a port number");
                return Some(moto);
            }
            let ended = moto.process.try_wait().expect("our own child");
            assert!(ended.is_none() && started.elapsed() < PATIENCE, "moto_server did not start ({ended:?}):\n{text}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Where it listens.
    pub fn address(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Makes a user who may use ECR, and has signatures checked from now on.
    pub fn access_key(&self) -> AccessKey {
        const POLICY: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"ecr:*","Resource":"*"}]}"#;
        self.iam(&[("Action", "CreateUser"), ("UserName", "regctl")]);
        let answer = self.iam(&[("Action", "CreateAccessKey"), ("UserName", "regctl")]);
        let policy = ("PolicyDocument", POLICY);
        self.iam(&[("Action", "PutUserPolicy"), ("UserName", "regctl"), ("PolicyName", "ecr"), policy]);
        let checked = self.post("/moto-api/reset-auth", "text/plain", "0".to_owned());
        assert!(checked.contains("OK") || checked.contains("ok"), "{checked}");
        let element = |name: &str| {
            let (_, rest) = answer.split_once(&format!("<{name}>")).unwrap_or_else(|| panic!("no {name} in {answer}"));
            rest.split_once('<').expect("the element ends").0.to_owned()
        };
        AccessKey { id: element("AccessKeyId"), secret: element("SecretAccessKey") }
    }

    /// Asks ECR something, before signatures are checked.
    pub fn ecr(&self, operation: &str, document: &str) -> String {
        let signed = "AWS4-HMAC-SHA256 Credential=x/20260101/us-east-1/ecr/aws4_request, SignedHeaders=host, Signature=x";
        let target = format!("AmazonEC2ContainerRegistry_V20150921.{operation}");
        let request = client().post(format!("{}/", self.address())).header("authorization", signed);
        let request = request.header("content-type", "application/x-amz-json-1.1").header("x-amz-target", target);
        wait(async { request.body(document.to_owned()).send().await.expect("moto answers").text().await.expect("text") })
    }

    fn iam(&self, fields: &[(&str, &str)]) -> String {
        let mut form = url::form_urlencoded::Serializer::new(String::new());
        form.extend_pairs(fields).append_pair("Version", "2010-05-08");
        self.post("/", "application/x-www-form-urlencoded", form.finish())
    }

    fn post(&self, path: &str, media_type: &str, body: String) -> String {
        // which of the services is meant stands in the signature, which isn't looked at yet
        let signed = "AWS4-HMAC-SHA256 Credential=x/20260101/us-east-1/iam/aws4_request, SignedHeaders=host, Signature=x";
        let request = client().post(format!("{}{path}", self.address()));
        let request = request.header("content-type", media_type).header("authorization", signed).body(body);
        wait(async { request.send().await.expect("moto answers").text().await.expect("text") })
    }
}

impl Drop for Moto {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
