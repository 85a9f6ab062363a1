# SPDX-License-Identifier: Apache-2.0
# Attacks that are found to work: each against a program with one of its defences taken out. An
# attack that no such program fails before proves nothing about a sound one.
include(${PROJECT_SOURCE_DIR}/tests/mutant.cmake)

# weakened(NAME PROGRAM target SOURCE file [FILE header that SOURCE includes, instead of SOURCE]
#   FROM text TO text, and as weak_too())
#
# The program is linked from the sound one's objects and libraries, and the one object compiled
# anew, which comes before the archive's. One thing more is needed for a header: everything else
# that uses the changed part of it must be of that object, too.
function(weakened name)
  cmake_parse_arguments(PARSE_ARGV 1 ARG "" "PROGRAM;SOURCE;FILE;FROM;TO" "")
  if(NOT ARG_FILE)
    set(ARG_FILE ${ARG_SOURCE})
  endif()
  cede_mutant(${ARG_FILE} ${name} FROM "${ARG_FROM}" TO "${ARG_TO}" RESULT folder)
  set(source ${PROJECT_SOURCE_DIR}/${ARG_SOURCE})
  if(ARG_FILE STREQUAL ARG_SOURCE)
    set(source ${folder}/${ARG_SOURCE})
  endif()
  set(target weakened-${name})
  add_executable(${target} EXCLUDE_FROM_ALL ${source} $<TARGET_OBJECTS:${ARG_PROGRAM}>)
  get_target_property(libraries ${ARG_PROGRAM} LINK_LIBRARIES)
  target_link_libraries(${target} PRIVATE ${libraries} fmt::fmt spdlog::spdlog Boost::headers)
  cede_uses_mutant(${target} ${folder})
  get_target_property(program ${ARG_PROGRAM} OUTPUT_NAME)
  if(NOT program)
    set(program ${ARG_PROGRAM})
  endif()
  set_target_properties(${target} PROPERTIES OUTPUT_NAME ${program}
    RUNTIME_OUTPUT_DIRECTORY ${folder}/programs)
  add_dependencies(weakened-programs ${target})
  weak_too(${name} ${ARG_UNPARSED_ARGUMENTS})
endfunction()

# weak_too(NAME ATTACK name... [PHASE milliseconds] [SPEED] SHOWS what is held against the system)
#
# On a program that there is. SPEED: it is by how little they get done that its victims suffer. By
# far, or it could not be told from what else the machine does.
function(weak_too name)
  cmake_parse_arguments(PARSE_ARGV 1 ARG "SPEED" "PHASE;SHOWS" "ATTACK")
  set(judged --quick)
  if(ARG_SPEED)
    set(judged "")
  endif()
  if(NOT ARG_PHASE)
    set(ARG_PHASE 1000)
  endif()
  foreach(attack IN LISTS ARG_ATTACK)
    attack_is_found(weak.${name}.${attack} "${ARG_SHOWS}" ${judged} --phase ${ARG_PHASE}
      --weakened ${CMAKE_CURRENT_BINARY_DIR}/mutants/${name}/programs ${attack})
  endforeach()
endfunction()

# The expression alone decides: it is printed with exit status 3, and with no other.
function(attack_is_found name shows)
  add_test(NAME attack.${name} COMMAND cede-attack run ${ARGN})
  set_tests_properties(attack.${name} PROPERTIES LABELS weakened TIMEOUT 300
    PASS_REGULAR_EXPRESSION "FAILED: ${shows}")
endfunction()

add_custom_target(weakened-programs)

# fails_where_revocable(ATTACK SHOWS): memory that a client can take back is a weakness, too.
function(fails_where_revocable attack shows)
  attack_is_found(revocable.${attack} "${shows}" --quick --phase 1000 --system revocable ${attack})
endfunction()

fails_where_revocable(grow "the region grows")
fails_where_revocable(io-uring-calls "IORING_OP_WRITE")
fails_where_revocable(madvise-remove "MADV_REMOVE by the mapping")
fails_where_revocable(map-again "a second writable mapping")
fails_where_revocable(punch-as-driver "the region is cut off")
fails_where_revocable(punch-hole "a hole is punched into the region")
fails_where_revocable(reopen "written to by another open file")
fails_where_revocable(truncate "the region is cut to nothing")
fails_where_revocable(write-by-file "pwrite")

include(weakened_servers.cmake)
include(weakened_others.cmake)
