// Package drills breaks what a running Portico stands on, and looks whether
// its promises hold: instances and stores are killed, stopped, flushed and
// restarted in the middle of work, clocks jump, requests race. The drills are
// its tests; it exports nothing.
package drills
