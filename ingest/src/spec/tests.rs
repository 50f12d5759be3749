//! The case study's specifications, the other forms and keys, and what is refused.

use ovate_storage::time::Granularity;
use ovate_storage::{ColumnType, Rollup};
use serde_json::{Value, json};

use super::*;

const SPECS: [(&str, &str, &str); 3] = [
    (
        "ALERTS",
        include_str!("../../tests/data/specs/alerts_ingestion.json"),
        include_str!("../../tests/data/answers/alerts.json"),
    ),
    (
        "DEVICES",
        include_str!("../../tests/data/specs/devices_ingestion.json"),
        include_str!("../../tests/data/answers/devices.json"),
    ),
    (
        "EVENTS_GEO",
        include_str!("../../tests/data/specs/events_geo_ingestion.json"),
        include_str!("../../tests/data/answers/events_geo.json"),
    ),
];

pub(super) fn minimal() -> Value {
    json!({
        "type": "kafka",
        "spec": {
            "dataSchema": {
                "dataSource": "t",
                "timestampSpec": {"column": "ts"},
                "dimensionsSpec": {"dimensions": ["a"]},
            },
            "ioConfig": {
                "topic": "t",
                "inputFormat": {"type": "json"},
                "consumerProperties": {"bootstrap.servers": "b:9092"},
            },
        },
    })
}

/// [`minimal`] with `value` at a JSON pointer below `spec`.
fn with(pointer: &str, value: Value) -> Value {
    let mut spec = minimal();
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    let parent = spec.pointer_mut(&format!("/spec{parent}")).unwrap_or_else(|| panic!("no {parent}"));
    parent.as_object_mut().unwrap().insert(key.into(), value);
    spec
}

fn refused(spec: &Value) -> String {
    SupervisorSpec::parse(spec).map(|spec| spec.json).unwrap_err().to_string()
}

#[test]
fn the_case_study_s_specs_are_taken_unmodified() {
    for (name, posted, _) in SPECS {
        let spec = SupervisorSpec::parse(&serde_json::from_str(posted).unwrap()).unwrap();
        assert_eq!(spec.id(), name);
        assert_eq!(spec.io.topic, name);
        assert_eq!(spec.io.consumer_properties.bootstrap_servers, "kafka_broker:29092");
        assert!(spec.io.use_earliest_offset);
        assert_eq!(spec.io.task_duration_ms, 3_600_000);
        assert_eq!(spec.tuning.bytes_in_memory_max, None);
        assert!(!spec.ingestion.rollup && !spec.suspended);
    }
}

#[test]
fn the_answer_to_get_is_druids() {
    for (name, posted, answer) in SPECS {
        let mut posted: Value = serde_json::from_str(posted).unwrap();
        posted["spec"]["ioConfig"]["consumerProperties"]["bootstrap.servers"] = json!("127.0.0.1:9092");
        let answer: Value = serde_json::from_str(answer).unwrap();
        let spec = SupervisorSpec::parse(&posted).unwrap();
        assert_eq!(spec.to_json().to_string(), answer.to_string(), "{name}");
    }
}

#[test]
fn what_get_answers_can_be_posted_again() {
    for (name, posted, _) in SPECS {
        let first = SupervisorSpec::parse(&serde_json::from_str(posted).unwrap()).unwrap();
        let second = SupervisorSpec::parse(first.to_json()).unwrap();
        assert_eq!(first.to_json(), second.to_json(), "{name}");
    }
}

#[test]
fn the_older_form_without_spec_means_the_same() {
    let nested = minimal();
    let mut flat = nested["spec"].clone();
    flat["type"] = json!("kafka");
    let (nested, flat) = (SupervisorSpec::parse(&nested).unwrap(), SupervisorSpec::parse(&flat).unwrap());
    assert_eq!(nested.to_json(), flat.to_json());
}

#[test]
fn defaults_are_druids() {
    let spec = SupervisorSpec::parse(&minimal()).unwrap();
    assert!(spec.ingestion.rollup, "rollup is on unless switched off");
    assert_eq!(spec.ingestion.segment_granularity, Granularity::day());
    assert_eq!(spec.ingestion.query_granularity, Granularity::NONE);
    assert!(!spec.io.use_earliest_offset);
    assert_eq!(spec.tuning.total_rows_max, 20_000_000);
    let json = spec.to_json();
    assert_eq!(json["spec"]["dataSchema"]["granularitySpec"]["segmentGranularity"], "DAY");
    assert_eq!(json["spec"]["dataSchema"]["granularitySpec"]["queryGranularity"], json!({"type": "none"}));
    assert_eq!(json["spec"]["dataSchema"]["timestampSpec"]["format"], "auto");
    assert_eq!(json["spec"]["dataSchema"]["dimensionsSpec"]["dimensionExclusions"], json!(["__time", "ts"]));
    assert_eq!(json["ioConfig"]["completionTimeout"], "PT1800S");
    assert_eq!(json["ioConfig"]["stream"], "t");
    assert_eq!(json["tuningConfig"]["repartitionTransitionDuration"], "PT120S");
}

