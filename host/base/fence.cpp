#include "host/base/fence.hpp"

#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "host/base/assert.hpp"

namespace skep::host {

namespace {

// Registers once for the process; the kernel remembers it.
bool is_registered() {
    static const bool registered =
        syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0) == 0;
    return registered;
}

}  // namespace

Fence::Fence(Cost wanted)
    : is_asymmetric_(wanted == Cost::asymmetric && is_registered()) {}

void Fence::heavy() const {
    if (is_asymmetric_) {
        SKEP_ASSERT(syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0) == 0);
    } else {
        full_fence();
    }
}

}  // namespace skep::host
