package common

import (
	"strings"
	"testing"
	"time"
)

func TestGuessable(t *testing.T) {
	refused := map[string][]string{
		"known by everybody": {
			"password", "123456789", "qwerty", "iloveyou", "trustno1", "1qaz2wsx", "passwort", "пароль",
		},
		"one word, drawn out": {
			"passwordpassword", "password12345678", "Password12345678", "Password123456!", "PASSWORD!!!!!!!!", "!!!password2026!!!",
			"p@ssw0rdp@ssw0rd", "P4$$w0rd-2024-2025", "pässwörd12345678", "ｐａｓｓｗｏｒｄ１２３４５", "unbelievable!7391", "passwortpasswort",
			"monkeymonkeymonkey", "monkey monkey monkey", "sunshine19871987", "dragon dragon 1999", "azertyuiop2026!", "пароль123456789", "любовь-любовь-любовь",
			"contraseña123456", "motdepasse123456", "1234567890password", "qwertypassword", "iloveyouiloveyou", "letmeinletmein123",
		},
		"two words with digits": {
			"sunshine-dragon-99", "jennifer-anderson-1987", "michael & jessica 2019", "summer2024winter", "adminadminadmin1", "Welcome-2-2026!!", "football&baseball1",
		},
		"runs": {
			"aaaaaaaaaaaaaaa", "111111111111111", "123456789012345", "0987654321098765", "abcdefghijklmno", "zyxwvutsrqponml", "abcabcabcabcabc",
			"qwertyuiopasdfg", "qwertzuiopasdfg", "azertyuiopqsdfg", "1qaz2wsx3edc4rfv", "qazwsxedcrfvtgb", "zaq12wsxcde34rfv", "asdfghjkl;asdfghjkl;",
			"abcd1234abcd1234", "aaaabbbbccccdddd", "112233445566778899", "0000000000000000000000000000", "xkqxkqxkqxkqxkqxkq", "ab12ab12ab12ab12", "...............", "               ",
			"100000000000000", "20242024202420242024", "qwer1234qwer1234", "abc123abc123abc123",
		},
		"phrases that are famous": {
			"correct horse battery staple", "correcthorsebatterystaple", "Correct-Horse-Battery-Staple!", "CorrectHorseBatteryStaple1",
			"thequickbrownfoxjumpsoverthelazydog", "maytheforcebewithyou", "to be or not to be", "this is my password",
		},
	}
	taken := map[string][]string{
		"unrelated words": {
			"correct horse battery", "a long enough password", "brand new password", "another good one", "mixed bag of words", "brand new passport",
			"violin harbour cactus", "violin-harbour-cactus-seven", "teapot orbit velvet ladder", "velvetladderorbitteapot", "Zebra Mint Anvil Cloud",
			"elf schiffe segeln leise", "quatre chats mangent du miel", "tres gatos comen queso", "三匹の猫が静かに魚を食べる朝です", "поезд луна чаша дерево",
			"القطة تشرب الحليب في الصباح", "🦊🌵🎻🚲🧊🪁🪗🧩🦑🪵🧄🛶🪴🧵🔭🪙🎐🧂",
		},
		"made by chance": {
			"xk9mq2vl7pr4tzw", "Xk9!mQ2#vL7$pR4&", "vyxoquparimbelt", "vyxo qupa rimbe", "3f9a1c7e5b2d8046f1", "correct-vyxoqupa", "8-Vq-3kW-zz7-Rb",
			"01J9ZQ4M7XK2V8T5", "hfkwoqpzjvmx",
		},
		"as short as an operator may allow": {"vyxoqupa", "K9x!m2Qv", "rtbd7kfq"},
		"demo data":                         {"portico-demo-2026"},
		"nearly famous":                     {"correct donkey battery staple", "the slow brown ox jumps over it"},
	}
	check := func(what string, passwords []string, want bool) {
		t.Run(what, func(t *testing.T) {
			for _, p := range passwords {
				if got := Guessable(p); got != want {
					t.Errorf("Guessable(%q) = %v, at a cost of %d", p, got, newPieces(fold(p)).cost())
				}
			}
		})
	}
	for what, passwords := range refused {
		check(what, passwords, true)
	}
	for what, passwords := range taken {
		check(what, passwords, false)
	}
}

func TestGuessableOfAnything(t *testing.T) {
	for _, p := range []string{"", "\xff\xfe", "\x00", "ﷺﷺﷺ", strings.Repeat("\u0308", 100)} {
		Guessable(p)
	}
}

// TestTimeIsBounded keeps whoever sends passwords from keeping us busy. The
// promise is a millisecond; a busy machine gets more, and the best of several
// tries counts.
func TestTimeIsBounded(t *testing.T) {
	for name, p := range map[string]string{
		"one letter":        strings.Repeat("a", 1024),
		"one common word":   strings.Repeat("password", 128),
		"leet":              strings.Repeat("p4$$w0rd", 128),
		"a cheap alphabet":  strings.Repeat("abcdefghijklmnopqrstuvwxyz", 40)[:1024],
		"keyboard":          strings.Repeat("qwertyuiop", 102),
		"two letters":       strings.Repeat("ab", 512),
		"blanks":            strings.Repeat(" ", 1024),
		"symbols":           strings.Repeat("!|", 512),
		"grows when folded": strings.Repeat("ﷺ", 341),
		"combining marks":   strings.Repeat("\u0308", 512),
	} {
		best := time.Hour
		for range 20 {
			started := time.Now()
			Guessable(p)
			best = min(best, time.Since(started))
		}
		t.Logf("%s: %v", name, best)
		if best > 10*time.Millisecond {
			t.Errorf("%s took %v, want about one millisecond", name, best)
		}
	}
}

func FuzzGuessable(f *testing.F) {
	for _, seed := range []string{"password", "correct horse battery staple", "P4$$w0rd-2024", "ﷺ\u0308", "\xff"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, p string) {
		text := fold(p)
		cost := newPieces(text[:min(len(text), maxRunes)]).cost()
		if cost < 0 || cost > enough+costWord+costLeet && cost != never {
			t.Errorf("%q costs %d", p, cost)
		}
		if cost+costRun < enough-costUpper && !Guessable(p+strings.Repeat("\x00", 900)) {
			t.Errorf("%q costs %d and is taken when it is drawn out", p, cost)
		}
	})
}
