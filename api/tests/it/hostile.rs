//! Requests that no client should send, byte by byte over a socket: each is answered with its mistake or cut off,
//! none is answered as if it were good, and none harms the next.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::time::Duration;

use ovate_api::{ApiOptions, serve};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::corpus::{Case, cases};
use crate::world::World;

/// A server on a socket.
struct Served {
    address: SocketAddr,
    shutdown: CancellationToken,
    serving: JoinHandle<Result<(), ovate_api::ApiError>>,
    _world: World,
}

impl Served {
    async fn new(options: ApiOptions) -> Self {
        let world = World::with(options).await;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shutdown = CancellationToken::new();
        let serving = tokio::spawn(serve(listener, world.state.clone(), shutdown.clone()));
        Self { address, shutdown, serving, _world: world }
    }

    /// Sends bytes and reads until the server closes.
    async fn ask(&self, bytes: &[u8]) -> String {
        let (mut reader, mut writer) = TcpStream::connect(self.address).await.unwrap().into_split();
        let bytes = bytes.to_vec();
        // The server may answer and close before it has read everything.
        let writing = tokio::spawn(async move {
            let _ = writer.write_all(&bytes).await;
            writer
        });
        let mut answer = Vec::new();
        let _ = reader.read_to_end(&mut answer).await;
        drop(writing.await);
        String::from_utf8_lossy(&answer).into_owned()
    }

    async fn end(self) {
        self.shutdown.cancel();
        self.serving.await.unwrap().unwrap();
    }
}

/// The statuses of an answer, in order.
fn statuses(answer: &str) -> Vec<&str> {
    let all = answer.split("HTTP/1.1 ").skip(1).filter_map(|rest| rest.get(..3));
    all.filter(|status| *status != "100").collect()
}

fn is_as_expected(case: &Case, answer: &str) -> bool {
    let [_, status, reason] = &case.columns[..] else { panic!("line {}: three columns", case.line) };
    let fits = |found: &&str| match status.as_str() {
        "4xx" => found.starts_with('4'),
        exact => *found == exact,
    };
    let found = statuses(answer);
    // Cut off without a word is as good as any refusal of what is no HTTP.
    let is_cut_off = found.is_empty() && status == "4xx";
    (is_cut_off || !found.is_empty() && found.iter().all(fits)) && answer.contains(reason.as_str())
}

#[tokio::test]
async fn every_bad_request_is_refused_and_the_next_one_answered() {
    let options = ApiOptions {
        header_timeout: Duration::from_millis(300),
        body_timeout: Duration::from_millis(300),
        ..ApiOptions::default()
    };
    let served = Served::new(options).await;
    let cases = cases(include_str!("../../../tests/corpus/http.jsonl"));
    let mut wrong = String::new();
    for case in &cases {
        let answer = served.ask(&case.bytes()).await;
        if !is_as_expected(case, &answer) {
            let shown: String = answer.chars().take(300).collect();
            writeln!(wrong, "{}\t{}\t{}\t{shown:?}", case.line, case.columns[0], case.columns[1]).unwrap();
        }
    }
    println!("bad requests: {} refused", cases.len());
    assert!(cases.len() >= 150);
    assert!(wrong.is_empty(), "line, what, expected, answer:\n{wrong}");
    let good = "GET /status/health HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n";
    assert!(served.ask(good.as_bytes()).await.starts_with("HTTP/1.1 200"));
    served.end().await;
}
