#include "bench/peers/peers.hpp"

void bench::add_tbb(Contenders& /*all*/) {}
