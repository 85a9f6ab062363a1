# SPDX-License-Identifier: Apache-2.0
# A test that cannot fail is a defect. cede_mutant() makes a copy of one source file with one thing
# wrong, and cede_uses_mutant() puts the copy's folder before the source tree in the include path.
#
# cede_mutant(FILE NAME FROM text TO text RESULT variable): the folder goes into the variable. FROM
# has to occur exactly once: a mutation that no longer applies stops the configuration.
function(cede_mutant file name)
  cmake_parse_arguments(PARSE_ARGV 2 ARG "" "FROM;TO;RESULT" "")
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/${file})
  file(READ ${PROJECT_SOURCE_DIR}/${file} text)
  string(FIND "${text}" "${ARG_FROM}" first)
  string(FIND "${text}" "${ARG_FROM}" last REVERSE)
  if(first EQUAL -1 OR NOT first EQUAL last)
    message(FATAL_ERROR "mutant ${name}: its text occurs not exactly once in ${file}")
  endif()
  string(REPLACE "${ARG_FROM}" "${ARG_TO}" text "${text}")
  set(folder ${CMAKE_CURRENT_BINARY_DIR}/mutants/${name})
  file(CONFIGURE OUTPUT ${folder}/${file} CONTENT "${text}" @ONLY)
  set(${ARG_RESULT} ${folder} PARENT_SCOPE)
endfunction()

# cede_uses_mutant(TARGET folder): the target is compiled with what cede_mutant() made. It stays out
# of compile_commands.json, or clang-tidy would judge its sound files by the mutant's headers, too.
function(cede_uses_mutant target folder)
  target_include_directories(${target} BEFORE PRIVATE ${folder})
  set_target_properties(${target} PROPERTIES EXPORT_COMPILE_COMMANDS OFF)
endfunction()
