//! Every key of a Kafka supervisor specification: what it takes, its default, and whether it is supported, accepted
//! without effect, or refused. The order within a table is the order in which Druid gives the keys back.

use super::shape::Kind::{
    Bool, Choice, Duration, Free, Granularity, Instant, List, Long, Map, Number, Object, Period, Text,
};
use super::shape::Shown::{Always, IfGiven, Never, UnlessDefault};
use super::shape::{Key, Kind, Section, Standing, Tagged, Variant};

const ONE_WRITER: &str = "one writer per datasource reads all partitions; there are no tasks to count";
const NO_TASKS: &str = "there are no task processes to start, to talk to or to wait for";
const OWN_FORMAT: &str = "segments are written in Ovate's own format";
const OWN_MEMORY: &str = "rows in memory are columnar and are not persisted before they are published";
const STREAM_GOES_ON: &str = "rows that cannot be read are counted and sampled; they never stop the stream";
const BROKER_CLIENT: &str = "offsets are fetched by the consumer itself";
const NULL_IS_NULL: &str = "a column of nothing but NULL reads as NULL without being stored";

/// The whole request.
pub(crate) static ROOT: Section = Section {
    keys: &[
        Key::required("type", Text),
        Key::new("id", Text, IfGiven),
        Key::new("spec", Object(&SPEC), IfGiven),
        Key::new("dataSchema", Object(&DATA_SCHEMA), IfGiven),
        Key::new("tuningConfig", Object(&TUNING), IfGiven),
        Key::new("ioConfig", Object(&IO), IfGiven),
        Key::ignored("context", Map, "null", NO_TASKS),
        Key::or("suspended", Bool, "false"),
    ],
};

pub(crate) static SPEC: Section = Section {
    keys: &[
        Key::required("dataSchema", Object(&DATA_SCHEMA)),
        Key::required("ioConfig", Object(&IO)),
        Key::or("tuningConfig", Object(&TUNING), "{}"),
    ],
};

pub(crate) static DATA_SCHEMA: Section = Section {
    keys: &[
        Key::required("dataSource", Text),
        Key::required("timestampSpec", Object(&TIMESTAMP)),
        Key::required("dimensionsSpec", Object(&DIMENSIONS)),
        Key::or("metricsSpec", List(&Kind::Tagged(&METRIC)), "[]"),
        Key::or("granularitySpec", Kind::Tagged(&GRANULARITY), "{}"),
        Key::or("transformSpec", Object(&TRANSFORMS), "{}"),
        Key::refused(
            "projections",
            "aggregate at query time, or ingest into a second datasource with rollup",
        ),
        Key::refused(
            "parser",
            "give timestampSpec and dimensionsSpec in dataSchema, and inputFormat in ioConfig",
        ),
    ],
};

static TIMESTAMP: Section = Section {
    keys: &[
        Key::or("column", Text, "\"timestamp\""),
        Key::or("format", Text, "\"auto\""),
        Key::or("missingValue", Instant, "null"),
    ],
};

static DIMENSIONS: Section = Section {
    keys: &[
        Key::or("dimensions", List(&Kind::Tagged(&DIMENSION)), "[]"),
        Key::or("dimensionExclusions", List(&Text), "[]"),
        Key::or("includeAllDimensions", Bool, "false"),
        Key::or("useSchemaDiscovery", Bool, "false"),
        Key::refused("spatialDimensions", "store the coordinates as two double dimensions"),
        Key::refused("useExplicitSegmentSortOrder", "segments are always sorted by __time first"),
    ],
};

const MULTI_VALUE: Kind = Choice(&["SORTED_ARRAY", "SORTED_SET", "ARRAY"]);

static STRING_DIMENSION: Section = Section {
    keys: &[
        Key::required("name", Text),
        Key::or("multiValueHandling", MULTI_VALUE, "\"SORTED_ARRAY\""),
        Key::or("createBitmapIndex", Bool, "true"),
        Key::refused("maxStringLength", "shorten the value by a transform: substring(x, 0, 100)"),
    ],
};

