// Copyright (C) the msgbus authors

// tmaxmax/go-sse.  It comes back by itself; an answer other than 200 ends it
// for good, so Connect stands in a loop, which hands on the id.
package main

import (
	"encoding/json"
	"net/http"
	"os"
	"strconv"
	"time"

	"github.com/tmaxmax/go-sse"
)

var out = json.NewEncoder(os.Stdout)

func show(line map[string]string) {
	if err := out.Encode(line); err != nil {
		os.Exit(1)
	}
}

func main() {
	wait, err := strconv.ParseFloat(os.Getenv("MSGBUS_WAIT"), 64)
	if err != nil {
		wait = 3
	}

	out.SetEscapeHTML(false)

	client := sse.Client{
		OnRetry: func(err error, _ time.Duration) {
			show(map[string]string{"state": "error", "text": err.Error()})
		},
	}

	last := ""

	for {
		req, err := http.NewRequest("GET", os.Args[1], http.NoBody)
		if err != nil {
			panic(err)
		}

		if last != "" {
			req.Header.Set("Last-Event-ID", last)
		}

		conn := client.NewConnection(req)

		// an event may have 1 MB; by default it takes 64 KB of each
		conn.Buffer(nil, 1<<21)

		conn.SubscribeToAll(func(e sse.Event) {
			event := e.Type

			if event == "" {
				event = "message"
			}

			last = e.LastEventID
			show(map[string]string{"event": event, "id": last, "data": e.Data})
		})

		err = conn.Connect()
		show(map[string]string{"state": "closed", "text": err.Error()})
		time.Sleep(time.Duration(wait * float64(time.Second)))
	}
}