#[test]
fn a_table_schema_has_dimensions_then_metrics() {
    use ColumnType::{Double, Float, Long, String};
    let mut spec = with(
        "/dataSchema/metricsSpec",
        json!([
            {"type": "count", "name": "n"},
            {"type": "longSum", "name": "s", "fieldName": "x"},
            {"type": "doubleMax", "name": "m", "fieldName": "x"},
            {"type": "floatLast", "name": "l", "fieldName": "y"},
            {"type": "longMin", "name": "e", "expression": "x + 1"},
        ]),
    );
    spec["spec"]["dataSchema"]["dimensionsSpec"]["dimensions"] = json!([
        "a",
        {"name": "b"},
        {"type": "long", "name": "c"},
        {"type": "string", "name": "d", "createBitmapIndex": false, "multiValueHandling": "sorted_set"},
        {"type": "auto", "name": "e1", "castToType": "DOUBLE"},
        {"type": "auto", "name": "e2"},
    ]);
    let spec = SupervisorSpec::parse(&spec).unwrap().ingestion;
    let schema = spec.table_schema();
    let columns: Vec<_> =
        schema.columns.iter().map(|c| (c.name.as_str(), c.column_type, c.bitmap_index)).collect();
    assert_eq!(
        columns,
        [
            ("a", String, true),
            ("b", String, true),
            ("c", Long, false),
            ("d", String, false),
            ("e1", Double, false),
            ("n", Long, false),
            ("s", Long, false),
            ("m", Double, false),
            ("l", Float, false),
            ("e", Long, false),
        ]
    );
    assert_eq!(schema.columns[8].role, ovate_storage::ColumnRole::Metric(Rollup::Last));
    assert_eq!(spec.dimensions[3].multi_value, MultiValueHandling::SortedSet);
    assert!(spec.exclusions.contains("x") && spec.exclusions.contains("y") && spec.exclusions.contains("n"));
}

#[test]
fn discovery_follows_the_dimensions() {
    let discovery = |spec: Value| SupervisorSpec::parse(&spec).unwrap().ingestion.discovery;
    assert_eq!(discovery(minimal()), Discovery::Off);
    assert_eq!(discovery(with("/dataSchema/dimensionsSpec", json!({}))), Discovery::Strings);
    assert_eq!(
        discovery(with("/dataSchema/dimensionsSpec/includeAllDimensions", json!(true))),
        Discovery::Strings
    );
    assert_eq!(
        discovery(with("/dataSchema/dimensionsSpec/useSchemaDiscovery", json!(true))),
        Discovery::Typed
    );
}

#[test]
fn unknown_keys_name_their_place_and_the_nearest_known_key() {
    for (pointer, message) in [
        (
            "/dataSchema/timestampSpec/colum",
            "spec.dataSchema.timestampSpec.colum: unknown key; did you mean \"column\"?",
        ),
        ("/dataSchema/metricSpec", "spec.dataSchema.metricSpec: unknown key; did you mean \"metricsSpec\"?"),
        (
            "/ioConfig/taskDurations",
            "spec.ioConfig.taskDurations: unknown key; did you mean \"taskDuration\"?",
        ),
        (
            "/ioConfig/inputFormat/flattenspec",
            "spec.ioConfig.inputFormat.flattenspec: unknown key; did you mean \"flattenSpec\"?",
        ),
        ("/ioConfig/qqq", "spec.ioConfig.qqq: unknown key"),
        ("/tuning", "spec.tuning: unknown key; did you mean \"tuningConfig\"?"),
    ] {
        assert_eq!(refused(&with(pointer, json!(1))), message);
    }
    let mut root = minimal();
    root["suspend"] = json!(true);
    assert_eq!(refused(&root), "suspend: unknown key; did you mean \"suspended\"?");
    let list =
        with("/dataSchema/dimensionsSpec/dimensions", json!(["a", {"type": "long", "name": "b", "nam": 1}]));
    assert_eq!(
        refused(&list),
        "spec.dataSchema.dimensionsSpec.dimensions[1].nam: unknown key; did you mean \"name\"?"
    );
}

