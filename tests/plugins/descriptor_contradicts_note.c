/* Calls itself one thing in the note and another in the descriptor. */
#include "raw.h"

static int32_t probe(void* data, uint32_t question) {
    (void)data;
    (void)question;
    return 0;
}

RAW_PLUGIN_AS("org.skep.test.one_name", "org.skep.test.another_name")
