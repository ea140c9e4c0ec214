package observe

import (
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Metrics are the counters of one process, in a registry of their own so that
// several servers can live in one test process.
type Metrics struct {
	registry *prometheus.Registry
	requests *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
	tokens   *prometheus.CounterVec
	refused  *prometheus.CounterVec
	limited  *prometheus.CounterVec
	suspect  *prometheus.CounterVec
	dropped  *prometheus.CounterVec
	sql      *prometheus.CounterVec
	ranges   *prometheus.CounterVec
	sessions *prometheus.CounterVec
}

// NewMetrics registers the metrics of Portico; version is the build's.
func NewMetrics(version string) *Metrics {
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "portico_http_requests_total", Help: "Answered requests by route, method and status.",
		}, []string{"route", "method", "status"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "portico_http_request_duration_seconds", Help: "Time to answer by route.",
			Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5},
		}, []string{"route"}),
		tokens: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "portico_tokens_issued_total", Help: "Successful token answers by grant_type.",
		}, []string{"grant_type"}),
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "portico_refusals_total", Help: "Refused requests by error code.",
		}, []string{"error"}),
		limited: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "portico_limited_total", Help: "Attempts that were one too many, by the rule that refused.",
		}, []string{"rule"}),
		suspect: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "portico_attacks_suspected_total", Help: "Suspected attacks on many accounts, by audit event.",
		}, []string{"event"}),
		dropped: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "portico_records_dropped_total", Help: "Audit events and refusals that could not be kept because their buffer was full.",
		}, []string{"stream"}),
		sql: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "portico_sql_statements_total", Help: "SQL statements by the operation they belong to.",
		}, []string{"operation"}),
		ranges: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "portico_password_range_total", Help: "Questions to the range service of breached passwords by outcome: hit, miss, failed, skipped.",
		}, []string{"outcome"}),
		sessions: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "portico_session_cache_total", Help: "Look-ups of a session cookie by how the cache answered: hit, miss or unavailable.",
		}, []string{"result"}),
	}
	build := prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "portico_build_info", Help: "Always 1; the label is the version.",
	}, []string{"version"})
	build.WithLabelValues(version).Set(1)
	m.registry.MustRegister(m.requests, m.seconds, m.tokens, m.refused, m.limited, m.suspect, m.dropped, m.sql, m.ranges, m.sessions, build,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// Handler serves the registry in the Prometheus text format.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{Registry: m.registry})
}

// Gauge registers a value that is read when the metrics are.
func (m *Metrics) Gauge(name, help string, read func() float64) {
	m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, read))
}

// Answered counts one request. route is the pattern, never the path: paths
// are endless.
func (m *Metrics) Answered(route, method string, status int, took time.Duration) {
	switch method {
	case http.MethodGet, http.MethodPost, http.MethodPut, http.MethodDelete, http.MethodHead, http.MethodOptions:
	default:
		method = "other"
	}
	m.requests.WithLabelValues(route, method, strconv.Itoa(status)).Inc()
	m.seconds.WithLabelValues(route).Observe(took.Seconds())
}

// TokenIssued counts one successful token answer.
func (m *Metrics) TokenIssued(grantType string) { m.tokens.WithLabelValues(grantType).Inc() }

// Refused counts one refusal by its stable code.
func (m *Metrics) Refused(code string) { m.refused.WithLabelValues(code).Inc() }

// Limited counts one attempt too many by the rule that refused it.
func (m *Metrics) Limited(rule string) { m.limited.WithLabelValues(rule).Inc() }

// Suspected counts one suspected attack by its audit event.
func (m *Metrics) Suspected(event string) { m.suspect.WithLabelValues(event).Inc() }

// Dropped counts records that found no room.
func (m *Metrics) Dropped(stream string, n int) { m.dropped.WithLabelValues(stream).Add(float64(n)) }

// Statement counts one SQL statement.
func (m *Metrics) Statement(operation string) { m.sql.WithLabelValues(operation).Inc() }

// SessionLooked counts one look-up of a session cookie in the cache.
func (m *Metrics) SessionLooked(result string) { m.sessions.WithLabelValues(result).Inc() }

// PasswordRange counts one question to the range service.
func (m *Metrics) PasswordRange(outcome string) { m.ranges.WithLabelValues(outcome).Inc() }
