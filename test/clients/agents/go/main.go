// The agent of the conformance script for the Go client: see conformance.test.ts.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"time"

	eventbus "eventbus.example/client"
)

type task struct {
	Do, URL, Token, Topic, Source, Key, Pattern, Since string
	Data                                               json.RawMessage
	Last, PauseMs                                      int
}

func say(words map[string]any) {
	text, _ := json.Marshal(words)
	fmt.Println(string(text))
}

func main() {
	var t task
	if err := json.Unmarshal([]byte(os.Args[1]), &t); err != nil {
		panic(err)
	}
	err := run(context.Background(), t, eventbus.Connect(t.URL, eventbus.Token(t.Token)))
	var refusal *eventbus.Error
	if errors.As(err, &refusal) {
		say(map[string]any{"error": refusal.Code})
	} else if err != nil {
		say(map[string]any{"error": err.Error()})
	}
}

func run(ctx context.Context, t task, bus *eventbus.Bus) error {
	switch t.Do {
	case "publish":
		options := []eventbus.PublishOption{eventbus.Source(t.Source)}
		if t.Key != "" {
			options = append(options, eventbus.Key(t.Key))
		}
		event, err := bus.Publish(ctx, t.Topic, t.Data, options...)
		if err == nil {
			say(map[string]any{"event": event.ID})
		}
		return err
	case "history":
		events, err := bus.History(ctx, url.Values{"topic": {t.Pattern}, "last": {fmt.Sprint(t.Last)}})
		ids := []int64{}
		for _, event := range events {
			ids = append(ids, event.ID)
		}
		if err == nil {
			say(map[string]any{"events": ids})
		}
		return err
	}
	subscription := eventbus.From(t.Since, t.Pattern)
	subscription.OnGap = func(after, next int64) { say(map[string]any{"gap": []int64{after, next}}) }
	subscription.OnState = func(words string) { say(map[string]any{"state": words}) }
	return bus.Subscribe(ctx, subscription, func(event eventbus.Event) error {
		say(map[string]any{"event": event.ID, "topic": event.Topic})
		time.Sleep(time.Duration(t.PauseMs) * time.Millisecond)
		return nil
	})
}
