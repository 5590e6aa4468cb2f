"""A component of Spin 1 as text: it exports ``fermyon:spin/inbound-http`` and sends requests."""

__all__ = ["DUMP", "ECHO", "answer", "inbound_component", "relay"]

ECHO = """(call $answer (i32.const 200) (local.get $headers) (local.get $headers_len)
  (i32.const 1) (local.get $body) (local.get $body_len))"""
"""The request's headers and body."""

DUMP = """
  (call $letter (local.get $method)) (call $letter (local.get $params_len))
  (call $letter (local.get $has_body)) (call $line)
  (call $put (local.get $uri) (local.get $uri_len)) (call $line)
  (block $done (loop $more
    (br_if $done (i32.eqz (local.get $headers_len)))
    (call $put (i32.load (local.get $headers)) (i32.load offset=4 (local.get $headers)))
    (call $byte (i32.const 58))
    (call $put (i32.load offset=8 (local.get $headers)) (i32.load offset=12 (local.get $headers)))
    (call $line)
    (local.set $headers (i32.add (local.get $headers) (i32.const 16)))
    (local.set $headers_len (i32.sub (local.get $headers_len) (i32.const 1)))
    (br $more)))
  (call $answer (i32.const 200) (i32.const 0) (i32.const 0) (i32.const 1)
    (i32.const 8192) (i32.sub (global.get $end) (i32.const 8192)))"""
"""Method, number of parameters and presence of a body as letters, A for 0; the URI; headers."""


def answer(status: int, *, body: str | None = None, headers: int = 0, size: int = 0) -> str:
    """Return code for an answer.

    Args:
        status: The status.
        body: Where it lies, as core code; ``None`` for no body.
        headers: How many of the prepared headers it has.
        size: Bytes of the body.
    """
    return f"""(call $answer (i32.const {status}) (i32.const 512) (i32.const {headers})
      (i32.const {int(body is not None)}) {body or "(i32.const 0)"} (i32.const {size}))"""


def relay(url: str) -> str:
    """Return code that sends the request's method and body elsewhere and returns the answer.

    An error becomes the status 500 and its place in ``http-error``.
    """
    letters = "".join(
        f"(i32.store8 (i32.const {4096 + index}) (i32.const {byte}))"
        for index, byte in enumerate(url.encode())
    )
    return f"""{letters}
      (call $send (local.get $method) (i32.const 4096) (i32.const {len(url)})
        (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)
        (local.get $has_body) (local.get $body) (local.get $body_len) (i32.const 256))
      (if (result i32) (i32.load8_u (i32.const 256))
        (then (call $answer (i32.add (i32.const 500) (i32.load8_u (i32.const 260)))
          (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)))
        (else (i32.const 260)))"""


def _literal(text: str) -> str:
    return "".join(f"\\{byte:02x}" for byte in text.encode())


def _headers(headers: tuple[tuple[str, str], ...]) -> str:
    """Data of a list of header pairs at 512, its texts at 1024."""
    texts, pointers = "", b""
    for pair in headers:
        for text in pair:
            at = 1024 + len(texts.encode())
            pointers += at.to_bytes(4, "little") + len(text.encode()).to_bytes(4, "little")
            texts += text
    table = "".join(f"\\{byte:02x}" for byte in pointers)
    return f'(data (i32.const 512) "{table}") (data (i32.const 1024) "{_literal(texts)}")'


