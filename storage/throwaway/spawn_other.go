//go:build unix && !linux

package throwaway

import "syscall"

// dieWithParent does nothing here: only Linux can, and the guard suffices.
func dieWithParent(*syscall.SysProcAttr) {}
