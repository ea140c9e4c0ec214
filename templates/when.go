package templates

import "time"

// Time is a moment as a page tells it.
type Time struct {
	Stamp string // for machines
	Words string
}

// months are the keys of their names.
var months = [...]string{
	"account.month_01", "account.month_02", "account.month_03", "account.month_04", "account.month_05", "account.month_06",
	"account.month_07", "account.month_08", "account.month_09", "account.month_10", "account.month_11", "account.month_12",
}

// When tells a moment in the zone that it is in, which is said by its
// difference to UTC.
func (v *view) When(at time.Time) (Time, error) {
	day, err := v.day(at)
	if err != nil {
		return Time{}, err
	}
	words, err := v.T("account.time", "Day", day, "Clock", at.Format("15:04"), "Zone", zoneOf(at))
	return Time{Stamp: at.UTC().Format(time.RFC3339), Words: words}, err
}

// Day tells the day of a moment.
func (v *view) Day(at time.Time) (Time, error) {
	words, err := v.day(at)
	return Time{Stamp: at.Format(time.DateOnly), Words: words}, err
}

func (v *view) day(at time.Time) (string, error) {
	month, err := v.T(months[at.Month()-1])
	if err != nil {
		return "", err
	}
	return v.T("account.day", "Day", at.Day(), "Month", month, "Year", at.Year())
}

// zoneOf writes a zone as its difference to UTC: "UTC+02:00".
func zoneOf(at time.Time) string {
	if _, offset := at.Zone(); offset == 0 {
		return "UTC"
	}
	return at.Format("UTC-07:00")
}
