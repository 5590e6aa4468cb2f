//! A command written on nothing but Rust's standard library. It answers by PATH_INFO.

use std::env;
use std::fs;
use std::io::{self, Read, Write};
use std::process;
use std::thread;
use std::time::{Duration, Instant};

fn said(result: io::Result<impl AsRef<[u8]>>) -> Vec<u8> {
    match result {
        Ok(content) => content.as_ref().to_vec(),
        Err(error) => format!("{:?}", error.kind()).into_bytes(),
    }
}

fn main() {
    let path = env::var("PATH_INFO").unwrap_or_default();
    let body = match path.as_str() {
        "/echo" => {
            let mut content = Vec::new();
            io::stdin().read_to_end(&mut content).unwrap();
            content
        }
        "/arguments" => format!("{:?}", env::args().collect::<Vec<_>>()).into_bytes(),
        "/header" => env::var("HTTP_X_CUSTOM_FOO").unwrap().into_bytes(),
        "/mode" => env::var("MODE").unwrap().into_bytes(),
        "/home" => format!("{:?}", env::var("HOME")).into_bytes(),
        "/read" => said(fs::read("/hello.txt")),
        "/write" => said(fs::write("/hello.txt", "changed").map(|_| "written")),
        "/escape" => said(fs::read("/../../../etc/passwd")),
        "/nap" => {
            let begin = Instant::now();
            thread::sleep(Duration::from_millis(20));
            format!("{}", begin.elapsed() >= Duration::from_millis(20)).into_bytes()
        }
        "/sleep" => {
            thread::sleep(Duration::from_secs(3600));
            Vec::new()
        }
        "/fail" => process::exit(3),
        "/panic" => panic!("on purpose"),
        "/teapot" => {
            print!("status: 418 I'm a teapot\r\ncontent-type: text/plain\r\n\r\nshort");
            return;
        }
        other => format!("no such path {other}").into_bytes(),
    };
    print!("content-type: text/plain\n\n");
    io::stdout().write_all(&body).unwrap();
    eprintln!("served {path}");
}
