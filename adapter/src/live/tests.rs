use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;

use super::*;

fn about() -> About {
    About {
        title: "a <b> & \"c\"\n".into(),
        axis: "iteration".into(),
        loss: "loss (mV²)".into(),
        ..About::default()
    }
}

fn connect(live: &Live, request: &str) -> TcpStream {
    let mut stream = TcpStream::connect(live.address).unwrap();
    let host = live.address;
    write!(stream, "{request}\r\nHost: {host}\r\n\r\n").unwrap();
    stream
}

fn get(live: &Live, target: &str) -> String {
    let mut answer = String::new();
    connect(live, &format!("GET {target} HTTP/1.1"))
        .read_to_string(&mut answer)
        .unwrap();
    answer
}

/// The next event of a stream: its name and data.
fn event(reader: &mut impl BufRead) -> Option<(String, serde_json::Value)> {
    let (mut name, mut line) = (None, String::new());
    while reader.read_line(&mut line).unwrap() > 0 {
        if let Some(text) = line.strip_prefix("event: ") {
            name = Some(text.trim_end().to_owned());
        } else if let Some(text) = line.strip_prefix("data: ") {
            return Some((name?, serde_json::from_str(text).unwrap()));
        }
        line.clear();
    }
    None
}

fn events(live: &Live) -> BufReader<TcpStream> {
    BufReader::new(connect(live, "GET /events HTTP/1.1"))
}

#[test]
fn the_page_is_one_file_that_needs_nothing_else() {
    let live = Live::start(0, &about()).unwrap();
    assert!(live.address.ip().is_loopback() && live.address.port() != 0);
    let page = get(&live, "/");
    assert!(page.starts_with("HTTP/1.1 200 OK\r\n") && page.ends_with("</html>\n"));
    assert!(page.contains("default-src 'none'"));
    let (head, body) = page.split_once("\r\n\r\n").unwrap();
    let length = head.lines().find_map(|l| l.strip_prefix("Content-Length: ")).unwrap();
    assert_eq!(length, body.len().to_string());
    for mark in [
        "http:",
        "https:",
        "//cdn",
        " src=",
        "@import",
        "url(",
        "innerHTML",
        "eval(",
    ] {
        assert!(!body.contains(mark), "{mark}");
    }
    assert!(get(&live, "/nothing").starts_with("HTTP/1.1 404"));
    let mut refused = String::new();
    connect(&live, "POST / HTTP/1.1").read_to_string(&mut refused).unwrap();
    assert!(refused.starts_with("HTTP/1.1 405") && refused.contains("Allow: GET\r\n"));
}

#[test]
fn news_come_one_by_one_and_late_readers_are_told_all() {
    let live = Live::start(0, &about()).unwrap();
    let mut early = events(&live);
    assert_eq!(event(&mut early).unwrap().1["about"]["title"], about().title);
    for at in 0..3 {
        live.row(at, at as f64, Some(0.5), &[1.0, f64::NAN]);
        let (name, row) = event(&mut early).unwrap();
        assert_eq!((name.as_str(), row["at"].as_f64()), ("row", Some(at as f64)));
        assert_eq!(row["x"], json!([1.0, null]));
    }
    let mut late = events(&live);
    let names: Vec<String> = (0..4).map(|_| event(&mut late).unwrap().0).collect();
    assert_eq!(names, ["head", "row", "row", "row"]);
    live.end("done", &json!({"loss": 0.25}));
    for reader in [&mut early, &mut late] {
        assert_eq!(
            event(reader).unwrap(),
            ("end".into(), json!({"text": "done", "result": {"loss": 0.25}}))
        );
        assert_eq!(event(reader), None, "the stream ends");
    }
    live.finish();
}

/// Readers that never read: the publisher does not notice, whatever is published.
#[test]
fn nobody_waits_for_a_reader_that_does_not_read() {
    let live = Live::start(0, &about()).unwrap();
    let idle: Vec<TcpStream> = (0..4).map(|_| connect(&live, "GET /events HTTP/1.1")).collect();
    let silent = TcpStream::connect(live.address).unwrap();
    let x = vec![0.123456789; 2000];
    // some 24 MB, more than sockets hold
    for at in 0..1000 {
        live.row(at, at as f64, None, &x);
    }
    let mut reader = events(&live);
    let rows = std::iter::from_fn(|| event(&mut reader)).skip(1).take(1000).count();
    assert_eq!(rows, 1000);
    drop((idle, silent));
}

#[test]
fn dropping_it_frees_the_port_and_says_so() {
    let live = Live::start(0, &about()).unwrap();
    let address = live.address;
    let mut reader = events(&live);
    assert_eq!(event(&mut reader).unwrap().0, "head");
    drop(live);
    let (name, end) = event(&mut reader).unwrap();
    assert_eq!(
        (name.as_str(), end["text"].as_str()),
        ("end", Some("stopped without a result"))
    );
    assert!(TcpStream::connect(address).is_err(), "nobody listens any more");
}

#[test]
fn a_port_in_use_is_an_error() {
    let live = Live::start(0, &about()).unwrap();
    let port = live.address.port();
    assert!(matches!(Live::start(port, &about()), Err(LiveError::Bind { port: p, .. }) if p == port));
}

#[test]
fn more_connections_than_a_browser_makes_are_turned_away() {
    let live = Live::start(0, &about()).unwrap();
    let mut readers: Vec<_> = (0..32).map(|_| events(&live)).collect();
    assert!(readers.iter_mut().all(|r| event(r).is_some()));
    let mut stream = TcpStream::connect(live.address).unwrap();
    // it may be closed already
    let _ = stream.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let mut answer = String::new();
    let turned_away = stream.read_to_string(&mut answer);
    assert!(turned_away.is_err() || answer.is_empty(), "{answer}");
    drop(readers);
}
