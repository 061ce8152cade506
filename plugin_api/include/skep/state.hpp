// Where an instance writes what its successor shall know. Part of skep/plugin.hpp.
//
//   static constexpr std::uint32_t state_version = 2;
//   static constexpr std::uint32_t state_oldest = 1;      // left out: state_version
//   void save_state(skep::state_writer& out) const { out.write(text_); }
//   void load_state(std::uint32_t version, std::string_view state) { ... }
//
// The form of the bytes is the plugin's own, and so is what an older version of it means. No
// pointer into the plugin may be among them: the code moves.
#pragma once

#include <cstdint>
#include <new>
#include <stdexcept>
#include <string_view>

#include <skep/abi.h>

namespace skep {

class state_writer {
public:
    explicit state_writer(const skep_state_sink* sink)
        : sink_(sink) {}

    // Adds a piece. Throws when the host has no room for it, which leaves the old instance in
    // place: let it pass.
    void write(std::string_view piece) {
        switch (sink_->write(sink_, piece.data(), piece.size())) {
            case SKEP_OK:
                return;
            case SKEP_E_TOO_BIG:
                throw std::length_error("the state is larger than the host takes");
            default:
                throw std::bad_alloc();
        }
    }

private:
    const skep_state_sink* sink_;
};

}  // namespace skep
