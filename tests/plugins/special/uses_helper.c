/* Answers with the number of the library that lies beside it. */
#include "../raw.h"

int skep_test_helper(void);

static int32_t probe(void* data, uint32_t question) {
    (void)data;
    (void)question;
    return skep_test_helper();
}

RAW_PLUGIN("org.skep.test.uses_helper")
