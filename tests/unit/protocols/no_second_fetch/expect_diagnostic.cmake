# SPDX-License-Identifier: Apache-2.0
# Compiles SOURCE with -DCASE. Without DIAGNOSTIC it has to compile, with one it has to fail so.
set(ENV{LC_ALL} C)
execute_process(
  COMMAND ${COMPILER} -std=c++20 -Wall -Wextra -Werror -fsyntax-only -I ${INCLUDE} -DCASE=${CASE} ${SOURCE}
  RESULT_VARIABLE result OUTPUT_VARIABLE output ERROR_VARIABLE output)
if(DIAGNOSTIC STREQUAL "")
  if(NOT result EQUAL 0)
    message(FATAL_ERROR "case ${CASE} has to compile:\n${output}")
  endif()
elseif(result EQUAL 0)
  message(FATAL_ERROR "case ${CASE} compiles, and must not")
elseif(NOT output MATCHES "${DIAGNOSTIC}")
  message(FATAL_ERROR "case ${CASE} fails for another reason than '${DIAGNOSTIC}':\n${output}")
endif()
