//! As much of HTTP/1.1 as one page and one stream of events need, on the loopback interface only.
//!
//! A thread waits for connections, another one serves each. Requests other than GET are refused, and those whose `Host`
//! is not this machine: a page of another site that has its own name resolved to 127.0.0.1 (DNS rebinding) would be
//! taken for ours by the browser, and could read what we serve. Without any CORS header other pages cannot either.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::Shared;
use super::feed::Seen;

/// The page.
const PAGE: &str = include_str!("page.html");
/// Connections served at a time; a browser opens a handful.
const MAX_CONNECTIONS: usize = 32;
/// Bytes of a request's head.
const MAX_HEAD: u64 = 16 << 10;
/// What a peer may take for its request, and for a piece of an answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// A silent stream sends a comment that often, so that one whose reader has gone is noticed.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// Sent with everything: nothing from elsewhere is loaded, nobody else may show or keep what we serve.
const HEADERS: &str = "Connection: close\r\n\
    Cache-Control: no-store\r\n\
    Content-Security-Policy: default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:; \
    connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'\r\n\
    Cross-Origin-Resource-Policy: same-origin\r\n\
    Referrer-Policy: no-referrer\r\n\
    X-Content-Type-Options: nosniff\r\n";

/// Binds to 127.0.0.1; port 0 stands for any that is free.
pub(super) fn bind(port: u16) -> io::Result<(TcpListener, SocketAddr)> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
    let address = listener.local_addr()?;
    Ok((listener, address))
}

