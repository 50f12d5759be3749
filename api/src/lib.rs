//! Druid's HTTP API: routes, formats, authentication, the console's page.
