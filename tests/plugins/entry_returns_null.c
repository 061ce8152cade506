/* Its entry has nothing to show. */
#include "raw.h"

SKEP_NOTE("org.skep.test.entry_returns_null", "1.0.0", SKEP_LANGUAGE_C);

RAW_ENTRY {
    (void)raw_create;
    (void)raw_destroy;
    (void)raw_on_message;
    return NULL;
}
