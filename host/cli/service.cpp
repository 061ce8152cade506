#include "host/cli/service.hpp"

#include <chrono>

#include <systemd/sd-daemon.h>

#include "host/base/deadline.hpp"
#include "host/base/printable.hpp"

namespace skep::host {
namespace {

void notify(const std::string& state) {
    (void)sd_notify(0, state.c_str());
}

}  // namespace

void tell_ready(const std::string& status) {
    // One line: a line feed begins the next variable.
    notify("READY=1\nSTATUS=" + escaped(status.substr(0, status.find('\n'))));
}

void tell_reloading() {
    const auto now = std::chrono::duration_cast<std::chrono::microseconds>(steady_now());
    notify("RELOADING=1\nMONOTONIC_USEC=" + std::to_string(now.count()));
}

void tell_stopping() {
    notify("STOPPING=1");
}

}  // namespace skep::host
