// What a service manager is told, by sd_notify(3): for a unit of Type=notify or notify-reload.
// Nothing happens where nobody listens ($NOTIFY_SOCKET). [any-thread]
#pragma once

#include <string>

namespace skep::host {

// The host runs, or does again after a reload.
void tell_ready(const std::string& status);
void tell_reloading();
void tell_stopping();

}  // namespace skep::host
