// Works for a consumer with several goroutines: worker CONSUMER. Needs only Go.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"
)

const workers = 4

// Delivery is one attempt: an event, or a gap in its place.
type Delivery struct {
	Delivery string          `json:"delivery"`
	Attempt  int             `json:"attempt"`
	Event    *Event          `json:"event"`
	Gap      json.RawMessage `json:"gap"`
}

type Event struct {
	ID    int64           `json:"id"`
	Topic string          `json:"topic"`
	Data  json.RawMessage `json:"data"`
}

func handle(event Event) error {
	fmt.Println(event.ID, event.Topic, string(event.Data))
	return nil
}

var client = http.Client{Timeout: 45 * time.Second}

// call posts a body, and parses the answer.
func call(path string, body, answer any) error {
	text, err := json.Marshal(body)
	if err != nil {
		return err
	}
	request, err := http.NewRequest("POST", server()+"/api/consumers/"+path, bytes.NewReader(text))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	if token := os.Getenv("EVENTBUS_TOKEN"); token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		problem, _ := io.ReadAll(response.Body)
		return fmt.Errorf("%s: %s", response.Status, problem)
	}
	return json.NewDecoder(response.Body).Decode(answer)
}

func takeOne(consumer string) error {
	var taken []Delivery
	if err := call(consumer+"/take?max=1&wait=30s", struct{}{}, &taken); err != nil {
		return err
	}
	for _, delivery := range taken {
		var err error
		if delivery.Event != nil {
			err = handle(*delivery.Event)
		} else {
			fmt.Fprintln(os.Stderr, "pruned before it was delivered:", string(delivery.Gap))
		}
		verb, body := "/ack", map[string]any{"deliveries": []string{delivery.Delivery}}
		if err != nil {
			verb, body["reason"] = "/nack", err.Error()
		}
		var settled struct{}
		if err := call(consumer+verb, body, &settled); err != nil {
			return err
		}
	}
	return nil
}

func work(consumer string) {
	for {
		if err := takeOne(consumer); err != nil {
			fmt.Fprintln(os.Stderr, err)
			time.Sleep(time.Second)
		}
	}
}

func server() string {
	if url := os.Getenv("EVENTBUS_URL"); url != "" {
		return url
	}
	return "http://127.0.0.1:9800"
}

func main() {
	for range workers - 1 {
		go work(os.Args[1])
	}
	work(os.Args[1])
}
