# The configurations in examples/ are what `vida init` prints.
foreach(pair learn-gain:learn_gain.toml ensemble:ensemble.toml gaussian-vi:gaussian_vi.toml flow-vi:flow_vi.toml
    amortized:amortized.toml assimilate:assimilate.toml sweep:sweep.toml
    inpainting:inpainting.toml)
  string(REPLACE ":" ";" pair ${pair})
  list(GET pair 0 name)
  list(GET pair 1 file)
  execute_process(COMMAND ${VIDA} init ${name} OUTPUT_VARIABLE printed RESULT_VARIABLE code)
  file(READ ${SOURCE}/examples/${file} kept)
  if(NOT code EQUAL 0 OR NOT printed STREQUAL kept)
    message(FATAL_ERROR "examples/${file} differs from what 'vida init ${name}' prints; run: vida init ${name} > examples/${file}")
  endif()
endforeach()

# docs/configuration.md is what `vida schema` prints.
execute_process(COMMAND ${VIDA} schema OUTPUT_VARIABLE printed RESULT_VARIABLE code)
file(READ ${SOURCE}/docs/configuration.md kept)
if(NOT code EQUAL 0 OR NOT printed STREQUAL kept)
  message(FATAL_ERROR "docs/configuration.md differs from what 'vida schema' prints; run: vida schema > docs/configuration.md")
endif()
