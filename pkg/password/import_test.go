package password

import "testing"

// FuzzDecode: no stored hash makes us panic, and what is taken is cheap.
func FuzzDecode(f *testing.F) {
	h, err := newHasher(Config{MemoryKiB: 64, Passes: 1}.withDefaults())
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range []string{
		"$argon2id$v=19$m=64,t=1,p=1$c2FsdHNhbHQ$c2FsdHNhbHRzYWx0c2FsdA", "$argon2i$v=19$$$", "$$$$$", "",
		"$argon2id$v=19$m=64,m=4194304,t=1,p=1$c2FsdA$c2FsdA", "$2$04$", "$2x$99$abcdefghijklmnopqrstuu",
		"$2b$04$abcdefghijklmnopqrstuuabcdefghijklmnopqrstuvwxyzabcde", "$pbkdf2-sha256$1$c2FsdHNhbHQ$c2FsdHNhbHQ",
		"$pbkdf2$-9223372036854775808$c2FsdA$c2FsdA", "$scrypt$ln=4,r=8,p=1$c2FsdA$c2FsdA", "$scrypt$ln=18446744073709551615,r=-1,p=1$c2FsdA$c2FsdA",
		"$bcrypt-sha256$v=2,t=2b,r=4$abcdefghijklmnopqrstuu$abcdefghijklmnopqrstuvwxyzabcde",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, stored string) {
		digest, err := h.decode(stored)
		if (digest == nil) != (err != nil) {
			t.Errorf("decode(%q) = %v, %v", stored, digest, err)
		}
		if err == nil && affordable(stored) != nil {
			t.Errorf("%q was taken at a cost that is refused", stored)
		}
	})
}
