// Receives what a consumer posts, and verifies its signature. Needs only Go.
package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	tolerance = 5 * time.Minute
	maxBytes  = 16 << 20
)

// Keep the ids where the events go, so that a repeat is recognised after a restart, too.
var seen sync.Map

func isSigned(key []byte, header http.Header, body []byte) bool {
	seconds, err := strconv.ParseInt(header.Get("webhook-timestamp"), 10, 64)
	if err != nil || time.Since(time.Unix(seconds, 0)).Abs() > tolerance {
		return false
	}
	mac := hmac.New(sha256.New, key)
	fmt.Fprintf(mac, "%s.%d.%s", header.Get("webhook-id"), seconds, body)
	for _, one := range strings.Fields(header.Get("webhook-signature")) {
		signature, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(one, "v1,"))
		if err == nil && hmac.Equal(signature, mac.Sum(nil)) {
			return true
		}
	}
	return false
}

func main() {
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(os.Getenv("WEBHOOK_SECRET"), "whsec_"))
	if err != nil || len(key) == 0 {
		log.Fatal("WEBHOOK_SECRET must be whsec_ and base64")
	}
	http.HandleFunc("POST /hook", func(answer http.ResponseWriter, request *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(answer, request.Body, maxBytes))
		if err != nil || !isSigned(key, request.Header, body) {
			answer.WriteHeader(http.StatusUnauthorized)
			return
		}
		if _, isRepeat := seen.LoadOrStore(request.Header.Get("webhook-id"), true); !isRepeat {
			var event struct {
				ID    int64           `json:"id"`
				Topic string          `json:"topic"`
				Data  json.RawMessage `json:"data"`
			}
			if err := json.Unmarshal(body, &event); err != nil {
				answer.WriteHeader(http.StatusBadRequest)
				return
			}
			fmt.Println(event.ID, event.Topic, string(event.Data))
		}
		answer.WriteHeader(http.StatusNoContent)
	})
	log.Fatal(http.ListenAndServe("127.0.0.1:9803", nil))
}
