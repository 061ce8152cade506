# find_package(skep) provides the target skep::plugin_api and the function skep_add_plugin.
include(${CMAKE_CURRENT_LIST_DIR}/skep-targets.cmake)
include(${CMAKE_CURRENT_LIST_DIR}/skep_add_plugin.cmake)
