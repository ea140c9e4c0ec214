package totp

import (
	"fmt"
	"image/color"
	"strconv"
	"strings"

	"github.com/boombuler/barcode"
	"github.com/boombuler/barcode/qr"
)

// quiet is the margin around a QR code that scanners need, in modules
// (ISO/IEC 18004 §5.3.8).
const quiet = 4

// QR is a QR code as a drawing.
type QR struct {
	Size int    // of the square, with its margin, in modules
	Path string // SVG path data: each dark run of a row
}

// Draw returns the QR code of a text.
func Draw(text string) (QR, error) {
	code, err := qr.Encode(text, qr.M, qr.Auto)
	if err != nil {
		return QR{}, fmt.Errorf("totp: QR code: %w", err)
	}
	size := code.Bounds().Dx()
	var b strings.Builder
	for y := range size {
		for x := 0; x < size; x++ {
			from := x
			for x < size && dark(code, x, y) {
				x++
			}
			if x > from {
				b.WriteString("M" + strconv.Itoa(from+quiet) + " " + strconv.Itoa(y+quiet) + "h" + strconv.Itoa(x-from) + "v1h-" + strconv.Itoa(x-from) + "z")
			}
		}
	}
	return QR{Size: size + 2*quiet, Path: b.String()}, nil
}

func dark(code barcode.Barcode, x, y int) bool {
	return color.Gray16Model.Convert(code.At(x, y)).(color.Gray16).Y < 1<<15
}
