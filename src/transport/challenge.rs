//! Reads `WWW-Authenticate` (RFC 9110 §11.6.1) as servers really write it.
//!
//! Tolerated: several challenges in one header or in many, any case, commas inside quotes, values without quotes, spaces around `=`,
//! missing commas, data that fits nothing. A challenge is never a reason to fail: what can't be read is left out.

/// One challenge: how the server wants to be signed in to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Challenge {
    /// The scheme in lower case: `basic`, `bearer`, and others that we don't speak.
    pub scheme: String,
    params: Vec<(String, String)>,
}

impl Challenge {
    /// All challenges of all `WWW-Authenticate` headers, in order.
    pub fn read<'a>(headers: impl IntoIterator<Item = &'a [u8]>) -> Vec<Challenge> {
        let mut all = Vec::new();
        for header in headers {
            Parser { rest: &String::from_utf8_lossy(header) }.run(&mut all);
        }
        all
    }

    /// A parameter by its lower-case name.
    pub fn param(&self, name: &str) -> Option<&str> {
        self.params.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

struct Parser<'a> {
    rest: &'a str,
}

impl<'a> Parser<'a> {
    fn run(mut self, all: &mut Vec<Challenge>) {
        let first = all.len();
        loop {
            self.skip(|c| c == ',' || c.is_whitespace());
            if self.rest.is_empty() {
                return;
            }
            let word = self.word();
            if word.is_empty() {
                // A character that starts nothing, such as a stray quote or `=`.
                let skip = self.rest.chars().next().map_or(0, char::len_utf8);
                self.rest = &self.rest[skip..];
                continue;
            }
            let after_word = self.rest;
            self.skip(char::is_whitespace);
            if self.rest.starts_with('=') {
                self.rest = &self.rest[1..];
                self.skip(char::is_whitespace);
                let value = self.value();
                if all.len() > first {
                    let last = all.len() - 1;
                    all[last].params.push((word.to_ascii_lowercase(), value));
                }
                continue;
            }
            self.rest = after_word;
            // `scope=repository:a:pull,push` without quotes: the comma belonged to the value.
            if is_action(word)
                && let Some((key, value)) = all[first..].last_mut().and_then(|challenge| challenge.params.last_mut())
                && key == "scope"
            {
                value.push(',');
                value.push_str(word);
                continue;
            }
            all.push(Challenge { scheme: word.to_ascii_lowercase(), params: Vec::new() });
        }
    }

    fn skip(&mut self, which: impl Fn(char) -> bool) {
        self.rest = self.rest.trim_start_matches(which);
    }

    /// Characters up to the next separator.
    fn word(&mut self) -> &'a str {
        let end = self.rest.find(|c: char| c.is_whitespace() || matches!(c, ',' | '=' | '"')).unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        word
    }

    fn value(&mut self) -> String {
        let Some(quoted) = self.rest.strip_prefix('"') else {
            let end = self.rest.find(|c: char| c == ',' || c.is_whitespace()).unwrap_or(self.rest.len());
            let (value, rest) = self.rest.split_at(end);
            self.rest = rest;
            return value.to_owned();
        };
        let mut value = String::new();
        let mut chars = quoted.char_indices();
        while let Some((at, c)) = chars.next() {
            match c {
                '"' => {
                    self.rest = &quoted[at + 1..];
                    return value;
                }
                '\\' => value.extend(chars.next().map(|(_, escaped)| escaped)),
                _ => value.push(c),
            }
        }
        self.rest = "";
        value
    }
}

fn is_action(word: &str) -> bool {
    matches!(word, "pull" | "push" | "delete" | "*")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn one(header: &str) -> Challenge {
        let all = Challenge::read([header.as_bytes()]);
        assert_eq!(all.len(), 1, "{all:?}");
        all.into_iter().next().unwrap()
    }

    #[test]
    fn as_the_specification_writes_it() {
        let bearer = one(
            r#"Bearer realm="https://auth.example.com/token",service="registry.example.com",scope="repository:a/b:pull,push repository:c:pull""#,
        );
        assert_eq!(bearer.scheme, "bearer");
        assert_eq!(bearer.param("realm"), Some("https://auth.example.com/token"));
        assert_eq!(bearer.param("service"), Some("registry.example.com"));
        assert_eq!(bearer.param("scope"), Some("repository:a/b:pull,push repository:c:pull"));
        assert_eq!(bearer.param("error"), None);
    }

    #[test]
    fn as_servers_write_it() {
        let realm = |header: &str| one(header).param("realm").map(str::to_owned);
        for header in [
            "Bearer realm=https://a/t,service=x",
            "bearer  realm = \"https://a/t\" , service=x",
            "BEARER Realm=\"https://a/t\" service=\"x\"",
            "Bearer ,realm=\"https://a/t\",",
            r#"Bearer realm="https:\/\/a/t""#,
            "Bearer service=\"a, b\", realm=\"https://a/t",
        ] {
            assert_eq!(realm(header).as_deref(), Some("https://a/t"), "{header}");
        }
        assert_eq!(one("Bearer realm=https://a/t,scope=repository:x:pull,push").param("scope"), Some("repository:x:pull,push"));
        assert_eq!(one("Basic realm=\"say \\\"hi\\\"\"").param("realm"), Some("say \"hi\""));
    }

    #[test]
    fn several_challenges() {
        let several: [&[&[u8]]; 2] = [
            &[b"Negotiate, NTLM TlRMTVNTUAAB==, Basic realm=\"x\", Bearer realm=\"https://a/t\",scope=\"repository:x:pull,push\""],
            &[
                b"Negotiate",
                b"NTLM TlRMTVNTUAAB==",
                b"Basic realm=\"x\"",
                b"Bearer realm=\"https://a/t\",scope=\"repository:x:pull,push\"",
            ],
        ];
        for headers in several {
            let all = Challenge::read(headers.iter().copied());
            let basic = all.iter().find(|challenge| challenge.scheme == "basic").unwrap();
            let bearer = all.iter().find(|challenge| challenge.scheme == "bearer").unwrap();
            assert_eq!(basic.param("realm"), Some("x"));
            assert_eq!(bearer.param("scope"), Some("repository:x:pull,push"));
        }
    }

    proptest! {
        #[test]
        fn reading_never_panics(header in proptest::collection::vec(any::<u8>(), 0..120)) {
            Challenge::read([header.as_slice()]);
        }

        #[test]
        fn what_is_written_is_read(
            params in proptest::collection::vec(("[a-z]{1,8}", r#"[ -~]{0,20}"#), 0..5)
        ) {
            let text: Vec<String> = params
                .iter()
                .map(|(key, value)| format!("{key}=\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\"")))
                .collect();
            let all = Challenge::read([format!("Bearer {}", text.join(",")).as_bytes()]);
            prop_assert_eq!(all.len(), 1);
            prop_assert_eq!(&all[0].params, &params);
        }
    }
}
