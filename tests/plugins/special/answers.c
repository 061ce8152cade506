/* Answers with the number that it was built with. */
#include "../raw.h"

static int32_t probe(void* data, uint32_t question) {
    (void)data;
    (void)question;
    return SKEP_TEST_ANSWER;
}

RAW_PLUGIN("org.skep.test.answers")
