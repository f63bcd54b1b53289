# `cpack -G DEB` in a build folder makes two Debian packages: vida (program and pages) and libvida-dev (static library,
# headers, CMake package, vida.pc). `cmake --preset package` is the configuration for them.
set(CPACK_PACKAGE_NAME vida)
set(CPACK_PACKAGE_VERSION ${PROJECT_VERSION})
set(CPACK_PACKAGE_CONTACT "The authors of vida <authors@vida.invalid>" CACHE STRING "Maintainer of the Debian packages")
set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_VERBATIM_VARIABLES ON)
set(CPACK_COMPONENTS_ALL program development)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_PROJECT_CONFIG_FILE ${CMAKE_CURRENT_LIST_DIR}/VidaPackageCheck.cmake)
set(CPACK_VIDA_NATIVE ${VIDA_NATIVE})

set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION science)
set(CPACK_DEBIAN_PACKAGE_PRIORITY optional)

set(CPACK_DEBIAN_PROGRAM_PACKAGE_NAME vida)
set(CPACK_DEBIAN_PROGRAM_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PROGRAM_PACKAGE_RECOMMENDS "gnuplot-nox, fonts-dejavu-core")
set(CPACK_DEBIAN_PROGRAM_PACKAGE_SUGGESTS "python3-xarray, dataset-fashion-mnist")
set(CPACK_COMPONENT_PROGRAM_DESCRIPTION "batches of inverse problems and data assimilation
vida fits posteriors by Gaussians and normalising flows, runs ensemble and
variational filters side by side, sweeps their settings, and learns the gain of
3DVar, for many problems at once. It writes NetCDF, JSON and figures.")

set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_NAME libvida-dev)
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_SECTION libdevel)
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_DEPENDS "libfmt-dev")
set(CPACK_COMPONENT_DEVELOPMENT_DESCRIPTION "inverse problems and data assimilation, C++ library
Headers and static library of vida, with a CMake package and a pkg-config file.")

# What Debian wants beside the files of every package: its changes, compressed, and its licence.
find_program(VIDA_GZIP gzip)
if(VIDA_GZIP)
  execute_process(COMMAND ${VIDA_GZIP} -9nc ${PROJECT_SOURCE_DIR}/CHANGELOG.md
    OUTPUT_FILE ${PROJECT_BINARY_DIR}/changelog.gz COMMAND_ERROR_IS_FATAL ANY)
  foreach(component program development)
    string(TOUPPER ${component} name)
    install(FILES ${PROJECT_BINARY_DIR}/changelog.gz ${CMAKE_CURRENT_LIST_DIR}/copyright
      DESTINATION share/doc/${CPACK_DEBIAN_${name}_PACKAGE_NAME} COMPONENT ${component} EXCLUDE_FROM_ALL)
  endforeach()
endif()
include(CPack)
