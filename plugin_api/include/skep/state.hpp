// Writes the state that an instance hands over to its successor. Part of skep/plugin.hpp.
//
//   static constexpr std::uint32_t state_version = 2;
//   static constexpr std::uint32_t state_oldest = 1;      // default: state_version
//   void save_state(skep::state_writer& out) const { out.write(text_); }
//   void load_state(std::uint32_t version, std::string_view state) { ... }
//
// The plugin defines the format of the bytes, and the meaning of older versions. The bytes must not
// contain pointers into the plugin: the successor's code has another address.
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

    // Adds a piece of state. Throws when the host has no room for it. Do not catch the exception:
    // it keeps the old instance in place.
    void write(std::string_view piece) {
        switch (sink_->write(sink_, piece.data(), piece.size())) {
            case SKEP_OK:
                return;
            case SKEP_E_TOO_BIG:
                throw std::length_error("the state exceeds the size limit of the host");
            default:
                throw std::bad_alloc();
        }
    }

private:
    const skep_state_sink* sink_;
};

}  // namespace skep
