#include "bench/peers/peers.hpp"

void bench::add_caf(Contenders& /*all*/) {}