static NUMBER_DIMENSION: Section = Section {
    keys: &[
        Key::required("name", Text),
        Key::ignored("multiValueHandling", MULTI_VALUE, "\"SORTED_ARRAY\"", "numbers hold one value a row"),
        Key::ignored(
            "createBitmapIndex",
            Bool,
            "false",
            "numbers are found by the minimum and maximum of blocks",
        ),
    ],
};

static AUTO_DIMENSION: Section = Section {
    keys: &[
        Key::required("name", Text),
        Key::or("multiValueHandling", MULTI_VALUE, "\"SORTED_ARRAY\""),
        Key::or("createBitmapIndex", Bool, "true"),
        Key::new("castToType", Choice(&["STRING", "LONG", "FLOAT", "DOUBLE"]), IfGiven),
    ],
};

static DIMENSION: Tagged = Tagged {
    what: "dimension type",
    default: Some("string"),
    shorthand: Some(("string", &["name"])),
    variants: &[
        ("string", Variant::Of(&STRING_DIMENSION)),
        ("long", Variant::Of(&NUMBER_DIMENSION)),
        ("float", Variant::Of(&NUMBER_DIMENSION)),
        ("double", Variant::Of(&NUMBER_DIMENSION)),
        ("auto", Variant::Of(&AUTO_DIMENSION)),
        ("json", Variant::Refused("name the fields to keep by paths of inputFormat.flattenSpec")),
        ("spatial", Variant::Refused("store the coordinates as two double dimensions")),
    ],
};

static COUNT: Section = Section { keys: &[Key::required("name", Text)] };

static NUMBER_METRIC: Section = Section {
    keys: &[
        Key::required("name", Text),
        Key::new("fieldName", Text, IfGiven),
        Key::new("expression", Text, IfGiven),
    ],
};

static TIMED_METRIC: Section = Section {
    keys: &[
        Key::required("name", Text),
        Key::required("fieldName", Text),
        Key::or("timeColumn", Choice(&["__time"]), "\"__time\""),
    ],
};

static METRIC: Tagged = Tagged {
    what: "metric type",
    default: None,
    shorthand: None,
    variants: &[
        ("count", Variant::Of(&COUNT)),
        ("longSum", Variant::Of(&NUMBER_METRIC)),
        ("floatSum", Variant::Of(&NUMBER_METRIC)),
        ("doubleSum", Variant::Of(&NUMBER_METRIC)),
        ("longMin", Variant::Of(&NUMBER_METRIC)),
        ("floatMin", Variant::Of(&NUMBER_METRIC)),
        ("doubleMin", Variant::Of(&NUMBER_METRIC)),
        ("longMax", Variant::Of(&NUMBER_METRIC)),
        ("floatMax", Variant::Of(&NUMBER_METRIC)),
        ("doubleMax", Variant::Of(&NUMBER_METRIC)),
        ("longFirst", Variant::Of(&TIMED_METRIC)),
        ("floatFirst", Variant::Of(&TIMED_METRIC)),
        ("doubleFirst", Variant::Of(&TIMED_METRIC)),
        ("longLast", Variant::Of(&TIMED_METRIC)),
        ("floatLast", Variant::Of(&TIMED_METRIC)),
        ("doubleLast", Variant::Of(&TIMED_METRIC)),
    ],
};

static UNIFORM: Section = Section {
    keys: &[
        Key::or("segmentGranularity", Granularity, "\"DAY\""),
        Key::or("queryGranularity", Granularity, "\"NONE\""),
        Key::or("rollup", Bool, "true"),
        Key::ignored("intervals", List(&Text), "[]", "a stream is not bounded by intervals"),
        Key::refused("timezone", "give the zone in the granularity: {\"type\": \"period\", \"timeZone\": …}"),
    ],
};

static GRANULARITY: Tagged = Tagged {
    what: "granularity type",
    default: Some("uniform"),
    shorthand: None,
    variants: &[
        ("uniform", Variant::Of(&UNIFORM)),
        ("arbitrary", Variant::Refused("arbitrary intervals are for batches; give a segmentGranularity")),
    ],
};

