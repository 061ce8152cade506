// The cells as topologies.
#pragma once

#include "bench/contender.hpp"
#include "bench/skep_host.hpp"

namespace bench {

// Named "skep". One contender a cell that can run in this mode.
[[nodiscard]] Contenders skep_contenders(Mode mode);

// For the plots: a stream of payloads of `size` bytes; `workers` in a ring; `routes` that leave one
// source, taken in turn. All in ns per message.
[[nodiscard]] Sample skep_payload(Mode mode, std::size_t size, std::uint64_t count);
[[nodiscard]] Sample skep_ring(Mode mode, std::uint64_t workers, std::uint64_t hops);
[[nodiscard]] Sample skep_routes(Mode mode, std::uint64_t routes, std::uint64_t deliveries);

}  // namespace bench