#[test]
fn wrong_types_say_what_is_expected_and_what_is_there() {
    for (pointer, value, message) in [
        (
            "/ioConfig/taskDuration",
            json!(true),
            "spec.ioConfig.taskDuration: expected an ISO period such as PT1H, found true",
        ),
        ("/ioConfig/taskCount", json!("two"), "spec.ioConfig.taskCount: expected an integer, found \"two\""),
        ("/ioConfig/taskCount", json!(0), "spec.ioConfig.taskCount: 0 is below 1"),
        (
            "/ioConfig/consumerProperties",
            json!([]),
            "spec.ioConfig.consumerProperties: expected an object, found a list",
        ),
        (
            "/dataSchema/dimensionsSpec",
            json!([]),
            "spec.dataSchema.dimensionsSpec: expected an object, found a list",
        ),
        (
            "/dataSchema/dimensionsSpec/dimensions",
            json!({}),
            "spec.dataSchema.dimensionsSpec.dimensions: expected a list, found an object",
        ),
        (
            "/dataSchema/dimensionsSpec/dimensions",
            json!([1]),
            "spec.dataSchema.dimensionsSpec.dimensions[0]: expected an object or a name, found 1",
        ),
        (
            "/dataSchema/granularitySpec",
            json!({"rollup": "maybe"}),
            "spec.dataSchema.granularitySpec.rollup: expected true or false, found \"maybe\"",
        ),
        ("/dataSchema", Value::Null, "spec.dataSchema: missing; expected an object"),
        (
            "/ioConfig/inputFormat",
            Value::Null,
            "spec.ioConfig.inputFormat: missing; expected an object with type json",
        ),
        ("/dataSchema/dataSource", Value::Null, "spec.dataSchema.dataSource: missing; expected a text"),
    ] {
        assert_eq!(refused(&with(pointer, value)), message);
    }
}

#[test]
fn what_druid_has_and_ovate_has_not_is_refused_by_name() {
    for (pointer, value, parts) in [
        (
            "/dataSchema/granularitySpec",
            json!({"type": "arbitrary"}),
            ["granularity type \"arbitrary\"", "segmentGranularity"],
        ),
        (
            "/dataSchema/metricsSpec",
            json!([{"type": "thetaSketch", "name": "x", "fieldName": "y"}]),
            ["metric type \"thetaSketch\"", "longSum"],
        ),
        (
            "/dataSchema/metricsSpec",
            json!([{"type": "longsum", "name": "x", "fieldName": "y"}]),
            ["metric type \"longsum\"", "did you mean \"longSum\""],
        ),
        (
            "/dataSchema/dimensionsSpec/spatialDimensions",
            json!([{"dimName": "x"}]),
            ["spatialDimensions", "two double dimensions"],
        ),
        (
            "/dataSchema/dimensionsSpec/dimensions",
            json!([{"type": "json", "name": "x"}]),
            ["dimension type \"json\"", "flattenSpec"],
        ),
        ("/ioConfig/inputFormat", json!({"type": "csv"}), ["input format \"csv\"", "JSON"]),
        ("/ioConfig/inputFormat", json!({"type": "kafka"}), ["input format \"kafka\"", "json"]),
        ("/ioConfig/topicPattern", json!("a.*"), ["topicPattern", "one topic"]),
        (
            "/ioConfig/inputFormat/flattenSpec",
            json!({"fields": [{"type": "jq", "name": "a", "expr": ".a"}]}),
            ["flatten field type \"jq\"", "path"],
        ),
        (
            "/dataSchema/transformSpec",
            json!({"transforms": [{"type": "script", "name": "a"}]}),
            ["transform type \"script\"", "expression"],
        ),
    ] {
        let message = refused(&with(pointer, value));
        for part in parts {
            assert!(message.contains(part), "{message} lacks {part}");
        }
    }
    let mut other = minimal();
    other["type"] = json!("kinesis");
    assert_eq!(refused(&other), "type: supervisor type \"kinesis\" is not supported; supported: kafka");
}

#[test]
fn empty_refused_keys_ask_for_nothing() {
    for (pointer, value) in [
        ("/dataSchema/dimensionsSpec/spatialDimensions", json!([])),
        ("/ioConfig/topicPattern", Value::Null),
        ("/ioConfig/multiTopic", json!(false)),
        ("/ioConfig/inputFormat/featureSpec", json!({})),
        ("/ioConfig/configOverrides", Value::Null),
    ] {
        SupervisorSpec::parse(&with(pointer, value)).unwrap();
    }
}

