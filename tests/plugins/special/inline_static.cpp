// Counts in an inline variable: one per process, says the language, and so says STB_GNU_UNIQUE.
// Built by skep_add_plugin it is one per library; built as others build plugins, it outlives them.
#include "../raw.h"

namespace skep_test {
inline int counter = 0;
}

static int32_t probe(void*, uint32_t) {
    return ++skep_test::counter;
}

RAW_PLUGIN("org.skep.test.inline_static")
