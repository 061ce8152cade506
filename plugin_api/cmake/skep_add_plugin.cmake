# skep_add_plugin(name sources...) builds one plugin, lib<name>.so, with link options that allow the
# host to unload it.
#
#   version script   exports only skep_plugin_v1. Without it a symbol marked STB_GNU_UNIQUE (any
#                    inline static, std::make_shared, ...) pins the library and leaks its value into
#                    the next version that is loaded.
#   -fno-gnu-unique  the same for symbols that the version script does not reach (GCC; clang has no
#                    such mark)
#   -z defs          an undefined symbol fails this link instead of the load in the host
#   exit list        static destructors register in the plugin, not in the process (exit_list.c)
#   chmod go-w       the host refuses a plugin that other users could have written

function(skep_add_plugin name)
    set(here ${CMAKE_CURRENT_FUNCTION_LIST_DIR})
    set(exit_list ${here}/exit_list.c)
    get_property(languages GLOBAL PROPERTY ENABLED_LANGUAGES)
    if(NOT C IN_LIST languages)
        set_source_files_properties(${exit_list} PROPERTIES LANGUAGE CXX)
    endif()
    add_library(${name} MODULE ${ARGN} ${exit_list})
    target_link_libraries(${name} PRIVATE skep::plugin_api)
    set_target_properties(
        ${name}
        PROPERTIES CXX_VISIBILITY_PRESET hidden
                   C_VISIBILITY_PRESET hidden
                   VISIBILITY_INLINES_HIDDEN ON
                   SKIP_BUILD_RPATH ON
                   LINK_DEPENDS ${here}/plugin.map)
    target_compile_options(${name} PRIVATE $<$<COMPILE_LANG_AND_ID:CXX,GNU>:-fno-gnu-unique>)
    target_link_options(${name} PRIVATE "LINKER:--version-script=${here}/plugin.map"
                        "LINKER:--build-id")
    # The runtime of a sanitizer is in the host: clang leaves its symbols undefined in a plugin.
    if(NOT (SKEP_SANITIZE AND CMAKE_CXX_COMPILER_ID MATCHES "Clang"))
        target_link_options(${name} PRIVATE "LINKER:-z,defs")
    endif()
    add_custom_command(
        TARGET ${name}
        POST_BUILD
        COMMAND chmod go-w $<TARGET_FILE:${name}>
        VERBATIM)
endfunction()
