;; A guest whose behaviour is chosen by the first letter of the request path.
;;
;;   /h  answers 200 "hello" with a finished body
;;   /c  answers 201 with a content-length of 5 and "hello"
;;   /l  promises 9 bytes by content-length and writes 5
;;   /m  promises 3 bytes by content-length and writes 5
;;   /n  answers 200 without taking the body
;;   /t  traps before it answers
;;   /T  traps after the head and "hello"
;;   /r  returns without an answer
;;   /e  answers with the error code HTTP-protocol-error
;;   /u  writes "hello", leaves the body unfinished and returns
;;   /x  exits with status 0 before it answers
;;   /E  echoes the request body, piece by piece
;;   /w  writes to stdout and stderr, then answers as /h
;;   /z  answers, then writes pieces of 4096 bytes until the stream is closed; says so on stderr
;;   /b  computes for ever
;;   /B  sends the head and "hello", then computes for ever
;;   /s  sleeps for an hour on a timer, then answers as /h
;;   /a  finishes its body, then computes a while before it returns
;;   /f  finishes a body whose stream is alive
;;   /W  writes more than check-write allows
;;   /i  asks for an interface that no host has
;;   /p  answers "hello", a timer of 50 ms, then "hello" again
;;   /q  sends the head, a timer of 50 ms, then "hello"
;;   /g  answers 200 plus the number of requests that its instance served before
;;   /M  grows its memory until that fails, then traps
;;   /S  makes ten thousand header tables and drops none, then answers as /h
;;   /k  answers "hello" and the trailer "content-length: 5" (a name it has at hand)
(component $C
  (import "wasi:io/error@0.2.0" (instance $io-error (export "error" (type (sub resource)))))
  (alias export $io-error "error" (type $error))
  (import "wasi:io/poll@0.2.0" (instance $poll
    (export "pollable" (type $p (sub resource)))
    (export "[method]pollable.block" (func (param "self" (borrow $p))))))
  (alias export $poll "pollable" (type $pollable))
  (import "wasi:io/streams@0.2.0" (instance $streams
    (alias outer $C $error (type $e0))
    (export "error" (type $e (eq $e0)))
    (export "input-stream" (type $in (sub resource)))
    (export "output-stream" (type $out (sub resource)))
    (type $se0 (variant (case "last-operation-failed" (own $e)) (case "closed")))
    (export "stream-error" (type $se (eq $se0)))
    (export "[method]input-stream.blocking-read"
      (func (param "self" (borrow $in)) (param "len" u64)
        (result (result (list u8) (error $se)))))
    (export "[method]output-stream.blocking-write-and-flush"
      (func (param "self" (borrow $out)) (param "contents" (list u8))
        (result (result (error $se)))))
    (export "[method]output-stream.write"
      (func (param "self" (borrow $out)) (param "contents" (list u8))
        (result (result (error $se)))))))
  (alias export $streams "input-stream" (type $input-stream))
  (alias export $streams "output-stream" (type $output-stream))
  (import "wasi:clocks/monotonic-clock@0.2.0" (instance $clock
    (alias outer $C $pollable (type $p0))
    (export "pollable" (type $p (eq $p0)))
    (export "subscribe-duration" (func (param "when" u64) (result (own $p))))))
  (import "wasi:cli/stdout@0.2.0" (instance $stdout
    (alias outer $C $output-stream (type $o0))
    (export "output-stream" (type $o (eq $o0)))
    (export "get-stdout" (func (result (own $o))))))
  (import "wasi:cli/stderr@0.2.0" (instance $stderr
    (alias outer $C $output-stream (type $o0))
    (export "output-stream" (type $o (eq $o0)))
    (export "get-stderr" (func (result (own $o))))))
  (import "wasi:cli/exit@0.2.0" (instance $exit
    (export "exit" (func (param "status" (result))))))
  (import "example:nowhere/thing@1.0.0" (instance $nowhere
    (export "ask" (func))))
  (import "wasi:http/types@0.2.0" (instance $types
    (alias outer $C $input-stream (type $in0))
    (export "input-stream" (type $in (eq $in0)))
    (alias outer $C $output-stream (type $out0))
    (export "output-stream" (type $out (eq $out0)))
    (export "fields" (type $fields (sub resource)))
    (export "incoming-request" (type $request (sub resource)))
    (export "incoming-body" (type $incoming-body (sub resource)))
    (export "outgoing-response" (type $response (sub resource)))
    (export "outgoing-body" (type $outgoing-body (sub resource)))
    (export "response-outparam" (type $outparam (sub resource)))
    (type $dns0 (record (field "rcode" (option string)) (field "info-code" (option u16))))
    (export "DNS-error-payload" (type $dns (eq $dns0)))
    (type $tls0 (record (field "alert-id" (option u8)) (field "alert-message" (option string))))
    (export "TLS-alert-received-payload" (type $tls (eq $tls0)))
    (type $size0 (record (field "field-name" (option string)) (field "field-size" (option u32))))
    (export "field-size-payload" (type $size (eq $size0)))
    (type $code0 (variant
      (case "DNS-timeout") (case "DNS-error" $dns) (case "destination-not-found")
      (case "destination-unavailable") (case "destination-IP-prohibited")
      (case "destination-IP-unroutable") (case "connection-refused")
      (case "connection-terminated") (case "connection-timeout")
      (case "connection-read-timeout") (case "connection-write-timeout")
      (case "connection-limit-reached") (case "TLS-protocol-error")
      (case "TLS-certificate-error") (case "TLS-alert-received" $tls)
      (case "HTTP-request-denied") (case "HTTP-request-length-required")
      (case "HTTP-request-body-size" (option u64)) (case "HTTP-request-method-invalid")
      (case "HTTP-request-URI-invalid") (case "HTTP-request-URI-too-long")
      (case "HTTP-request-header-section-size" (option u32))
      (case "HTTP-request-header-size" (option $size))
      (case "HTTP-request-trailer-section-size" (option u32))
      (case "HTTP-request-trailer-size" $size) (case "HTTP-response-incomplete")
      (case "HTTP-response-header-section-size" (option u32))
      (case "HTTP-response-header-size" $size) (case "HTTP-response-body-size" (option u64))
      (case "HTTP-response-trailer-section-size" (option u32))
      (case "HTTP-response-trailer-size" $size)
      (case "HTTP-response-transfer-coding" (option string))
      (case "HTTP-response-content-coding" (option string)) (case "HTTP-response-timeout")
      (case "HTTP-upgrade-failed") (case "HTTP-protocol-error") (case "loop-detected")
      (case "configuration-error") (case "internal-error" (option string))))
    (export "error-code" (type $code (eq $code0)))
    (type $header0 (variant (case "invalid-syntax") (case "forbidden") (case "immutable")))
    (export "header-error" (type $header (eq $header0)))
    (export "[constructor]fields" (func (result (own $fields))))
    (export "[method]fields.append"
      (func (param "self" (borrow $fields)) (param "name" string) (param "value" (list u8))
        (result (result (error $header)))))
    (export "[method]incoming-request.path-with-query"
      (func (param "self" (borrow $request)) (result (option string))))
    (export "[method]incoming-request.consume"
      (func (param "self" (borrow $request)) (result (result (own $incoming-body)))))
    (export "[method]incoming-body.stream"
      (func (param "self" (borrow $incoming-body)) (result (result (own $in)))))
    (export "[constructor]outgoing-response"
      (func (param "headers" (own $fields)) (result (own $response))))
    (export "[method]outgoing-response.set-status-code"
      (func (param "self" (borrow $response)) (param "status-code" u16) (result (result))))
    (export "[method]outgoing-response.body"
      (func (param "self" (borrow $response)) (result (result (own $outgoing-body)))))
    (export "[method]outgoing-body.write"
      (func (param "self" (borrow $outgoing-body)) (result (result (own $out)))))
    (export "[static]outgoing-body.finish"
      (func (param "this" (own $outgoing-body)) (param "trailers" (option (own $fields)))
        (result (result (error $code)))))
    (export "[static]response-outparam.set"
      (func (param "param" (own $outparam))
        (param "response" (result (own $response) (error $code)))))))
  (alias export $types "incoming-request" (type $request))
  (alias export $types "response-outparam" (type $outparam))

  (core module $Memory
    (memory (export "memory") 32)
    (global $next (mut i32) (i32.const 65536))
    (func (export "realloc") (param i32 i32 i32 i32) (result i32)
      (local $at i32)
      (local.set $at (i32.and (i32.add (global.get $next) (i32.const 15)) (i32.const -16)))
      ;; A guest that lives long reuses its megabyte.
      (if (i32.gt_u (i32.add (local.get $at) (local.get 3)) (i32.const 2000000))
        (then (local.set $at (i32.const 65536))))
      (global.set $next (i32.add (local.get $at) (local.get 3)))
      (local.get $at)))
  (core instance $memory (instantiate $Memory))
  (alias core export $memory "memory" (core memory $mem))
  (alias core export $memory "realloc" (core func $realloc))

  (core func $block (canon lower (func $poll "[method]pollable.block")))
  (core func $read (canon lower (func $streams "[method]input-stream.blocking-read")
    (memory $mem) (realloc $realloc)))
  (core func $write (canon lower (func $streams "[method]output-stream.blocking-write-and-flush")
    (memory $mem)))
  (core func $write-now (canon lower (func $streams "[method]output-stream.write")
    (memory $mem)))
  (core func $sleep (canon lower (func $clock "subscribe-duration")))
  (core func $get-stdout (canon lower (func $stdout "get-stdout")))
  (core func $get-stderr (canon lower (func $stderr "get-stderr")))
  (core func $quit (canon lower (func $exit "exit")))
  (core func $ask (canon lower (func $nowhere "ask")))
  (core func $new-fields (canon lower (func $types "[constructor]fields")))
  (core func $append (canon lower (func $types "[method]fields.append") (memory $mem)))
  (core func $path (canon lower (func $types "[method]incoming-request.path-with-query")
    (memory $mem) (realloc $realloc)))
  (core func $consume (canon lower (func $types "[method]incoming-request.consume")
    (memory $mem)))
  (core func $in-stream (canon lower (func $types "[method]incoming-body.stream")
    (memory $mem)))
  (core func $new-response (canon lower (func $types "[constructor]outgoing-response")))
  (core func $set-status (canon lower (func $types "[method]outgoing-response.set-status-code")))
  (core func $body (canon lower (func $types "[method]outgoing-response.body") (memory $mem)))
  (core func $out-stream (canon lower (func $types "[method]outgoing-body.write") (memory $mem)))
  (core func $finish (canon lower (func $types "[static]outgoing-body.finish")
    (memory $mem) (realloc $realloc)))
  (core func $set (canon lower (func $types "[static]response-outparam.set")
    (memory $mem) (realloc $realloc)))
  (core func $drop-stream (canon resource.drop $output-stream))

  (core module $Main
    (import "env" "memory" (memory 1))
    (import "host" "block" (func $block (param i32)))
    (import "host" "read" (func $read (param i32 i64 i32)))
    (import "host" "write" (func $write (param i32 i32 i32 i32)))
    (import "host" "write-now" (func $write-now (param i32 i32 i32 i32)))
    (import "host" "sleep" (func $sleep (param i64) (result i32)))
    (import "host" "get-stdout" (func $get-stdout (result i32)))
    (import "host" "get-stderr" (func $get-stderr (result i32)))
    (import "host" "quit" (func $quit (param i32)))
    (import "host" "ask" (func $ask))
    (import "host" "new-fields" (func $new-fields (result i32)))
    (import "host" "append" (func $append (param i32 i32 i32 i32 i32 i32)))
    (import "host" "path" (func $path (param i32 i32)))
    (import "host" "consume" (func $consume (param i32 i32)))
    (import "host" "in-stream" (func $in-stream (param i32 i32)))
    (import "host" "new-response" (func $new-response (param i32) (result i32)))
    (import "host" "set-status" (func $set-status (param i32 i32) (result i32)))
    (import "host" "body" (func $body (param i32 i32)))
    (import "host" "out-stream" (func $out-stream (param i32 i32)))
    (import "host" "finish" (func $finish (param i32 i32 i32 i32)))
    (import "host" "set"
      (func $set (param i32 i32 i32 i32 i64 i32 i32 i32 i32)))
    (import "host" "drop-stream" (func $drop-stream (param i32)))

    (data (i32.const 1024) "hello")
    (data (i32.const 1040) "content-length")
    (data (i32.const 1056) "593")
    (data (i32.const 1072) "on stdout\n")
    (data (i32.const 1088) "on stderr\n")
    (data (i32.const 1104) "closed\n")

    (global $outparam (mut i32) (i32.const 0))
    (global $request (mut i32) (i32.const 0))
    (global $body (mut i32) (i32.const 0))
    (global $stream (mut i32) (i32.const 0))

    ;; Answers with a status; a length digit at address $length, 0 for none.
    (func $head (param $status i32) (param $length i32) (param $with-body i32)
      (local $fields i32) (local $response i32)
      (local.set $fields (call $new-fields))
      (if (local.get $length)
        (then (call $append (local.get $fields) (i32.const 1040) (i32.const 14)
          (local.get $length) (i32.const 1) (i32.const 512))))
      (local.set $response (call $new-response (local.get $fields)))
      (drop (call $set-status (local.get $response) (local.get $status)))
      (if (local.get $with-body)
        (then
          (call $body (local.get $response) (i32.const 512))
          (global.set $body (i32.load (i32.const 516)))
          (call $out-stream (global.get $body) (i32.const 512))
          (global.set $stream (i32.load (i32.const 516)))))
      (call $set (global.get $outparam) (i32.const 0) (local.get $response)
        (i32.const 0) (i64.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)))

    (func $say (param $stream i32) (param $at i32) (param $size i32)
      (call $write (local.get $stream) (local.get $at) (local.get $size) (i32.const 512)))

    (func $hello (call $say (global.get $stream) (i32.const 1024) (i32.const 5)))

    (func $done
      (call $drop-stream (global.get $stream))
      (call $finish (global.get $body) (i32.const 0) (i32.const 0) (i32.const 512)))

    (func $answer (param $status i32) (param $length i32)
      (call $head (local.get $status) (local.get $length) (i32.const 1))
      (call $hello)
      (call $done))

    (func $for-ever (loop $again (br $again)))

    (func $nap (param $time i64) (call $block (call $sleep (local.get $time))))

    (func $echo
      (local $in i32)
      (call $head (i32.const 200) (i32.const 0) (i32.const 1))
      (call $consume (global.get $request) (i32.const 512))
      (call $in-stream (i32.load (i32.const 516)) (i32.const 512))
      (local.set $in (i32.load (i32.const 516)))
      (block $end
        (loop $again
          (call $read (local.get $in) (i64.const 4096) (i32.const 512))
          (br_if $end (i32.load8_u (i32.const 512)))
          (call $say (global.get $stream) (i32.load (i32.const 516)) (i32.load (i32.const 520)))
          (br_if $end (i32.load8_u (i32.const 512)))
          (br $again)))
      (call $done))

    (func $flood
      (call $head (i32.const 200) (i32.const 0) (i32.const 1))
      (loop $again
        (call $say (global.get $stream) (i32.const 65536) (i32.const 4096))
        (br_if $again (i32.eqz (i32.load8_u (i32.const 512)))))
      (call $say (call $get-stderr) (i32.const 1104) (i32.const 7)))

    (global $served (mut i32) (i32.const 0))

    (func (export "handle") (param $request i32) (param $out i32)
      (local $letter i32) (local $count i32)
      (global.set $served (i32.add (global.get $served) (i32.const 1)))
      (global.set $request (local.get $request))
      (global.set $outparam (local.get $out))
      (call $path (local.get $request) (i32.const 512))
      (local.set $letter (i32.load8_u offset=1 (i32.load (i32.const 516))))
      (if (i32.eq (local.get $letter) (i32.const 0x68)) ;; h
        (then (call $answer (i32.const 200) (i32.const 0)) (return)))
      (if (i32.eq (local.get $letter) (i32.const 0x63)) ;; c
        (then (call $answer (i32.const 201) (i32.const 1056)) (return)))
      (if (i32.eq (local.get $letter) (i32.const 0x6c)) ;; l
        (then (call $answer (i32.const 200) (i32.const 1057)) (return)))
      (if (i32.eq (local.get $letter) (i32.const 0x6d)) ;; m
        (then (call $answer (i32.const 200) (i32.const 1058)) (return)))
      (if (i32.eq (local.get $letter) (i32.const 0x6e)) ;; n
        (then (call $head (i32.const 200) (i32.const 0) (i32.const 0)) (return)))
      (if (i32.eq (local.get $letter) (i32.const 0x74)) ;; t
        (then unreachable))
      (if (i32.eq (local.get $letter) (i32.const 0x54)) ;; T
        (then (call $head (i32.const 200) (i32.const 0) (i32.const 1)) (call $hello) unreachable))
      (if (i32.eq (local.get $letter) (i32.const 0x72)) ;; r
        (then (return)))
      (if (i32.eq (local.get $letter) (i32.const 0x65)) ;; e
        (then
          (call $set (global.get $outparam) (i32.const 1) (i32.const 35)
            (i32.const 0) (i64.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0))
          (return)))
      (if (i32.eq (local.get $letter) (i32.const 0x75)) ;; u
        (then (call $head (i32.const 200) (i32.const 0) (i32.const 1)) (call $hello) (return)))
      (if (i32.eq (local.get $letter) (i32.const 0x78)) ;; x
        (then (call $quit (i32.const 0))))
      (if (i32.eq (local.get $letter) (i32.const 0x45)) ;; E
        (then (call $echo) (return)))
      (if (i32.eq (local.get $letter) (i32.const 0x77)) ;; w
        (then
          (call $say (call $get-stdout) (i32.const 1072) (i32.const 10))
          (call $say (call $get-stderr) (i32.const 1088) (i32.const 10))
          (call $answer (i32.const 200) (i32.const 0))
          (return)))
      (if (i32.eq (local.get $letter) (i32.const 0x7a)) ;; z
        (then (call $flood) (return)))
      (if (i32.eq (local.get $letter) (i32.const 0x62)) ;; b
        (then (call $for-ever)))
      (if (i32.eq (local.get $letter) (i32.const 0x42)) ;; B
        (then
          (call $head (i32.const 200) (i32.const 0) (i32.const 1))
          (call $hello)
          (call $for-ever)))
      (if (i32.eq (local.get $letter) (i32.const 0x73)) ;; s
        (then
          (call $nap (i64.const 3600000000000))
          (call $answer (i32.const 200) (i32.const 0))
          (return)))
      (if (i32.eq (local.get $letter) (i32.const 0x61)) ;; a
        (then
          (call $answer (i32.const 200) (i32.const 0))
          (loop $again
            (local.set $count (i32.add (local.get $count) (i32.const 1)))
            (br_if $again (i32.lt_u (local.get $count) (i32.const 1000000))))
          (return)))
      (if (i32.eq (local.get $letter) (i32.const 0x66)) ;; f
        (then
          (call $head (i32.const 200) (i32.const 0) (i32.const 1))
          (call $finish (global.get $body) (i32.const 0) (i32.const 0) (i32.const 512))
          (return)))
      (if (i32.eq (local.get $letter) (i32.const 0x57)) ;; W
        (then
          (call $head (i32.const 200) (i32.const 0) (i32.const 1))
          (call $write-now (global.get $stream) (i32.const 65536) (i32.const 1900000)
            (i32.const 512))
          (return)))
      (if (i32.eq (local.get $letter) (i32.const 0x69)) ;; i
        (then (call $ask)))
      (if (i32.eq (local.get $letter) (i32.const 0x71)) ;; q
        (then
          (call $head (i32.const 200) (i32.const 0) (i32.const 1))
          (call $nap (i64.const 50000000))
          (call $hello)
          (call $done)
          (return)))
      (if (i32.eq (local.get $letter) (i32.const 0x6b)) ;; k
        (then
          (call $head (i32.const 200) (i32.const 0) (i32.const 1))
          (call $hello)
          (call $drop-stream (global.get $stream))
          (local.set $count (call $new-fields))
          (call $append (local.get $count) (i32.const 1040) (i32.const 14)
            (i32.const 1056) (i32.const 1) (i32.const 512))
          (call $finish (global.get $body) (i32.const 1) (local.get $count) (i32.const 512))
          (return)))
      (if (i32.eq (local.get $letter) (i32.const 0x67)) ;; g
        (then
          (call $answer (i32.add (i32.const 199) (global.get $served)) (i32.const 0))
          (return)))
      (if (i32.eq (local.get $letter) (i32.const 0x4d)) ;; M
        (then
          (loop $again
            (br_if $again (i32.ne (memory.grow (i32.const 16)) (i32.const -1))))
          unreachable))
      (if (i32.eq (local.get $letter) (i32.const 0x53)) ;; S
        (then
          (loop $again
            (drop (call $new-fields))
            (local.set $count (i32.add (local.get $count) (i32.const 1)))
            (br_if $again (i32.lt_u (local.get $count) (i32.const 10000))))
          (call $answer (i32.const 200) (i32.const 0))
          (return)))
      (if (i32.eq (local.get $letter) (i32.const 0x70)) ;; p
        (then
          (call $head (i32.const 200) (i32.const 0) (i32.const 1))
          (call $hello)
          (call $nap (i64.const 50000000))
          (call $hello)
          (call $done)
          (return)))
      unreachable))
  (core instance $main (instantiate $Main
    (with "env" (instance (export "memory" (memory $mem))))
    (with "host" (instance
      (export "block" (func $block))
      (export "read" (func $read))
      (export "write" (func $write))
      (export "write-now" (func $write-now))
      (export "sleep" (func $sleep))
      (export "get-stdout" (func $get-stdout))
      (export "get-stderr" (func $get-stderr))
      (export "quit" (func $quit))
      (export "ask" (func $ask))
      (export "new-fields" (func $new-fields))
      (export "append" (func $append))
      (export "path" (func $path))
      (export "consume" (func $consume))
      (export "in-stream" (func $in-stream))
      (export "new-response" (func $new-response))
      (export "set-status" (func $set-status))
      (export "body" (func $body))
      (export "out-stream" (func $out-stream))
      (export "finish" (func $finish))
      (export "set" (func $set))
      (export "drop-stream" (func $drop-stream))))))
  (alias core export $main "handle" (core func $handle))
  (func $handler (param "request" (own $request)) (param "response-out" (own $outparam))
    (canon lift (core func $handle)))
  (component $Handler
    (import "request" (type $request (sub resource)))
    (import "outparam" (type $outparam (sub resource)))
    (import "handle" (func $handle (param "request" (own $request))
      (param "response-out" (own $outparam))))
    (export "handle" (func $handle)))
  (instance $export (instantiate $Handler
    (with "request" (type $request))
    (with "outparam" (type $outparam))
    (with "handle" (func $handler))))
  (export "wasi:http/incoming-handler@0.2.0" (instance $export)))
