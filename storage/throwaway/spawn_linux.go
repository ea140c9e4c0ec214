package throwaway

import "syscall"

// dieWithParent has the kernel stop the server when this process is gone,
// even if the guard was killed together with it. SIGQUIT lets Postgres stop
// its own children too.
func dieWithParent(attr *syscall.SysProcAttr) { attr.Pdeathsig = syscall.SIGQUIT }
