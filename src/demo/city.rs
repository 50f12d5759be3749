//! The devices of the demonstration: doors in a city, drawn from a seed.

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde::{Deserialize, Serialize};

/// Where the disruption is, and how far it reaches.
pub(super) const DISRUPTION: (f64, f64) = (47.37, 8.52);
/// Doors within this distance of [`DISRUPTION`] reject almost everyone.
pub(super) const DISRUPTION_RADIUS_KM: f64 = 0.1;

/// The middle of the city.
const CENTRE: (f64, f64) = (47.3709, 8.5335);
/// Doors that are always placed inside the disruption, so that every seed shows alerts.
const DISRUPTED_DOORS: usize = 6;

/// A message of topic `DEVICES`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Device {
    /// A UUID.
    #[serde(rename = "deviceId")]
    pub device_id: String,
    /// What the device says of itself.
    pub payload: DevicePayload,
}

/// The payload of a [`Device`].
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct DevicePayload {
    /// Where the device is.
    pub location: Location,
}

/// Where a device is.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Location {
    /// ISO country code.
    #[serde(rename = "countryCode")]
    pub country_code: String,
    /// Region.
    pub region: String,
    /// City.
    pub city: String,
    /// `latitude,longitude` in degrees.
    pub loc: String,
    /// IANA time zone.
    pub timezone: String,
}

impl Device {
    /// Latitude and longitude in degrees; `None` if the location is not `number,number`.
    pub(super) fn position(&self) -> Option<(f64, f64)> {
        let (latitude, longitude) = self.payload.location.loc.split_once(',')?;
        Some((latitude.trim().parse().ok()?, longitude.trim().parse().ok()?))
    }

    /// Whether the device stands where the disruption is.
    pub(super) fn is_disrupted(&self) -> bool {
        self.position().is_some_and(|at| distance_km(at, DISRUPTION) <= DISRUPTION_RADIUS_KM)
    }
}

/// The distance of two points on a sphere of Earth's size, by the haversine formula, in kilometres.
pub(super) fn distance_km(a: (f64, f64), b: (f64, f64)) -> f64 {
    const EARTH_RADIUS_KM: f64 = 6373.0;
    let (lat_a, lon_a, lat_b, lon_b) =
        (a.0.to_radians(), a.1.to_radians(), b.0.to_radians(), b.1.to_radians());
    let half_chord = ((lat_b - lat_a) / 2.0).sin().powi(2)
        + lat_a.cos() * lat_b.cos() * ((lon_b - lon_a) / 2.0).sin().powi(2);
    2.0 * EARTH_RADIUS_KM * half_chord.sqrt().atan2((1.0 - half_chord).sqrt())
}

/// `count` devices around the middle of Zürich, denser towards it. The same seed gives the same devices.
pub(super) fn devices(count: usize, seed: u64) -> Vec<Device> {
    let mut rng = StdRng::seed_from_u64(seed);
    (0..count)
        .map(|number| {
            let (centre, spread) =
                if number < DISRUPTED_DOORS { (DISRUPTION, 0.0002) } else { (CENTRE, 0.0085) };
            // The mean of three uniform draws is bell-shaped enough for a city.
            let mut offset = || (0..3).map(|_| rng.random_range(-1.0..1.0)).sum::<f64>();
            let (latitude, longitude) = (centre.0 + offset() * spread, centre.1 + offset() * spread * 1.5);
            device(&mut rng, latitude, longitude)
        })
        .collect()
}

fn device(rng: &mut StdRng, latitude: f64, longitude: f64) -> Device {
    let (high, low): (u64, u64) = (rng.random(), rng.random());
    let device_id = format!(
        "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
        high >> 32,
        (high >> 16) & 0xffff,
        high & 0xfff,
        0x8000 | ((low >> 48) & 0x3fff),
        low & 0xffff_ffff_ffff
    );
    let location = Location {
        country_code: "CH".into(),
        region: "Zurich".into(),
        city: "Zürich".into(),
        loc: format!("{latitude},{longitude}"),
        timezone: "Europe/Zurich".into(),
    };
    Device { device_id, payload: DevicePayload { location } }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_city() {
        let ids = |seed| devices(50, seed).into_iter().map(|d| d.device_id).collect::<Vec<_>>();
        assert_eq!(ids(7), ids(7));
        assert_ne!(ids(7), ids(8));
    }

    #[test]
    fn every_city_has_disrupted_doors_and_mostly_calm_ones() {
        for seed in 0..20 {
            let disrupted = devices(1000, seed).iter().filter(|d| d.is_disrupted()).count();
            assert!((4..40).contains(&disrupted), "seed {seed}: {disrupted}");
        }
    }

    #[test]
    fn distances_are_those_of_the_haversine_formula() {
        // A degree of latitude on a sphere of radius 6,373 km.
        assert!((distance_km((47.0, 8.0), (48.0, 8.0)) - 111.229).abs() < 0.001);
        assert_eq!(distance_km((47.0, 8.0), (47.0, 8.0)), 0.0);
    }
}
