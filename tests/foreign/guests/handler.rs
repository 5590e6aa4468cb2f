//! A handler as wit-bindgen compiles it, written on nothing but Rust's standard library.

use std::alloc::{alloc, realloc, Layout};
use std::{env, fs};

#[link(wasm_import_module = "wasi:http/types@0.2.0")]
extern "C" {
    #[link_name = "[constructor]fields"]
    fn fields() -> i32;
    #[link_name = "[constructor]outgoing-response"]
    fn outgoing_response(fields: i32) -> i32;
    #[link_name = "[method]incoming-request.path-with-query"]
    fn path_with_query(request: i32, result: *mut [usize; 3]);
    #[link_name = "[method]outgoing-response.body"]
    fn outgoing_body(response: i32, result: *mut [i32; 2]);
    #[link_name = "[method]outgoing-body.write"]
    fn body_stream(body: i32, result: *mut [i32; 2]);
    #[link_name = "[static]outgoing-body.finish"]
    fn finish(body: i32, has_trailers: i32, trailers: i32, result: *mut u64);
    #[link_name = "[static]response-outparam.set"]
    fn set(out: i32, tag: i32, response: i32, a: i32, b: i64, c: i32, d: i32, e: i32, f: i32);
}

#[link(wasm_import_module = "wasi:io/streams@0.2.0")]
extern "C" {
    #[link_name = "[method]output-stream.blocking-write-and-flush"]
    fn send(stream: i32, data: *const u8, size: usize, result: *mut u64);
    #[link_name = "[resource-drop]output-stream"]
    fn drop_stream(stream: i32);
}

#[export_name = "cabi_realloc"]
unsafe extern "C" fn cabi_realloc(old: *mut u8, old_size: usize, align: usize, size: usize) -> *mut u8 {
    match (old_size, size) {
        (0, 0) => align as *mut u8,
        (0, _) => alloc(Layout::from_size_align_unchecked(size, align)),
        _ => realloc(old, Layout::from_size_align_unchecked(old_size, align), size),
    }
}

fn answer(path: &str) -> String {
    match path {
        "/mode" => env::var("MODE").unwrap(),
        "/read" => fs::read_to_string("/hello.txt").unwrap(),
        "/arguments" => format!("{:?}", env::args().collect::<Vec<_>>()),
        "/panic" => path.parse::<u32>().unwrap().to_string(),
        _ => format!("asked for {path}"),
    }
}

#[export_name = "wasi:http/incoming-handler@0.2.0#handle"]
unsafe extern "C" fn handle(request: i32, out: i32) {
    let (mut text, mut made, mut done) = ([0usize; 3], [0i32; 2], [0u64; 8]);
    path_with_query(request, &mut text);
    let path = String::from_raw_parts(text[1] as *mut u8, text[2], text[2]);
    println!("serving {path}");
    let content = answer(&path);
    let response = outgoing_response(fields());
    outgoing_body(response, &mut made);
    let body = made[1];
    set(out, 0, response, 0, 0, 0, 0, 0, 0);
    body_stream(body, &mut made);
    send(made[1], content.as_ptr(), content.len(), done.as_mut_ptr());
    drop_stream(made[1]);
    finish(body, 0, 0, done.as_mut_ptr());
}
