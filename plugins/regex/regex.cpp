#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include <dlfcn.h>
#include <nlohmann/json.hpp>
#include <re2/re2.h>

#include <skep/plugin.hpp>

// Returns true for text that RE2 can read as UTF-8: without stray, missing or overlong bytes, and
// without surrogates.
static bool is_utf8(std::string_view text) {
    for (std::size_t at = 0; at < text.size();) {
        const auto byte = [&](std::size_t index) {
            return index < text.size() ? static_cast<unsigned char>(text[index]) : 0U;
        };
        const unsigned first = byte(at);
        const std::size_t length = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
        unsigned point = length == 1 ? first : first & (0x7fU >> length);
        for (std::size_t i = 1; i < length; ++i) {
            if ((byte(at + i) & 0xc0U) != 0x80U) {
                return false;
            }
            point = point << 6U | (byte(at + i) & 0x3fU);
        }
        constexpr unsigned smallest[] = {0, 0, 0x80, 0x800, 0x10000};
        if ((first >= 0x80 && first < 0xc2) || first > 0xf4 || point < smallest[length] ||
            point > 0x10ffff || (point >= 0xd800 && point < 0xe000)) {
            return false;
        }
        at += length;
    }
    return true;
}

// Logs are not always text. A line that is not UTF-8 is matched byte by byte, like Latin-1. Bytes
// of a group that are not UTF-8 become U+FFFD in the record. Thus no line is lost because of its
// encoding.
class Regex {
public:
    static constexpr auto name = "regex";
    static constexpr auto doc = "Makes JSON records from lines that match a regular expression.";
    static constexpr skep::param params[] = {
        skep::param::string("pattern", "RE2 syntax; each named group (?P<name>...) is a field")
            .required()
            .reloadable(),
    };
    static constexpr skep::port inputs[] = {{"lines", "text/plain", "one line each"}};
    static constexpr skep::port outputs[] = {
        {"ok", "application/json", "the named groups; null for a group that did not match"},
        skep::port("unmatched", "text/plain", "the other lines, unchanged").optional(),
    };

    explicit Regex(skep::context& context) {
        keep_re2_mapped();  // also if the pattern is invalid
        reconfigure(context);
    }

    void reconfigure(skep::context& context) {
        pattern_ = std::make_unique<Pattern>(context.config_text("pattern"));
    }

    void on_message(skep::context& context, const skep::message& message) {
        // An empty group must differ from a group that did not match, whose data is null.
        const std::string_view line = message.size() == 0 ? "" : message.text();
        const RE2& pattern = is_utf8(line) ? pattern_->text : pattern_->bytes;
        std::vector<re2::StringPiece>& groups = pattern_->groups;
        if (!pattern.Match({line.data(), line.size()},
                           0,
                           line.size(),
                           RE2::UNANCHORED,
                           groups.data(),
                           static_cast<int>(groups.size()))) {
            context.forward(1, message.raw());
            return;
        }
        nlohmann::ordered_json record;
        for (const auto& [index, group] : pattern.CapturingGroupNames()) {
            const re2::StringPiece& found = groups[static_cast<std::size_t>(index)];
            record[group] = found.data() == nullptr
                                ? nlohmann::ordered_json()
                                : nlohmann::ordered_json(std::string(found.data(), found.size()));
        }
        context.emit(record.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
    }

private:
    // RE2 allocates tables once and never frees them. If the host unmapped RE2 together with this
    // plugin, each reload would leak another set of tables.
    static void keep_re2_mapped() {
        Dl_info re2{};
        if (::dladdr(reinterpret_cast<const void*>(&RE2::QuoteMeta), &re2) != 0) {
            ::dlopen(re2.dli_fname, RTLD_NOW | RTLD_NOLOAD | RTLD_NODELETE);
        }
    }

    static RE2::Options options_for_bytes() {
        RE2::Options options(RE2::Latin1);
        options.set_log_errors(false);
        return options;
    }

    struct Pattern {
        explicit Pattern(std::string_view written)
            : text(std::string(written), RE2::Quiet),
              bytes(text.pattern(), options_for_bytes()) {
            if (!text.ok()) {
                refuse(text.error());
            }
            if (text.NamedCapturingGroups().empty()) {
                refuse("no named group (?P<name>...)");
            }
            if (text.NamedCapturingGroups().size() != text.CapturingGroupNames().size()) {
                refuse("two groups have the same name");
            }
            groups.resize(static_cast<std::size_t>(text.NumberOfCapturingGroups()) + 1);
        }

        [[noreturn]] void refuse(const std::string& why) const {
            throw std::invalid_argument("cannot use pattern '" + text.pattern() + "': " + why);
        }

        const RE2 text;
        const RE2 bytes;  // for lines that are not UTF-8
        std::vector<re2::StringPiece> groups;
    };

    std::unique_ptr<Pattern> pattern_;
};

SKEP_PLUGIN("org.skep.regex", "0.1.0", Regex)
