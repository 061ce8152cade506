/* A thread_local in the initial-exec model, which takes from a pool that reloads soon use up. */
#include "../raw.h"

static _Thread_local int count;

static int32_t probe(void* data, uint32_t question) {
    (void)data;
    (void)question;
    return ++count;
}

RAW_PLUGIN("org.skep.test.static_tls")
