// A command written on nothing but Go's standard library. It answers by PATH_INFO.
package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"
)

func said(content []byte, err error) []byte {
	if errors.Is(err, fs.ErrPermission) {
		return []byte("PermissionDenied")
	}
	if errors.Is(err, fs.ErrNotExist) {
		return []byte("NotFound")
	}
	if err != nil {
		return []byte(err.Error())
	}
	return content
}

func main() {
	var body []byte
	switch path := os.Getenv("PATH_INFO"); path {
	case "/echo":
		body, _ = io.ReadAll(os.Stdin)
	case "/arguments":
		body = []byte(fmt.Sprintf("[%q, %q]", os.Args[0], os.Args[1]))
	case "/header":
		body = []byte(os.Getenv("HTTP_X_CUSTOM_FOO"))
	case "/mode":
		body = []byte(os.Getenv("MODE"))
	case "/home":
		if _, found := os.LookupEnv("HOME"); !found {
			body = []byte("Err(NotPresent)")
		}
	case "/read":
		body = said(os.ReadFile("/hello.txt"))
	case "/write":
		body = said(nil, os.WriteFile("/hello.txt", []byte("changed"), 0o644))
	case "/escape":
		// Go resolves the dots itself, so that nothing is there.
		body = said(os.ReadFile("/../../../etc/passwd"))
	case "/nap":
		begin := time.Now()
		time.Sleep(20 * time.Millisecond)
		body = []byte(fmt.Sprint(time.Since(begin) >= 20*time.Millisecond))
	case "/sleep":
		time.Sleep(time.Hour)
	case "/fail":
		os.Exit(3)
	case "/panic":
		panic("on purpose")
	case "/teapot":
		fmt.Print("status: 418 I'm a teapot\r\ncontent-type: text/plain\r\n\r\nshort")
		return
	default:
		body = []byte("no such path " + path)
	}
	fmt.Print("content-type: text/plain\n\n")
	os.Stdout.Write(body)
	fmt.Fprintln(os.Stderr, "served")
}