static TRANSFORMS: Section = Section {
    keys: &[Key::or("filter", Free, "null"), Key::or("transforms", List(&Kind::Tagged(&TRANSFORM)), "[]")],
};

static EXPRESSION: Section =
    Section { keys: &[Key::required("name", Text), Key::required("expression", Text)] };

static TRANSFORM: Tagged = Tagged {
    what: "transform type",
    default: None,
    shorthand: None,
    variants: &[("expression", Variant::Of(&EXPRESSION))],
};

pub(crate) static IO: Section = Section {
    keys: &[
        Key::or("topic", Text, "null"),
        Key::refused("topicPattern", "name one topic, and post a supervisor for each").shown(Always("null")),
        Key::required("inputFormat", Kind::Tagged(&INPUT_FORMAT)),
        Key::ignored("replicas", Long(1), "1", ONE_WRITER),
        Key::ignored("taskCount", Long(1), "1", ONE_WRITER),
        Key::or("taskDuration", Duration, "\"PT1H\""),
        Key::required("consumerProperties", Map),
        Key::ignored("autoScalerConfig", Map, "null", ONE_WRITER),
        Key::ignored("pollTimeout", Long(0), "100", "messages are taken as soon as they are there"),
        Key::ignored("startDelay", Duration, "\"PT5S\"", "a supervisor starts at once"),
        Key::or("period", Duration, "\"PT30S\""),
        Key::or("useEarliestOffset", Bool, "false"),
        Key::ignored("completionTimeout", Duration, "\"PT30M\"", NO_TASKS),
        Key::or("lateMessageRejectionPeriod", Duration, "null"),
        Key::or("earlyMessageRejectionPeriod", Duration, "null"),
        Key::or("lateMessageRejectionStartDateTime", Instant, "null"),
        Key::refused("configOverrides", "set consumerProperties").shown(Always("null")),
        Key::or("idleConfig", Object(&IDLE), "null"),
        Key::ignored("stopTaskCount", Long(1), "null", NO_TASKS),
        Key::dropped("stopTaskCountRatio", Number, NO_TASKS),
        Key::dropped("serverPriorityToReplicas", Free, ONE_WRITER),
        Key::ignored("emitTimeLagMetrics", Bool, "false", "lag is always measured, in messages"),
        Key::or("stream", Text, "null"),
        Key::or("useEarliestSequenceNumber", Bool, "null"),
        Key::refused("multiTopic", "name one topic, and post a supervisor for each"),
    ],
};

static IDLE: Section =
    Section { keys: &[Key::or("enabled", Bool, "false"), Key::or("inactiveAfterMillis", Long(1), "null")] };

static JSON: Section = Section {
    keys: &[
        Key::new("flattenSpec", Object(&FLATTEN), IfGiven),
        Key::refused("featureSpec", "messages are read as standard JSON"),
        Key::ignored("keepNullColumns", Bool, "null", NULL_IS_NULL),
        Key::new("assumeNewlineDelimited", Bool, UnlessDefault("false")),
        Key {
            standing: Standing::WithoutEffect("rows before a syntax error are always kept"),
            ..Key::new("useJsonNodeReader", Bool, UnlessDefault("false"))
        },
    ],
};

const PRODUCE_JSON: &str = "produce JSON messages";

static INPUT_FORMAT: Tagged = Tagged {
    what: "input format",
    default: None,
    shorthand: None,
    variants: &[
        ("json", Variant::Of(&JSON)),
        ("kafka", Variant::Refused("use json; keys, headers and Kafka's timestamp are not ingested")),
        ("csv", Variant::Refused(PRODUCE_JSON)),
        ("tsv", Variant::Refused(PRODUCE_JSON)),
        ("regex", Variant::Refused(PRODUCE_JSON)),
        ("avro_stream", Variant::Refused(PRODUCE_JSON)),
        ("protobuf", Variant::Refused(PRODUCE_JSON)),
        ("thrift", Variant::Refused(PRODUCE_JSON)),
    ],
};

