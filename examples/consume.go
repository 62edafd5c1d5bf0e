// Prints every order as it is published, and resumes where it was when the connection breaks. Needs only Go.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"time"
)

// Message is an event, or a control message: those have a type.
type Message struct {
	Type      string          `json:"type"`
	ID        int64           `json:"id"`
	Topic     string          `json:"topic"`
	Data      json.RawMessage `json:"data"`
	Source    string          `json:"source"`
	CreatedAt time.Time       `json:"created_at"`
	After     int64           `json:"after"`
	Next      int64           `json:"next"`
}

// follow calls handle with every matching event after the cursor, and returns how far it got when the stream ends.
func follow(pattern, cursor string, handle func(Message)) (string, error) {
	query := url.Values{"pattern": {pattern}, "since": {cursor}}
	request, err := http.NewRequest("GET", server()+"/api/events/stream?"+query.Encode(), nil)
	if err != nil {
		return cursor, err
	}
	request.Header.Set("Accept", "application/x-ndjson")
	if token := os.Getenv("EVENTBUS_TOKEN"); token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return cursor, err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return cursor, fmt.Errorf("the server answered %s", answer.Status)
	}
	// The server sends something every 15 s: after three misses the connection is dead.
	silence := time.AfterFunc(45*time.Second, func() { answer.Body.Close() })
	defer silence.Stop()
	lines := bufio.NewReader(answer.Body)
	for {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			return cursor, err
		}
		silence.Reset(45 * time.Second)
		var message Message
		if len(line) == 1 {
			continue // keep-alive
		}
		if err := json.Unmarshal(line, &message); err != nil {
			return cursor, err
		}
		switch message.Type {
		case "":
			handle(message)
			cursor = fmt.Sprint(message.ID)
		case "gap":
			fmt.Fprintln(os.Stderr, "pruned before it was read: after", message.After, "until", message.Next)
		case "caught_up":
			cursor = fmt.Sprint(message.ID)
		}
	}
}

func server() string {
	if server := os.Getenv("EVENTBUS_URL"); server != "" {
		return server
	}
	return "http://127.0.0.1:9800"
}

func main() {
	cursor := "all"
	for {
		var err error
		cursor, err = follow("orders.*", cursor, func(event Message) {
			fmt.Println(event.ID, event.Topic, string(event.Data))
		})
		fmt.Fprintln(os.Stderr, err)
		time.Sleep(time.Second)
	}
}
