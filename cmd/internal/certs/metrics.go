package certs

import "github.com/prometheus/client_golang/prometheus"

var (
	descExpiry = prometheus.NewDesc("steadis_certificate_expiry_timestamp_seconds", "When the certificate that steadis shows ends, in seconds since 1970, by leg: clients, upstream or sentinel.", []string{"leg"}, nil)
	descBroken = prometheus.NewDesc("steadis_tls_files_unusable", "1 while the TLS files of a leg have changed and cannot be used, so that the former ones are.", []string{"leg"}, nil)
)

// Collector shows keepers to Prometheus.
type Collector []*Keeper

// Describe implements prometheus.Collector.
func (c Collector) Describe(ch chan<- *prometheus.Desc) {
	ch <- descExpiry
	ch <- descBroken
}

// Collect implements prometheus.Collector.
func (c Collector) Collect(ch chan<- prometheus.Metric) {
	for _, k := range c {
		config := k.Config()
		if config == nil {
			continue
		}
		broken := 0.0
		if k.broken.Load() {
			broken = 1
		}
		ch <- prometheus.MustNewConstMetric(descBroken, prometheus.GaugeValue, broken, k.leg)
		if len(config.Certificates) > 0 {
			ch <- prometheus.MustNewConstMetric(descExpiry, prometheus.GaugeValue, float64(config.Certificates[0].Leaf.NotAfter.Unix()), k.leg)
		}
	}
}
