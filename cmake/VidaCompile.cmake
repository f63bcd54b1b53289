# Flags that every vida target compiles with; they do not reach users of the library.
add_library(vida_flags INTERFACE)
target_compile_options(vida_flags INTERFACE
  $<$<COMPILE_LANGUAGE:CXX>:-Wall -Wextra -Wpedantic -Wno-psabi>
  # g++ 12 sees overlapping copies in string + string where there are none
  $<$<AND:$<COMPILE_LANGUAGE:CXX>,$<CXX_COMPILER_ID:GNU>>:-Wno-restrict>
  $<$<AND:$<COMPILE_LANGUAGE:CXX>,$<BOOL:${VIDA_WERROR}>>:-Werror>)

# Between a configuration and the numbers, and between these and the files, nothing takes long: there the time of the
# compiler counts.
add_library(vida_light_flags INTERFACE)
target_compile_options(vida_light_flags INTERFACE $<$<CONFIG:Release>:-O1>)
target_link_libraries(vida_light_flags INTERFACE vida_flags)

# Kernels on the host want full optimisation and the widest vectors the machine has.
add_library(vida_host_kernel_flags INTERFACE)
target_compile_options(vida_host_kernel_flags INTERFACE -fno-math-errno -fno-trapping-math)
if(NOT CMAKE_CXX_FLAGS MATCHES "-fsanitize")  # a sanitizer takes what -O3 gives, and twice the time to compile
  target_compile_options(vida_host_kernel_flags INTERFACE -O3)
endif()
if(VIDA_CONTRACT)
  target_compile_options(vida_host_kernel_flags INTERFACE -ffp-contract=fast)
else()
  target_compile_options(vida_host_kernel_flags INTERFACE -ffp-contract=off)
endif()
if(VIDA_NATIVE)
  target_compile_options(vida_host_kernel_flags INTERFACE -march=native -mprefer-vector-width=512)
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
    # the AVX-512 header of g++ 12 starts vectors with themselves and is warned about wherever it is used (GCC bug 105593)
    target_compile_options(vida_host_kernel_flags INTERFACE -Wno-uninitialized -Wno-maybe-uninitialized)
  endif()
endif()