def inbound_component(
    body: str, *headers: tuple[str, str], extra: str = "", export: str = "fermyon:spin/inbound-http"
) -> str:
    """Return a component whose ``handle-request`` is ``body``.

    In the body: the parts of the request as the canonical ABI flattens them. The code leaves
    the address of a response, which ``(call $answer status headers count has-body body size)``
    writes. Bytes from 2048 to 8191 are free.

    Args:
        body: Core code.
        headers: What ``answer(headers=n)`` takes its first ``n`` from.
        extra: More component text, at its end.
        export: Name of the exported instance.
    """
    return f"""(component $C
  (import "fermyon:spin/http-types" (instance $types
    (type $m0 (enum "get" "post" "put" "delete" "patch" "head" "options"))
    (export "method" (type $m (eq $m0)))
    (type $pairs (list (tuple string string)))
    (export "headers" (type $h (eq $pairs)))
    (type $bytes (list u8))
    (export "body" (type $b (eq $bytes)))
    (type $r0 (record (field "method" $m) (field "uri" string) (field "headers" $h)
      (field "params" $pairs) (field "body" (option $b))))
    (export "request" (type $r (eq $r0)))
    (type $a0 (record (field "status" u16) (field "headers" (option $h))
      (field "body" (option $b))))
    (export "response" (type $a (eq $a0)))
    (type $e0 (enum "success" "destination-not-allowed" "invalid-url" "request-error"
      "runtime-error" "too-many-requests"))
    (export "http-error" (type $e (eq $e0)))))
  (alias export $types "request" (type $request))
  (alias export $types "response" (type $response))
  (alias export $types "http-error" (type $error))
  (import "fermyon:spin/http" (instance $http
    (alias outer $C $request (type $r0)) (export "request" (type $r (eq $r0)))
    (alias outer $C $response (type $a0)) (export "response" (type $a (eq $a0)))
    (alias outer $C $error (type $e0)) (export "http-error" (type $e (eq $e0)))
    (export "send-request" (func (param "req" $r) (result (result $a (error $e)))))))

  (core module $memory-module
    (memory (export "memory") 2)
    (global $top (mut i32) (i32.const 65536))
    (func (export "realloc") (param i32 i32 i32 i32) (result i32)
      (local $at i32)
      (local.set $at (i32.and (i32.add (global.get $top) (i32.const 15)) (i32.const -16)))
      (global.set $top (i32.add (local.get $at) (local.get 3)))
      (if (i32.gt_u (global.get $top) (i32.mul (memory.size) (i32.const 65536)))
        (then (drop (memory.grow (i32.add (i32.shr_u (local.get 3) (i32.const 16))
          (i32.const 1))))))
      (local.get $at)))
  (core instance $memory-instance (instantiate $memory-module))
  (alias core export $memory-instance "memory" (core memory $memory))
  (alias core export $memory-instance "realloc" (core func $realloc))
  (core func $send (canon lower (func $http "send-request")
    (memory $memory) (realloc $realloc)))
  (core module $main-module
    (import "memory" "memory" (memory 2))
    (import "http" "send" (func $send (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32)))
    {_headers(headers)}
    (global $end (mut i32) (i32.const 8192))
    (func $put (param $at i32) (param $size i32)
      (memory.copy (global.get $end) (local.get $at) (local.get $size))
      (global.set $end (i32.add (global.get $end) (local.get $size))))
    (func $byte (param i32)
      (i32.store8 (global.get $end) (local.get 0))
      (global.set $end (i32.add (global.get $end) (i32.const 1))))
    (func $letter (param i32) (call $byte (i32.add (local.get 0) (i32.const 65))))
    (func $line (call $byte (i32.const 10)))
    (func $answer (param i32 i32 i32 i32 i32 i32) (result i32)
      (i32.store16 (i32.const 0) (local.get 0))
      (i32.store8 (i32.const 4) (i32.ne (local.get 2) (i32.const 0)))
      (i32.store (i32.const 8) (local.get 1))
      (i32.store (i32.const 12) (local.get 2))
      (i32.store8 (i32.const 16) (local.get 3))
      (i32.store (i32.const 20) (local.get 4))
      (i32.store (i32.const 24) (local.get 5))
      (i32.const 0))
    (func (export "handle") (param $method i32) (param $uri i32) (param $uri_len i32)
      (param $headers i32) (param $headers_len i32) (param $params i32) (param $params_len i32)
      (param $has_body i32) (param $body i32) (param $body_len i32) (result i32) {body}))
  (core instance $main (instantiate $main-module
    (with "memory" (instance $memory-instance))
    (with "http" (instance (export "send" (func $send))))))
  (func $handle (param "req" $request) (result $response)
    (canon lift (core func $main "handle") (memory $memory) (realloc $realloc)))
  (instance $exported (export "handle-request" (func $handle)))
  (export "{export}" (instance $exported))
  {extra})"""
