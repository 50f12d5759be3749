-- Enrichment: DEVICES and EVENTS in, EVENTS_GEO out: every event together with where its device stands.
--
-- An inner join on deviceId: an event of an unknown device waits for it for an hour, a device is kept for good. What
-- is written is committed to Kafka with each checkpoint, so readers who read only what is committed see each row once,
-- whatever dies in between.

SET 'pipeline.name' = 'enrichment';
SET 'table.local-time-zone' = 'UTC';

CREATE TABLE DEVICES (
  deviceId STRING,
  payload ROW<location ROW<countryCode STRING, region STRING, city STRING, loc STRING, timezone STRING>>
) WITH (
  'connector' = 'kafka',
  'topic' = 'DEVICES',
  'properties.bootstrap.servers' = 'kafka_broker:29092',
  'properties.group.id' = 'enrichment-devices',
  'properties.isolation.level' = 'read_committed',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json'
);

-- `timestamp` is a time here; `eventTimestamp` passes through as it was written.
CREATE TABLE EVENTS (
  deviceId STRING,
  messageName STRING,
  payload ROW<notificationName STRING, eventTimestamp STRING>,
  `timestamp` TIMESTAMP_LTZ(3)
) WITH (
  'connector' = 'kafka',
  'topic' = 'EVENTS',
  'properties.bootstrap.servers' = 'kafka_broker:29092',
  'properties.group.id' = 'enrichment-events',
  'properties.isolation.level' = 'read_committed',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json',
  'json.timestamp-format.standard' = 'ISO-8601'
);

-- Keyed by device, as EVENTS is: the events of one partition stay in one partition, in their order.
CREATE TABLE EVENTS_GEO (
  deviceId STRING,
  deviceCity STRING,
  deviceRegion STRING,
  deviceLocation STRING,
  messageName STRING,
  eventNotificationName STRING,
  `timestamp` TIMESTAMP_LTZ(3),
  eventTimestamp STRING
) WITH (
  'connector' = 'kafka',
  'topic' = 'EVENTS_GEO',
  'properties.bootstrap.servers' = 'kafka_broker:29092',
  'properties.transaction.timeout.ms' = '600000',
  'key.format' = 'raw',
  'key.fields' = 'deviceId',
  'value.format' = 'json',
  'value.json.timestamp-format.standard' = 'ISO-8601',
  'sink.delivery-guarantee' = 'exactly-once',
  'sink.transactional-id-prefix' = 'enrichment'
);

INSERT INTO EVENTS_GEO
SELECT /*+ STATE_TTL('EVENTS' = '1h', 'DEVICES' = '0s') */
  EVENTS.deviceId,
  DEVICES.payload.location.city,
  DEVICES.payload.location.region,
  DEVICES.payload.location.loc,
  EVENTS.messageName,
  EVENTS.payload.notificationName,
  EVENTS.`timestamp`,
  EVENTS.payload.eventTimestamp
FROM EVENTS
JOIN DEVICES ON EVENTS.deviceId = DEVICES.deviceId;
