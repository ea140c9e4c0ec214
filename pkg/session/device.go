package session

import (
	"strings"

	"github.com/mileusna/useragent"
)

// DeviceKind says what sort of machine a browser runs on.
type DeviceKind string

// Kinds of device.
const (
	UnknownDevice DeviceKind = "unknown"
	Desktop       DeviceKind = "desktop"
	Phone         DeviceKind = "phone"
	Tablet        DeviceKind = "tablet"
	Bot           DeviceKind = "bot"
)

// Device is a user agent in words for pages and mails. Its texts are names
// from our lists or empty, never something that the browser wrote: whoever
// signs in with a stolen password must not choose the words of the mail that
// warns its owner. It is a hint for people and decides nothing.
type Device struct {
	Browser string // "Firefox"; empty: one we do not know
	OS      string // "Windows"; empty: one we do not know
	Kind    DeviceKind
}

// browsers and systems are the names that people know, under those of the
// library.
var (
	browsers = map[string]string{
		useragent.Chrome: "Chrome", useragent.HeadlessChrome: "Chrome", useragent.Firefox: "Firefox", useragent.Safari: "Safari",
		useragent.MobileSafari: "Safari", useragent.Edge: "Edge", useragent.Opera: "Opera", useragent.OperaMini: "Opera Mini",
		useragent.OperaTouch: "Opera", useragent.Vivaldi: "Vivaldi", useragent.SamsungBrowser: "Samsung Internet",
		useragent.InternetExplorer: "Internet Explorer", "Trident": "Internet Explorer", useragent.FacebookApp: "Facebook", useragent.InstagramApp: "Instagram",
		useragent.TiktokApp: "TikTok",
	}
	systems = map[string]string{
		useragent.Windows: "Windows", useragent.WindowsPhone: "Windows Phone", useragent.MacOS: "macOS", useragent.IOS: "iOS",
		useragent.Android: "Android", useragent.Linux: "Linux", useragent.ChromeOS: "ChromeOS", useragent.FreeBSD: "FreeBSD",
		useragent.BlackBerry: "BlackBerry", useragent.Harmony: "HarmonyOS",
	}
)

// DeviceOf reads a user agent. It reads no more of it than a session keeps,
// and what it cannot read is unknown.
func DeviceOf(userAgent string) Device {
	ua := useragent.Parse(clip(userAgent))
	return Device{Browser: browsers[ua.Name], OS: systems[ua.OS], Kind: kindOf(ua)}
}

func kindOf(ua useragent.UserAgent) DeviceKind {
	switch {
	case ua.Bot:
		return Bot
	case ua.Tablet, ua.OS == useragent.Android && !strings.Contains(ua.String, "Mobile"): // Android phones say it
		return Tablet
	case ua.Mobile:
		return Phone
	case ua.Desktop:
		return Desktop
	}
	return UnknownDevice
}
