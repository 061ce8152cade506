// Touches a thread_local with a destructor on whatever thread asks it.
#include "raw.h"

namespace {

struct Ends {
    ~Ends() { touched = 0; }

    int touched = 0;
};

thread_local Ends ends;

int32_t probe(void*, uint32_t) {
    return ++ends.touched;
}

}  // namespace

RAW_PLUGIN("org.skep.test.thread_local_destructor")
