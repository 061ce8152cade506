#include "host/worker/state.hpp"

#include <fstream>
#include <iterator>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace skep::host {
namespace {

std::vector<WorkerState> all_states() {
    std::vector<WorkerState> all;
    for (std::size_t i = 0; i < worker_state_count; ++i) {
        all.push_back(static_cast<WorkerState>(i));
    }
    return all;
}

std::vector<WorkerEvent> all_events() {
    std::vector<WorkerEvent> all;
    for (std::size_t i = 0; i < worker_event_count; ++i) {
        all.push_back(static_cast<WorkerEvent>(i));
    }
    return all;
}

// The comment in state.hpp is what people read; it must be the table.
TEST(WorkerState, TheTableInTheHeaderIsTheTableInForce) {
    std::ifstream header(std::string(SKEP_SOURCE_DIR) + "/host/worker/state.hpp");
    std::vector<std::string> columns;
    std::map<std::string, std::string> written;  // "from event" -> to
    for (std::string line; std::getline(header, line) && line.starts_with("//");) {
        std::istringstream words(line.substr(2));
        const std::vector<std::string> cells{std::istream_iterator<std::string>(words), {}};
        if (!cells.empty() && cells[0] == "from") {
            columns = cells;
        } else if (!columns.empty() && cells.size() == columns.size()) {
            for (std::size_t i = 1; i < cells.size(); ++i) {
                written[cells[0] + " " + columns[i]] = cells[i];
            }
        }
    }
    EXPECT_EQ(written.size(), worker_state_count * worker_event_count);
    for (const WorkerState from : all_states()) {
        for (const WorkerEvent event : all_events()) {
            const auto next = next_state(from, event);
            const std::string key = std::string(name_of(from)) + " " + std::string(name_of(event));
            EXPECT_EQ(written[key], next ? name_of(*next) : "-") << key;
        }
    }
}

TEST(WorkerState, EveryStateButBackoffCanBeReached) {
    std::vector<bool> reached(worker_state_count);
    reached[0] = true;
    for (std::size_t round = 0; round < worker_state_count; ++round) {
        for (const WorkerState from : all_states()) {
            for (const WorkerEvent event : all_events()) {
                const auto next = next_state(from, event);
                if (next && reached[static_cast<std::size_t>(from)]) {
                    reached[static_cast<std::size_t>(*next)] = true;
                }
            }
        }
    }
    for (const WorkerState state : all_states()) {
        EXPECT_EQ(reached[static_cast<std::size_t>(state)], state != WorkerState::backoff)
            << name_of(state);
    }
}

TEST(WorkerState, AWorkerAtRestCannotPauseResumeOrStop) {
    for (const WorkerState state : {WorkerState::stopped, WorkerState::failed}) {
        for (const WorkerEvent event :
             {WorkerEvent::pause, WorkerEvent::resume, WorkerEvent::stop}) {
            EXPECT_FALSE(next_state(state, event)) << name_of(state) << " + " << name_of(event);
        }
    }
}

TEST(WorkerState, PlainNamesAreTheFiveThatPeopleKnow) {
    const std::map<std::string, int> known = {
        {"created", 0}, {"running", 0}, {"paused", 0}, {"stopped", 0}, {"error", 0}};
    for (const WorkerState state : all_states()) {
        EXPECT_TRUE(known.contains(std::string(plain_name_of(state)))) << name_of(state);
    }
    EXPECT_EQ(plain_name_of(WorkerState::draining), "running");
    EXPECT_EQ(plain_name_of(WorkerState::lost), "error");
}

}  // namespace
}  // namespace skep::host
