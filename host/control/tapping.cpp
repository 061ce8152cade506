#include "host/control/tapping.hpp"

#include <algorithm>
#include <chrono>
#include <limits>
#include <optional>
#include <set>
#include <utility>

#include <nlohmann/json.hpp>

#include "host/base/printable.hpp"
#include "host/base/time_text.hpp"
#include "host/control/refusals.hpp"
#include "host/messaging/tap.hpp"
#include "host/topology/units.hpp"

namespace skep::host {
namespace {

using Json = nlohmann::ordered_json;

// The pause between polls of a tap. With the capacity of a tap, the host thus shows some 5,000
// messages per second.
constexpr Nanos rest_between_looks = std::chrono::milliseconds(50);
constexpr std::size_t most_bytes_of_one = 65536;

struct TapRequest {
    TapFilter filter;
    std::uint64_t limit = std::numeric_limits<std::uint64_t>::max();  // messages
};

std::optional<std::uint64_t> read_count(const std::string& text, std::uint64_t most) {
    const std::optional<std::int64_t> read = parse_integer(text);
    const bool is_good = read && *read > 0 && static_cast<std::uint64_t>(*read) <= most;
    return is_good ? std::optional<std::uint64_t>(*read) : std::nullopt;
}

Result<TapRequest, std::string> read_tap_request(const std::map<std::string, std::string>& query) {
    TapRequest wanted;
    for (const auto& [key, value] : query) {
        if (key == "from") {
            const std::size_t dot = value.find('.');
            wanted.filter.from = value.substr(0, dot);
            wanted.filter.output = dot == std::string::npos ? "" : value.substr(dot + 1);
        } else if (key == "to") {
            wanted.filter.to = value;
        } else if (key == "limit" || key == "bytes") {
            const bool is_limit = key == "limit";
            const std::uint64_t most = is_limit ? wanted.limit : most_bytes_of_one;
            const std::optional<std::uint64_t> count = read_count(value, most);
            if (!count) {
                return Unexpected<std::string>(is_limit ? "'limit' must be a number above 0"
                                                        : "'bytes' must be from 1 to " +
                                                              std::to_string(most));
            }
            (is_limit ? wanted.limit : wanted.filter.bytes) = *count;
        } else {
            return Unexpected<std::string>("unknown parameter '" + key + "'");
        }
    }
    return wanted;
}

bool has_worker(const Plan& plan, const std::string& worker) {
    return std::any_of(plan.workers.begin(), plan.workers.end(), [&](const WorkerPlan& it) {
        return is_named(it.name, worker);
    });
}

// Returns an error if the filter can never match a message of the plan.
std::optional<Response> problem_of(const TapFilter& filter, const Plan& plan) {
    for (const std::string& worker : {filter.from, filter.to}) {
        if (!worker.empty() && !has_worker(plan, worker)) {
            return refused({Refusal::Code::unknown_worker, "no worker '" + worker + "'"});
        }
    }
    std::set<std::string> outputs;
    for (const RoutePlan& route : plan.routes) {
        if (is_named(route.from, filter.from)) {
            outputs.insert(route.output_name);
        }
    }
    if (filter.output.empty() || outputs.contains(filter.output)) {
        return std::nullopt;
    }
    std::string why = "no route leaves '" + filter.from + "." + filter.output + "'";
    for (const std::string& output : outputs) {
        why += (output == *outputs.begin() ? "; outputs of '" + filter.from + "' with a route: "
                                           : ", ") +
               output;
    }
    return refused(bad_request, why);
}

// Returns the shown text, without a character that was cut in two. None: the payload is not text.
std::optional<std::string_view> text_of(const Tap::Shown& it) {
    constexpr std::size_t most_of_a_cut_one = 3;
    const std::string_view bytes = it.bytes;
    std::size_t end = 0;
    while (end < bytes.size()) {
        const std::string_view rest = bytes.substr(end);
        const bool is_line_end = rest[0] == '\n' || rest[0] == '\r';
        const std::size_t length = is_line_end ? 1 : printable_length(rest);
        if (length == 0) {
            break;
        }
        end += length;
    }
    const bool is_cut = bytes.size() < it.size && bytes.size() - end <= most_of_a_cut_one;
    return end == bytes.size() || is_cut ? std::optional(bytes.substr(0, end)) : std::nullopt;
}

std::string line_of(const Tap::Shown& it, const std::string& time) {
    Json line = {{"from", *it.message.sender},
                 {"output", it.message.output == nullptr ? "" : *it.message.output},
                 {"to", *it.to},
                 {"sequence", it.message.sequence},
                 {"time", time},
                 {"age_ns", it.age.count()},
                 {"content_type", escaped(*it.message.content_type)},
                 {"trace_id", it.message.trace_id},
                 {"failed", it.has_failed},
                 {"size", it.size}};
    const std::optional<std::string_view> text = text_of(it);
    line[text ? "text" : "hex"] = text ? std::string(*text) : hex(it.bytes);
    return line.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

// An open tap, read piece by piece.
class Telling {
public:
    Telling(std::shared_ptr<Taps> taps, std::shared_ptr<Tap> tap, std::uint64_t limit, Rest rest)
        : taps_(std::move(taps)),
          tap_(std::move(tap)),
          rest_(std::move(rest)),
          left_(limit) {}

    ~Telling() { taps_->close(tap_); }

    Telling(const Telling&) = delete;
    Telling& operator=(const Telling&) = delete;

    std::optional<std::string> next() {
        if (left_ == 0 || (has_looked_ && !rest_(rest_between_looks))) {
            return std::nullopt;
        }
        has_looked_ = true;
        const Tap::Taken taken = tap_->take();
        const std::string time = time_text(std::chrono::system_clock::now());
        std::string piece;
        for (const Tap::Shown& it : taken.shown) {
            piece += line_of(it, time);
            if (--left_ == 0) {
                return piece;
            }
        }
        if (taken.skipped > 0) {
            piece += R"({"skipped":)" + std::to_string(taken.skipped) + "}\n";
        }
        return piece;
    }

private:
    const std::shared_ptr<Taps> taps_;
    const std::shared_ptr<Tap> tap_;
    const Rest rest_;
    std::uint64_t left_;
    bool has_looked_ = false;
};

}  // namespace

Response tap(ControlWorld& world, const Request& request, const std::string& /*target*/) {
    Result<TapRequest, std::string> wanted = read_tap_request(request.query);
    if (!wanted) {
        return refused(bad_request, wanted.error());
    }
    const auto plan = world.manager.plan();
    if (!plan) {
        return refused(plan.error());
    }
    if (std::optional<Response> problem = problem_of(wanted->filter, **plan)) {
        return std::move(*problem);
    }
    if (!request.hold()) {
        return too_many_held();
    }
    const std::shared_ptr<Taps>& taps = world.manager.taps();
    std::shared_ptr<Tap> opened = taps->open(std::move(wanted->filter));
    if (opened == nullptr) {
        return refused(busy, std::to_string(Taps::most) + " taps are open already");
    }
    const auto telling =
        std::make_shared<Telling>(taps, std::move(opened), wanted->limit, request.rest);
    Response response;
    response.more = [telling] { return telling->next(); };
    return response;
}

}  // namespace skep::host
