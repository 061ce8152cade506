#include <map>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>
#include <re2/re2.h>

#include <skep/plugin.hpp>

// Lines are UTF-8 to RE2: a byte that is not is matched by nothing but \C, so a pattern that is
// anchored at both ends sends such a line to `unmatched`. Where \C captures one it becomes U+FFFD in
// the record.
class Regex {
public:
    static constexpr auto name = "regex";
    static constexpr auto doc = "Makes JSON records of lines that a regular expression matches.";
    static constexpr skep::param params[] = {
        skep::param::string("pattern", "RE2 syntax; each named group (?P<name>...) is a field")
            .required(),
    };
    static constexpr skep::port inputs[] = {{"lines", "text/plain", "one line each"}};
    static constexpr skep::port outputs[] = {
        {"ok", "application/json", "the named groups; null for one that took no part"},
        skep::port("unmatched", "text/plain", "the other lines, unchanged").optional(),
    };

    explicit Regex(skep::context& context)
        : pattern_(std::string(context.config_text("pattern")), RE2::Quiet) {
        if (!pattern_.ok()) {
            refuse(pattern_.error());
        }
        if (pattern_.NamedCapturingGroups().empty()) {
            refuse("it has no named group (?P<name>...)");
        }
        if (pattern_.NamedCapturingGroups().size() != pattern_.CapturingGroupNames().size()) {
            refuse("two of its groups have the same name");
        }
        groups_.resize(static_cast<std::size_t>(pattern_.NumberOfCapturingGroups()) + 1);
    }

    void on_message(skep::context& context, const skep::message& message) {
        // An empty group must not look like one that took no part, whose data is null.
        const std::string_view line = message.size() == 0 ? "" : message.text();
        if (!pattern_.Match({line.data(), line.size()},
                            0,
                            line.size(),
                            RE2::UNANCHORED,
                            groups_.data(),
                            static_cast<int>(groups_.size()))) {
            context.forward(1, message.raw());
            return;
        }
        nlohmann::ordered_json record;
        for (const auto& [index, group] : pattern_.CapturingGroupNames()) {
            const re2::StringPiece& found = groups_[static_cast<std::size_t>(index)];
            record[group] = found.data() == nullptr
                                ? nlohmann::ordered_json()
                                : nlohmann::ordered_json(std::string(found.data(), found.size()));
        }
        context.emit(record.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
    }

private:
    [[noreturn]] void refuse(const std::string& why) const {
        throw std::invalid_argument("pattern '" + pattern_.pattern() + "': " + why);
    }

    RE2 pattern_;
    std::vector<re2::StringPiece> groups_;
};

SKEP_PLUGIN("org.skep.regex", "0.1.0", Regex)
