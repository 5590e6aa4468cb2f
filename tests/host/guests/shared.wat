;; A handler of WASI 0.3 that does what the method says, for instances that several requests share.
;; It answers with an error code that carries a number, which the log tells.
;;
;; GET      how many requests this instance has had
;; HEAD     trap
;; POST     ask for no more requests, and wait for ever
;; PUT      wait for ever
;; DELETE   ask for no more requests, wait 100 ms, take them again; as GET
;; OPTIONS  grow the memory by 64 MiB: its size before in pages, or 2^32-1
;; TRACE    compute for ever
(component
  (import "wasi:http/types@0.3.0" (instance $types
    (export "request" (type $request (sub resource)))
    (export "response" (type $response (sub resource)))
    (type $method0 (variant (case "get") (case "head") (case "post") (case "put") (case "delete")
      (case "connect") (case "options") (case "trace") (case "patch") (case "other" string)))
    (export "method" (type $method (eq $method0)))
    (type $code0 (variant (case "HTTP-request-body-size" (option u64))))
    (export "error-code" (type $code (eq $code0)))
    (export "[method]request.get-method"
      (func (param "self" (borrow $request)) (result $method)))))
  (import "wasi:clocks/monotonic-clock@0.3.0" (instance $clock
    (export "wait-for" (func async (param "how-long" u64)))))
  (alias export $types "request" (type $request))
  (alias export $types "response" (type $response))
  (alias export $types "error-code" (type $code))
  (alias export $types "[method]request.get-method" (func $get-method))
  (alias export $clock "wait-for" (func $wait-for))

  (core module $memory
    (memory (export "memory") 2)
    (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1024)))
  (core instance $m (instantiate $memory))

  (type $result (result (own $response) (error $code)))
  (core func $get-method (canon lower (func $get-method)
    (memory (core memory $m "memory")) (realloc (core func $m "realloc"))))
  (core func $wait-for (canon lower (func $wait-for) async))
  (core func $return (canon task.return (result $result) (memory (core memory $m "memory"))))
  (core func $set.new (canon waitable-set.new))
  (core func $join (canon waitable.join))
  (core func $subtask.drop (canon subtask.drop))
  (core func $inc (canon backpressure.inc))
  (core func $dec (canon backpressure.dec))

  (core module $code
    (import "" "memory" (memory 2))
    (import "" "get-method" (func $get-method (param i32 i32)))
    (import "" "wait-for" (func $wait-for (param i64) (result i32)))
    (import "" "return" (func $return (param i32 i32 i32 i64)))
    (import "" "set.new" (func $set.new (result i32)))
    (import "" "join" (func $join (param i32 i32)))
    (import "" "subtask.drop" (func $subtask.drop (param i32)))
    (import "" "inc" (func $inc))
    (import "" "dec" (func $dec))
    (global $served (mut i32) (i32.const 0))

    (func $answer (param $number i64) (result i32)
      (call $return (i32.const 1) (i32.const 0) (i32.const 1) (local.get $number))
      (i32.const 0))
    (func $wait (param $waitable i32) (result i32)
      (local $set i32)
      (local.set $set (call $set.new))
      (if (local.get $waitable)
        (then (call $join (local.get $waitable) (local.get $set))))
      (i32.or (i32.const 2) (i32.shl (local.get $set) (i32.const 4))))

    (func (export "handle") (param $request i32) (result i32)
      (local $method i32)
      (global.set $served (i32.add (global.get $served) (i32.const 1)))
      (call $get-method (local.get $request) (i32.const 16))
      (local.set $method (i32.load8_u (i32.const 16)))
      (if (i32.eqz (local.get $method))
        (then (return (call $answer (i64.extend_i32_u (global.get $served))))))
      (if (i32.eq (local.get $method) (i32.const 1)) (then unreachable))
      (if (i32.eq (local.get $method) (i32.const 2))
        (then (call $inc) (return (call $wait (i32.const 0)))))
      (if (i32.eq (local.get $method) (i32.const 3))
        (then (return (call $wait (i32.const 0)))))
      (if (i32.eq (local.get $method) (i32.const 4))
        (then
          (call $inc)
          (return (call $wait
            (i32.shr_u (call $wait-for (i64.const 100000000)) (i32.const 4))))))
      (if (i32.eq (local.get $method) (i32.const 6))
        (then (return (call $answer
          (i64.extend_i32_u (memory.grow (i32.const 1024)))))))
      (if (i32.eq (local.get $method) (i32.const 7)) (then (loop (br 0))))
      (call $wait (i32.const 0)))

    ;; Only DELETE is woken.
    (func (export "callback") (param $event i32) (param $index i32) (param $state i32)
      (result i32)
      (call $subtask.drop (local.get $index))
      (call $dec)
      (call $answer (i64.extend_i32_u (global.get $served)))))
  (core instance $i (instantiate $code (with "" (instance
    (export "memory" (memory $m "memory"))
    (export "get-method" (func $get-method))
    (export "wait-for" (func $wait-for))
    (export "return" (func $return))
    (export "set.new" (func $set.new))
    (export "join" (func $join))
    (export "subtask.drop" (func $subtask.drop))
    (export "inc" (func $inc))
    (export "dec" (func $dec))))))

  (func $handle async (param "request" (own $request)) (result $result)
    (canon lift (core func $i "handle") async (memory (core memory $m "memory"))
      (callback (core func $i "callback"))))
  (instance $handler (export "handle" (func $handle)))
  (export "wasi:http/handler@0.3.0" (instance $handler)))
