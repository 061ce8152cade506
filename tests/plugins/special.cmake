# Test plugins that are built otherwise than skep_add_plugin would, or twice from one source.
set(special ${CMAKE_CURRENT_LIST_DIR}/special)

function(skep_special_plugin name source)
    skep_add_plugin(test_${name} ${special}/${source})
    set_target_properties(test_${name} PROPERTIES OUTPUT_NAME ${name})
endfunction()

# As someone would build a plugin who has never heard of skep_add_plugin, but of umask.
function(skep_naive_plugin name source)
    add_library(test_${name} MODULE ${special}/${source})
    target_link_libraries(test_${name} PRIVATE skep::plugin_api)
    set_target_properties(test_${name} PROPERTIES OUTPUT_NAME ${name})
    add_custom_command(
        TARGET test_${name}
        POST_BUILD
        COMMAND chmod go-w $<TARGET_FILE:test_${name}>
        VERBATIM)
endfunction()

foreach(answer 1 2)
    skep_special_plugin(answers_${answer} answers.c)
    target_compile_definitions(test_answers_${answer} PRIVATE SKEP_TEST_ANSWER=${answer})
endforeach()

foreach(version 1 2)
    foreach(greeter greeter_${version} remembering_greeter_${version} keyed_greeter_${version})
        skep_special_plugin(${greeter} greeter.cpp)
        target_compile_definitions(
            test_${greeter} PRIVATE SKEP_TEST_VERSION=${version}
                                    SKEP_TEST_VERSION_TEXT="${version}.0.0")
    endforeach()
    target_compile_definitions(test_remembering_greeter_${version} PRIVATE SKEP_TEST_REMEMBERS)
    target_compile_definitions(test_keyed_greeter_${version} PRIVATE SKEP_TEST_HAS_KEYS)
endforeach()

skep_special_plugin(inline_static inline_static.cpp)
skep_special_plugin(make_shared make_shared.cpp)
skep_naive_plugin(inline_static_naive inline_static.cpp)
skep_naive_plugin(make_shared_naive make_shared.cpp)
set_target_properties(
    test_inline_static_naive PROPERTIES CXX_VISIBILITY_PRESET default VISIBILITY_INLINES_HIDDEN OFF)
target_compile_options(test_inline_static_naive PRIVATE $<$<CXX_COMPILER_ID:GNU>:-fgnu-unique>)
target_compile_options(test_make_shared_naive PRIVATE $<$<CXX_COMPILER_ID:GNU>:-fgnu-unique> -O0)

skep_special_plugin(nodelete answers.c)
target_compile_definitions(test_nodelete PRIVATE SKEP_TEST_ANSWER=1)
target_link_options(test_nodelete PRIVATE "LINKER:-z,nodelete")

if(CMAKE_SYSTEM_PROCESSOR STREQUAL x86_64)
    skep_special_plugin(protected_flow answers.c)
    target_compile_definitions(test_protected_flow PRIVATE SKEP_TEST_ANSWER=1)
    target_compile_options(test_protected_flow PRIVATE -fcf-protection=full)
    target_link_options(test_protected_flow PRIVATE "LINKER:-z,ibt,-z,shstk")
endif()

skep_special_plugin(static_tls static_tls.c)
target_compile_options(test_static_tls PRIVATE -ftls-model=initial-exec)

skep_naive_plugin(undefined_symbol undefined_symbol.c)

add_library(test_companion SHARED ${special}/companion.c)
set_target_properties(test_companion PROPERTIES OUTPUT_NAME companion)
target_link_options(test_companion PRIVATE "LINKER:-z,nodelete")
skep_naive_plugin(held_by_companion held_by_companion.c)
target_link_libraries(test_held_by_companion PRIVATE test_companion)
add_custom_command(
    TARGET test_companion
    POST_BUILD
    COMMAND chmod go-w $<TARGET_FILE:test_companion>
    VERBATIM)

# A plugin with a library of its own in two versions, which have the same name.
foreach(answer 1 2)
    add_library(test_helper_${answer} SHARED ${special}/helper.c)
    set_target_properties(
        test_helper_${answer}
        PROPERTIES OUTPUT_NAME helper LIBRARY_OUTPUT_DIRECTORY
                                      ${CMAKE_LIBRARY_OUTPUT_DIRECTORY}/helper_${answer})
    target_compile_definitions(test_helper_${answer} PRIVATE SKEP_TEST_ANSWER=${answer})
endforeach()
skep_special_plugin(uses_helper uses_helper.c)
target_link_libraries(test_uses_helper PRIVATE test_helper_1)
set_target_properties(test_uses_helper PROPERTIES INSTALL_RPATH "$ORIGIN" BUILD_WITH_INSTALL_RPATH
                                                                          ON)

set(definitions SKEP_BINARY_DIR="${PROJECT_BINARY_DIR}" SKEP_CMAKE="${CMAKE_COMMAND}"
                SKEP_CXX="${CMAKE_CXX_COMPILER}")
set_source_files_properties(
    ${CMAKE_CURRENT_SOURCE_DIR}/loader/install_test.cpp
    PROPERTIES COMPILE_DEFINITIONS "${definitions}")
