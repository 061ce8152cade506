// The peers, library by library. Each has its best honest form; one that was not found when this
// was built adds nothing, and is a blank in the table.
#pragma once

#include "bench/contender.hpp"

namespace bench {

void add_std(Contenders& all);
void add_moodycamel(Contenders& all);
void add_readerwriterqueue(Contenders& all);
void add_tbb(Contenders& all);
void add_zeromq(Contenders& all);
void add_caf(Contenders& all);

[[nodiscard]] inline Contenders all_peers() {
    Contenders all;
    for (const auto add :
         {add_std, add_moodycamel, add_readerwriterqueue, add_tbb, add_zeromq, add_caf}) {
        add(all);
    }
    return all;
}

}  // namespace bench
