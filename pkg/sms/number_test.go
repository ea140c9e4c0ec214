package sms_test

import (
	"strings"
	"testing"

	"github.com/portico-id/portico/pkg/sms"
)

func TestNormalise(t *testing.T) {
	for typed, want := range map[string]string{
		"+4930123456": "+4930123456", " +49 30 12 34 56 ": "+4930123456", "+49-30-123456": "+4930123456", "+49 (30) 123/456": "+4930123456",
		"004930123456": "+4930123456", "+1.202.555.0100": "+12025550100", "＋４９３０１２３４５６": "+4930123456", "+49\u00a030\u2011123456": "+4930123456",
		"\u202a+4930123456\u202c": "+4930123456", "+123456789012345": "+123456789012345", "+12345678": "+12345678",
		"": "", "+": "", "030123456": "", "4930123456": "", "+1234567": "", "+1234567890123456": "", "+0123456789": "", "+49+30123456": "",
		"49+30123456": "", "+49 30 CALLME": "", "+4930123456;ext=1": "", "+٤٩٣٠١٢٣٤٥٦": "", "+4930123\x00456": "", "+4930123456\n+4930123457": "",
		strings.Repeat(" ", 80) + "+4930123456": "",
	} {
		got, ok := sms.Normalise(typed)
		if ok != (want != "") || got != want {
			t.Errorf("E.164 §6 Normalise(%q) = %q, %v; want %q", typed, got, ok, want)
		}
	}
}

func TestMaskShowsCountryAndEnd(t *testing.T) {
	for number, want := range map[string]string{
		"+4930123456": "+49 … 56", "+12025550100": "+1 … 00", "+79991234567": "+7 … 67", "+351912345678": "+351 … 78", "+99912345678": "+999 … 78", "": "…", "+1": "…",
	} {
		if got := sms.Mask(number); got != want {
			t.Errorf("Mask(%q) = %q, want %q", number, got, want)
		}
	}
}

func FuzzNormalise(f *testing.F) {
	for _, typed := range []string{"+49 30 123456", "0049-30-123456", "+1 (202) 555-0100", "＋４９３０１２３４５６", "", "+", "\xff", "\u202a+12345678"} {
		f.Add(typed)
	}
	f.Fuzz(func(t *testing.T, typed string) {
		number, ok := sms.Normalise(typed)
		if !ok {
			return
		}
		if len(number) < 9 || len(number) > 16 || number[0] != '+' || strings.Trim(number[1:], "0123456789") != "" || number[1] == '0' {
			t.Errorf("Normalise(%q) = %q", typed, number)
		}
		if again, ok := sms.Normalise(number); !ok || again != number {
			t.Errorf("Normalise(%q) = %q, %v", number, again, ok)
		}
		if masked := sms.Mask(number); strings.Contains(masked, number[4:]) {
			t.Errorf("Mask(%q) = %q", number, masked)
		}
	})
}
