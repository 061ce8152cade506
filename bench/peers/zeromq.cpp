#include "bench/peers/peers.hpp"

void bench::add_zeromq(Contenders& /*all*/) {}
