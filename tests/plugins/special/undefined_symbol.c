/* Calls a function that nobody has. */
#include "../raw.h"

int32_t skep_test_nobody_has_this(void);

static int32_t probe(void* data, uint32_t question) {
    (void)data;
    (void)question;
    return skep_test_nobody_has_this();
}

RAW_PLUGIN("org.skep.test.undefined_symbol")
