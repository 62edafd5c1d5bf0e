// Package eventbus is the client of eventbus. One file, no dependencies.
//
//	bus := eventbus.Connect("http://127.0.0.1:9800", eventbus.Token(os.Getenv("EVENTBUS_TOKEN")))
//	event, err := bus.Publish(ctx, "orders.created", map[string]any{"total": 25})
//	err = bus.Subscribe(ctx, eventbus.From("all", "orders.*"), func(event eventbus.Event) error { … })
package eventbus

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	mathrand "math/rand"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

const (
	// The server sends something every 15 s: after three misses a stream is dead.
	silence = 45 * time.Second
	// One attempt of a call may take this long.
	callTimeout = 10 * time.Second
	// A call is retried for this long while no server answers.
	retryFor = time.Minute
	// Pauses between attempts grow up to this.
	maxPause = 5 * time.Second
	// Refusals are short.
	maxProblemBytes = 1 << 20
)

// Event is one event. Data is the text as it was sent.
type Event struct {
	ID        int64           `json:"id"`
	Topic     string          `json:"topic"`
	Data      json.RawMessage `json:"data"`
	Source    string          `json:"source"`
	CreatedAt time.Time       `json:"created_at"`
}

// Error is a refusal by the server. Code is for programs, Detail for people; Status is the HTTP status, 0 without a response.
type Error struct {
	Status int    `json:"-"`
	Code   string `json:"code"`
	Detail string `json:"detail"`
}

func (e *Error) Error() string { return e.Detail }

func (e *Error) temporary() bool {
	return e.Status == 0 || e.Status == http.StatusTooManyRequests || e.Status >= 500 && e.Code != "storage_full"
}

// Bus is a client. It may be used by several goroutines.
type Bus struct {
	urls    []string
	current atomic.Uint64
	token   string
	client  *http.Client
}

// Option changes how a Bus connects.
type Option func(*Bus)

// Token is sent with every request. An empty one means none.
func Token(token string) Option { return func(b *Bus) { b.token = token } }

// Connect makes a client for the server at the address, or for several nodes of a cluster, with commas between them.
func Connect(addresses string, options ...Option) *Bus {
	b := &Bus{client: &http.Client{}}
	for _, address := range strings.Split(addresses, ",") {
		b.urls = append(b.urls, strings.TrimRight(strings.TrimSpace(address), "/"))
	}
	for _, option := range options {
		option(b)
	}
	return b
}

// PublishOption changes one publish.
type PublishOption func(envelope map[string]any, key *string)

// Source says who publishes.
func Source(source string) PublishOption {
	return func(envelope map[string]any, _ *string) { envelope["source"] = source }
}

// Key is the idempotency key of a publish, by default a new one.
func Key(key string) PublishOption { return func(_ map[string]any, k *string) { *k = key } }

// Publish publishes one event, once however often an attempt is repeated, and returns it when it is on disk.
func (b *Bus) Publish(ctx context.Context, topic string, data any, options ...PublishOption) (Event, error) {
	var event Event
	envelope := map[string]any{"topic": topic, "data": data}
	key := newKey()
	for _, option := range options {
		option(envelope, &key)
	}
	body, err := json.Marshal(envelope)
	if err != nil {
		return event, err
	}
	headers := map[string]string{"Content-Type": "application/json", "Idempotency-Key": key}
	text, err := b.call(ctx, "POST", "/api/events/publish", nil, body, headers)
	if err != nil {
		return event, err
	}
	return event, json.Unmarshal(text, &event)
}

// History returns events of the past. The query is that of the API: "topic", "last", "from", "to", "source", "before", "after".
func (b *Bus) History(ctx context.Context, query url.Values) ([]Event, error) {
	text, err := b.call(ctx, "GET", "/api/events/history", query, nil, nil)
	if err != nil {
		return nil, err
	}
	var events []Event
	return events, json.Unmarshal(text, &events)
}

// Subscription says what to subscribe to, and which functions are called. See From and Live.
type Subscription struct {
	Patterns []string
	// Since is an id, a time, a duration such as "10m", or "all"; empty: from now on.
	Since string
	// OnGap is called where retention has removed events: those between the two ids.
	OnGap func(after, next int64)
	// OnState is called with "open", or with what broke the connection.
	OnState func(words string)
}

// From subscribes to the patterns from a start on.
func From(since string, patterns ...string) Subscription {
	return Subscription{Patterns: patterns, Since: since}
}

// Live subscribes to the patterns from now on.
func Live(patterns ...string) Subscription { return Subscription{Patterns: patterns} }