#[test]
fn contradictions_are_found() {
    for (pointer, value, message) in [
        (
            "/dataSchema/dimensionsSpec/dimensions",
            json!(["a", "a"]),
            "dimensions[1].name: \"a\" occurs twice",
        ),
        (
            "/dataSchema/dimensionsSpec/dimensionExclusions",
            json!(["a"]),
            "dimensionExclusions[0]: \"a\" is declared",
        ),
        ("/dataSchema/dimensionsSpec/dimensions", json!(["__time"]), "dimensions[0].name: __time is always"),
        ("/dataSchema/dimensionsSpec/dimensions", json!([""]), "dimensions[0].name: the name is empty"),
        (
            "/dataSchema/metricsSpec",
            json!([{"type": "count", "name": "a"}]),
            "dimensions[0].name: \"a\" is the name of a metric",
        ),
        (
            "/dataSchema/metricsSpec",
            json!([{"type": "longSum", "name": "x"}]),
            "metricsSpec[0].fieldName: missing",
        ),
        ("/dataSchema/timestampSpec/format", json!("yyyy-QQ"), "timestampSpec.format: "),
        (
            "/dataSchema/granularitySpec",
            json!({"segmentGranularity": "DAYS"}),
            "granularitySpec.segmentGranularity: ",
        ),
        ("/ioConfig/taskDuration", json!("P1M"), "taskDuration: P1M has no fixed length"),
        ("/ioConfig/taskDuration", json!(0), "taskDuration: it has to be more than no time"),
        ("/ioConfig/period", json!(-5), "period: it has to be more than no time"),
        ("/ioConfig/stream", json!("u"), "topic: \"t\" contradicts stream \"u\""),
        ("/ioConfig/consumerProperties", json!({}), "consumerProperties.bootstrap.servers: missing"),
    ] {
        let error = refused(&with(pointer, value));
        assert!(error.contains(message), "{error} lacks {message}");
    }
    let mut both = with("/ioConfig/lateMessageRejectionPeriod", json!("PT1H"));
    both["spec"]["ioConfig"]["lateMessageRejectionStartDateTime"] = json!("2026-01-01");
    assert!(refused(&both).contains("give one of the two"));
}

#[test]
fn datasource_names_cannot_leave_their_folder() {
    for name in ["", "..", ".hidden", "a/b", "a\\b", "a b", "ü", &"x".repeat(129)] {
        let error = refused(&with("/dataSchema/dataSource", json!(name)));
        assert!(error.starts_with("spec.dataSchema.dataSource: "), "{error}");
    }
    for name in ["EVENTS_GEO", "a.b-c_1", &"x".repeat(128)] {
        SupervisorSpec::parse(&with("/dataSchema/dataSource", json!(name))).unwrap();
    }
}

#[test]
fn granularities_are_given_back_in_druids_spelling() {
    for (posted, answer) in [
        (json!("hour"), json!("HOUR")),
        (json!("all"), json!({"type": "all"})),
        (json!({"type": "period", "period": "PT15M", "timeZone": "UTC"}), json!("FIFTEEN_MINUTE")),
        (
            json!({"type": "period", "period": "P1D", "timeZone": "Europe/Zurich"}),
            json!({"type": "period", "period": "P1D", "timeZone": "Europe/Zurich", "origin": null}),
        ),
    ] {
        let spec = with("/dataSchema/granularitySpec", json!({"segmentGranularity": posted}));
        let spec = SupervisorSpec::parse(&spec).unwrap();
        assert_eq!(spec.to_json()["spec"]["dataSchema"]["granularitySpec"]["segmentGranularity"], answer);
    }
}

#[test]
fn dangerous_consumer_properties_are_refused() {
    for name in [
        "plugin.library.paths",
        "sasl.kerberos.kinit.cmd",
        "ssl.engine.location",
        "ssl.providers",
        "ssl.ca.location",
        "ssl.keystore.location",
        "sasl.oauthbearer.token.endpoint.url",
        "sasl.jaas.config",
        "debug",
        "interceptor.classes",
    ] {
        let error =
            refused(&with("/ioConfig/consumerProperties", json!({"bootstrap.servers": "b:1", name: "x"})));
        assert!(error.starts_with(&format!("spec.ioConfig.consumerProperties.{name}: ")), "{error}");
    }
    let typo = json!({"bootstrap.servers": "b:1", "security.protocl": "SSL"});
    assert!(
        refused(&with("/ioConfig/consumerProperties", typo)).contains("did you mean \"security.protocol\"?")
    );
}

