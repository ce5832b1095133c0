// Prints the events of a channel, or of several, each once:
//
//	go run subscribe.go URL [CURSOR [COUNT]]
//
// CURSOR is the id of an event, after which it begins (0), or a file that keeps
// the id: started again, it goes on from there.  It ends after COUNT events
// (never).  It comes back by itself when the connection breaks or is silent.
// Go 1.20 or later, nothing else.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"
)

// longer than from one heartbeat of the bus to the next
const silence = 60 * time.Second

type message struct{ kind, data, id string }

type event struct {
	ID      int64           `json:"id"`
	Channel string          `json:"channel"`
	Data    json.RawMessage `json:"data"`
}

// subscribe hands messages to handle, from after the cursor on, until the
// connection ends.  It returns the id to come back with.
func subscribe(url, cursor string, handle func(message)) (string, error) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()

	timer := time.AfterFunc(silence, cancel)
	defer timer.Stop()

	request, err := http.NewRequestWithContext(ctx, "GET", url, nil)
	if err != nil {
		return cursor, err
	}

	request.Header.Set("Accept", "text/event-stream")
	request.Header.Set("Last-Event-ID", cursor)

	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return cursor, err
	}
	defer answer.Body.Close()

	if status := answer.StatusCode; status != http.StatusOK {
		text, _ := io.ReadAll(answer.Body)

		// another 4xx would be the same the next time
		if status < 500 && status != http.StatusRequestTimeout &&
			status != http.StatusTooManyRequests {
			fmt.Fprintf(os.Stderr, "%s: %s", url, text)
			os.Exit(1)
		}

		return cursor, fmt.Errorf("%s: %s", answer.Status, text)
	}

	// a Scanner would end at a line of more than 64 KB
	lines := bufio.NewReader(answer.Body)
	next := message{id: cursor}

	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			return cursor, err
		}

		timer.Reset(silence)

		switch field, value, _ := strings.Cut(line[:len(line)-1], ": "); field {
		case "id":
			next.id = value
		case "event":
			next.kind = value
		case "data":
			next.data = value
		case "":
			// the event is whole: now its id counts
			cursor = next.id

			if next.data != "" {
				handle(next)
			}

			next = message{id: cursor}
		}
	}
}

// keep writes an id to a file, whole or not at all.
func keep(file, id string) {
	err := os.WriteFile(file+".new", []byte(id+"\n"), 0o644)
	if err == nil {
		err = os.Rename(file+".new", file)
	}

	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func main() {
	url, cursor, file, left := os.Args[1], "0", "", -1

	if len(os.Args) > 2 {
		cursor = os.Args[2]

		if _, err := strconv.ParseUint(cursor, 10, 64); err != nil {
			file, cursor = cursor, "0"

			if text, err := os.ReadFile(file); err == nil {
				cursor = strings.TrimSpace(string(text))
			}
		}
	}

	if len(os.Args) > 3 {
		left, _ = strconv.Atoi(os.Args[3])
	}

	handle := func(m message) {
		switch m.kind {
		case "":
			var e event

			if err := json.Unmarshal([]byte(m.data), &e); err != nil {
				fmt.Fprintln(os.Stderr, err)
				os.Exit(1)
			}

			// of several channels, each event names its own
			if e.Channel != "" {
				fmt.Println(e.ID, e.Channel, string(e.Data))
			} else {
				fmt.Println(e.ID, string(e.Data))
			}

			left--

		case "msgbus.gap":
			// some have expired before they were read: a program that
			// keeps a state loads all of it here, and goes on
			fmt.Fprintln(os.Stderr, "gap", m.data)
		}

		// after the event is handled; a heartbeat (msgbus.ping) has an
		// id, too
		if file != "" {
			keep(file, m.id)
		}

		if left == 0 {
			os.Exit(0)
		}
	}

	for {
		var err error

		if cursor, err = subscribe(url, cursor, handle); err != io.EOF {
			fmt.Fprintln(os.Stderr, err)
		}

		// not all of a crowd at once
		time.Sleep(time.Second + time.Duration(rand.Int63n(int64(time.Second))))
	}
}
