#include "host/topology/succession.hpp"

#include <gtest/gtest.h>

namespace skep::host {
namespace {

class Succession : public testing::Test {
protected:
    static WorkerTypeInfo type() {
        WorkerTypeInfo it;
        it.name = "parse";
        it.inputs = {{"lines", "text/plain", "", false}};
        it.outputs = {{"records", "application/json", "", false}};
        return it;
    }

    [[nodiscard]] std::string problem() const {
        std::optional<std::string> found = succession_problem(before, next);
        return found ? *found : state_problem(before, next).value_or("");
    }

    WorkerTypeInfo before = type(), next = type();
};

TEST_F(Succession, AnEqualTypeCanSucceed) {
    EXPECT_EQ(problem(), "");
}

TEST_F(Succession, AnotherNameParametersAndDocsDoNotMatter) {
    next.name = "parse_better";
    next.doc = "Better.";
    next.params.emplace_back();
    next.inputs[0].doc = "Lines.";
    EXPECT_EQ(problem(), "");
}

TEST_F(Succession, PortsMayBeAddedAtTheEnd) {
    next.inputs.push_back({"commands", "*", "", false});
    next.outputs.push_back({"rejects", "*", "", false});
    EXPECT_EQ(problem(), "");
}

TEST_F(Succession, PortsMayNeitherGoNorChange) {
    next.outputs.clear();
    EXPECT_EQ(problem(), "its output 'records' was removed");
    next = type();
    next.inputs[0].content_type = "*";
    EXPECT_EQ(
        problem(),
        "its input 0 changed from 'lines' (text/plain) to 'lines' (*); ports may only be added "
        "at the end");
}

TEST_F(Succession, AStateIsTakenWithinTheVersionsThatTheNewOneReads) {
    next.state_version = 5;
    next.state_oldest = 3;
    EXPECT_EQ(problem(), "") << "there is none yet";
    before.state_oldest = 1;
    before.state_version = 5;
    EXPECT_EQ(problem(), "");
    before.state_version = 3;
    EXPECT_EQ(problem(), "");
    before.state_version = 2;
    EXPECT_EQ(problem(), "its state has version 2, but the successor accepts 3 to 5");
    before.state_version = 6;
    EXPECT_EQ(problem(), "its state has version 6, but the successor accepts 3 to 5");
}

TEST_F(Succession, AStateIsNotLost) {
    before.state_version = before.state_oldest = 1;
    EXPECT_EQ(problem(), "its state version 1 would be lost: the successor accepts no state");
}

}  // namespace
}  // namespace skep::host
