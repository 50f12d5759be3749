//! `consumerProperties`: the settings of the Kafka consumer that a specification may make.
//!
//! An allow-list, because librdkafka's settings can load libraries, run commands and read any file. Names are those
//! of Kafka's Java client, as Druid takes them, or librdkafka's; both are translated to librdkafka's. Passwords may
//! be written out or taken from the environment, and are masked wherever a specification is given back.

use std::fmt;

use serde_json::{Map, Value};

use super::normalise::{join, nearest, wrong_type};
use crate::error::SpecError;

/// What stands for a password in answers.
const MASK: &str = "********";

/// What becomes of a property.
#[derive(Clone, Copy)]
enum Use {
    /// It is librdkafka's under this name.
    Pass(&'static str),
    /// The same, and the value is a secret.
    Secret(&'static str),
    /// It is accepted and has no effect.
    Ignore,
    /// It is refused, and this is what to do instead.
    Refuse(&'static str),
}

const OUR_OFFSETS: Use = Use::Ignore;
const NO_FILES: &str = "files of the server cannot be named here; give the certificate itself";

/// Every property that is known by name.
const PROPERTIES: [(&str, Use); 59] = [
    ("bootstrap.servers", Use::Pass("bootstrap.servers")),
    ("security.protocol", Use::Pass("security.protocol")),
    ("sasl.mechanism", Use::Pass("sasl.mechanism")),
    ("sasl.mechanisms", Use::Pass("sasl.mechanism")),
    ("sasl.username", Use::Pass("sasl.username")),
    ("sasl.password", Use::Secret("sasl.password")),
    ("ssl.ca.pem", Use::Pass("ssl.ca.pem")),
    ("ssl.certificate.pem", Use::Pass("ssl.certificate.pem")),
    ("ssl.key.pem", Use::Secret("ssl.key.pem")),
    ("ssl.key.password", Use::Secret("ssl.key.password")),
    ("ssl.truststore.certificates", Use::Pass("ssl.ca.pem")),
    ("ssl.keystore.certificate.chain", Use::Pass("ssl.certificate.pem")),
    ("ssl.keystore.key", Use::Secret("ssl.key.pem")),
    ("ssl.endpoint.identification.algorithm", Use::Pass("ssl.endpoint.identification.algorithm")),
    ("enable.ssl.certificate.verification", Use::Pass("enable.ssl.certificate.verification")),
    ("client.id", Use::Pass("client.id")),
    ("client.rack", Use::Pass("client.rack")),
    ("client.dns.lookup", Use::Pass("client.dns.lookup")),
    ("isolation.level", Use::Pass("isolation.level")),
    ("check.crcs", Use::Pass("check.crcs")),
    ("broker.address.family", Use::Pass("broker.address.family")),
    ("fetch.min.bytes", Use::Pass("fetch.min.bytes")),
    ("fetch.max.bytes", Use::Pass("fetch.max.bytes")),
    ("fetch.max.wait.ms", Use::Pass("fetch.wait.max.ms")),
    ("fetch.wait.max.ms", Use::Pass("fetch.wait.max.ms")),
    ("max.partition.fetch.bytes", Use::Pass("max.partition.fetch.bytes")),
    ("queued.min.messages", Use::Pass("queued.min.messages")),
    ("queued.max.messages.kbytes", Use::Pass("queued.max.messages.kbytes")),
    ("receive.buffer.bytes", Use::Pass("socket.receive.buffer.bytes")),
    ("send.buffer.bytes", Use::Pass("socket.send.buffer.bytes")),
    ("request.timeout.ms", Use::Pass("socket.timeout.ms")),
    ("socket.timeout.ms", Use::Pass("socket.timeout.ms")),
    ("socket.keepalive.enable", Use::Pass("socket.keepalive.enable")),
    ("socket.connection.setup.timeout.ms", Use::Pass("socket.connection.setup.timeout.ms")),
    ("connections.max.idle.ms", Use::Pass("connections.max.idle.ms")),
    ("metadata.max.age.ms", Use::Pass("metadata.max.age.ms")),
    ("reconnect.backoff.ms", Use::Pass("reconnect.backoff.ms")),
    ("reconnect.backoff.max.ms", Use::Pass("reconnect.backoff.max.ms")),
    ("retry.backoff.ms", Use::Pass("retry.backoff.ms")),
    ("group.id", OUR_OFFSETS),
    ("group.instance.id", OUR_OFFSETS),
    ("auto.offset.reset", OUR_OFFSETS),
    ("enable.auto.commit", OUR_OFFSETS),
    ("auto.commit.interval.ms", OUR_OFFSETS),
    ("session.timeout.ms", OUR_OFFSETS),
    ("heartbeat.interval.ms", OUR_OFFSETS),
    ("max.poll.records", OUR_OFFSETS),
    ("max.poll.interval.ms", OUR_OFFSETS),
    ("key.deserializer", Use::Ignore),
    ("value.deserializer", Use::Ignore),
    ("sasl.jaas.config", Use::Refuse("give sasl.username and sasl.password")),
    ("ssl.ca.location", Use::Refuse(NO_FILES)),
    ("ssl.certificate.location", Use::Refuse(NO_FILES)),
    ("ssl.key.location", Use::Refuse(NO_FILES)),
    ("ssl.keystore.location", Use::Refuse(NO_FILES)),
    ("ssl.truststore.location", Use::Refuse(NO_FILES)),
    ("plugin.library.paths", Use::Refuse("libraries cannot be loaded by a specification")),
    ("sasl.kerberos.kinit.cmd", Use::Refuse("commands cannot be run by a specification")),
    ("sasl.oauthbearer.token.endpoint.url", Use::Refuse("use SCRAM or PLAIN")),
];

/// Druid's key for properties that come from elsewhere.
const PROVIDER: &str = "druid.dynamic.config.provider";

fn use_of(name: &str) -> Option<Use> {
    PROPERTIES.iter().find(|(known, _)| *known == name).map(|(_, of)| *of)
}

/// The value of a property.
#[derive(Clone, PartialEq, Eq)]
pub enum PropertyValue {
    /// Plain text.
    Text(String),
    /// A secret, never printed.
    Secret(String),
    /// The variable of the environment that holds the value.
    Environment(String),
}

impl fmt::Debug for PropertyValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => write!(f, "{text:?}"),
            Self::Secret(_) => f.write_str(MASK),
            Self::Environment(variable) => write!(f, "${variable}"),
        }
    }
}

