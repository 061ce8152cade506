#include <algorithm>
#include <cstdint>
#include <map>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include <skep/plugin.hpp>

// Counts since the start of the worker, across all reloads. With `every`, each interval emits all
// rows again: the last set of rows is complete.
class Count {
public:
    static constexpr auto name = "count";
    static constexpr auto doc = "Counts JSON records by the value of one field.";
    static constexpr skep::param params[] = {
        skep::param::string("group_by", "The field; its value may be of any JSON type").required(),
        skep::param::duration("every", "How often to emit; not set: only at the end")
            .at_least("1ms"),
    };
    static constexpr skep::port inputs[] = {{"records", "application/json", "JSON objects"}};
    static constexpr skep::port outputs[] = {
        {"rows",
         "application/json",
         "{\"<group_by>\": value, \"count\": n}, the most frequent first"},
        skep::port("failed", "*", "records that are not JSON or lack the field, unchanged")
            .optional(),
    };

    explicit Count(skep::context& context)
        : group_by_(context.config_text("group_by")) {
        if (group_by_ == "count") {
            throw std::invalid_argument(
                "group_by cannot be 'count': rows have a field of that name");
        }
        if (context.has_config("every")) {
            const auto every = context.config_duration("every");
            context.set_timer(0, every, every);
        }
    }

    void on_message(skep::context& context, const skep::message& message) {
        const auto record = nlohmann::json::parse(message.text(), nullptr, /*exceptions*/ false);
        const auto field = record.find(group_by_);
        if (record.is_discarded()) {
            refuse(context, message, "not JSON");
        } else if (field == record.end()) {
            refuse(context, message, "no field '" + group_by_ + "'");
        } else if (is_deeper_than(*field, 32)) {
            refuse(context, message, "field '" + group_by_ + "' is nested too deeply");
        } else {
            ++counts_[field->dump()];
        }
    }

    void on_timer(skep::context& context, std::uint32_t /*id*/) { emit_rows(context); }

    void on_drain(skep::context& context) { emit_rows(context); }

    // The state is what has been counted. A successor that groups by another field starts from
    // zero.
    static constexpr std::uint32_t state_version = 1;

    void save_state(skep::state_writer& out) const {
        out.write(
            nlohmann::json{{"group_by", group_by_}, {"counts", counts_}, {"refused", refused_}}
                .dump());
    }

    void load_state(std::uint32_t /*version*/, std::string_view state) {
        const auto json = nlohmann::json::parse(state);
        if (json.at("group_by") == group_by_) {
            counts_ = json.at("counts").get<std::map<std::string, std::uint64_t>>();
            refused_ = json.at("refused");
        }
    }

private:
    // The JSON library writes and compares values recursively: a hostile value could exhaust the
    // stack.
    static bool is_deeper_than(const nlohmann::json& value, int levels) {
        return value.is_structured() &&
               (levels == 0 || std::any_of(value.begin(), value.end(), [&](const auto& inner) {
                    return is_deeper_than(inner, levels - 1);
                }));
    }

    void refuse(skep::context& context, const skep::message& message, const std::string& why) {
        ++refused_;
        context.errors_seen();
        if ((refused_ & (refused_ - 1)) == 0) {  // the 1st, 2nd, 4th, 8th, ... refused record
            context.warn("refused a record, " + std::to_string(refused_) + " in total: " + why);
        }
        context.forward(1, message.raw());
    }

    void emit_rows(skep::context& context) const {
        std::vector<std::pair<nlohmann::json, std::uint64_t>> rows;
        for (const auto& [value, count] : counts_) {
            rows.emplace_back(nlohmann::json::parse(value), count);
        }
        std::stable_sort(rows.begin(), rows.end(), [](const auto& left, const auto& right) {
            return left.second != right.second ? left.second > right.second
                                               : left.first < right.first;
        });
        for (const auto& [value, count] : rows) {
            context.emit(nlohmann::ordered_json{{group_by_, value}, {"count", count}}.dump());
        }
    }

    std::string group_by_;
    std::map<std::string, std::uint64_t> counts_;  // by the JSON text of the value
    std::uint64_t refused_ = 0;
};

SKEP_PLUGIN("org.skep.count", "0.1.0", Count)
