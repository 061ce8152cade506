/* Exports the function that its companion calls, and so stays for as long as the companion does. */
#include "../raw.h"

int skep_test_ask(void);
__attribute__((visibility("default"))) int skep_test_answer(void);

int skep_test_answer(void) {
    return 2;
}

static int32_t probe(void* data, uint32_t question) {
    (void)data;
    (void)question;
    return skep_test_ask();
}

RAW_PLUGIN("org.skep.test.held_by_companion")
