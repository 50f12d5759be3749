//! Who is let in, and what a browser is told.

use axum::http::StatusCode;
use ovate_api::{ApiOptions, AuthOptions, User, basic_credentials, hash_password};

use crate::world::World;

async fn closed() -> World {
    let password_hash = hash_password("password2").unwrap();
    let users = vec![User { name: "druid_system".to_owned(), password_hash }];
    World::with(ApiOptions { auth: AuthOptions { users }, ..ApiOptions::default() }).await
}

async fn status(world: &World, path: &str, credentials: Option<&str>) -> StatusCode {
    let value = credentials.map(|pair| format!("Basic {}", basic_credentials(pair)));
    let headers: Vec<_> = value.iter().map(|value| ("authorization", value.as_str())).collect();
    world.send("GET", path, &headers, "").await.status
}

#[tokio::test]
async fn with_users_only_users_are_answered() {
    let world = closed().await;
    for path in ["/", "/status", "/druid/indexer/v1/supervisor", "/metrics", "/nowhere"] {
        assert_eq!(status(&world, path, None).await, 401, "{path}");
    }
    for wrong in ["druid_system:wrong", "druid_system:", "nobody:password2"] {
        assert_eq!(status(&world, "/status", Some(wrong)).await, 401, "{wrong}");
    }
    assert_eq!(status(&world, "/status", Some("druid_system:password2")).await, 200);
    assert_eq!(status(&world, "/status", Some("druid_system:p%61ssword2")).await, 200);
    assert_eq!(status(&world, "/status/health", None).await, 200);
}

#[tokio::test]
async fn a_stranger_hears_whether_all_is_well_and_nothing_else() {
    let world = closed().await;
    assert_eq!(world.get("/status/health?full").await.body, "true");
    assert_eq!(world.get("/readiness").await.json(), serde_json::json!({ "ready": true }));
    let credentials = format!("Basic {}", basic_credentials("druid_system:password2"));
    let headers = [("authorization", credentials.as_str())];
    let full = world.send("GET", "/status/health?full", &headers, "").await.json();
    assert_eq!(full, serde_json::json!({ "healthy": true, "stopped": {}, "quarantined": [] }));
}

#[tokio::test]
async fn a_stranger_is_told_how_to_ask_in_druids_shape() {
    let answer = closed().await.get("/druid/v2/datasources").await;
    assert!(answer.header("www-authenticate").unwrap().starts_with("Basic realm="));
    assert_eq!(answer.json()["category"], "UNAUTHORIZED");
    assert_eq!(answer.json()["error"], "druidException");
}

#[tokio::test]
async fn pages_of_other_sites_are_refused() {
    let world = World::new().await;
    let from = |origin: &'static str| [("host", "127.0.0.1:8888"), ("origin", origin)];
    let path = "/druid/indexer/v1/supervisor/terminateAll";
    assert_eq!(world.send("POST", path, &from("https://example.com"), "").await.status, 403);
    assert_eq!(world.send("POST", path, &from("http://127.0.0.1:8888"), "").await.status, 200);
    assert_eq!(world.send("GET", "/", &[("host", "rebound.example")], "").await.status, 403);
}

#[tokio::test]
async fn the_page_asks_no_other_address() {
    let world = World::new().await;
    let index = world.get("/").await;
    assert_eq!(index.header("content-type"), Some("text/html; charset=utf-8"));
    assert!(index.header("content-security-policy").unwrap().contains("default-src 'none'"));
    assert_eq!(index.header("x-content-type-options"), Some("nosniff"));
    for path in ["/", "/page/app.js", "/page/zurich.js", "/page/style.css", "/favicon.ico"] {
        let file = world.get(path).await;
        assert_eq!(file.status, 200);
        let text = file.body.replace("http://www.w3.org/2000/svg", "");
        assert!(!text.contains("http://") && !text.contains("https://"), "{path} names another address");
        assert!(
            !text.contains("style=\"") && !text.contains("onclick="),
            "{path} would break its own policy"
        );
    }
}

#[tokio::test]
async fn bodies_have_a_limit() {
    let world = World::new().await;
    let long = format!(r#"{{"query":"{}"}}"#, "x".repeat(1 << 20));
    let answer = world.post("/druid/v2/sql", &long).await;
    assert_eq!(answer.status, 413);
    assert!(answer.json()["errorMessage"].as_str().unwrap().contains("1048576 bytes"));
}
