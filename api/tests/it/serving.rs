//! The server on a real socket: requests, shutdown, and connections that do nothing.

use std::time::Duration;

use ovate_api::{ApiOptions, serve};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

use crate::world::World;

async fn ask(stream: &mut TcpStream, request: &str) -> String {
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn a_shutdown_answers_what_was_asked_and_closes_what_waits() {
    let world = World::with_events().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let shutdown = CancellationToken::new();
    let serving = tokio::spawn(serve(listener, world.state.clone(), shutdown.clone()));

    let mut waiting = TcpStream::connect(address).await.unwrap();
    let mut asking = TcpStream::connect(address).await.unwrap();
    // 3^11 rows of 100 letters: more than the system takes from the server before somebody reads.
    let tables: Vec<String> = (0..11).map(|at| format!("EVENTS_GEO t{at}")).collect();
    let body = format!(r#"{{"query":"SELECT REPEAT('x', 100) AS c FROM {}"}}"#, tables.join(", "));
    let request = format!(
        "POST /druid/v2/sql HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    asking.write_all(request.as_bytes()).await.unwrap();
    let mut answer = vec![0; 15];
    asking.read_exact(&mut answer).await.unwrap();
    assert_eq!(String::from_utf8_lossy(&answer), "HTTP/1.1 200 OK");

    shutdown.cancel();
    asking.read_to_end(&mut answer).await.unwrap();
    assert!(answer.ends_with(b"\r\n0\r\n\r\n"), "the answer was cut off after {} bytes", answer.len());
    let head_bytes = answer.windows(4).position(|end| end == b"\r\n\r\n").unwrap();
    let body = String::from_utf8_lossy(&answer[head_bytes..]);
    assert_eq!(body.matches('{').count(), 3_usize.pow(11));
    serving.await.unwrap().unwrap();
    assert_eq!(waiting.read(&mut [0; 8]).await.unwrap_or(0), 0);
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn a_connection_that_asks_nothing_more_is_closed() {
    let options = ApiOptions { header_timeout: Duration::from_millis(200), ..ApiOptions::default() };
    let world = World::with(options).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let shutdown = CancellationToken::new();
    let serving = tokio::spawn(serve(listener, world.state.clone(), shutdown.clone()));
    let mut idle = TcpStream::connect(address).await.unwrap();
    let answer = ask(&mut idle, &format!("GET /status/health HTTP/1.1\r\nHost: {address}\r\n\r\n")).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    shutdown.cancel();
    serving.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_connection_that_never_sends_its_headers_is_closed() {
    let options = ApiOptions { header_timeout: Duration::from_millis(50), ..ApiOptions::default() };
    let world = World::with(options).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let shutdown = CancellationToken::new();
    let serving = tokio::spawn(serve(listener, world.state.clone(), shutdown.clone()));
    let mut slow = TcpStream::connect(address).await.unwrap();
    let answer = ask(&mut slow, "GET /status HTTP/1.1\r\nHost: ").await;
    assert!(!answer.contains(" 200 "), "{answer}");
    shutdown.cancel();
    serving.await.unwrap().unwrap();
}
