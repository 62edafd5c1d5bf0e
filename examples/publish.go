// Publishes exactly one event, however often the connection breaks. Needs only Go.
package main

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"time"
)

type Event struct {
	ID        int64           `json:"id"`
	Topic     string          `json:"topic"`
	Data      json.RawMessage `json:"data"`
	Source    string          `json:"source"`
	CreatedAt time.Time       `json:"created_at"`
}

var client = http.Client{Timeout: 10 * time.Second}

func publish(topic string, data any, source string) (event Event, err error) {
	body, err := json.Marshal(map[string]any{"topic": topic, "data": data, "source": source})
	if err != nil {
		return event, err
	}
	key := make([]byte, 16) // the same key on every attempt: the server publishes the event once
	rand.Read(key)
	for try := 1; try <= 4; try++ {
		var again bool
		if event, again, err = post(body, fmt.Sprintf("%x", key)); !again {
			return event, err
		}
		time.Sleep(time.Duration(try*try) * 300 * time.Millisecond)
	}
	return event, err
}

func post(body []byte, key string) (event Event, again bool, err error) {
	request, err := http.NewRequest("POST", url()+"/api/events/publish", bytes.NewReader(body))
	if err != nil {
		return event, false, err
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Idempotency-Key", key)
	if token := os.Getenv("EVENTBUS_TOKEN"); token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	answer, err := client.Do(request)
	if err != nil {
		return event, true, err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		var problem struct{ Code, Detail string }
		json.NewDecoder(answer.Body).Decode(&problem)
		again = answer.StatusCode >= 500 || answer.StatusCode == http.StatusTooManyRequests
		return event, again, fmt.Errorf("%s: %s", problem.Code, problem.Detail)
	}
	err = json.NewDecoder(answer.Body).Decode(&event)
	return event, err != nil, err
}

func url() string {
	if url := os.Getenv("EVENTBUS_URL"); url != "" {
		return url
	}
	return "http://127.0.0.1:9800"
}

func main() {
	event, err := publish("orders.created", map[string]any{"order": "A-1008", "total": 30}, "shop")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(event.ID, event.Topic, string(event.Data))
}
