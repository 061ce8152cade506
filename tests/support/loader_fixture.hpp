// A FileLoader with a stage of its own, and short words for what the tests do with it.
#pragma once

#include <memory>
#include <string>
#include <thread>
#include <utility>

#include <gtest/gtest.h>

#include "host/loader/file_loader.hpp"
#include "tests/support/plugin_files.hpp"

namespace skep::host {

class LoaderFixture : public testing::Test {
protected:
    LoaderFixture()
        : loader_(std::move(FileLoader::create({folder_.path()}).value())) {}

    std::shared_ptr<Library> open(const std::string& path) {
        auto library = loader_->open(path);
        EXPECT_TRUE(library) << path << ": " << message_of(library);
        return library ? *library : nullptr;
    }

    std::string refusal(const std::string& path) { return message_of(loader_->open(path)); }

    // Asks the plugin's probe (tests/plugins/raw.h) on a thread that ends, as a worker's would.
    static int ask(const std::shared_ptr<Library>& library, void* data = nullptr) {
        int answer = 0;
        std::thread([&] { answer = ask_here(library, data); }).join();
        return answer;
    }

    static int ask_here(const std::shared_ptr<Library>& library, void* data = nullptr) {
        return library->find_type("probe")->on_timer(data, 0);
    }

    // Both take the caller's hold, since a library that is closed must have no other.
    UnloadReport close(std::shared_ptr<Library>& library) {
        return loader_->close(std::move(library));
    }

    void expect_unloads(std::shared_ptr<Library>& library) {
        const UnloadReport report = close(library);
        EXPECT_TRUE(report.unloaded) << report.cause;
    }

    const TempFolder folder_;
    const std::unique_ptr<FileLoader> loader_;
};

}  // namespace skep::host