/// The consumer's settings, under librdkafka's names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsumerProperties {
    /// The brokers, `host:port,host:port`, as the specification names them.
    pub bootstrap_servers: String,
    /// All other settings.
    pub settings: Vec<(String, PropertyValue)>,
    path: String,
}

impl ConsumerProperties {
    pub(super) fn read(io: &Map<String, Value>, path: &str) -> Result<Self, SpecError> {
        let empty = Map::new();
        let given = io.get("consumerProperties").and_then(Value::as_object).unwrap_or(&empty);
        let mut settings = Vec::new();
        for (name, value) in given {
            if name == PROVIDER {
                provided(value, &join(path, name), &mut settings)?;
                continue;
            }
            if let Some((name, value)) = property(name, value, path)? {
                settings.push((name.to_owned(), value));
            }
        }
        let at = settings.iter().position(|(name, _)| name == "bootstrap.servers");
        let bootstrap_servers = match at.map(|at| settings.remove(at).1) {
            Some(PropertyValue::Text(servers)) if !servers.trim().is_empty() => servers,
            _ => {
                let expected = "the brokers as host:port,host:port".into();
                return Err(SpecError::Missing { path: join(path, "bootstrap.servers"), expected });
            }
        };
        Ok(Self { bootstrap_servers, settings, path: path.to_owned() })
    }

    /// The settings as text, values of the environment looked up by `environment`.
    pub fn resolve(
        &self,
        environment: impl Fn(&str) -> Option<String>,
    ) -> Result<Vec<(String, String)>, SpecError> {
        let resolve = |(name, value): &(String, PropertyValue)| match value {
            PropertyValue::Text(text) | PropertyValue::Secret(text) => Ok((name.clone(), text.clone())),
            PropertyValue::Environment(variable) => {
                let value = environment(variable).ok_or_else(|| {
                    let reason = format!("the environment has no variable {variable}");
                    SpecError::invalid(join(&self.path, name), reason)
                })?;
                Ok((name.clone(), value))
            }
        };
        self.settings.iter().map(resolve).collect()
    }
}

