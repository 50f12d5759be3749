-- Alerts: EVENTS_GEO in, ALERTS out: devices that reject far more often than is usual at that time.
--
-- Rejected accesses are counted per device and place in windows of a minute that begin every 30 seconds, in event time;
-- a window closes when an event five seconds later than its end has been seen. Over the devices of a window that had
-- any, the average and the sample standard deviation are computed in DOUBLE and cut to whole numbers, and only then
-- make the threshold: a device is raised when its count exceeds average + 3 × deviation + 5.

SET 'pipeline.name' = 'alerts';
SET 'table.local-time-zone' = 'UTC';

CREATE TABLE EVENTS_GEO (
  deviceId STRING,
  deviceLocation STRING,
  eventNotificationName STRING,
  eventTimestamp TIMESTAMP_LTZ(3),
  WATERMARK FOR eventTimestamp AS eventTimestamp - INTERVAL '5' SECOND
) WITH (
  'connector' = 'kafka',
  'topic' = 'EVENTS_GEO',
  'properties.bootstrap.servers' = 'kafka_broker:29092',
  'properties.group.id' = 'alerts-events-geo',
  'properties.isolation.level' = 'read_committed',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'json',
  'json.timestamp-format.standard' = 'ISO-8601'
);

CREATE TABLE ALERTS (
  window_start TIMESTAMP(3),
  window_end TIMESTAMP(3),
  total_count_per_deviceid BIGINT,
  deviceId STRING,
  deviceLocation STRING,
  avg_error_count BIGINT,
  std_error_count BIGINT
) WITH (
  'connector' = 'kafka',
  'topic' = 'ALERTS',
  'properties.bootstrap.servers' = 'kafka_broker:29092',
  'properties.transaction.timeout.ms' = '600000',
  'format' = 'json',
  'json.timestamp-format.standard' = 'ISO-8601',
  'sink.delivery-guarantee' = 'exactly-once',
  'sink.transactional-id-prefix' = 'alerts'
);

CREATE TEMPORARY VIEW rejected AS
SELECT window_start, window_end, deviceId, deviceLocation, COUNT(*) AS total_count_per_deviceid
FROM TABLE(HOP(TABLE EVENTS_GEO, DESCRIPTOR(eventTimestamp), INTERVAL '30' SECOND, INTERVAL '1' MINUTE))
WHERE eventNotificationName = 'accessRejected'
GROUP BY window_start, window_end, deviceId, deviceLocation;

CREATE TEMPORARY VIEW usual AS
SELECT
  window_start,
  window_end,
  CAST(AVG(CAST(total_count_per_deviceid AS DOUBLE)) AS BIGINT) AS avg_error_count,
  CAST(STDDEV_SAMP(CAST(total_count_per_deviceid AS DOUBLE)) AS BIGINT) AS std_error_count
FROM rejected
GROUP BY window_start, window_end;

INSERT INTO ALERTS
SELECT
  rejected.window_start,
  rejected.window_end,
  rejected.total_count_per_deviceid,
  rejected.deviceId,
  rejected.deviceLocation,
  usual.avg_error_count,
  usual.std_error_count
FROM rejected
JOIN usual ON rejected.window_start = usual.window_start AND rejected.window_end = usual.window_end
WHERE rejected.total_count_per_deviceid > usual.avg_error_count + 3 * usual.std_error_count + 5;
