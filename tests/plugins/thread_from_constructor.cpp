// Starts a thread while it is loaded, and joins it only when it is asked to.
#include <semaphore>
#include <thread>

#include "raw.h"

namespace {

std::binary_semaphore may_end{0};
std::thread* worker = new std::thread([] { may_end.acquire(); });

int32_t probe(void*, uint32_t) {
    may_end.release();
    worker->join();
    delete worker;
    return 0;
}

}  // namespace

RAW_PLUGIN("org.skep.test.thread_from_constructor")