#[test]
fn passwords_are_masked_and_come_back_for_the_same_brokers_only() {
    let posted = with(
        "/ioConfig/consumerProperties",
        json!({
            "bootstrap.servers": "b:1",
            "security.protocol": "SASL_PLAINTEXT",
            "sasl.mechanism": "PLAIN",
            "sasl.username": "u",
            "sasl.password": "hunter2",
            "ssl.key.password": {"type": "environment", "variable": "KEY"},
            "fetch.max.wait.ms": 50,
            "group.id": "ignored",
        }),
    );
    let spec = SupervisorSpec::parse(&posted).unwrap();
    assert!(!spec.to_json().to_string().contains("hunter2"));
    assert!(!format!("{spec:?}").contains("hunter2"));
    let settings = spec.io.consumer_properties.resolve(|name| (name == "KEY").then(|| "k".into())).unwrap();
    let setting = |name: &str| settings.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str());
    assert_eq!(setting("sasl.password"), Some("hunter2"));
    assert_eq!(setting("ssl.key.password"), Some("k"));
    assert_eq!(setting("fetch.wait.max.ms"), Some("50"));
    assert_eq!(setting("group.id"), None);
    let missing = spec.io.consumer_properties.resolve(|_| None).unwrap_err().to_string();
    assert!(missing.contains("the environment has no variable KEY"), "{missing}");

    let mut edited = spec.to_json().clone();
    assert!(refused(&edited).contains("masked password"));
    SupervisorSpec::restore_secrets(&mut edited, &posted);
    let again = SupervisorSpec::parse(&edited).unwrap();
    assert_eq!(again.io.consumer_properties, spec.io.consumer_properties);

    let mut stolen = spec.to_json().clone();
    stolen["spec"]["ioConfig"]["consumerProperties"]["bootstrap.servers"] = json!("evil:1");
    SupervisorSpec::restore_secrets(&mut stolen, &posted);
    assert!(!stolen["spec"].to_string().contains("hunter2"));
}

#[test]
fn jackson_s_coercions_are_made() {
    let spec = SupervisorSpec::parse(&with("/ioConfig/taskCount", json!("2"))).unwrap();
    assert_eq!(spec.to_json()["ioConfig"]["taskCount"], 2);
    let spec = SupervisorSpec::parse(&with("/ioConfig/useEarliestOffset", json!("true"))).unwrap();
    assert!(spec.io.use_earliest_offset);
    assert_eq!(spec.to_json()["ioConfig"]["useEarliestSequenceNumber"], true);
}

#[test]
fn flatten_fields_lead_to_their_places() {
    let spec = with(
        "/ioConfig/inputFormat/flattenSpec",
        json!({"useFieldDiscovery": false, "fields": [
            "top",
            {"type": "root", "name": "renamed", "expr": "old"},
            {"type": "path", "name": "deep", "expr": "$.a.b[1]"},
            {"type": "tree", "name": "tree", "nodes": ["a", "b"]},
        ]}),
    );
    let spec = SupervisorSpec::parse(&spec).unwrap();
    let key = |name: &str| Step::Key(name.into());
    let fields: Vec<_> = spec.ingestion.flatten.iter().map(|f| (f.name.as_str(), f.path.0.clone())).collect();
    assert_eq!(
        fields,
        [
            ("top", vec![key("top")]),
            ("renamed", vec![key("old")]),
            ("deep", vec![key("a"), key("b"), Step::Index(1)]),
            ("tree", vec![key("a"), key("b")]),
        ]
    );
    assert!(!spec.ingestion.discover_root);
    assert_eq!(spec.to_json()["ioConfig"]["inputFormat"]["keepNullColumns"], false);
}

#[test]
fn rejection_periods_are_read() {
    let mut spec = with("/ioConfig/lateMessageRejectionPeriod", json!("P1D"));
    spec["spec"]["ioConfig"]["earlyMessageRejectionPeriod"] = json!("PT1H");
    let spec = SupervisorSpec::parse(&spec).unwrap();
    let expected = Rejection { late_ms: Some(86_400_000), early_ms: Some(3_600_000), late_before_ms: None };
    assert_eq!(spec.ingestion.rejection, expected);
    assert_eq!(spec.to_json()["ioConfig"]["lateMessageRejectionPeriod"], "PT86400S");
}

#[test]
fn durations_of_centuries_stay_what_they_are() {
    let spec = SupervisorSpec::parse(&with("/ioConfig/taskDuration", json!("P36500D"))).unwrap();
    assert_eq!(spec.io.task_duration_ms, 36_500 * 86_400_000);
    assert_eq!(spec.to_json()["ioConfig"]["taskDuration"], "PT3153600000S");
    let spec = SupervisorSpec::parse(&with("/ioConfig/lateMessageRejectionPeriod", json!(0))).unwrap();
    assert_eq!(spec.ingestion.rejection.late_ms, Some(0));
}
