/* libc keeps a function of it until the process ends, and forgets it at no dlclose. */
#define _GNU_SOURCE
#include <stdlib.h>

#include "raw.h"

static void at_the_end(int status, void* data) {
    (void)status;
    (void)data;
}

static int32_t probe(void* data, uint32_t question) {
    (void)data;
    (void)question;
    return on_exit(at_the_end, NULL);
}

RAW_PLUGIN("org.skep.test.calls_on_exit")