/// Serves until the feed is closed.
pub(super) fn serve(listener: &TcpListener, port: u16, shared: &Arc<Shared>) {
    let open = Arc::new(AtomicUsize::new(0));
    for stream in listener.incoming() {
        if shared.lock().closed {
            return;
        }
        let Ok(stream) = stream else {
            // out of file descriptors, say: they may be freed, and the run must not suffer by a busy loop
            thread::sleep(Duration::from_millis(100));
            continue;
        };
        if open.fetch_add(1, Ordering::Relaxed) >= MAX_CONNECTIONS {
            open.fetch_sub(1, Ordering::Relaxed);
            continue;
        }
        let (shared, counter) = (Arc::clone(shared), Arc::clone(&open));
        let job = move || {
            // A reader that goes away, or talks nonsense, is its own affair.
            let _ = answer(stream, port, &shared);
            counter.fetch_sub(1, Ordering::Relaxed);
        };
        if thread::Builder::new().name("live reader".into()).spawn(job).is_err() {
            open.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

/// What a request asks for.
#[derive(Debug, PartialEq, Eq)]
enum Asked {
    Page,
    Events,
    /// Refused: status line and explanation.
    Refused(&'static str, &'static str),
}

fn answer(mut stream: TcpStream, port: u16, shared: &Shared) -> io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    stream.set_nodelay(true)?;
    let head = read_head(&mut stream)?;
    match asked(&head, port) {
        Asked::Page => whole(&mut stream, "200 OK", "text/html; charset=utf-8", PAGE)?,
        Asked::Events => {
            let start = format!("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n{HEADERS}\r\n");
            stream.write_all(start.as_bytes())?;
            shared.lock().readers += 1;
            let followed = follow(&mut stream, shared);
            shared.lock().readers -= 1;
            shared.changed.notify_all();
            followed?;
        }
        Asked::Refused(status, text) => whole(&mut stream, status, "text/plain; charset=utf-8", text)?,
    }
    stream.shutdown(Shutdown::Write)
}

/// Up to the empty line.
fn read_head(stream: &mut TcpStream) -> io::Result<String> {
    let mut head = Vec::new();
    let mut limited = stream.take(MAX_HEAD);
    let mut piece = [0; 1024];
    let began = Instant::now();
    while !head.windows(4).any(|w| w == b"\r\n\r\n") {
        let n = limited.read(&mut piece)?;
        if n == 0 || began.elapsed() > PATIENCE {
            return Err(io::ErrorKind::InvalidData.into());
        }
        head.extend_from_slice(&piece[..n]);
    }
    String::from_utf8(head).map_err(|_| io::ErrorKind::InvalidData.into())
}

fn asked(head: &str, port: u16) -> Asked {
    let mut lines = head.split("\r\n");
    let mut request = lines.next().unwrap_or_default().split(' ');
    let (method, target, version) = (request.next(), request.next(), request.next());
    if !version.is_some_and(|v| v.starts_with("HTTP/1.")) || request.next().is_some() {
        return Asked::Refused("400 Bad Request", "not a request of HTTP/1.1\n");
    }
    let named = |line: &str| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("host")
            .then(|| value.trim().to_ascii_lowercase())
    };
    let hosts: Vec<String> = lines.take_while(|l| !l.is_empty()).filter_map(named).collect();
    let ours = ["127.0.0.1", "localhost"].map(|name| format!("{name}:{port}"));
    match hosts.as_slice() {
        [host] if ours.contains(host) => {}
        [_] => return Asked::Refused("403 Forbidden", "open this page as http://127.0.0.1 with its port\n"),
        _ => return Asked::Refused("400 Bad Request", "exactly one Host is needed\n"),
    }
    if method != Some("GET") {
        return Asked::Refused("405 Method Not Allowed\r\nAllow: GET", "only GET\n");
    }
    match target.map(|t| t.split('?').next().unwrap_or_default()) {
        Some("/") => Asked::Page,
        Some("/events") => Asked::Events,
        _ => Asked::Refused("404 Not Found", "there is only /\n"),
    }
}

fn whole(stream: &mut TcpStream, status: &str, kind: &str, body: &str) -> io::Result<()> {
    let length = body.len();
    let head = format!("HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n{HEADERS}\r\n");
    stream.write_all(head.as_bytes())?;
    stream.write_all(body.as_bytes())
}

/// Tells one reader everything, from the beginning to the end. What it has not taken yet waits in the feed, not here,
/// and no lock is held while it takes.
fn follow(stream: &mut TcpStream, shared: &Shared) -> io::Result<()> {
    let mut seen = Seen::default();
    loop {
        let news = {
            let mut feed = shared.lock();
            let mut news = feed.news(&mut seen);
            if news.is_empty() && !feed.closed {
                let waited = shared.changed.wait_timeout(feed, HEARTBEAT);
                feed = waited.unwrap_or_else(PoisonError::into_inner).0;
                news = feed.news(&mut seen);
            }
            if news.is_empty() && feed.closed {
                return Ok(());
            }
            news
        };
        if news.is_empty() {
            stream.write_all(b": still here\n\n")?;
        }
        for frame in news {
            stream.write_all(frame.as_bytes())?;
        }
        if seen.end {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(line: &str, host: &str) -> String {
        format!("{line}\r\nHost: {host}\r\nAccept: */*\r\n\r\n")
    }

    fn status(head: &str) -> u16 {
        match asked(head, 4000) {
            Asked::Page | Asked::Events => 200,
            Asked::Refused(status, _) => status[..3].parse().unwrap(),
        }
    }

    #[test]
    fn two_addresses_are_served() {
        assert_eq!(asked(&request("GET / HTTP/1.1", "127.0.0.1:4000"), 4000), Asked::Page);
        assert_eq!(
            asked(&request("GET /?x=1 HTTP/1.1", "LocalHost:4000"), 4000),
            Asked::Page
        );
        assert_eq!(
            asked(&request("GET /events HTTP/1.1", "localhost:4000"), 4000),
            Asked::Events
        );
        assert_eq!(status(&request("GET /favicon.ico HTTP/1.1", "localhost:4000")), 404);
        assert_eq!(status(&request("GET /../page.html HTTP/1.1", "localhost:4000")), 404);
    }

    #[test]
    fn hosts_that_are_not_this_machine_are_refused() {
        for host in [
            "evil.example:4000",
            "127.0.0.1",
            "127.0.0.1:4001",
            "localhost.evil.example:4000",
            "",
        ] {
            assert_eq!(status(&request("GET / HTTP/1.1", host)), 403, "{host}");
        }
        assert_eq!(status("GET / HTTP/1.1\r\n\r\n"), 400);
        let two = "GET / HTTP/1.1\r\nHost: localhost:4000\r\nHost: evil.example\r\n\r\n";
        assert_eq!(status(two), 400);
    }

    #[test]
    fn other_methods_and_other_languages_are_refused() {
        for method in ["POST", "HEAD", "OPTIONS", "PUT", "get", ""] {
            assert_eq!(
                status(&request(&format!("{method} / HTTP/1.1"), "localhost:4000")),
                405,
                "{method}"
            );
        }
        for line in ["GET /", "GET / HTTP/2", "GET / HTTP/1.1 x", "\u{16}\u{3}", ""] {
            assert_eq!(status(&request(line, "localhost:4000")), 400, "{line}");
        }
    }
}
