// Command handler is a handler as wit-bindgen compiles it, on nothing but Go's standard library:
// a reactor, which the host starts and then calls.
package main

import (
	"fmt"
	"os"
	"strings"
	"time"
	"unsafe"
)

//go:wasmimport wasi:http/types@0.2.0 [constructor]fields
func fields() int32

//go:wasmimport wasi:http/types@0.2.0 [constructor]outgoing-response
func outgoingResponse(fields int32) int32

//go:wasmimport wasi:http/types@0.2.0 [method]incoming-request.path-with-query
func pathWithQuery(request int32, result unsafe.Pointer)

//go:wasmimport wasi:http/types@0.2.0 [method]outgoing-response.body
func outgoingBody(response int32, result unsafe.Pointer)

//go:wasmimport wasi:http/types@0.2.0 [method]outgoing-body.write
func bodyStream(body int32, result unsafe.Pointer)

//go:wasmimport wasi:http/types@0.2.0 [static]outgoing-body.finish
func finish(body, hasTrailers, trailers int32, result unsafe.Pointer)

//go:wasmimport wasi:http/types@0.2.0 [static]response-outparam.set
func set(out, tag, response, a int32, b int64, c, d, e, f int32)

//go:wasmimport wasi:io/streams@0.2.0 [method]output-stream.blocking-write-and-flush
func send(stream int32, data unsafe.Pointer, size uint32, result unsafe.Pointer)

//go:wasmimport wasi:io/streams@0.2.0 [resource-drop]output-stream
func dropStream(stream int32)

// What the host was given, and the collector must not take.
var given [][]uint64

//go:wasmexport cabi_realloc
func cabiRealloc(old unsafe.Pointer, oldSize, align, size uint32) unsafe.Pointer {
	made := make([]uint64, size/8+1)
	given = append(given, made)
	data := unsafe.Pointer(unsafe.SliceData(made))
	copy(unsafe.Slice((*byte)(data), size), unsafe.Slice((*byte)(old), oldSize))
	return data
}

var started = time.Now()

//go:wasmexport wasi:http/incoming-handler@0.2.0#handle
func handle(request, out int32) {
	var text [3]uint32
	var made [2]int32
	var done [8]uint64
	pathWithQuery(request, unsafe.Pointer(&text))
	path := unsafe.String((*byte)(unsafe.Pointer(uintptr(text[1]))), text[2])
	fmt.Println("serving", path)
	content := answer(path)
	response := outgoingResponse(fields())
	outgoingBody(response, unsafe.Pointer(&made))
	body := made[1]
	set(out, 0, response, 0, 0, 0, 0, 0, 0)
	bodyStream(body, unsafe.Pointer(&made))
	send(made[1], unsafe.Pointer(unsafe.StringData(content)), uint32(len(content)), unsafe.Pointer(&done))
	dropStream(made[1])
	finish(body, 0, 0, unsafe.Pointer(&done))
}

func answer(path string) string {
	switch path {
	case "/mode":
		return os.Getenv("MODE")
	case "/read":
		content, _ := os.ReadFile("/hello.txt")
		return string(content)
	case "/arguments":
		return fmt.Sprint(os.Args)
	case "/gather":
		parts := make(chan string, 3)
		for _, each := range []string{"a", "b", "c"} {
			go func() {
				time.Sleep(time.Millisecond)
				parts <- each
			}()
		}
		return fmt.Sprint(len(<-parts + <-parts + <-parts))
	case "/panic":
		panic(strings.ToUpper("on purpose"))
	}
	return "asked for " + path
}

func main() {}
