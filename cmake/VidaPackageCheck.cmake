# Read by cpack before it packs.
if(CPACK_VIDA_NATIVE)
  message(FATAL_ERROR "vida: this build is tuned for the CPU of this machine (VIDA_NATIVE=ON) and may not run on another. "
    "Configure with: cmake --preset package")
endif()