static FLATTEN: Section = Section {
    keys: &[
        Key::or("useFieldDiscovery", Bool, "true"),
        Key::or("fields", List(&Kind::Tagged(&FLATTEN_FIELD)), "[]"),
    ],
};

static PATH_FIELD: Section = Section {
    keys: &[
        Key::required("name", Text),
        Key::required("expr", Text),
        Key::ignored("nodes", List(&Text), "null", "only type tree has nodes"),
    ],
};

static ROOT_FIELD: Section = Section {
    keys: &[
        Key::required("name", Text),
        Key::new("expr", Text, IfGiven),
        Key::ignored("nodes", List(&Text), "null", "only type tree has nodes"),
    ],
};

static TREE_FIELD: Section = Section {
    keys: &[
        Key::required("name", Text),
        Key {
            standing: Standing::WithoutEffect("type tree follows nodes"),
            ..Key::new("expr", Text, IfGiven)
        },
        Key::required("nodes", List(&Text)),
    ],
};

static FLATTEN_FIELD: Tagged = Tagged {
    what: "flatten field type",
    default: Some("root"),
    shorthand: Some(("root", &["name", "expr"])),
    variants: &[
        ("root", Variant::Of(&ROOT_FIELD)),
        ("path", Variant::Of(&PATH_FIELD)),
        ("tree", Variant::Of(&TREE_FIELD)),
        ("jq", Variant::Refused("write the place as a path: $.a.b[0]")),
    ],
};

pub(crate) static TUNING: Section = Section {
    keys: &[
        Key::or("type", Choice(&["kafka"]), "\"kafka\""),
        Key::ignored("appendableIndexSpec", Object(&APPENDABLE), "{}", OWN_MEMORY),
        Key::ignored("maxRowsInMemory", Long(1), "150000", OWN_MEMORY),
        Key::or("maxBytesInMemory", Long(-1), "0"),
        Key::ignored("skipBytesInMemoryOverheadCheck", Bool, "false", OWN_MEMORY),
        Key::or("maxRowsPerSegment", Long(1), "5000000"),
        Key::or("maxTotalRows", Long(1), "null"),
        Key::ignored("intermediatePersistPeriod", Period, "\"PT10M\"", OWN_MEMORY),
        Key::dropped("basePersistDirectory", Text, OWN_MEMORY),
        Key::ignored("maxPendingPersists", Long(0), "0", OWN_MEMORY),
        Key::ignored("indexSpec", Object(&INDEX_SPEC), "{}", OWN_FORMAT),
        Key::ignored("indexSpecForIntermediatePersists", Object(&INDEX_SPEC), "{}", OWN_FORMAT),
        Key::dropped("buildV9Directly", Bool, OWN_FORMAT),
        Key::ignored("reportParseExceptions", Bool, "false", STREAM_GOES_ON),
        Key::ignored("handoffConditionTimeout", Long(0), "900000", "published segments are served at once"),
        Key::or("resetOffsetAutomatically", Bool, "false"),
        Key::ignored("segmentWriteOutMediumFactory", Free, "null", OWN_FORMAT),
        Key::ignored("workerThreads", Long(1), "null", NO_TASKS),
        Key::dropped("chatThreads", Long(1), NO_TASKS),
        Key::ignored("chatRetries", Long(0), "8", NO_TASKS),
        Key::ignored("httpTimeout", Duration, "\"PT10S\"", NO_TASKS),
        Key::ignored("shutdownTimeout", Duration, "\"PT80S\"", NO_TASKS),
        Key::ignored("offsetFetchPeriod", Duration, "\"PT30S\"", BROKER_CLIENT),
        Key::or("intermediateHandoffPeriod", Period, "\"P2147483647D\""),
        Key::or("logParseExceptions", Bool, "false"),
        Key::ignored("maxParseExceptions", Long(0), "2147483647", STREAM_GOES_ON),
        Key::or("maxSavedParseExceptions", Long(0), "0"),
        Key::ignored("numPersistThreads", Long(1), "1", OWN_MEMORY),
        Key::ignored("maxColumnsToMerge", Long(-1), "-1", OWN_FORMAT),
        Key::ignored("skipSequenceNumberAvailabilityCheck", Bool, "false", BROKER_CLIENT),
        Key::ignored("repartitionTransitionDuration", Duration, "\"PT2M\"", NO_TASKS),
        Key::dropped("releaseLocksOnHandoff", Bool, NO_TASKS),
    ],
};