fn property(
    name: &str,
    value: &Value,
    path: &str,
) -> Result<Option<(&'static str, PropertyValue)>, SpecError> {
    let at = join(path, name);
    let refused = |instead: &str| SpecError::Unsupported {
        path: at.clone(),
        what: format!("the property {name:?}"),
        instead: instead.to_owned(),
    };
    match use_of(name) {
        Some(Use::Ignore) => Ok(None),
        Some(Use::Refuse(instead)) => Err(refused(instead)),
        Some(Use::Pass(target)) => Ok(Some((target, PropertyValue::Text(plain(value, &at)?)))),
        Some(Use::Secret(target)) => secret(value, &at).map(|value| Some((target, value))),
        None => {
            let allowed = PROPERTIES.iter().filter(|(_, of)| !matches!(of, Use::Refuse(_)));
            Err(match nearest(name, allowed.map(|(name, _)| *name)) {
                Some(near) => refused(&format!("did you mean {near:?}?")),
                None => refused("only settings for security, fetching and connections may be made"),
            })
        }
    }
}

fn plain(value: &Value, path: &str) -> Result<String, SpecError> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Number(_) | Value::Bool(_) => Ok(value.to_string()),
        _ => Err(wrong_type(path, "a text", value)),
    }
}

/// A password: a text, or one of Druid's password providers.
fn secret(value: &Value, path: &str) -> Result<PropertyValue, SpecError> {
    let Value::Object(provider) = value else {
        let text = plain(value, path)?;
        if text == MASK {
            return Err(SpecError::invalid(
                path,
                "the masked password cannot be used; give the password again",
            ));
        }
        return Ok(PropertyValue::Secret(text));
    };
    let given = |key: &str| provider.get(key).and_then(Value::as_str).map(str::to_owned);
    match (given("type").as_deref(), given("variable"), given("password")) {
        (Some("environment"), Some(variable), _) => Ok(PropertyValue::Environment(variable)),
        (Some("default"), _, Some(password)) => secret(&Value::String(password), &join(path, "password")),
        _ => {
            let expected =
                r#"a text, {"type": "environment", "variable": …} or {"type": "default", "password": …}"#;
            Err(SpecError::WrongType {
                path: path.to_owned(),
                expected: expected.to_owned(),
                found: "another object".into(),
            })
        }
    }
}

/// `{"type": "environment", "variables": {"sasl.password": "VARIABLE"}}`: properties from the environment.
fn provided(value: &Value, path: &str, settings: &mut Vec<(String, PropertyValue)>) -> Result<(), SpecError> {
    let kind = value.get("type").and_then(Value::as_str);
    let variables = value.get("variables").and_then(Value::as_object);
    let (Some("environment"), Some(variables)) = (kind, variables) else {
        return Err(SpecError::Unsupported {
            path: path.to_owned(),
            what: "this provider".into(),
            instead: r#"supported: {"type": "environment", "variables": {property: variable}}"#.into(),
        });
    };
    for (name, variable) in variables {
        let variable = plain(variable, &join(path, name))?;
        if let Some((target, _)) = property(name, &Value::from("-"), path)? {
            settings.push((target.to_owned(), PropertyValue::Environment(variable)));
        }
    }
    Ok(())
}

/// Puts the mask in place of every password of an `ioConfig`.
pub(super) fn mask(io: &mut Map<String, Value>) {
    let Some(Value::Object(properties)) = io.get_mut("consumerProperties") else { return };
    for (name, value) in properties {
        if matches!(use_of(name), Some(Use::Secret(_))) {
            match value {
                Value::Object(provider) => {
                    if let Some(password) = provider.get_mut("password") {
                        *password = Value::from(MASK);
                    }
                }
                value => *value = Value::from(MASK),
            }
        }
    }
}

const PLACES: [&str; 2] = ["/spec/ioConfig/consumerProperties", "/ioConfig/consumerProperties"];

/// Puts passwords of `stored` where `posted` has the mask; not where the brokers differ, as that would hand a
/// password to whoever names another broker.
pub(super) fn restore(posted: &mut Value, stored: &Value) {
    let Some(stored) = PLACES.iter().find_map(|place| stored.pointer(place)) else { return };
    for place in PLACES {
        let Some(Value::Object(properties)) = posted.pointer_mut(place) else { continue };
        if properties.get("bootstrap.servers") != stored.get("bootstrap.servers") {
            continue;
        }
        for (name, value) in properties {
            let masked = value == MASK || value.get("password").is_some_and(|password| password == MASK);
            if let (true, Some(old)) = (masked, stored.get(name)) {
                *value = old.clone();
            }
        }
    }
}
