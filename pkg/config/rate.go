package config

import (
	"errors"
	"strconv"
	"strings"
	"time"
)

// Rate is so many within a time, written 5/15m.
type Rate string

// Parse returns how many within which time. Load has checked it.
func (r Rate) Parse() (most int, window time.Duration, err error) {
	n, within, found := strings.Cut(string(r), "/")
	most, errMost := strconv.Atoi(n)
	window, errWindow := time.ParseDuration(within)
	if !found || errMost != nil || errWindow != nil || most < 1 || most > 1_000_000 || window < time.Second || window > 7*24*time.Hour {
		return 0, 0, errors.New("want a number and a time between 1s and 168h, such as 5/15m")
	}
	return most, window, nil
}
