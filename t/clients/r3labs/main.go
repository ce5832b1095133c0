// Copyright (C) the msgbus authors

// r3labs/sse.  It comes back from a stream that broke, after pauses that grow
// from break to break and are never short again, up to a minute, and not at
// all later than 15 minutes after Subscribe: so it is given a strategy.  A
// stream that has ended ends Subscribe too, without an error: so that stands
// in a loop.
//
// What a stream that was cut off had of its last event comes as an event: so
// one counts if its data is whole, and the id is taken from there; what is not
// above the last one has come before.
package main

import (
	"encoding/json"
	"os"
	"strconv"
	"time"

	"github.com/r3labs/sse/v2"
	"gopkg.in/cenkalti/backoff.v1"
)

var out = json.NewEncoder(os.Stdout)

func show(line map[string]string) {
	if err := out.Encode(line); err != nil {
		os.Exit(1)
	}
}

var last int64

func handle(msg *sse.Event) {
	var data struct{ ID, Ping, Oldest int64 }

	if json.Unmarshal(msg.Data, &data) != nil {
		show(map[string]string{"state": "error", "text": "it is not whole"})
		return
	}

	event := string(msg.Event)

	switch event {
	case "msgbus.ping":
		last = data.Ping

	case "msgbus.gap":
		last = data.Oldest - 1

	case "":
		if data.ID <= last {
			return
		}

		event = "message"
		last = data.ID
	}

	show(map[string]string{"event": event, "id": strconv.FormatInt(last, 10),
		"data": string(msg.Data)})
}

func main() {
	wait, err := strconv.ParseFloat(os.Getenv("MSGBUS_WAIT"), 64)
	if err != nil {
		wait = 3
	}

	pause := time.Duration(wait * float64(time.Second))

	out.SetEscapeHTML(false)

	// an event may have 1 MB; by default it takes 64 KB of each
	client := sse.NewClient(os.Args[1], sse.ClientMaxBufferSize(1<<21))

	client.ReconnectStrategy = backoff.NewConstantBackOff(pause)
	client.ReconnectNotify = func(err error, _ time.Duration) {
		show(map[string]string{"state": "error", "text": err.Error()})
	}

	for {
		err := client.SubscribeRaw(func(msg *sse.Event) {
			handle(msg)
			client.LastEventID.Store([]byte(strconv.FormatInt(last, 10)))
		})

		text := "the stream has ended"

		if err != nil {
			text = err.Error()
		}

		show(map[string]string{"state": "error", "text": text})
		time.Sleep(pause)
	}
}
