// The declarations of a worker type: its parameters and its ports. Part of skep/plugin.hpp.
#pragma once

#include <cstdint>

#include <skep/abi.h>

namespace skep {

// One parameter. Values are text as a user would write them in TOML, without the quotes:
//   skep::param::duration("every", "How often to emit").with_default("1s").at_least("1ms")
class param : public skep_param {
public:
    static constexpr param string(const char* name, const char* doc) {
        return {SKEP_PARAM_STRING, name, doc};
    }

    static constexpr param integer(const char* name, const char* doc) {
        return {SKEP_PARAM_INTEGER, name, doc};
    }

    static constexpr param number(const char* name, const char* doc) {
        return {SKEP_PARAM_NUMBER, name, doc};
    }

    static constexpr param boolean(const char* name, const char* doc) {
        return {SKEP_PARAM_BOOLEAN, name, doc};
    }

    static constexpr param duration(const char* name, const char* doc) {
        return {SKEP_PARAM_DURATION, name, doc};
    }

    static constexpr param bytes(const char* name, const char* doc) {
        return {SKEP_PARAM_SIZE, name, doc};
    }

    [[nodiscard]] constexpr param with_default(const char* value) const {
        param changed = *this;
        changed.default_value = value;
        return changed;
    }

    [[nodiscard]] constexpr param at_least(const char* value) const {
        param changed = *this;
        changed.min_value = value;
        return changed;
    }

    [[nodiscard]] constexpr param at_most(const char* value) const {
        param changed = *this;
        changed.max_value = value;
        return changed;
    }

    // `values` must have static storage and end with a null.
    [[nodiscard]] constexpr param one_of(const char* const* values) const {
        param changed = *this;
        changed.choices = values;
        return changed;
    }

    [[nodiscard]] constexpr param required() const { return flagged(SKEP_PARAM_REQUIRED); }

    [[nodiscard]] constexpr param secret() const { return flagged(SKEP_PARAM_SECRET); }

    // The host passes a new value to reconfigure(context), if the type has it; no successor is
    // needed.
    [[nodiscard]] constexpr param reloadable() const { return flagged(SKEP_PARAM_RELOADABLE); }

private:
    constexpr param(std::uint32_t its_type, const char* its_name, const char* its_doc)
        : skep_param{} {
        size = sizeof(skep_param);
        type = its_type;
        name = its_name;
        doc = its_doc;
    }

    [[nodiscard]] constexpr param flagged(std::uint32_t flag) const {
        param changed = *this;
        changed.flags |= flag;
        return changed;
    }
};

// One port: {name, content type, doc}.
class port : public skep_port {
public:
    constexpr port(const char* its_name, const char* its_content_type, const char* its_doc)
        : skep_port{} {
        size = sizeof(skep_port);
        name = its_name;
        content_type = its_content_type;
        doc = its_doc;
    }

    // Suppresses the warning that no route connects this port.
    [[nodiscard]] constexpr port optional() const {
        port changed = *this;
        changed.flags |= SKEP_PORT_OPTIONAL;
        return changed;
    }
};

}  // namespace skep
