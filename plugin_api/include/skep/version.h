/* The version of skep and of its plugin ABI: the one place where either is written (CMake reads it
 * here).
 *
 * The ABI has a major and a minor. Equal majors are a must; within a major every minor only appends
 * (see abi.h, "Growth"). While the major is 0 a new minor may change anything. From 1.0 on a golden
 * layout test guards it.
 */
#ifndef SKEP_VERSION_H
#define SKEP_VERSION_H

#define SKEP_VERSION_STRING "0.1.0"

#define SKEP_ABI_MAJOR 0
#define SKEP_ABI_MINOR 5

/* The oldest host minor that a plugin built with these headers can run on. */
#define SKEP_ABI_LOWEST_HOST_MINOR 3

/* The oldest plugin minor that a host built with these headers still runs. */
#define SKEP_ABI_LOWEST_PLUGIN_MINOR 1

#endif
