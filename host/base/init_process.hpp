// Process 1 of a container, or of any pid namespace: it gets every process that loses its parent,
// and has to take its exit status, or it stays as a zombie.
//
// A host cannot do that itself: waitpid(-1) would take the exit status of a child that a plugin
// waits for with waitpid(), system() or pclose(). So the host is made a child, and process 1 does
// nothing but reap, pass signals on, and end as the host ends.
#pragma once

namespace skep::host {

// In process 1: forks, and returns in the child. The parent never returns. Its exit code is that of
// the child, or 128 + N when signal N has ended it. Any other process: does nothing. Without a
// process to be had the host goes on as process 1. [main, before any thread]
void become_child_of_init();

}  // namespace skep::host
