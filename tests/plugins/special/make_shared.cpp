// Uses std::make_shared, which has a static of namespace std in it: hiding one's own symbols is not
// enough to be unloaded.
#include <memory>

#include "../raw.h"

static int32_t probe(void*, uint32_t) {
    return *std::make_shared<int>(7);
}

RAW_PLUGIN("org.skep.test.make_shared")
