/* Counts the questions it is asked, in a static of its own. */
#include "raw.h"

static int32_t count;

static int32_t probe(void* data, uint32_t question) {
    (void)data;
    (void)question;
    return ++count;
}

RAW_PLUGIN("org.skep.test.counts")
