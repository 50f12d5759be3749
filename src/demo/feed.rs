//! What goes into the broker: devices once, then events, and what the two jobs make of them.

use std::collections::HashMap;
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context, Result};
use chrono::{DateTime, SecondsFormat, Utc};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use rdkafka::ClientConfig;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer, ThreadedProducer};
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use super::alerts::AlertWindows;
use super::city::{Device, devices};
use super::enrich::{Event, EventPayload, enrich};

/// Events are drawn this often.
const TICK: Duration = Duration::from_millis(20);
/// How far back the first events lie, so that windows have closed and the map is alive from the start.
const HISTORY: Duration = Duration::from_secs(150);
/// One in this many accesses goes against the rule: rejected at a calm door, granted at a disrupted one.
const EXCEPTION: u32 = 101;

/// What the feed draws.
#[derive(Debug, Clone, Copy)]
pub(super) struct FeedOptions {
    /// Events a second.
    pub rate: u32,
    /// Devices in the city.
    pub devices: usize,
    /// The city's seed.
    pub seed: u64,
    /// Whether the doors near the disruption reject almost everyone.
    pub disruption: bool,
}

/// Produces to `DEVICES`, `EVENTS`, `EVENTS_GEO` and `ALERTS`.
pub(super) struct Feed {
    producer: ThreadedProducer<DefaultProducerContext>,
    options: FeedOptions,
    city: Vec<Device>,
    by_id: HashMap<String, Device>,
    alerts: AlertWindows,
    rng: StdRng,
}

impl Feed {
    /// A feed to the broker at `bootstrap`.
    pub(super) fn new(bootstrap: &str, options: FeedOptions) -> Result<Self> {
        let producer = ClientConfig::new()
            .set("bootstrap.servers", bootstrap)
            .set("linger.ms", "2")
            .set("queue.buffering.max.messages", "200000")
            .create()
            .context("cannot create the producer")?;
        let city = devices(options.devices, options.seed);
        let by_id = city.iter().map(|device| (device.device_id.clone(), device.clone())).collect();
        let rng = StdRng::seed_from_u64(options.seed ^ 0x5eed);
        Ok(Self { producer, options, city, by_id, alerts: AlertWindows::default(), rng })
    }

    /// Sends the devices, then events from [`HISTORY`] ago until now, then events as time goes by, until `stop`.
    pub(super) fn run(mut self, stop: &CancellationToken) -> Result<()> {
        for device in &self.city {
            send(&self.producer, "DEVICES", &device.device_id, device)?;
        }
        let mut drawn_until = now() - HISTORY;
        while !stop.is_cancelled() {
            let began = Instant::now();
            let until = now().min(drawn_until + Duration::from_secs(5));
            self.draw(drawn_until, until)?;
            drawn_until = until;
            if now().duration_since(until).unwrap_or_default() < TICK {
                std::thread::sleep(TICK.saturating_sub(began.elapsed()));
            }
        }
        self.producer.flush(Duration::from_secs(2)).context("cannot flush the last events")
    }

    /// Draws the events of one stretch of time, spread evenly over it.
    fn draw(&mut self, from: SystemTime, until: SystemTime) -> Result<()> {
        let stretch = until.duration_since(from).unwrap_or_default();
        let expected = stretch.as_secs_f64() * f64::from(self.options.rate);
        let count = expected.floor() as u32 + u32::from(self.rng.random_bool(expected.fract()));
        for number in 0..count {
            self.event(from + stretch.mul_f64(f64::from(number) / f64::from(count)))?;
        }
        Ok(())
    }

    fn event(&mut self, at: SystemTime) -> Result<()> {
        if self.city.is_empty() {
            return Ok(());
        }
        let device = &self.city[self.rng.random_range(0..self.city.len())];
        let usually_rejected = self.options.disruption && device.is_disrupted();
        let exception = self.rng.random_ratio(1, EXCEPTION);
        let name = if usually_rejected == exception { "accessGranted" } else { "accessRejected" };
        let timestamp = DateTime::<Utc>::from(at).to_rfc3339_opts(SecondsFormat::Millis, true);
        let event = Event {
            device_id: device.device_id.clone(),
            message_name: "operatingNotification".into(),
            payload: EventPayload { notification_name: name.into(), event_timestamp: timestamp.clone() },
            timestamp,
        };
        send(&self.producer, "EVENTS", &event.device_id, &event)?;
        if let Some(enriched) = enrich(event, &self.by_id) {
            send(&self.producer, "EVENTS_GEO", &enriched.device_id, &enriched)?;
            for alert in self.alerts.add(&enriched) {
                send(&self.producer, "ALERTS", &alert.device_id, &alert)?;
            }
        }
        Ok(())
    }
}

fn now() -> SystemTime {
    SystemTime::now()
}

/// Queues one message; waits while the queue is full.
fn send(
    producer: &ThreadedProducer<DefaultProducerContext>,
    topic: &str,
    key: &str,
    message: &impl Serialize,
) -> Result<()> {
    let payload = serde_json::to_vec(message)?;
    let mut record = BaseRecord::to(topic).key(key).payload(&payload);
    loop {
        match producer.send(record) {
            Ok(()) => return Ok(()),
            Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), rejected)) => {
                record = rejected;
                std::thread::sleep(Duration::from_millis(5));
            }
            Err((error, _)) => return Err(error).with_context(|| format!("cannot send to {topic}")),
        }
    }
}
