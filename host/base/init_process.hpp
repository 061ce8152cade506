// Process 1 of a container, or of any pid namespace. It adopts every process that loses its parent,
// and must collect its exit status; otherwise the process stays as a zombie.
//
// A host cannot do that itself: waitpid(-1) would take the exit status of a child that a plugin
// awaits with waitpid(), system() or pclose(). Therefore the host becomes a child, and process 1
// only reaps, forwards signals, and ends as the host ends.
#pragma once

namespace skep::host {

// In process 1: forks, and returns in the child. The parent never returns; its exit code is that of
// the child, or 128 + N when signal N ended the child. In any other process: does nothing. If no
// process can be created, the host continues as process 1. [main, before any thread]
void become_child_of_init();

}  // namespace skep::host
