package clients

import (
	"bufio"
	"context"
	"net/http"
	"strings"
	"time"
)

// scrape is one look at an exporter's metrics.
type scrape struct {
	up   string // the value of redis_up, empty if there was none
	took time.Duration
	err  error
}

// scrapeUntil scrapes one after the other, with a pause, until done is closed.
// Those before the first answer do not count: the exporter is starting.
func scrapeUntil(ctx context.Context, done <-chan struct{}, url string, result chan<- []scrape) {
	client := &http.Client{Timeout: time.Minute, Transport: &http.Transport{DisableKeepAlives: true}}
	var list []scrape
	for {
		if s := scrapeOnce(ctx, client, url); s.up != "" || len(list) > 0 {
			list = append(list, s)
		}
		select {
		case <-done:
			result <- list
			return
		case <-time.After(200 * time.Millisecond):
		}
	}
}

func scrapeOnce(ctx context.Context, client *http.Client, url string) (s scrape) {
	began := time.Now()
	defer func() { s.took = time.Since(began) }()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return scrape{err: err}
	}
	response, err := client.Do(request)
	if err != nil {
		return scrape{err: err}
	}
	defer response.Body.Close()
	lines := bufio.NewScanner(response.Body)
	for lines.Scan() {
		if value, is := strings.CutPrefix(lines.Text(), "redis_up "); is {
			s.up = value
		}
	}
	s.err = lines.Err()
	return s
}
