package common

// runsOf returns for each place how long the text goes on in one direction of
// the alphabet or of the digits, or stands still.
func runsOf(text []rune) []int {
	return straight(text, func(a, b rune) int {
		if step := int(b - a); step >= -1 && step <= 1 {
			return step + 2 // 1, 2, 3; 0 is none
		}
		return 0
	})
}

// keyboards are rows of keys as they lie, so that a straight line over keys is
// a line here.
var keyboards = [][]string{
	{"1234567890-=", "qwertyuiop[]", "asdfghjkl;'", "zxcvbnm,./"},
	{"1234567890", "qwertzuiop", "asdfghjkl", "yxcvbnm,.-"},
	{"1234567890", "azertyuiop", "qsdfghjklm", "wxcvbn,;:!"},
}

// key is where a sign lies; known tells keys from everything else.
type key struct {
	row, column int
	known       bool
}

var layouts = layOut()

func layOut() []map[rune]key {
	var all []map[rune]key
	for _, rows := range keyboards {
		m := map[rune]key{}
		for y, row := range rows {
			for x, r := range row {
				m[r] = key{y, x, true}
			}
		}
		all = append(all, m)
	}
	return all
}

// keysOf returns for each place how long a straight line over a keyboard goes
// on. Along a row it counts from four keys on: three occur in words, as in
// power.
func keysOf(text []rune) []int {
	longest := make([]int, len(text))
	for _, layout := range layouts {
		at := make([]key, len(text))
		for i, r := range text {
			at[i] = layout[r]
		}
		direction := func(a, b key) int {
			dx, dy := b.column-a.column, b.row-a.row
			if !a.known || !b.known || dx < -1 || dx > 1 || dy < -1 || dy > 1 || dx == 0 && dy == 0 {
				return 0
			}
			return 1 + (dy+1)*3 + dx + 1
		}
		for i, n := range straight(at, direction) {
			if along := n > 1 && at[i].row == at[i+1].row; along && n < 4 {
				continue
			}
			longest[i] = max(longest[i], n)
		}
	}
	return longest
}

// straight returns for each place how long the direction from one to the next
// stays the same; direction 0 is none.
func straight[T any](text []T, direction func(a, b T) int) []int {
	n := make([]int, len(text))
	last := 0
	for i := len(text) - 1; i >= 0; i-- {
		n[i] = 1
		if i+1 == len(text) {
			continue
		}
		d := direction(text[i], text[i+1])
		if d != 0 {
			n[i] = 2
			if d == last {
				n[i] = n[i+1] + 1
			}
		}
		last = d
	}
	return n
}

// blocksOf returns for each distance up to maxBlock, and each place, how many
// runes are the same as those that stand that distance before.
func blocksOf(text []rune) [][]int16 {
	blocks := make([][]int16, min(maxBlock, len(text)))
	all := make([]int16, len(blocks)*(len(text)+1))
	for d := range blocks {
		same := all[d*(len(text)+1) : (d+1)*(len(text)+1)]
		for i := len(text) - 1; i > d; i-- {
			if text[i] == text[i-d-1] {
				same[i] = same[i+1] + 1
			}
		}
		blocks[d] = same
	}
	return blocks
}
