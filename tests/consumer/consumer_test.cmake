# Builds and runs the program of a project that uses vida. MODE is find_package (vida is installed first) or add_subdirectory.
foreach(name MODE PROJECT PROGRAM SOURCE BUILD WORK GENERATOR CUDA WERROR COMPILER)
  if(NOT DEFINED ${name})
    message(FATAL_ERROR "consumer_test.cmake needs -D${name}=...")
  endif()
endforeach()

function(run)
  execute_process(COMMAND ${ARGV} RESULT_VARIABLE code OUTPUT_VARIABLE output ERROR_VARIABLE output)
  if(NOT code EQUAL 0)
    message(FATAL_ERROR "${ARGV}\nended with ${code}:\n${output}")
  endif()
  message(STATUS "${output}")
endfunction()

file(REMOVE_RECURSE ${WORK})
if(MODE STREQUAL "find_package")
  run(${CMAKE_COMMAND} --install ${BUILD} --prefix ${WORK}/prefix)
  set(how -DCMAKE_PREFIX_PATH=${WORK}/prefix)
else()
  set(how -DVIDA_SOURCE=${SOURCE} -DVIDA_CUDA=${CUDA} -DVIDA_WERROR=${WERROR})  # as vida was built: ccache has it
endif()
run(${CMAKE_COMMAND} -S ${PROJECT} -B ${WORK}/build -G ${GENERATOR} -DCMAKE_CXX_COMPILER=${COMPILER}
  -DCMAKE_BUILD_TYPE=Release ${how})
run(${CMAKE_COMMAND} --build ${WORK}/build --target ${PROGRAM})
run(${WORK}/build/${PROGRAM})
