# Proof that the stress would find what it is there to find: it is built again with twins of the
# host's files that are broken in one place, and has to say what is wrong.
#
# skep_twin(NAME FILE TEST FINDING BROKEN_FROM BROKEN_TO): in a copy of host/FILE the text
# BROKEN_FROM, which has to be there exactly once, becomes BROKEN_TO. The tests of the stress that
# begin with TEST must fail and print something that matches FINDING.
set(twin_sources
    messaging/ring.cpp messaging/ring_reader.cpp messaging/inbox.cpp messaging/mailbox.cpp
    base/fence.cpp base/clock.cpp)

function(skep_twin name file test finding from to)
    set(folder ${CMAKE_CURRENT_BINARY_DIR}/twins/${name})
    set_property(
        DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/host/${file})
    file(READ ${PROJECT_SOURCE_DIR}/host/${file} text)
    string(REPLACE "${from}" "" without "${text}")
    string(LENGTH "${text}" length)
    string(LENGTH "${without}" length_without)
    string(LENGTH "${from}" length_from)
    math(EXPR removed "${length} - ${length_without}")
    if(NOT removed EQUAL length_from)
        message(FATAL_ERROR "the twin ${name} does not find this once in host/${file}: ${from}")
    endif()
    string(REPLACE "${from}" "${to}" text "${text}")
    file(CONFIGURE OUTPUT ${folder}/host/${file} CONTENT "${text}" @ONLY)

    set(sources stress/ring_stress_test.cpp)
    foreach(source ${twin_sources})
        if(source STREQUAL file)
            list(APPEND sources ${folder}/host/${source})
        else()
            list(APPEND sources ${PROJECT_SOURCE_DIR}/host/${source})
        endif()
    endforeach()
    add_executable(twin_${name} ${sources})
    # One compilation: half of what these sources need is the same headers.
    set_target_properties(twin_${name} PROPERTIES UNITY_BUILD ON UNITY_BUILD_BATCH_SIZE 0)
    target_include_directories(twin_${name} BEFORE PRIVATE ${folder} ${PROJECT_SOURCE_DIR})
    target_link_libraries(
        twin_${name} PRIVATE skep::plugin_api Threads::Threads GTest::gtest GTest::gtest_main)
    target_compile_definitions(twin_${name} PRIVATE SKEP_STRESS_FUSE_SECONDS=2)
    add_test(NAME Twin.${name}
             COMMAND ${CMAKE_COMMAND} -D twin=$<TARGET_FILE:twin_${name}> -D test=${test}
                     -D finding=${finding}
                     -P ${CMAKE_CURRENT_SOURCE_DIR}/stress/must_fail.cmake)
    set_tests_properties(Twin.${name} PROPERTIES TIMEOUT 240)
endfunction()

# What the processor of the build machine does by itself is seen by ThreadSanitizer alone; and that
# one is too slow for the others.
if(SKEP_SANITIZE STREQUAL "thread")
    skep_twin(
        stamp_is_relaxed messaging/ring.hpp EverythingArrives "data race"
        "slot.stamp.store(RingSlot::stamp_of(position), std::memory_order_release)"
        "slot.stamp.store(RingSlot::stamp_of(position), std::memory_order_relaxed)")
else()
    skep_twin(
        nobody_is_announced messaging/ring.hpp EverythingArrives "sleeps for ever"
        "if (attention_.load(std::memory_order_relaxed) != 0) {"
        "if (attention_.load(std::memory_order_relaxed) != 0 && written() < 100) {")
    skep_twin(
        reader_looks_once messaging/inbox.cpp EverythingArrives "sleeps for ever"
        "const bool has_found = has_news();"
        "const bool has_found = false;")
    skep_twin(
        sender_looks_once messaging/ring.cpp EverythingArrives "sleeps for ever"
        "if (!have_readers_changed_.load(std::memory_order_relaxed) && !make_room()) {"
        "if (!have_readers_changed_.load(std::memory_order_relaxed)) {")
    # With smaller bounds the first few slots are enough: such a ring never grows.
    skep_twin(
        done_when_taken messaging/ring_reader.hpp WhatReadersHold*64Bound "torn|out of order"
        "ring_->set_taken(reader_, position_)"
        "ring_->set_taken(reader_, position_), ring_->set_done(reader_, position_, failed_)")
    skep_twin(
        batch_is_not_limited messaging/inbox.cpp KeepsTheOrder "out of order"
        "return take_shown(*cursor, views)"
        "std::this_thread::yield(), views.clear(); return take_of(*cursor, views, max, any, any)")
endif()
