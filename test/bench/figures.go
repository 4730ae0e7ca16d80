package main

import "slices"

// figures are what one measurement of one target gave, or the medians of several. 0
// stands for what was not measured.
type figures struct {
	Rate     float64 `json:"rate,omitempty"`      // commands (messages) a second
	P50      float64 `json:"p50_ms,omitempty"`    // ms
	P99      float64 `json:"p99_ms,omitempty"`    // ms
	P999     float64 `json:"p999_ms,omitempty"`   // ms
	ProxyCPU float64 `json:"proxy_cpu,omitempty"` // seconds a million commands
	RedisCPU float64 `json:"redis_cpu,omitempty"` // seconds a million commands
	RSS      float64 `json:"rss_mb,omitempty"`    // MB of the proxy, at the end of the load
	Each     float64 `json:"each_kb,omitempty"`   // kB of the proxy for each idle client
	First    float64 `json:"first_ms,omitempty"`  // ms from the announcement to the first reply
	Everyone float64 `json:"all_ms,omitempty"`    // ms from the announcement till all were served
}

// parts are the fields, for what is done to each of them.
var parts = []func(*figures) *float64{
	func(f *figures) *float64 { return &f.Rate },
	func(f *figures) *float64 { return &f.P50 },
	func(f *figures) *float64 { return &f.P99 },
	func(f *figures) *float64 { return &f.P999 },
	func(f *figures) *float64 { return &f.ProxyCPU },
	func(f *figures) *float64 { return &f.RedisCPU },
	func(f *figures) *float64 { return &f.RSS },
	func(f *figures) *float64 { return &f.Each },
	func(f *figures) *float64 { return &f.First },
	func(f *figures) *float64 { return &f.Everyone },
}

// medians gives the median of each field by itself.
func medians(samples []figures) figures {
	var m figures
	for _, part := range parts {
		values := make([]float64, len(samples))
		for i := range samples {
			values[i] = *part(&samples[i])
		}
		*part(&m) = median(values)
	}
	return m
}

// median is the middle value, or the mean of the two in the middle; 0 of none.
func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	if n == 0 {
		return 0
	}
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

// ratio is a/b, or 0 if one of them was not measured.
func ratio(a, b float64) float64 {
	if a == 0 || b == 0 {
		return 0
	}
	return a / b
}