// Subscribe calls handle with every event that matches, in order, once; it reconnects, and resumes after the last event that
// was handled. It returns when the context ends, when handle fails, or with an Error that a retry cannot fix.
func (b *Bus) Subscribe(ctx context.Context, s Subscription, handle func(Event) error) error {
	var cursor int64 = -1
	failures := 0
	for {
		wasOpen, err := b.follow(ctx, s, &cursor, handle)
		var handled *handlerError
		if errors.As(err, &handled) {
			return handled.error
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		var refusal *Error
		if errors.As(err, &refusal) && !refusal.temporary() && !(cursor >= 0 && refusal.Code == "protocol") {
			return refusal
		}
		if s.OnState != nil {
			s.OnState(err.Error())
		}
		failures++
		if wasOpen {
			failures = 1
		} else {
			b.current.Add(1)
		}
		if err := sleep(ctx, pause(failures)); err != nil {
			return err
		}
	}
}

type handlerError struct{ error }

// follow reads one stream until it breaks.
func (b *Bus) follow(ctx context.Context, s Subscription, cursor *int64, handle func(Event) error) (bool, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	query := url.Values{"pattern": s.Patterns}
	if *cursor >= 0 {
		query.Set("last_event_id", strconv.FormatInt(*cursor, 10))
	} else if s.Since != "" {
		query.Set("since", s.Since)
	} else {
		// The server says where that is, so that what comes while the connection is broken is not missed.
		query.Set("since", "now")
	}
	// Until the head has come, and between any two lines.
	watch := time.AfterFunc(silence, cancel)
	defer watch.Stop()
	answer, err := b.request(ctx, "GET", "/api/events/stream", query, nil, map[string]string{"Accept": "application/x-ndjson"})
	if err != nil {
		return false, err
	}
	defer answer.Body.Close()
	if !strings.HasPrefix(answer.Header.Get("Content-Type"), "application/x-ndjson") {
		return false, errors.New("the answer is not a stream of the bus")
	}
	if s.OnState != nil {
		s.OnState("open")
	}
	lines := bufio.NewReader(answer.Body)
	for {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			return true, err
		}
		watch.Reset(silence)
		if len(bytes.TrimSpace(line)) == 0 {
			continue // keep-alive
		}
		var message struct {
			Event
			Type  string `json:"type"`
			After int64  `json:"after"`
			Next  int64  `json:"next"`
		}
		if err := json.Unmarshal(line, &message); err != nil {
			return true, err
		}
		switch message.Type {
		case "":
			// The handler takes as long as it likes; the server waits.
			watch.Stop()
			if err := handle(message.Event); err != nil {
				return true, &handlerError{err}
			}
			*cursor = message.Event.ID
			watch.Reset(silence)
		case "caught_up":
			*cursor = max(*cursor, message.Event.ID)
		case "gap":
			if s.OnGap != nil {
				s.OnGap(message.After, message.Next)
			}
			*cursor = message.Next - 1
		}
	}
}

func (b *Bus) call(ctx context.Context, method, path string, query url.Values, body []byte, headers map[string]string) ([]byte, error) {
	deadline := time.Now().Add(retryFor)
	for failures := 1; ; failures++ {
		text, err := b.try(ctx, method, path, query, body, headers)
		if err == nil {
			return text, nil
		}
		var refusal *Error
		if errors.As(err, &refusal) && !refusal.temporary() {
			return nil, refusal
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		b.current.Add(1)
		rest := pause(failures)
		if time.Now().Add(rest).After(deadline) {
			return nil, err
		}
		if err := sleep(ctx, rest); err != nil {
			return nil, err
		}
	}
}

func (b *Bus) try(ctx context.Context, method, path string, query url.Values, body []byte, headers map[string]string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	answer, err := b.request(ctx, method, path, query, body, headers)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	return io.ReadAll(answer.Body)
}

func (b *Bus) request(ctx context.Context, method, path string, query url.Values, body []byte, headers map[string]string) (*http.Response, error) {
	address := b.urls[b.current.Load()%uint64(len(b.urls))] + path
	if len(query) > 0 {
		address += "?" + query.Encode()
	}
	request, err := http.NewRequestWithContext(ctx, method, address, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	for name, value := range headers {
		request.Header.Set(name, value)
	}
	if b.token != "" {
		request.Header.Set("Authorization", "Bearer "+b.token)
	}
	answer, err := b.client.Do(request)
	if err != nil {
		return nil, err
	}
	if answer.StatusCode == http.StatusOK {
		return answer, nil
	}
	defer answer.Body.Close()
	refusal := Error{Status: answer.StatusCode}
	text, _ := io.ReadAll(io.LimitReader(answer.Body, maxProblemBytes))
	if json.Unmarshal(text, &refusal) != nil || refusal.Code == "" {
		refusal.Code, refusal.Detail = "protocol", fmt.Sprintf("the answer %d is not one of the bus", answer.StatusCode)
	}
	return nil, &refusal
}

func newKey() string {
	key := make([]byte, 16)
	rand.Read(key)
	return hex.EncodeToString(key)
}

// pause is half at random, so that a thousand clients do not come back at the same moment.
func pause(failures int) time.Duration {
	most := min(maxPause, time.Duration(100*math.Pow(2, float64(min(failures, 10))))*time.Millisecond)
	return most/2 + time.Duration(mathrand.Int63n(int64(most/2)+1))
}

func sleep(ctx context.Context, duration time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(duration):
		return nil
	}
}
