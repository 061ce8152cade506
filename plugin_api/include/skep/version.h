/* The version of skep and of its plugin ABI. Both are written only here (CMake reads this file).
 *
 * The ABI has a major and a minor. Host and plugin must have the same major. Within a major, a new
 * minor only appends (see abi.h, "Growth"). While the major is 0, a new minor may change anything.
 * From 1.0 on, a golden layout test guards this rule.
 */
#ifndef SKEP_VERSION_H
#define SKEP_VERSION_H

#define SKEP_VERSION_STRING "0.1.0"

#define SKEP_ABI_MAJOR 0
#define SKEP_ABI_MINOR 5

/* The oldest host minor that a plugin built with these headers can run on. */
#define SKEP_ABI_LOWEST_HOST_MINOR 3

/* The oldest plugin minor that runs on a host built with these headers. */
#define SKEP_ABI_LOWEST_PLUGIN_MINOR 1

#endif