static APPENDABLE: Section = Section {
    keys: &[
        Key::or("type", Choice(&["onheap"]), "\"onheap\""),
        Key::or("preserveExistingMetrics", Bool, "false"),
    ],
};

static INDEX_SPEC: Section = Section {
    keys: &[
        Key::or("bitmap", Object(&BITMAP), "{}"),
        Key::or("dimensionCompression", Text, "\"lz4\""),
        Key::or("stringDictionaryEncoding", Map, "{\"type\":\"utf8\"}"),
        Key::or("metricCompression", Text, "\"lz4\""),
        Key::or("longEncoding", Text, "\"longs\""),
        Key::new("complexMetricCompression", Text, IfGiven),
        Key::new("jsonCompression", Text, IfGiven),
        Key::new("segmentLoader", Map, IfGiven),
        Key::new("autoColumnFormatSpec", Map, IfGiven),
    ],
};

static BITMAP: Section = Section {
    keys: &[
        Key::or("type", Choice(&["roaring", "concise"]), "\"roaring\""),
        Key::new("compressRunOnSerialization", Bool, Never),
    ],
};

/// Every key with its path (`dataSchema.timestampSpec.format`, `dimension string.name` inside lists) and how it
/// stands: the source of the list in the documentation.
pub fn documented() -> Vec<(String, Standing)> {
    let mut all = Vec::new();
    walk(&ROOT, "", None, &mut all);
    all.sort_by(|a, b| a.0.cmp(&b.0));
    all.dedup_by(|a, b| a.0 == b.0);
    all
}

fn walk(section: &Section, prefix: &str, inherited: Option<Standing>, all: &mut Vec<(String, Standing)>) {
    for key in section.keys {
        let path = if prefix.is_empty() { key.name.to_owned() } else { format!("{prefix}.{}", key.name) };
        let standing = inherited.unwrap_or(key.standing);
        let below = match standing {
            Standing::Supported => None,
            other => Some(other),
        };
        if !matches!(path.as_str(), "spec") {
            all.push((path.clone(), standing));
        }
        let path = if path == "spec" { String::new() } else { path };
        walk_kind(key.kind, &path, below, all);
    }
}

fn walk_kind(kind: Kind, path: &str, below: Option<Standing>, all: &mut Vec<(String, Standing)>) {
    match kind {
        Object(section) => walk(section, path, below, all),
        List(inner) => walk_kind(*inner, path, below, all),
        Kind::Tagged(tagged) => {
            for (name, variant) in tagged.variants {
                match variant {
                    Variant::Of(section) => walk(section, &format!("{path}({name})"), below, all),
                    Variant::Refused(instead) => {
                        all.push((format!("{path}({name})"), Standing::Refused(instead)));
                    }
                }
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_is_listed_once_with_how_it_stands() {
        let all = documented();
        let standing = |path: &str| {
            all.iter().find(|(p, _)| p == path).unwrap_or_else(|| panic!("{path} is not listed")).1
        };
        assert_eq!(standing("dataSchema.timestampSpec.format"), Standing::Supported);
        assert!(matches!(standing("tuningConfig.chatRetries"), Standing::WithoutEffect(_)));
        assert!(matches!(standing("ioConfig.topicPattern"), Standing::Refused(_)));
        assert!(matches!(standing("ioConfig.inputFormat(csv)"), Standing::Refused(_)));
        assert_eq!(standing("dataSchema.dimensionsSpec.dimensions(string).name"), Standing::Supported);
        assert!(all.len() > 100);
    }
}
