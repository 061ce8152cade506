// Reports the state of the host to a service manager by sd_notify(3), for a unit of Type=notify or
// notify-reload. Does nothing if $NOTIFY_SOCKET is not set. [any-thread]
#pragma once

#include <string>

namespace skep::host {

// Reports that the host runs: after its start, and after each reload.
void report_ready(const std::string& status);
void report_reloading();
void report_stopping();

}  // namespace skep::host
