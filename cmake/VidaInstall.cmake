# `cmake --install` lays down the static library, its headers, a CMake package and a pkg-config file (component
# development), and documentation beside the program (component program; the program's own rule is in src/cli).
# find_package(vida) gives vida::vida. The library's own dependencies are found again by vidaConfig.cmake, since a static
# library carries none of them.
include(CMakePackageConfigHelpers)

set(VIDA_PACKAGE_DIR ${CMAKE_INSTALL_LIBDIR}/cmake/vida)

install(TARGETS vida EXPORT vidaTargets
  ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT development
  LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT development)
install(DIRECTORY ${PROJECT_SOURCE_DIR}/include/vida DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} COMPONENT development
  FILES_MATCHING PATTERN "*.hpp")
install(EXPORT vidaTargets NAMESPACE vida:: DESTINATION ${VIDA_PACKAGE_DIR} COMPONENT development)

configure_package_config_file(${CMAKE_CURRENT_LIST_DIR}/vidaConfig.cmake.in ${PROJECT_BINARY_DIR}/vidaConfig.cmake
  INSTALL_DESTINATION ${VIDA_PACKAGE_DIR})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/vidaConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/vidaConfig.cmake ${PROJECT_BINARY_DIR}/vidaConfigVersion.cmake
  DESTINATION ${VIDA_PACKAGE_DIR} COMPONENT development)

# pkg-config: `--libs` alone must link a program. What the library needs is therefore public where it is static, and
# private where it is shared.
file(RELATIVE_PATH VIDA_PC_PREFIX ${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig ${CMAKE_INSTALL_PREFIX})
string(REGEX REPLACE "/$" "" VIDA_PC_PREFIX ${VIDA_PC_PREFIX})
set(needed " -pthread")
if(TARGET vida_cuda_kernels)
  string(APPEND needed " -L${CUDAToolkit_LIBRARY_DIR} -lcudart_static -ldl -lrt")
endif()
get_target_property(type vida TYPE)
if(type STREQUAL "STATIC_LIBRARY")
  set(VIDA_PC_REQUIRES "Requires")
  set(VIDA_PC_LIBS "${needed}")
  set(VIDA_PC_LIBS_PRIVATE "")
else()
  set(VIDA_PC_REQUIRES "Requires.private")
  set(VIDA_PC_LIBS "")
  set(VIDA_PC_LIBS_PRIVATE "${needed}")
endif()
configure_file(${CMAKE_CURRENT_LIST_DIR}/vida.pc.in ${PROJECT_BINARY_DIR}/vida.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/vida.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig COMPONENT development)

# The pages refer to each other and to the examples by the folders of the tree, which are kept.
install(FILES ${PROJECT_SOURCE_DIR}/README.md ${PROJECT_SOURCE_DIR}/CHANGELOG.md ${PROJECT_SOURCE_DIR}/CONTRIBUTING.md
  ${PROJECT_SOURCE_DIR}/LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT program)
install(DIRECTORY ${PROJECT_SOURCE_DIR}/docs ${PROJECT_SOURCE_DIR}/examples DESTINATION ${CMAKE_INSTALL_DOCDIR}
  COMPONENT program)
